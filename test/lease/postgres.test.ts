/** Leases in a real PostgreSQL: the contract, with and without a connection to listen on, and what only a server can do to them. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';

import pg from 'pg';

import { type Claim, postgresLeases, type PostgresLeases } from '../../src/lease/index.ts';
import { createElections } from '../../src/elect/index.ts';
import { Leases } from '../../src/lease/leases.ts';
import { createLocks } from '../../src/lock/index.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { LeaseProcesses, patience } from '../../src/testing/lease-processes.ts';
import { Relay } from '../faults/relay.ts';
import { PgBouncer } from '../servers/pgbouncer.ts';
import { PostgresServer } from '../servers/postgres.ts';

const server = await PostgresServer.start();
const pool = server.pool({ max: 20 });
const bouncer = await PgBouncer.start({ port: server.port, mode: 'transaction' });
after(async () => {
  await bouncer[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});
await postgresLeases(pool).migrate();

async function listen(): Promise<pg.Client> {
  const client = new pg.Client(server.url);
  await client.connect();
  return client;
}

async function clear(): Promise<void> {
  await pool.query('TRUNCATE spillway.leases, spillway.lease_crowd');
}

async function count(table: 'leases' | 'lease_crowd'): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(`SELECT count(*)::integer AS n FROM spillway.${table}`);
  return rows[0]!.n;
}

/** A store and what its contract asks with, at the one server. */
async function open(ttlMs: number, options: Parameters<typeof postgresLeases>[1] = {}): Promise<LeaseProcesses> {
  await clear();
  return new LeaseProcesses([postgresLeases(pool, options)], ttlMs);
}

const contract = (name: string, notifies: boolean, connect: () => PostgresLeases): void => {
  const under = async (): Promise<{ readonly connect: () => PostgresLeases }> => {
    await clear();
    return { connect };
  };
  const subject = { name, notifies, open: under };
  for (const { name: clause, run } of leaseStoreContract(subject)) test(clause, run);
  for (const { name: clause, run } of electionContract(subject)) test(clause, run);
};
contract('postgres', false, () => postgresLeases(pool));
contract('postgres with NOTIFY', true, () => postgresLeases(pool, { listen }));
// Two connections to the server for all of it, whichever is free.
const bounced = server.pool({ port: bouncer.port });
contract('postgres behind PgBouncer in transaction mode', true, () => postgresLeases(bounced, { listen }));

test('R13, L14: of many on few keys one at a time holds each, and a token is greater than all that were granted before it was asked for', async () => {
  await clear();
  const stores = [postgresLeases(pool), postgresLeases(bounced), postgresLeases(pool)];
  const processes = new LeaseProcesses(stores, 60_000);
  const inside = new Map<string, string>();
  const lastOf = new Map<string, bigint>();
  let greatest = 0n;
  let grants = 0;
  const work = async (worker: number): Promise<void> => {
    for (let turn = 0; turn < 40; turn++) {
      const claim = processes.claim({ key: `key ${(worker + turn) % 4}` });
      const before = greatest;
      const answer = await processes.at(worker % 3).try(claim, patience());
      if (!answer.granted) continue;
      assert.equal(inside.get(claim.key), undefined, 'another is inside');
      inside.set(claim.key, claim.id);
      assert.ok(answer.token > before);
      assert.ok(answer.token > (lastOf.get(claim.key) ?? 0n));
      lastOf.set(claim.key, answer.token);
      if (answer.token > greatest) greatest = answer.token;
      grants += 1;
      inside.delete(claim.key);
      await processes.release(worker % 3, claim);
    }
  };
  await Promise.all(Array.from({ length: 24 }, (_, worker) => work(worker)));
  assert.ok(grants > 100, `${grants} grants`);
  assert.equal(await count('leases'), 0, 'nothing is left behind');
});

