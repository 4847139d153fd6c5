/**
 * Waiting for the lock of a session, in a real PostgreSQL. Nobody here asks by itself, as a claim does that waits: whoever asks was told to.
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import pg from 'pg';

import { type PostgresSessionLeases, postgresSessionLeases } from '../../src/lease/index.ts';
import { Relay } from '../faults/relay.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { busy, claimOf, granted, turnOf, until, waiting } from './claims.ts';

const server = await PostgresServer.start();
const pool = server.pool();
after(() => server[Symbol.asyncDispose]());

function openStore(settings: pg.ClientConfig = {}): PostgresSessionLeases {
  return postgresSessionLeases(async () => {
    const client = new pg.Client({ connectionString: server.url, ...settings });
    await client.connect();
    return client;
  });
}

{
  await using store = openStore();
  await store.migrate();
}

/** Sessions that wait for a lock, or observe one, those first who came first. */
async function crowd(kind: 'waits' | 'observes' = 'waits'): Promise<readonly number[]> {
  const text = 'SELECT pid FROM spillway.lease_session_crowd WHERE kind = $1 ORDER BY place';
  return (await pool.query<{ pid: number }>(text, [kind])).rows.map(({ pid }) => pid);
}

async function end(session: number): Promise<void> {
  await pool.query('SELECT pg_terminate_backend($1)', [session]);
  await until(async () => (await pool.query('SELECT FROM pg_stat_activity WHERE pid = $1', [session])).rowCount === 0);
}

/** What `event` is of the statements of a store waits until what is returned is called. */
async function holdUp(trigger: string, event: string): Promise<() => Promise<void>> {
  const hanging = await pool.connect();
  await hanging.query('SELECT pg_advisory_lock(1)');
  const body = 'BEGIN PERFORM pg_advisory_xact_lock(1); RETURN NULL; END';
  await pool.query(`CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS '${body}'`);
  await pool.query(`CREATE ${trigger} hang AFTER ${event} FOR EACH ROW EXECUTE FUNCTION hang()`);
  return async () => {
    await hanging.query('SELECT pg_advisory_unlock(1)');
    hanging.release();
  };
}

async function heldUp(): Promise<void> {
  await until(async () => (await pool.query('SELECT FROM pg_locks WHERE NOT granted')).rowCount === 1);
}

test('twenty that wait and observe: a lock that is given back makes one ask, which has waited longest', async () => {
  await pool.query(`ALTER DATABASE postgres SET track_functions = 'pl'`);
  const [first, ...others] = Array.from({ length: 21 }, () => openStore({ application_name: 'counted' }));
  const holder = claimOf();
  await granted(first!, holder);
  const served: number[] = [];
  const turns: Promise<void>[] = [];
  for (const [at, store] of others.entries()) {
    store.watch(holder.key, null, () => {});
    const mine = claimOf();
    turns.push(
      turnOf(store, mine).then(async () => {
        served.push(at);
        await store.release(mine, waiting);
      }),
    );
    await until(async () => (await crowd()).length === at + 1 && (await crowd('observes')).length === at + 1);
    // Answered after what was asked before: it has found it taken.
    await store.read(holder.key, waiting);
  }
  await first!.release(holder, waiting);
  await Promise.all(turns);
  assert.deepEqual(served, [...others.keys()]);
  assert.deepEqual(await crowd(), []);
  for (const store of [first!, ...others]) await store[Symbol.asyncDispose]();
  // Sessions have said what they did when they are gone.
  await until(
    async () => (await pool.query(`SELECT FROM pg_stat_activity WHERE application_name = 'counted'`)).rowCount === 0,
  );
  const { rows } = await pool.query<{ funcname: string; calls: string }>(
    `SELECT funcname, calls FROM pg_stat_user_functions WHERE funcname IN ('lease_session_wait', 'lease_session_release')`,
  );
  const calls = Object.fromEntries(rows.map((row) => [row.funcname, Number(row.calls)]));
  // Each as it came, and then two for each hand-over.
  assert.deepEqual(calls, { lease_session_wait: 20 + 20, lease_session_release: 1 + 20 });
});

