/** Real servers that lose what they said they had, and settings by which they do not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Relay } from '../faults/relay.ts';
import { PgBouncer } from './pgbouncer.ts';
import { PostgresServer } from './postgres.ts';
import { RedisServer } from './redis.ts';

test('Redis: a replica promoted before the last write reached it has lost that write; one that WAIT 1 waited for has not', async () => {
  await using primary = await RedisServer.start();
  await using relay = await Relay.open(primary.port);
  await using replica = await RedisServer.start({ replicaOf: relay.port });
  await primary.admin.set('waited for', 'yes');
  assert.equal(await primary.admin.wait(1, 0), 1);
  relay.cut('toClient');
  assert.equal(await primary.admin.set('not waited for', 'yes'), 'OK');
  assert.equal(await primary.admin.wait(1, 50), 0, 'and WAIT says so');
  await primary.kill();
  await replica.promote();
  assert.deepEqual(await replica.admin.mget('waited for', 'not waited for'), ['yes', null]);
  assert.equal(await replica.admin.set('new', 'yes'), 'OK');
});

for (const [name, args, kept] of [
  ['without persistence', [], null],
  ['with an append-only file', ['--appendonly', 'yes', '--appendfsync', 'always'], 'yes'],
] as const) {
  test(`Redis: restarted ${name}, it has ${kept === null ? 'nothing' : 'everything'}`, async () => {
    await using server = await RedisServer.start({ args });
    await server.admin.set('written', 'yes');
    await server.kill();
    await server.restart();
    assert.equal(await server.admin.get('written'), kept);
  });
}

for (const synchronous of [false, true]) {
  test(`PostgreSQL: a standby that is ${synchronous ? 'synchronous has every' : 'not synchronous lacks the last'} commit when it is promoted`, async () => {
    await using primary = await PostgresServer.start();
    await using relay = await Relay.open(primary.port);
    await using standby = await primary.startStandby({ port: relay.port, synchronous });
    const pool = primary.pool({ max: 1 });
    await pool.query('CREATE TABLE written (what text)');
    const reached = standby.pool({ max: 1 });
    const arrived = async (): Promise<boolean> =>
      (await reached.query("SELECT to_regclass('written') AS it")).rows[0].it !== null;
    while (!(await arrived())) await new Promise<void>((resolve) => setImmediate(resolve));
    if (synchronous) await pool.query("INSERT INTO written VALUES ('before')");
    relay.cut('toClient');
    const committed = pool.query("INSERT INTO written VALUES ('last')").then(
      () => true,
      () => false,
    );
    if (synchronous) await relay.nextLoss('toClient');
    else assert.equal(await committed, true);
    await primary.kill();
    assert.equal(await committed, !synchronous, 'what would be lost is not said to be committed');
    await standby.promote();
    const { rows } = await reached.query<{ what: string }>('SELECT what FROM written');
    assert.deepEqual(
      rows.map(({ what }) => what),
      synchronous ? ['before'] : [],
    );
    await reached.query("INSERT INTO written VALUES ('new')");
  });
}

for (const mode of ['session', 'transaction'] as const) {
  test(`PgBouncer: in ${mode} mode a client ${mode === 'session' ? 'keeps its' : 'loses its'} session at the server`, async () => {
    await using server = await PostgresServer.start();
    await using bouncer = await PgBouncer.start({ port: server.port, mode });
    const clients = await Promise.all([1, 2].map(() => server.pool({ max: 1, port: bouncer.port }).connect()));
    const [first, second] = clients as [(typeof clients)[0], (typeof clients)[0]];
    const session = async (client: typeof first): Promise<number> =>
      (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]!.pid;
    const had = await session(first);
    await second.query('BEGIN');
    const taken = await session(second);
    const got = await session(first);
    await second.query('ROLLBACK');
    // In transaction mode the second was handed what the first had, and kept it through its transaction.
    assert.deepEqual([taken === had, got === had], mode === 'session' ? [false, true] : [true, false]);
    for (const client of clients) client.release(true);
  });
}