test('a thousand who wait: two calls a hand-over, and only the next is told', async () => {
  await clear();
  await pool.query(`ALTER DATABASE postgres SET track_functions = 'pl'`);
  const counted = new pg.Pool({ connectionString: server.url, application_name: 'counted' });
  const stores = Array.from({ length: 10 }, () => postgresLeases(counted, { listen }));
  const processes = new LeaseProcesses(stores, 3_600_000);
  const holder = processes.claim();
  await processes.granted(0, holder);
  const line = Array.from({ length: 1000 }, (_, at) => ({
    process: (at * 7) % 10,
    claim: processes.claim({ queue: true }),
    woken: Promise.withResolvers<void>(),
    wakes: 0,
  }));
  const unwatch = [];
  // One of each first: it listens when they are told so.
  for (const [at, each] of line.entries()) {
    await processes.busy(each.process, each.claim);
    if (at < 10) {
      const listening = Promise.withResolvers<void>();
      const first = processes.at(each.process).watch(each.claim.key, each.claim, listening.resolve);
      await listening.promise;
      first();
    }
    const wake = (): void => {
      each.wakes += 1;
      each.woken.resolve();
    };
    unwatch.push(processes.at(each.process).watch(each.claim.key, each.claim, wake));
  }
  const calls = async (): Promise<number> => {
    // Connections have said what they did when they are gone.
    await counted.end();
    while ((await pool.query(`SELECT FROM pg_stat_activity WHERE application_name = 'counted'`)).rowCount !== 0);
    const { rows } = await pool.query<{ n: number }>(
      `SELECT coalesce(sum(calls), 0)::integer AS n FROM pg_stat_user_functions WHERE funcname IN ('lease_try', 'lease_release', 'lease_renew')`,
    );
    return rows[0]!.n;
  };
  await processes.release(0, holder);
  for (const { process, claim, woken } of line) {
    await woken.promise;
    await processes.granted(process, claim);
    await processes.release(process, claim);
  }
  assert.deepEqual(new Set(line.map(({ wakes }) => wakes)), new Set([1]));
  for (const end of unwatch) end();
  for (const store of stores) await store[Symbol.asyncDispose]();
  // The holder, a thousand who came, and then two for each hand-over.
  assert.equal(await calls(), 1 + 1000 + 1 + 2 * 1000);
  assert.equal((await count('leases')) + (await count('lease_crowd')), 0);
});

test('a connection to listen on that is lost is made again, and whoever waits is told what it missed', async () => {
  const processes = await open(3_600_000, { listen });
  const [holder, next] = [processes.claim(), processes.claim({ queue: true })];
  await processes.granted(0, holder);
  await processes.busy(0, next);
  let woken = Promise.withResolvers<void>();
  const unwatch = processes.at(0).watch(next.key, next, () => woken.resolve());
  await woken.promise;
  woken = Promise.withResolvers();
  const { rowCount } = await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN spillway%'`,
  );
  assert.equal(rowCount, 1);
  await processes.release(0, holder);
  await woken.promise;
  await processes.granted(0, next);
  unwatch();
  await processes.at(0)[Symbol.asyncDispose]();
});

test('whoever waits asks by itself while the connection to listen on is down', async () => {
  await clear();
  await using line = await Relay.open(server.port);
  const listenThere = async (): Promise<pg.Client> => {
    const client = new pg.Client(server.url.replace(String(server.port), String(line.port)));
    await client.connect();
    return client;
  };
  await using store = postgresLeases(pool, { listen: listenThere });
  const asked = store.try.bind(store);
  let answers = 0;
  store.try = (claim, waiting) => asked(claim, waiting).finally(() => (answers += 1));
  const leases = new Leases({ store, timeoutMs: 5000 });
  const others = new Leases({ store: postgresLeases(pool), timeoutMs: 5000 });
  const request = { key: 'payment:42', holder: 'me', ttlMs: 3_600_000, waitMs: 30_000 };
  const held = (await others.acquire(request))!;
  const next = leases.acquire(request);
  while ((await pool.query(`SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN spillway%'`)).rowCount !== 1);
  // It asks again once it can be told, and is told then that nothing but being told is worth waiting for.
  while (answers < 2) await turn();
  line.refuse();
  line.reset();
  while ((await pool.query(`SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN spillway%'`)).rowCount !== 0);
  await held.release();
  await (await next)!.release();
});

test('L12: a question that waited for longer than anybody for its answer takes nothing', async () => {
  const processes = await open(100);
  await pool.query(`INSERT INTO spillway.leases (key, ends_us) VALUES ('payment:42', 0)`);
  // Somebody holds the row, as a session does that hangs.
  const hanging = await pool.connect();
  await hanging.query('BEGIN; SELECT FROM spillway.leases FOR UPDATE');
  await assert.rejects(processes.at(0).try(processes.claim(), patience()), {
    code: 'STORE_UNAVAILABLE',
    retryable: true,
  });
  await hanging.query('ROLLBACK');
  hanging.release();
  await processes.granted(0, processes.claim({ ttlMs: 60_000 }));
});