test('a lock that is given back after it was found taken, and before that is committed, is had by who found it so', async () => {
  const [one, two] = [openStore(), openStore()];
  const [mine, next] = [claimOf(), claimOf()];
  await granted(one, mine);
  const goOn = await holdUp(
    'CONSTRAINT TRIGGER',
    'INSERT ON spillway.lease_session_crowd DEFERRABLE INITIALLY DEFERRED',
  );
  const turn = turnOf(two, next);
  await heldUp();
  await one.release(mine, waiting);
  await goOn();
  await turn;
  await pool.query('DROP FUNCTION hang CASCADE');
  for (const store of [one, two]) await store[Symbol.asyncDispose]();
});

test('a lock that is found taken while it is given back is told of, also where transactions are stricter by default', async () => {
  const options = String.raw`-c default_transaction_isolation=serializable`;
  const [one, two] = [openStore({ options }), openStore()];
  const [mine, next] = [claimOf(), claimOf()];
  await granted(one, mine);
  await granted(two, claimOf({ key: 'warm' }));
  const goOn = await holdUp('TRIGGER', 'DELETE ON spillway.lease_sessions');
  const released = one.release(mine, waiting);
  await heldUp();
  const turn = turnOf(two, next);
  await until(async () => (await crowd()).length === 1);
  await two.read(next.key, waiting);
  await goOn();
  await released;
  await turn;
  await pool.query('DROP FUNCTION hang CASCADE');
  for (const store of [one, two]) await store[Symbol.asyncDispose]();
});

test('who leaves when it was told tells the next, past one whose session has ended', async () => {
  const stores = Array.from({ length: 4 }, () => openStore());
  const [one, leaves, dies, last] = stores as [PostgresSessionLeases, ...PostgresSessionLeases[]];
  for (const [at, store] of stores.entries()) await granted(store, claimOf({ key: `warm ${at}` }));
  const mine = claimOf();
  await granted(one, mine);
  const told = Promise.withResolvers<void>();
  const leaver = claimOf();
  let isWaiting = false;
  const unwatch = leaves!.watch(leaver.key, leaver, () => (isWaiting ? told.resolve() : null));
  await busy(leaves!, leaver);
  isWaiting = true;
  const dead = claimOf();
  dies!.watch(dead.key, dead, () => {});
  await busy(dies!, dead);
  await end((await crowd())[1]!);
  const turn = turnOf(last!, claimOf());
  await until(async () => (await crowd()).length === 3);
  await last!.read(mine.key, waiting);
  await one.release(mine, waiting);
  await told.promise;
  unwatch();
  await turn;
  assert.deepEqual(await crowd(), []);
  for (const store of stores) await store[Symbol.asyncDispose]();
});

test('two claims of one process that want the same lock: the second is told when the first gives it back', async () => {
  await using store = openStore();
  const [one, two] = [claimOf(), claimOf()];
  await granted(store, one);
  const turn = turnOf(store, two);
  await busy(store, two);
  await store.release(one, waiting);
  await turn;
});

test('who is told while another claim of its process is being refused asks when that is answered', async () => {
  await using line = await Relay.open(server.port);
  await using other = openStore();
  await using store = postgresSessionLeases(async () => {
    const client = new pg.Client({ host: '127.0.0.1', port: line.port, user: 'postgres', application_name: 'held up' });
    await client.connect();
    return client;
  });
  const [mine, next, once] = [claimOf(), claimOf(), claimOf()];
  await granted(other, mine);
  const turn = turnOf(store, next);
  await until(async () => (await crowd()).length === 1);
  // Answered after what was asked before: it has found it taken.
  await store.read(mine.key, waiting);
  line.hold('toClient');
  const refused = busy(store, once);
  const answered = `SELECT FROM pg_stat_activity WHERE application_name = 'held up' AND state = 'idle' AND query LIKE '%lease_session_wait%'`;
  await until(async () => (await pool.query(answered)).rowCount === 1);
  await other.release(mine, waiting);
  line.pass('toClient');
  await refused;
  await turn;
  await store.release(next, waiting);
});

