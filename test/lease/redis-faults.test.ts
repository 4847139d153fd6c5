/** Leases in a real Redis to which things happen: lines that break or are slow, a crash, a full memory, a failover. */
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { systemClock } from '../../src/kernel/clock.ts';
import { Leases } from '../../src/lease/leases.ts';
import { WHOLE } from '../../src/lease/store.ts';
import { Relay } from '../faults/relay.ts';
import { clients } from '../servers/redis-clients.ts';
import { RedisServer } from '../servers/redis.ts';
import { busy, claimOf, granted, turnOf, until, waiting } from './claims.ts';
import { openStore, untilListens } from './redis-store.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

for (const kind of Object.keys(clients) as (keyof typeof clients)[]) {
  test(`what is said while nothing listens is made up for when the connection is back, with ${kind}`, async () => {
    const relay = await Relay.open(server.port);
    // Its own way to the server: the store's goes on.
    const direct = await openStore(server.port);
    const through = await openStore(relay.port, {}, kind);
    const [first, second] = [claimOf({ ttlMs: 3_600_000 }), claimOf({ ttlMs: 3_600_000, queue: true })];
    await granted(direct.store, first);
    await busy(through.store, second);
    const turn = turnOf(through.store, second);
    await untilListens(server, 1);
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
    const next = turnOf(through.store, fourth);
    await direct.store.release(third, waiting);
    await next;
    for (const one of [direct, through, relay]) await one[Symbol.asyncDispose]();
  });
}

test('L2: what is granted after most of its ttl is given back', async () => {
  await using relay = await Relay.open(server.port);
  await using one = await openStore(relay.port);
  const leases = new Leases({ store: one.store, timeoutMs: 10_000 });
  await (await leases.acquire({ key: 'warm', holder: 'me', ttlMs: 60_000, waitMs: 0 }))!.release();
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
  await using one = await openStore(relay.port);
  const patient = new Leases({ store: one.store, timeoutMs: 60_000 });
  await (await patient.acquire({ key: 'warm', holder: 'me', ttlMs: 60_000, waitMs: 0 }))!.release();
  for (const how of ['aborted', 'out of time']) {
    const leases = how === 'aborted' ? patient : new Leases({ store: one.store, timeoutMs: 2000 });
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
  await using one = await openStore(own.port);
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
  await using one = await openStore(server.port);
  const claim = claimOf();
  await granted(one.store, claim);
  await server.admin.script('FLUSH');
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await server.admin.script('FLUSH');
  await one.store.release(claim, waiting);
  assert.equal(await server.admin.exists('spillway:lease:k'), 0);
});

test('a full memory refuses new leases and takes back old ones', async () => {
  await using own = await RedisServer.start({ args: ['--maxmemory-policy', 'noeviction'] });
  await using one = await openStore(own.port);
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
  await using one = await openStore(replica.port);
  await assert.rejects(one.store.try(claimOf(), waiting), { code: 'STORE_UNAVAILABLE', message: /READONLY|replica/ });
});

test('L5: with replicas, what was granted or renewed is there after a failover; what no replica has is not granted', async () => {
  await using primary = await RedisServer.start();
  await using replica = await RedisServer.start({ replicaOf: primary.port });
  await using one = await openStore(primary.port, { replicas: { count: 1, within: '30s' } });
  const claim = claimOf();
  const token = await granted(one.store, claim);
  assert.deepEqual(await one.store.renew(claim, waiting), { held: true });
  await primary.kill();
  await replica.promote();
  await using after = await openStore(replica.port);
  await busy(after.store, claimOf());
  assert.deepEqual(await after.store.read('k', waiting), [{ holder: 'me', token, share: WHOLE }]);
  // Nobody follows it.
  await using alone = await openStore(replica.port, { replicas: { count: 1, within: 50 } });
  const lone = claimOf({ key: 'lone' });
  const message = 'Of 1 replicas that should have the lease on “lone”, 0 have it after 50 ms.';
  await assert.rejects(alone.store.try(lone, waiting), { code: 'STORE_UNAVAILABLE', retryable: true, message });
  assert.equal(await replica.admin.exists('spillway:lease:lone'), 0);
  await granted(after.store, lone);
  await assert.rejects(alone.store.renew(lone, waiting), { code: 'STORE_UNAVAILABLE' });
  assert.equal(await replica.admin.exists('spillway:lease:lone'), 1, 'it holds for as long as it was granted');
});
