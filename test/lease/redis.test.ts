import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, beforeEach, test } from 'node:test';
import { Redis } from 'ioredis';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  type Claim,
  type LeaseStore,
  redisLeases,
  type RedisLeasesClient,
  type RedisLeasesOptions,
} from '../../src/lease/index.ts';
import { Leases } from '../../src/lease/leases.ts';
import { WHOLE } from '../../src/lease/store.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { Relay } from '../faults/relay.ts';
import { clients, clusterClients } from '../servers/redis-clients.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

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
  const subject = { name: `redis, ${name}`, open };
  for (const clause of [...leaseStoreContract(subject), ...electionContract(subject)]) test(clause.name, clause.run);
}

interface Opened extends AsyncDisposable {
  readonly store: LeaseStore;
  readonly client: RedisLeasesClient;
}

async function open(
  options: RedisLeasesOptions = {},
  port = server.port,
  kind: keyof typeof clients = 'ioredis 6',
): Promise<Opened> {
  const opened = await clients[kind](port);
  const client: RedisLeasesClient = opened.client;
  const store = redisLeases(client, options);
  return {
    store,
    client,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

const waiting = { signal: new AbortController().signal };

function claimOf(change: Partial<Claim> = {}): Claim {
  const id = randomBytes(16).toString('hex');
  return { key: 'k', id, holder: 'me', share: WHOLE, of: WHOLE, ttlMs: 60_000, queue: false, ...change };
}

async function granted(store: LeaseStore, claim: Claim): Promise<bigint> {
  const answer = await store.try(claim, waiting);
  assert.ok(answer.granted);
  return answer.token;
}

async function busy(store: LeaseStore, claim: Claim): Promise<void> {
  assert.equal((await store.try(claim, waiting)).granted, false);
}

/** Watches for a claim, and when it is told, tries. What fails as its connection ends is tried again when it is told again. */
function wait(store: LeaseStore, claim: Claim): Promise<bigint> {
  const { promise, resolve } = Promise.withResolvers<bigint>();
  const unwatch = store.watch(claim.key, claim, () => {
    store.try(claim, waiting).then(
      (answer) => {
        if (!answer.granted) return;
        unwatch();
        resolve(answer.token);
      },
      () => {},
    );
  });
  return promise;
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function callsOf(command: string, on = server): Promise<number> {
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(await on.admin.info('commandstats'))?.[1] ?? 0);
}

async function listeners(count: number): Promise<void> {
  await until(
    async () => String(await server.admin.call('client', 'list', 'type', 'pubsub')).split('\n').length > count,
  );
}

test('nothing is left of a key that nobody holds or waits for, and the last token has no end', async () => {
  await using one = await open();
  const [first, second] = [claimOf({ ttlMs: 50 }), claimOf({ ttlMs: 50, queue: true })];
  const token = await granted(one.store, first);
  await busy(one.store, second);
  await until(async () => (await server.admin.exists('spillway:lease:k')) === 0);
  assert.deepEqual(await server.admin.keys('*'), ['spillway:fence']);
  assert.equal(await server.admin.get('spillway:fence'), String(token));
  assert.equal(await server.admin.ttl('spillway:fence'), -1);
});

test('one call a verb', async () => {
  await using one = await open();
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
  test(`a thousand that wait, each at a store of its own: two calls a hand-over, with ${kind}`, async () => {
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
      await wait(store, claim);
      served.push(at);
      await store.release(claim, waiting);
    });
    await listeners(20);
    // Each of them asked once more when it began to listen.
    await until(async () => (await callsOf('evalsha')) >= 2 * waiters);
    await server.admin.config('RESETSTAT');
    await stores[0]!.release(holder, waiting);
    await Promise.all(turns);
    assert.deepEqual(
      served,
      claims.map((_, at) => at),
    );
    const calls = await callsOf('evalsha');
    assert.ok(calls <= 2 * waiters + 1, `${calls} calls for ${waiters} hand-overs`);
    for (const store of stores) await store[Symbol.asyncDispose]();
    await opened[Symbol.asyncDispose]();
  });
}

for (const kind of Object.keys(clients) as (keyof typeof clients)[]) {
  test(`what is said while nothing listens is made up for when the connection is back, with ${kind}`, async () => {
    const relay = await Relay.open(server.port);
    // Its own way to the server: the store's goes on.
    const direct = await open();
    const through = await open({}, relay.port, kind);
    const [first, second] = [claimOf({ ttlMs: 3_600_000 }), claimOf({ ttlMs: 3_600_000, queue: true })];
    await granted(direct.store, first);
    await busy(through.store, second);
    const turn = wait(through.store, second);
    await listeners(1);
    relay.refuse();
    relay.reset();
    await direct.store.release(first, waiting);
    await relay.accept();
    await turn;
    await through.store.release(second, waiting);
    // And it is heard again.
    const [third, fourth] = [claimOf({ ttlMs: 3_600_000 }), claimOf({ ttlMs: 3_600_000, queue: true })];
    await granted(direct.store, third);
    await busy(through.store, fourth);
    const next = wait(through.store, fourth);
    await direct.store.release(third, waiting);
    await next;
    for (const one of [direct, through, relay]) await one[Symbol.asyncDispose]();
  });
}

test('a listening connection is made when something first waits, one for all, and ended with the store', async () => {
  await using one = await open();
  const pubsub = async (): Promise<number> =>
    String(await server.admin.call('client', 'list', 'type', 'pubsub')).split('\n').length - 1;
  await until(async () => (await pubsub()) === 0);
  await granted(one.store, claimOf());
  assert.equal(await pubsub(), 0);
  const ends = [1, 2, 3].map(() => one.store.watch('k', claimOf({ queue: true }), () => {}));
  one.store.watch('k', null, () => {})();
  await until(async () => (await pubsub()) === 1);
  for (const end of ends) end();
  await one.store[Symbol.asyncDispose]();
  await until(async () => (await pubsub()) === 0);
});

test('without listening, a place is kept and nobody is told', async () => {
  await using one = await open({ listen: false });
  const [first, second] = [claimOf({ ttlMs: 3000 }), claimOf({ ttlMs: 300, queue: true })];
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
  await using one = await open();
  const [late, next] = [claimOf({ ttlMs: 20 }), claimOf()];
  await granted(one.store, late);
  await until(async () => (await one.store.try(next, waiting)).granted);
  await one.store.release(late, waiting);
  await one.store.release(late, waiting);
  assert.equal((await one.store.read('k', waiting)).length, 1);
  assert.deepEqual(await one.store.renew(late, waiting), { held: false });
});

test('L9: a renewal under way when it is released brings nothing back', async () => {
  await using one = await open();
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

test('L2: what is granted after most of its ttl is given back', async () => {
  await using relay = await Relay.open(server.port);
  await using one = await open({}, relay.port);
  const leases = new Leases({ store: one.store, timeoutMs: 10_000 });
  await (await leases.acquire({ key: 'warm', holder: 'me', ttlMs: 1000, waitMs: 0 }))!.release();
  relay.hold('toClient');
  const late = leases.acquire({ key: 'k', holder: 'me', ttlMs: 1000, waitMs: 0 });
  const sentMs = systemClock.nowMs();
  await until(() => systemClock.nowMs() - sentMs > 600);
  relay.pass();
  await assert.rejects(late, { code: 'LEASE_LATE' });
  await until(async () => (await server.admin.exists('spillway:lease:k')) === 0);
});

test('L10: one that was granted and not heard of is given back, whether it was aborted or out of time', async () => {
  await using relay = await Relay.open(server.port);
  await using one = await open({}, relay.port);
  const leases = new Leases({ store: one.store, timeoutMs: 300 });
  await (await leases.acquire({ key: 'warm', holder: 'me', ttlMs: 60_000, waitMs: 0 }))!.release();
  for (const how of ['aborted', 'out of time']) {
    const stop = new AbortController();
    relay.hold('toClient');
    const acquired = leases.acquire({ key: 'k', holder: 'me', ttlMs: 60_000, waitMs: 0, signal: stop.signal });
    await until(async () => (await server.admin.exists('spillway:lease:k')) === 1);
    if (how === 'aborted') stop.abort(new Error('no more'));
    await assert.rejects(acquired, how === 'aborted' ? { message: 'no more' } : { code: 'STORE_UNAVAILABLE' });
    relay.pass();
    await until(async () => (await server.admin.exists('spillway:lease:k')) === 0);
  }
});

test('L4: a server that lost everything gives greater tokens all the same', async () => {
  await using own = await RedisServer.start();
  await using one = await open({}, own.port);
  const lost = claimOf();
  const before = await granted(one.store, lost);
  await own.kill();
  await own.restart();
  await until(
    async () =>
      await one.store.renew(lost, waiting).then(
        ({ held }) => !held,
        () => false,
      ),
  );
  assert.ok((await granted(one.store, claimOf())) > before);
});

test('scripts that the server forgot are sent again', async () => {
  await using one = await open();
  const claim = claimOf();
  await granted(one.store, claim);
  await server.admin.script('FLUSH');
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await server.admin.script('FLUSH');
  await one.store.release(claim, waiting);
  assert.equal(await server.admin.exists('spillway:lease:k'), 0);
});

test('the last token is what it was if the clock was ahead, and near 2^53 nothing is granted', async () => {
  await using one = await open();
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

test('a full memory refuses new leases and takes back old ones', async () => {
  await using own = await RedisServer.start({ args: ['--maxmemory-policy', 'noeviction'] });
  await using one = await open({}, own.port);
  const claim = claimOf();
  await granted(one.store, claim);
  await own.admin.config('SET', 'maxmemory', '1');
  await assert.rejects(one.store.try(claimOf({ key: 'other' }), waiting), {
    code: 'STORE_UNAVAILABLE',
    message: /OOM/,
  });
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await one.store.release(claim, waiting);
  assert.equal(await own.admin.exists('spillway:lease:k'), 0);
});

test('a replica is a store that is down', async () => {
  await using replica = await RedisServer.start({ replicaOf: server.port });
  await using one = await open({}, replica.port);
  await assert.rejects(one.store.try(claimOf(), waiting), { code: 'STORE_UNAVAILABLE', message: /READONLY|replica/ });
});

test('L5: with replicas, what was granted or renewed is there after a failover; what no replica has is not granted', async () => {
  await using primary = await RedisServer.start();
  await using replica = await RedisServer.start({ replicaOf: primary.port });
  await using one = await open({ replicas: { count: 1, within: '30s' } }, primary.port);
  const claim = claimOf();
  const token = await granted(one.store, claim);
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await primary.kill();
  await replica.promote();
  await using after = await open({}, replica.port);
  await busy(after.store, claimOf());
  assert.deepEqual(await after.store.read('k', waiting), [{ holder: 'me', token, share: WHOLE }]);
  // Nobody follows it.
  await using alone = await open({ replicas: { count: 1, within: 50 } }, replica.port);
  const lone = claimOf({ key: 'lone' });
  const message = 'Of 1 replicas that should have the lease on “lone”, 0 have it after 50 ms.';
  await assert.rejects(alone.store.try(lone, waiting), { code: 'STORE_UNAVAILABLE', retryable: true, message });
  assert.equal(await replica.admin.exists('spillway:lease:lone'), 0);
  await granted(after.store, lone);
  await assert.rejects(alone.store.renew(lone, waiting), { code: 'STORE_UNAVAILABLE' });
  assert.equal(await replica.admin.exists('spillway:lease:lone'), 1, 'it holds for as long as it was granted');
});

test('the rights that the guide names are enough, and without them it is refused', async () => {
  const rights = ['+evalsha', '+eval', '+get', '+set', '+del', '+setrange', '+pexpire', '+publish', '+subscribe'];
  const more = ['+unsubscribe', '+time', '+wait', '+info', '~spillway:*', '&spillway:*'];
  await server.admin.call('acl', 'setuser', 'locks', 'on', '>secret', ...rights, ...more);
  await server.admin.call('acl', 'setuser', 'stranger', 'on', '>secret', '+@all', '~other:*');
  const clientOf = (username: string): Redis => new Redis(server.port, { username, password: 'secret' });
  const [locks, stranger] = [clientOf('locks'), clientOf('stranger')];
  {
    await using store = redisLeases(locks);
    const [first, second] = [claimOf(), claimOf({ queue: true })];
    await granted(store, first);
    await busy(store, second);
    const turn = wait(store, second);
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