test('who waits is told on a new session, when the old one has ended', async () => {
  const [one, two] = [openStore(), openStore()];
  const [mine, next] = [claimOf(), claimOf()];
  await granted(one, mine);
  const turn = turnOf(two, next);
  await until(async () => (await crowd()).length === 1);
  const [session] = await crowd();
  await end(session!);
  // As it would by itself.
  await until(async () => {
    await two.try(next, waiting).catch(() => {});
    return (await crowd()).some((other) => other !== session);
  });
  await one.release(mine, waiting);
  await turn;
  for (const store of [one, two]) await store[Symbol.asyncDispose]();
});

test('who observes is told that a lock was taken, that it was given back, and that it must look as the session has ended', async () => {
  const [one, two] = [openStore(), openStore()];
  let wakes = 0;
  const unwatch = two.watch('k', null, () => (wakes += 1));
  /** Until it is told again, once all that it had asked before is answered. */
  const told = async (of: () => Promise<unknown>): Promise<void> => {
    await until(async () => (await crowd('observes')).length === 1 && (await two.read('k', waiting)).length >= 0);
    const before = wakes;
    await of();
    await until(() => wakes > before);
  };
  const mine = claimOf();
  for (let session = 0; session < 2; session++) {
    await told(() => granted(one, mine));
    await told(() => one.release(mine, waiting));
    if (session === 0) await told(async () => end((await crowd('observes'))[0]!));
    await until(() =>
      two.read('k', waiting).then(
        () => true,
        () => false,
      ),
    );
  }
  unwatch();
  await until(async () => (await crowd('observes')).length === 0);
  for (const store of [one, two]) await store[Symbol.asyncDispose]();
});

test('what a session left in the crowd is not of the next one with its number', async () => {
  await using store = postgresSessionLeases(async () => {
    const client = new pg.Client(server.url);
    await client.connect();
    const { processID } = client as unknown as { readonly processID: number };
    await pool.query(`INSERT INTO spillway.lease_session_crowd VALUES (1, 'waits', $1)`, [processID]);
    return client;
  });
  await granted(store, claimOf());
  assert.deepEqual(await crowd(), []);
});

test('who waits draws no token', async () => {
  const [one, two] = [openStore(), openStore()];
  const mine = claimOf();
  await granted(one, mine);
  const drawn = async (): Promise<unknown> =>
    (await pool.query('SELECT last_value FROM spillway.lease_tokens')).rows[0];
  const before = await drawn();
  const turn = turnOf(two, claimOf());
  await until(async () => (await crowd()).length === 1);
  // Answered after what was asked before: it has found it taken.
  await two.read(mine.key, waiting);
  assert.deepEqual(await drawn(), before);
  await one.release(mine, waiting);
  await turn;
  for (const store of [one, two]) await store[Symbol.asyncDispose]();
});

test('whoever waits in a schema of an older version is told to migrate, and then waits', async () => {
  await pool.query('DROP PROCEDURE spillway.lease_session_wait');
  const [one, two] = [openStore(), openStore()];
  const [mine, next] = [claimOf(), claimOf()];
  await granted(one, mine);
  const unwatch = two.watch(next.key, next, () => {});
  await assert.rejects(two.try(next, waiting), { code: 'STORE_REFUSED', message: /older version: run migrate\(\)/ });
  unwatch();
  await one.migrate();
  const turn = turnOf(two, next);
  await until(async () => (await crowd()).length === 1);
  await one.release(mine, waiting);
  await turn;
  for (const store of [one, two]) await store[Symbol.asyncDispose]();
});
