/** Limits in a real PostgreSQL, under contention and with what is done to it while they are in use. */
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';

import { allOf, createLimiter, fixedWindow, postgresStore } from '../../src/limit/index.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { Relay } from '../faults/relay.ts';
import {
  admitsExactly,
  answersCrowdsOfOneKey,
  goesByItsOwnClock,
  hundred,
  patient,
  takesGivesBackAndForgets,
  untilBack,
} from './remote-store.ts';

const server = await PostgresServer.start();
after(() => server[Symbol.asyncDispose]());
const pool = server.pool();
const store = postgresStore(pool);
await store.migrate();
beforeEach(() => pool.query('TRUNCATE spillway.limits'));

async function rows(): Promise<number> {
  const { rows: found } = await pool.query<{ n: string }>('SELECT count(*) AS n FROM spillway.limits');
  return Number(found[0]!.n);
}

test('takes, looks, gives back and forgets', async () => {
  const names = async (): Promise<string[]> => {
    const { rows: found } = await pool.query<{ key: string }>('SELECT key FROM spillway.limits');
    return found.map(({ key }) => key);
  };
  await takesGivesBackAndForgets(store, names);
});

test('R2, R13: a thousand callers on twenty connections of two processes are admitted exactly as often as the limit says, a hundred times', async () => {
  await admitsExactly([store, postgresStore(server.pool())]);
});

test('thousands who ask in one tick and share a key are answered by PostgreSQL, and not by the outage', async () => {
  await answersCrowdsOfOneKey(store);
});

test('in a database whose transactions are stricter by default, the first take says what to do', async () => {
  const pool = server.pool();
  pool.on('connect', (client) => void client.query("SET default_transaction_isolation = 'repeatable read'"));
  const api = createLimiter({
    name: 'strict',
    algorithm: hundred,
    store: postgresStore(pool),
    outage: { ...patient, answer: 'closed' },
  });
  assert.equal((await api.take('ann')).source, 'closed');
  assert.match(api.outage!.error.message, /READ COMMITTED.*REPEATABLE READ.*default_transaction_isolation/);
});

test('many who take from several limits in any order never wait for each other in a circle', async () => {
  const stores = [store, postgresStore(server.pool()), postgresStore(server.pool())];
  const limitersOf = stores.map((each) =>
    ['a', 'b', 'c'].map((name) =>
      createLimiter({ name, algorithm: fixedWindow({ limit: 1e6, per: '366d' }), store: each, outage: patient }),
    ),
  );
  const keys = ['x', 'y', 'z'];
  const decisions = await Promise.all(
    Array.from({ length: 300 }, async (_, caller) => {
      for (let turns = caller % 30; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      const turned = <T>(of: readonly T[], by: number): T[] => of.map((_, index) => of[(index + by) % of.length]!);
      const [first, second, third] = turned(limitersOf[caller % 3]!, caller);
      return allOf(first!, second!, third!).take(turned(keys, Math.floor(caller / 3)));
    }),
  );
  assert.ok(decisions.every(({ allowed, source }) => allowed && source === 'store'));
  const { rows: states } = await pool.query<{ state: number[] }>('SELECT state FROM spillway.limits');
  assert.equal(
    states.reduce((sum, { state }) => sum + state[1]!, 0),
    900,
  );
});

test('R3: the clock of the process that asks has no say', async () => {
  await goesByItsOwnClock((clock) => postgresStore(pool, { clock }));
});

test('rows that say nothing any more are removed in passing, and nobody else is', async () => {
  await pool.query(`INSERT INTO spillway.limits SELECT 'old ' || n, ARRAY[1, 1], 5 FROM generate_series(1, 3000) AS n`);
  const limiter = createLimiter({ name: 'api', algorithm: hundred, store, outage: patient });
  const held = await pool.connect();
  try {
    // A row that somebody holds is passed over, and nobody waits for it.
    await held.query(`BEGIN; SELECT FROM spillway.limits WHERE key = 'old 7' FOR UPDATE`);
    for (let tick = 0; tick < 5; tick++)
      await Promise.all(Array.from({ length: 300 }, (_, n) => limiter.take(`${tick} ${n}`)));
    // So many takes look at some pages of the table.
    while ((await rows()) > 1501) await Promise.all(Array.from({ length: 300 }, (_, n) => limiter.take(`0 ${n}`)));
  } finally {
    await held.query('ROLLBACK');
    held.release();
  }
  assert.equal(await store.sweep(), 1);
  assert.equal(await rows(), 1500);
});

test('R10: a frozen server is answered for by the deadline; one that is killed and restarted is back by itself', async () => {
  await using own = await PostgresServer.start();
  await using line = await Relay.open(own.port);
  const each = postgresStore(own.pool({ port: line.port }));
  await each.migrate();
  const outage = { answer: 'closed', deadline: 500 } as const;
  const limiter = createLimiter({ name: 'api', algorithm: hundred, store: each, outage });
  await untilBack(() => limiter.take('bob'));
  line.cut();
  assert.deepEqual((await limiter.take('ann')).source, 'closed');
  assert.match(limiter.outage!.error.message, /no answer within 500 ms/);
  line.pass();
  await untilBack(() => limiter.take('bob'));
  assert.equal((await limiter.take('ann', { cost: 60 })).remaining, 40);
  await own.kill();
  assert.equal((await limiter.take('ann')).source, 'closed');
  await own.restart();
  await untilBack(() => limiter.take('bob'));
  assert.equal((await limiter.peek('ann')).remaining, 100, 'an unlogged table is empty after a crash');
});

test('a database that is not prepared says what to do; many prepare it at once; schemas are apart', async () => {
  const other = postgresStore(pool, { schema: 'shop_limits' });
  const part = { name: 'api', algorithm: hundred, key: 'ann', cost: 1, times: 1, holder: 0 };
  const ask = () => other.ask([{ verb: 'take', parts: [part] }], { signal: new AbortController().signal });
  await assert.rejects(ask(), { code: 'STORE_REFUSED', retryable: false });
  await Promise.all(Array.from({ length: 5 }, () => other.migrate()));
  assert.equal((await ask())[0]![0]!.remaining, 99);
  assert.equal(await rows(), 0, 'of the first');
});

test('what is no client of PostgreSQL is refused', () => {
  for (const client of [null, {}, 'postgres://localhost']) {
    assert.throws(() => postgresStore(client as never), { code: 'OPTIONS_INVALID' });
  }
  assert.throws(() => postgresStore(pool, { schema: 'Robert"; --' }), { code: 'OPTIONS_INVALID' });
});
