/**
 * Leases in a real Redis: the contract, what they cost it, who is told, tokens, rights and options. What befalls servers is in
 * redis-faults.test.ts.
 *
 * The contract of leases is run with each client, for each has its own ways of scripts and of listening. Elections are made of leases alone: what
 * a client can do to them, that contract shows; so they are run with one version of each.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { redisLeases, type RedisLeasesClient, redlockLeases } from '../../src/lease/index.ts';
import { Leases } from '../../src/lease/leases.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { clients, clusterClients } from '../servers/redis-clients.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';
import { busy, claimOf, granted, turnOf, until, waiting } from './claims.ts';
import { listenersAt, openStore, untilListens } from './redis-store.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

const withElections: readonly string[] = ['ioredis 6', 'node-redis 6'] satisfies (keyof typeof clients)[];

for (const [name, connect] of Object.entries(clients)) {
  const open = async () => {
    await server.admin.flushall();
    const opened: AsyncDisposable[] = [];
    return {
      connect: async () => {
        const one = await connect(server.port);
        opened.push(one);
        return redisLeases(one.client);
      },
      close: async () => {
        for (const one of opened) await one[Symbol.asyncDispose]();
      },
    };
  };
  const subject = { name: `redis, ${name}`, open, ordered: true };
  for (const clause of leaseStoreContract(subject)) test(clause.name, clause.run);
  if (withElections.includes(name)) for (const clause of electionContract(subject)) test(clause.name, clause.run);
}

/** A claim that is asked for is one `GET`, however many go in one call. */
const question = 'get';

async function callsOf(command: string): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await server.admin.info('commandstats'))?.[1] ?? 0);
}

test('nothing is left of a key that nobody holds or waits for, and the last token has no end', async () => {
  await using one = await openStore(server.port);
  const [first, second] = [claimOf({ ttlMs: 1000 }), claimOf({ ttlMs: 1000, queue: true })];
  const token = await granted(one.store, first);
  await busy(one.store, second);
  await until(async () => (await server.admin.exists('spillway:lease:k')) === 0);
  assert.deepEqual(await server.admin.keys('*'), ['spillway:fence']);
  assert.equal(await server.admin.get('spillway:fence'), String(token));
  assert.equal(await server.admin.ttl('spillway:fence'), -1);
});

test('a store that is disposed of listens no more, also if somebody still waits', async () => {
  await using one = await openStore(server.port);
  const listeners = (): Promise<number> => callsOf('subscribe');
  const claim = claimOf({ queue: true });
  one.store.watch('k', claim, () => {})();
  await until(async () => (await listeners()) > 0);
  await one.store[Symbol.asyncDispose]();
  const before = await listeners();
  one.store.watch('k', claim, () => {})();
  one.store.watch('k', null, () => {})();
  // Whatever would connect has had its turn when another that was asked later has.
  await using other = await openStore(server.port);
  other.store.watch('k', claim, () => {});
  await until(async () => (await listeners()) > before);
  assert.equal(await listeners(), before + 1);
});

test('one call a verb', async () => {
  await using one = await openStore(server.port);
  const warm = claimOf();
  await granted(one.store, warm);
  await one.store.renew(warm, waiting);
  await one.store.release(warm, waiting);
  await server.admin.config('RESETSTAT');
  const claim = claimOf();
  await granted(one.store, claim);
  await one.store.renew(claim, waiting);
  await one.store.release(claim, waiting);
  assert.equal(await callsOf('evalsha'), 3);
  assert.equal(await callsOf('eval'), 0);
});