test('L12: a question that was held up on its way takes nothing when it comes', async () => {
  await using line = await Relay.open(server.port);
  const held = server.pool({ port: line.port, max: 1 });
  const processes = new LeaseProcesses([postgresLeases(held), postgresLeases(pool)], 3_600_000);
  await clear();
  const known = processes.claim();
  await processes.granted(0, known);
  await processes.release(0, known);
  // One that waited for its row says nothing of how far the clocks are apart.
  const hanging = await pool.connect();
  await hanging.query('BEGIN');
  await hanging.query(`INSERT INTO spillway.leases (key, ends_us) VALUES ('hangs', 1e18)`);
  const waits = processes.busy(0, processes.claim({ key: 'hangs' }));
  await blocked('lease_try');
  await new Promise<void>((resolve) => processes.at(0).clock.after(200, resolve, { ref: true }));
  await hanging.query('COMMIT');
  hanging.release();
  await waits;
  await clear();
  line.hold('toServer');
  const late = processes.claim({ ttlMs: 50 });
  const answer = processes.at(0).try(late, patience());
  answer.catch(() => {});
  await new Promise<void>((resolve) => processes.at(0).clock.after(100, resolve, { ref: true }));
  line.pass();
  await assert.rejects(answer, /more than its ttl of 50 ms ago/);
  assert.equal(await count('leases'), 0);
  // The server’s clock is known again.
  await processes.granted(0, processes.claim());
});

test('tokens grow on a server that forgot the last ones', async () => {
  const processes = await open(60_000);
  const before = await processes.granted(0, processes.claim({ key: 'before' }));
  await pool.query('ALTER SEQUENCE spillway.lease_tokens RESTART WITH 1');
  assert.ok((await processes.granted(0, processes.claim({ key: 'after' }))) > before);
});

test('what was granted survives the death of the server, also where commits are told not to wait', async () => {
  await using own = await PostgresServer.start();
  const admin = own.pool();
  await postgresLeases(admin).migrate();
  await admin.query('ALTER DATABASE postgres SET synchronous_commit = off');
  // A second is the most that the server may take to write by itself; it is killed at once.
  await admin.query(`ALTER SYSTEM SET wal_writer_delay = '10s'`);
  await admin.query('SELECT pg_reload_conf()');
  const processes = new LeaseProcesses([postgresLeases(own.pool())], 3_600_000);
  const mine = processes.claim();
  const token = await processes.granted(0, mine);
  await own.kill();
  await assert.rejects(processes.granted(0, processes.claim()), { code: 'STORE_UNAVAILABLE', retryable: true });
  await own.restart();
  assert.equal(await processes.granted(0, mine), token);
  await processes.busy(0, processes.claim());
});

test('whoever migrates at the same time does no harm, and stores of two schemas know nothing of each other', async () => {
  const stores = ['one', 'one', 'one', 'two', 'two'].map((schema) => postgresLeases(pool, { schema }));
  await Promise.all(stores.map((store) => store.migrate()));
  const processes = new LeaseProcesses(stores, 60_000);
  await processes.granted(0, processes.claim());
  await processes.busy(2, processes.claim());
  await processes.granted(3, processes.claim());
});

