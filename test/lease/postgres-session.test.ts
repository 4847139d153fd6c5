/** Leases by advisory locks of a session, in a real PostgreSQL: the contracts, and what happens to its one connection. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import pg from 'pg';

import { type Claim, postgresSessionLeases } from '../../src/lease/index.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { Relay } from '../faults/relay.ts';
import { PgBouncer } from '../servers/pgbouncer.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { busy, claimOf, granted, until, waiting } from './claims.ts';

const server = await PostgresServer.start();
const pool = server.pool();
after(() => server[Symbol.asyncDispose]());

function connectTo(port: number, settings: pg.ClientConfig = {}): () => Promise<pg.Client> {
  return async () => {
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'postgres', database: 'postgres', ...settings });
    await client.connect();
    return client;
  };
}

function openStore(port = server.port): ReturnType<typeof postgresSessionLeases> {
  return postgresSessionLeases(connectTo(port));
}

{
  await using store = openStore();
  await store.migrate();
}

const subject = {
  name: 'postgres session',
  shares: false,
  queue: false,
  open: () => ({ connect: () => openStore() }),
};
for (const { name, run } of [...leaseStoreContract(subject), ...electionContract(subject)]) test(name, run);

async function locks(): Promise<number> {
  return (await pool.query(`SELECT FROM pg_locks WHERE locktype = 'advisory'`)).rowCount!;
}

for (const mode of ['transaction', 'session'] as const) {
  test(`a PgBouncer in ${mode} mode is refused, with what to do`, async () => {
    await using bouncer = await PgBouncer.start({ port: server.port, mode });
    await using store = openStore(bouncer.port);
    const refused = { code: 'STORE_REFUSED', message: /PgBouncer.*straight to the server.*postgresLeases/ };
    await assert.rejects(store.try(claimOf(), waiting), refused);
    assert.equal(await locks(), 0);
  });
}

test('a client has one statement at a time, however much is asked at once, and one that fails holds up no other', async () => {
  let [open, most] = [0, 0];
  await using store = postgresSessionLeases(async () => {
    const client = await connectTo(server.port)();
    const query = client.query.bind(client) as (text: string, values: unknown[]) => Promise<pg.QueryResult>;
    const counted = async (text: string, values: unknown[]): Promise<pg.QueryResult> => {
      most = Math.max(most, (open += 1));
      try {
        return await query(text, values);
      } finally {
        open -= 1;
      }
    };
    return Object.assign(client, { query: counted });
  });
  const claims = Array.from({ length: 20 }, (_, index) => claimOf({ key: `k${index}` }));
  await Promise.all(claims.map((claim) => granted(store, claim)));
  const refused = assert.rejects(store.try(claimOf({ key: 'other', ttlMs: Number.NaN }), waiting), /NaN/);
  await Promise.all([refused, ...claims.map((claim) => store.release(claim, waiting))]);
  assert.equal(most, 1);
});

test('a session that the server ends has lost all, and new claims have a new one', async () => {
  await using store = openStore();
  await using other = openStore();
  const [lost, next] = [claimOf(), claimOf()];
  const token = await granted(store, lost);
  await busy(other, next);
  await pool.query('SELECT pg_terminate_backend(pid) FROM spillway.lease_sessions');
  await until(async () => (await locks()) === 0);
  await until(
    async () =>
      await store.renew(lost, waiting).then(
        ({ held }) => !held,
        () => false,
      ),
  );
  assert.ok((await granted(other, next)) > token);
  await granted(store, claimOf({ key: 'other' }));
});

test('a connection that is lost on the way loses all', async () => {
  await using line = await Relay.open(server.port);
  await using store = openStore(line.port);
  await using other = openStore();
  const lost = claimOf();
  const token = await granted(store, lost);
  line.reset();
  await until(
    async () =>
      await store.renew(lost, waiting).then(
        ({ held }) => !held,
        () => false,
      ),
  );
  await until(async () => (await locks()) === 0);
  assert.ok((await granted(other, claimOf())) > token);
});

test('a session that falls silent is ended by the server after its ttl', async () => {
  await using line = await Relay.open(server.port);
  await using store = openStore(line.port);
  await using other = openStore();
  await granted(store, claimOf({ ttlMs: 300 }));
  line.cut();
  const next = claimOf();
  await until(async () => (await other.try(next, waiting)).granted);
  line.reset();
});

test('two claims of one process are two: the lock is taken once, and one release frees it', async () => {
  await using store = openStore();
  await using other = openStore();
  const [one, two] = [claimOf(), claimOf()];
  const [token, again, refused] = await Promise.all([
    granted(store, one),
    granted(store, one),
    store.try(two, waiting),
  ]);
  assert.equal(again, token);
  assert.equal(refused.granted, false);
  await store.release(two, waiting);
  assert.deepEqual(await store.renew(two, waiting), { held: false });
  await busy(other, claimOf());
  await store.release(one, waiting);
  assert.equal(await locks(), 0);
  await granted(other, two);
});

test('a try that fails after it took the lock gives it back', async () => {
  await using store = openStore();
  await granted(store, claimOf({ key: 'warm' }));
  await pool.query('ALTER SEQUENCE spillway.lease_tokens RENAME TO hidden');
  await assert.rejects(store.try(claimOf(), waiting), { code: 'STORE_REFUSED' });
  assert.equal(await locks(), 1);
  await pool.query('ALTER SEQUENCE spillway.hidden RENAME TO lease_tokens');
  await granted(store, claimOf());
});

test('a lock that was taken after its client had given up on the answer is given back, and had by who asks again', async () => {
  await using line = await Relay.open(server.port);
  // As with `query_timeout`, but when the test says so: the client gives up on an answer, which comes all the same.
  let outOfTime = Promise.withResolvers<never>();
  await using store = postgresSessionLeases(async () => {
    const client = await connectTo(line.port)();
    const query = client.query.bind(client) as (text: string, values: unknown[]) => Promise<pg.QueryResult>;
    const untilGivenUp = (text: string, values: unknown[]) => Promise.race([query(text, values), outOfTime.promise]);
    return Object.assign(client, { query: untilGivenUp });
  });
  await using other = openStore();
  await granted(store, claimOf({ key: 'warm' }));
  const unanswered = async (claim: Claim): Promise<void> => {
    line.hold('toClient');
    const tried = assert.rejects(store.try(claim, waiting), { code: 'STORE_UNAVAILABLE', message: /out of time/ });
    await until(async () => (await locks()) === 2);
    outOfTime.reject(new Error('out of time'));
    await tried;
    outOfTime = Promise.withResolvers();
    line.pass('toClient');
  };
  /** Another gets it, and leaves it. */
  const passOn = async (): Promise<void> => {
    const next = claimOf();
    await granted(other, next);
    await other.release(next, waiting);
  };
  const released = claimOf();
  await unanswered(released);
  await store.release(released, waiting);
  await passOn();
  const again = claimOf();
  await unanswered(again);
  await until(async () => (await store.try(again, waiting)).granted);
  await store.release(again, waiting);
  await passOn();
  await unanswered(claimOf({ ttlMs: 300 }));
  await until(async () => (await other.try(claimOf(), waiting)).granted);
});

test('a claim that is asked for again before it has been answered is asked for again', async () => {
  await using line = await Relay.open(server.port);
  await using store = postgresSessionLeases(connectTo(line.port, { application_name: 'held up' }));
  await using other = openStore();
  const [mine, next] = [claimOf(), claimOf()];
  await granted(other, mine);
  await store.read('k', waiting);
  line.hold('toClient');
  const first = store.try(next, waiting);
  const answered = `SELECT FROM pg_stat_activity WHERE application_name = 'held up' AND state = 'idle' AND query LIKE '%lease_session_try%'`;
  await until(async () => (await pool.query(answered)).rowCount === 1);
  await other.release(mine, waiting);
  const second = store.try(next, waiting);
  line.pass('toClient');
  assert.deepEqual([(await first).granted, (await second).granted], [false, true]);
});

test('options that mean nothing are refused', () => {
  assert.throws(() => postgresSessionLeases({} as never), { code: 'OPTIONS_INVALID', message: /connected Client/ });
  assert.throws(() => postgresSessionLeases(connectTo(1), { schema: 'A' }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => postgresSessionLeases(connectTo(1), { prefix: 'a' } as never), { code: 'OPTIONS_INVALID' });
});