for (const kind of ['ioredis 6', 'node-redis 6'] as const) {
  test(`a thousand that wait, each at a store of its own: two questions a hand-over, with ${kind}`, async () => {
    const waiters = 1000;
    const opened = await clients[kind](server.port);
    // They share connections, which is nothing to the server: each has its own channel, and its own place.
    const stores = Array.from({ length: 20 }, () => redisLeases(opened.client));
    const holder = claimOf();
    await granted(stores[0]!, holder);
    await server.admin.config('RESETSTAT');
    const ttlMs = 3_600_000;
    const claims = Array.from({ length: waiters }, () => claimOf({ queue: true, ttlMs }));
    for (const [at, claim] of claims.entries()) await busy(stores[at % 20]!, claim);
    const served: number[] = [];
    const turns = claims.map(async (claim, at) => {
      const store = stores[at % 20]!;
      await turnOf(store, claim);
      served.push(at);
      await store.release(claim, waiting);
    });
    await untilListens(server, 20);
    // Each of them asked once more when it began to listen.
    await until(async () => (await callsOf(question)) >= 2 * waiters);
    await server.admin.config('RESETSTAT');
    await stores[0]!.release(holder, waiting);
    await Promise.all(turns);
    assert.deepEqual(
      served,
      claims.map((_, at) => at),
    );
    const asked = await callsOf(question);
    assert.ok(asked <= 2 * waiters + 1, `${asked} questions for ${waiters} hand-overs`);
    for (const store of stores) await store[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });
}

test('a listening connection is made when something first waits, one for all, and ended with the store', async () => {
  await using one = await openStore(server.port);
  await until(async () => (await listenersAt(server)) === 0);
  await granted(one.store, claimOf());
  assert.equal(await listenersAt(server), 0);
  const ends = [1, 2, 3].map(() => one.store.watch('k', claimOf({ queue: true }), () => {}));
  one.store.watch('k', null, () => {})();
  await until(async () => (await listenersAt(server)) === 1);
  for (const end of ends) end();
  await one.store[Symbol.asyncDispose]();
  await until(async () => (await listenersAt(server)) === 0);
});

test('without listening, a place is kept and nobody is told', async () => {
  await using one = await openStore(server.port, { listen: false });
  const [first, second] = [claimOf(), claimOf({ ttlMs: 3000, queue: true })];
  await granted(one.store, first);
  await server.admin.config('RESETSTAT');
  const leases = new Leases({ store: one.store, timeoutMs: 5000 });
  const turn = leases.acquire({ key: 'k', holder: 'me', ttlMs: second.ttlMs, waitMs: 60_000 });
  await until(async () => (await callsOf('evalsha')) >= 3);
  await one.store.release(first, waiting);
  await (await turn)!.release();
  assert.equal(await callsOf('subscribe'), 0);
});

test('observers hear of a key also where the client puts something before every key', async () => {
  const client = new Redis(server.port, { keyPrefix: 'mine:' });
  await using store = redisLeases(client);
  const told = Promise.withResolvers<void>();
  let calls = 0;
  const end = store.watch('k', null, () => {
    calls += 1;
    if (calls === 2) told.resolve();
  });
  await until(() => calls === 1);
  await granted(store, claimOf());
  await told.promise;
  end();
  client.disconnect();
});

test('L8: a release after the end, or again, takes nothing from the next', async () => {
  await using one = await openStore(server.port);
  const [late, next] = [claimOf({ ttlMs: 20 }), claimOf()];
  await granted(one.store, late);
  await until(async () => (await one.store.try(next, waiting)).granted);
  await one.store.release(late, waiting);
  await one.store.release(late, waiting);
  assert.equal((await one.store.read('k', waiting)).length, 1);
  assert.deepEqual(await one.store.renew(late, waiting), { held: false });
});

test('L9: a renewal under way when it is released brings nothing back', async () => {
  await using one = await openStore(server.port);
  for (let turn = 0; turn < 50; turn++) {
    const claim = claimOf();
    await granted(one.store, claim);
    await Promise.all([
      one.store.renew(claim, waiting),
      one.store.release(claim, waiting),
      one.store.renew(claim, waiting),
    ]);
    assert.equal(await server.admin.exists('spillway:lease:k'), 0);
  }
});

test('the last token is what it was if the clock was ahead, and near 2^53 nothing is granted', async () => {
  await using one = await openStore(server.port);
  const ahead = 2n ** 53n - 66n;
  await server.admin.set('spillway:fence', String(ahead));
  assert.equal(await granted(one.store, claimOf({ key: 'a' })), ahead + 1n);
  assert.equal(await granted(one.store, claimOf({ key: 'b' })), ahead + 2n);
  await assert.rejects(one.store.try(claimOf(), waiting), {
    code: 'STORE_REFUSED',
    message: /the last token is near 2\^53/,
  });
  assert.equal(await server.admin.exists('spillway:lease:k'), 0);
});

test('the rights that the guide names are enough, and without them it is refused', async () => {
  const guide = await readFile(new URL('../../docs/guides/locks.md', import.meta.url), 'utf8');
  const [, rights = '', keys = '', channels = ''] = /Redis and Valkey: `(.*)`, on `(.*)` and `(.*)`/.exec(guide) ?? [];
  await server.admin.call('acl', 'setuser', 'locks', 'on', '>secret', ...rights.split(' '), keys, channels);
  await server.admin.call('acl', 'setuser', 'stranger', 'on', '>secret', '+@all', '~other:*');
  const clientOf = (username: string): Redis => new Redis(server.port, { username, password: 'secret' });
  const [locks, stranger] = [clientOf('locks'), clientOf('stranger')];
  {
    await using store = redisLeases(locks);
    const [first, second] = [claimOf(), claimOf({ queue: true })];
    await granted(store, first);
    await busy(store, second);
    const turn = turnOf(store, second);
    const seen = Promise.withResolvers<void>();
    const end = store.watch('k', null, () => seen.resolve());
    await seen.promise;
    await store.renew(first, waiting);
    await store.release(first, waiting);
    await turn;
    end();
    await assert.rejects(redisLeases(stranger).try(claimOf(), waiting), { code: 'STORE_REFUSED', message: /NOPERM/ });
  }
  for (const client of [locks, stranger]) client.disconnect();
  await server.admin.call('acl', 'deluser', 'locks', 'stranger');
});

test('refuses a cluster, and options that mean nothing, with what to do', async () => {
  await using cluster = await RedisCluster.start();
  const ports = cluster.nodes.map(({ port }) => port);
  for (const connect of Object.values(clusterClients)) {
    await using opened = await connect(ports);
    const client = opened.client as unknown as RedisLeasesClient;
    assert.throws(() => redisLeases(client), {
      code: 'OPTIONS_INVALID',
      message: /a client of a cluster.*redlockLeases/,
    });
    await using one = await clients['ioredis 6'](server.port);
    await using other = await clients['ioredis 6'](server.port);
    assert.throws(() => redlockLeases([one.client, client, other.client]), {
      code: 'OPTIONS_INVALID',
      message: /one is a client of a cluster; expected clients of independent masters/,
    });
  }
  await using opened = await clients['ioredis 6'](server.port);
  const refused = (options: object, message: RegExp): void =>
    assert.throws(() => redisLeases(opened.client, options), { code: 'OPTIONS_INVALID', message });
  refused({ prefx: 'a' }, /Did you mean prefix/);
  refused({ prefix: 'a b' }, /prefix is “a b”/);
  refused({ listen: 1 }, /listen is 1; expected true or false/);
  refused({ replicas: { count: 0 } }, /replicas.count is 0/);
  refused({ replicas: { count: 1, within: '2m' } }, /replicas.within is 2m; expected from 1ms to 1m/);
});