/** Until the server has a statement of the store that waits for a lock. */
async function blocked(name: string): Promise<void> {
  const waits = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%.${name}(%'`;
  while ((await pool.query(waits)).rowCount === 0);
}

test('a key that somebody holds up holds up no other', async () => {
  const processes = await open(3_600_000);
  await pool.query(`INSERT INTO spillway.leases (key, ends_us) VALUES ('payment:42', 0)`);
  const hanging = await pool.connect();
  await hanging.query('BEGIN; SELECT FROM spillway.leases FOR UPDATE');
  // It keeps the tokens up with the clock in passing, and so will the next.
  await pool.query(`SELECT setval('spillway.lease_tokens', 1)`);
  const held = processes.granted(0, processes.claim());
  await blocked('lease_try');
  await pool.query(`SELECT setval('spillway.lease_tokens', 1)`);
  await processes.granted(0, processes.claim({ key: 'another', ttlMs: 5000 }));
  await hanging.query('ROLLBACK');
  hanging.release();
  await held;
});

test('a statement of a claim whose time is over waits for nothing any more', async () => {
  const processes = await open(2000);
  const mine = processes.claim();
  await processes.granted(0, mine);
  const hanging = await pool.connect();
  await hanging.query('BEGIN; SELECT FROM spillway.leases FOR UPDATE');
  for (const ask of [() => processes.renew(0, mine), () => processes.release(0, mine)]) {
    await assert.rejects(ask(), { code: 'STORE_UNAVAILABLE', message: /lock timeout/ });
  }
  await hanging.query('ROLLBACK');
  hanging.release();
});

test('a permit that is swept while it is asked for again is held, or it is not granted', async () => {
  const processes = await open(60_000);
  const [first, second] = [0, 1].map(() => processes.claim({ share: 1, of: 2 }));
  await processes.granted(0, first!);
  const token = await processes.granted(0, second!);
  // What a sweep does whose clock has just passed its end.
  const sweep = await pool.connect();
  await sweep.query(`BEGIN; DELETE FROM spillway.lease_crowd WHERE kind = 'holds'`);
  const again = processes.granted(0, second!);
  await blocked('lease_try');
  await sweep.query('COMMIT');
  sweep.release();
  assert.ok((await again) > token);
  assert.deepEqual(
    (await processes.at(0).read('payment:42', patience())).map(({ holder }) => holder),
    [first!.holder, second!.holder],
  );
  await processes.busy(0, processes.claim({ share: 1, of: 2 }));
});

test('whoever is told of more than can be remembered still hears what is told before it listens', async () => {
  const processes = await open(3_600_000, { listen });
  const [holder, next] = [processes.claim(), processes.claim({ queue: true })];
  await processes.granted(0, holder);
  await processes.busy(0, next);
  const find = async (): Promise<string | undefined> => {
    const { rows } = await pool.query<{ channel: string }>(
      `SELECT substr(query, 8) AS channel FROM pg_stat_activity WHERE query LIKE 'LISTEN spillway%' AND state = 'idle'`,
    );
    return rows[0]?.channel;
  };
  let channel: string | undefined;
  while (channel === undefined) channel = await find();
  await pool.query(`SELECT pg_notify($1, md5(n::text)) FROM generate_series(1, 10000) AS n`, [channel]);
  await processes.release(0, holder);
  // Told later than those before it.
  const last = processes.claim();
  const heard = Promise.withResolvers<void>();
  const unwatchLast = processes.at(0).watch(last.key, last, heard.resolve);
  await pool.query('SELECT pg_notify($1, $2)', [channel, last.id]);
  await heard.promise;
  let woken = 0;
  const unwatch = processes.at(0).watch(next.key, next, () => (woken += 1));
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(woken, 1);
  unwatch();
  unwatchLast();
  await processes.at(0)[Symbol.asyncDispose]();
});

test('says who leads to whoever looks into the database', async () => {
  await clear();
  const elections = createElections(postgresLeases(pool), { holder: 'web-1 “é”' });
  await using term = await elections.campaign('cron/ночь');
  const { rows } = await pool.query('SELECT seat, leader, term, expires_at > now() AS leads FROM spillway.leaders');
  assert.deepEqual(rows, [{ seat: 'cron/ночь', leader: 'web-1 “é”', term: String(term.term), leads: true }]);
});

test('rows that were forgotten are swept in passing, and no others', async () => {
  const processes = await open(60_000);
  await pool.query(
    `INSERT INTO spillway.leases SELECT decode(md5(n::text), 'hex'), NULL, NULL, 1, 1, 5 FROM generate_series(1, 5000) AS n`,
  );
  await pool.query(
    `INSERT INTO spillway.lease_crowd SELECT decode(md5(n::text), 'hex'), md5(n::text)::uuid, 'waits', n, NULL, 1, 1, NULL, NULL, 5 FROM generate_series(1, 5000) AS n`,
  );
  const mine = processes.claim();
  await processes.granted(0, mine);
  const locks = createLocks(processes.at(0));
  for (let round = 0; (await count('leases')) + (await count('lease_crowd')) > 1; round++) {
    assert.ok(round < 200, 'it is not swept');
    await Promise.all(
      Array.from({ length: 100 }, async () => assert.equal(await locks.tryAcquire(mine.key, { ttl: '10s' }), null)),
    );
  }
  assert.equal(await processes.renew(0, mine), true);
});

test('says what to do in a database whose transactions are stricter by default, or where nobody has migrated', async () => {
  const options = String.raw`-c default_transaction_isolation=repeatable\ read`;
  const strict = new pg.Pool({ connectionString: server.url, options });
  const claim: Claim = new LeaseProcesses([], 1000).claim();
  await assert.rejects(postgresLeases(strict).try(claim, patience()), {
    code: 'STORE_REFUSED',
    message: /READ COMMITTED.*REPEATABLE READ.*default_transaction_isolation/,
  });
  await strict.end();
  const nowhere = postgresLeases(pool, { schema: 'nowhere' });
  await assert.rejects(nowhere.try(claim, patience()), { code: 'STORE_REFUSED', message: /nowhere.*migrate/ });
  assert.throws(() => postgresLeases(pool, { schema: 'No' }), { code: 'OPTIONS_INVALID', message: /“No”.*a-z/ });
  assert.throws(() => postgresLeases({} as never), { code: 'OPTIONS_INVALID', message: /no client of PostgreSQL/ });
});
