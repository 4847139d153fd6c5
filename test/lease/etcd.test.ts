import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { createElections } from '../../src/elect/index.ts';
import { EtcdClient, etcdLeases, type LeaseStore } from '../../src/lease/index.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createLocks } from '../../src/lock/index.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { EtcdServer } from '../servers/etcd.ts';
import { busy, claimOf, granted, until, waiting } from './claims.ts';
import { countedClient, freshPrefix } from './counted-etcd.ts';

const server = await EtcdServer.start();
after(() => server[Symbol.asyncDispose]());

/** Of sums of doubles. */
const ROUNDING_MS = 1e-6;

function open(): { readonly connect: () => LeaseStore; readonly close: () => void } {
  const prefix = freshPrefix();
  const clients: EtcdClient[] = [];
  return {
    connect: () => {
      const client = new EtcdClient({ endpoints: [server.url] });
      clients.push(client);
      return etcdLeases(client, { prefix });
    },
    close: () => clients.forEach((client) => client.close()),
  };
}

const subject = { name: 'etcd', open, ttlMs: 1200 };
for (const { name, run } of [...leaseStoreContract(subject), ...electionContract(subject)]) test(name, run);

test('a lock is one question to take and one to give back, once there is a session', async () => {
  const { client, asked } = countedClient(server.url);
  await using store = etcdLeases(client, { prefix: freshPrefix() });
  await using locks = createLocks(store);
  await (await locks.acquire('first', { ttl: '10s' })).release();
  asked.length = 0;
  await (await locks.acquire('payment:42', { ttl: '10s' })).release();
  assert.deepEqual(asked, ['txn', 'delete']);
  asked.length = 0;
  const taken = await locks.tryAcquire('payment:42', { ttl: '10s' });
  assert.equal(await locks.tryAcquire('payment:42', { ttl: '10s' }), null);
  await taken?.release();
  assert.deepEqual(asked, ['txn', 'txn', 'delete']);
  await store[Symbol.asyncDispose]();
  client.close();
});

test('L13: a place whose session ended while it waited is a new one at the end, and never a lease', async () => {
  const prefix = freshPrefix();
  const { client } = countedClient(server.url);
  const other = new EtcdClient({ endpoints: [server.url] });
  await using store = etcdLeases(client, { prefix });
  await using ahead = etcdLeases(other, { prefix });
  await using mine = createLocks(store);
  await using theirs = createLocks(ahead);
  const held = await theirs.acquire('payment:42', { ttl: '60s' });
  const waits = mine.acquire('payment:42', { ttl: '60s', wait: '60s' });
  const folder = { key: `${prefix}/payment%3A42/`, rangeEnd: `${prefix}/payment%3A420` };
  const place = async (): Promise<bigint | undefined> =>
    (await client.range({ ...folder, sort: { by: 'createRevision' } })).kvs[1]?.lease;
  let session: bigint | undefined;
  while ((session = await place()) === undefined);
  await other.revoke(session);
  assert.equal(await place(), undefined);
  await held.release();
  const lease = await waits;
  const [key] = (await client.range(folder)).kvs;
  assert.notEqual(key?.lease, session, 'under a session that there is');
  assert.equal(key?.createRevision, lease.token);
  await lease.release();
  other.close();
});

test('whoever deletes a key of a lease ends it at the next renewal', async () => {
  const prefix = freshPrefix();
  const { client } = countedClient(server.url);
  await using store = etcdLeases(client, { prefix });
  await using elections = createElections(store);
  // Renewed after two seconds, and its own until long after.
  const term = await elections.campaign('scheduler', { ttl: '6s' });
  const lost = new Promise((resolve) => term.signal.addEventListener('abort', resolve));
  await client.delete({ key: `${prefix}/`, rangeEnd: `${prefix}0` });
  await lost;
  assert.throws(() => term.assertLeader(), { code: 'LEASE_LOST', message: /etcd has no such lease/ });
});

test('an answer that got lost is given back, and its session is used no more', async () => {
  const counted = countedClient(server.url);
  const { client, asked } = counted;
  await using store = etcdLeases(client, { prefix: freshPrefix() });
  await using locks = createLocks(store);
  await using other = await locks.acquire('other', { ttl: '10s' });
  counted.lose = 'txn';
  await assert.rejects(locks.tryAcquire('payment:42', { ttl: '10s' }), { code: 'STORE_UNAVAILABLE', retryable: true });
  asked.length = 0;
  await (await locks.acquire('payment:42', { ttl: '10s' })).release();
  assert.ok(asked.includes('grant'), asked.join());
  other.assertHeld();
});

test('a key that is made after its claim was given back goes with its session, which nobody stays under', async () => {
  const { client, asked } = countedClient(server.url);
  await using store = etcdLeases(client, { prefix: freshPrefix() });
  const [leads, waits, ghost] = [claimOf(), claimOf({ queue: true }), claimOf({ key: 'ghost' })];
  const token = await granted(store, leads);
  await busy(store, waits);
  const txn = client.txn.bind(client);
  const late = Promise.withResolvers<() => Promise<unknown>>();
  client.txn = async (...given) => {
    client.txn = txn;
    late.resolve(() => txn(...given));
    throw new SpillwayError('STORE_UNSURE', 'nobody knows');
  };
  await assert.rejects(store.try(ghost, waiting), { code: 'STORE_UNAVAILABLE' });
  await store.release(ghost, waiting);
  const carryOut = await late.promise;
  await carryOut();
  assert.equal((await store.read('ghost', waiting)).length, 1);
  assert.deepEqual((await store.renew(leads, waiting)).held, true);
  await busy(store, waits);
  assert.equal(asked.filter((verb) => verb === 'revoke').length, 1, asked.join());
  await until(async () => (await store.read('ghost', waiting)).length === 0);
  assert.deepEqual(
    (await store.read('k', waiting)).map((holding) => holding.token),
    [token],
    'who led leads, with the same token',
  );
  await busy(store, claimOf({ queue: true }));
  await store.release(leads, waiting);
  await granted(store, waits);
});

test('a place that nobody asked for in time is given back before its claim is asked for again', async () => {
  const prefix = freshPrefix();
  const client = new EtcdClient({ endpoints: [server.url] });
  const other = new EtcdClient({ endpoints: [server.url] });
  const remove = client.delete.bind(client);
  const [removing, gate, removed] = [0, 1, 2].map(() => Promise.withResolvers<void>());
  const slowly = async (...given: Parameters<typeof remove>): ReturnType<typeof remove> => {
    removing?.resolve();
    await gate?.promise;
    const answer = await remove(...given);
    removed?.resolve();
    return answer;
  };
  Object.defineProperty(client, 'delete', { value: slowly });
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const store = etcdLeases(client, { prefix, clock });
  const ahead = etcdLeases(other, { prefix });
  const waiting = { signal: AbortSignal.timeout(20_000) };
  const mine = { key: 'payment:42', id: 'a'.repeat(32), holder: 'me', share: 1, of: 1, ttlMs: 30_000, queue: true };
  const theirs = { ...mine, id: 'b'.repeat(32), ttlMs: 60_000 };
  assert.ok((await ahead.try(theirs, waiting)).granted);
  assert.ok(!(await store.try(mine, waiting)).granted);
  // As if nobody had asked for longer than its ttl, and others had kept its session.
  aheadMs = mine.ttlMs;
  await removing?.promise;
  await ahead.release(theirs, waiting);
  const asked = store.try(mine, waiting);
  // What is asked would be answered by then.
  for (let turn = 0; turn < 100; turn++) await client.range({ key: 'whatever' });
  gate?.resolve();
  await removed?.promise;
  const answer = await asked;
  assert.ok(answer.granted);
  const [holding] = await store.read('payment:42', waiting);
  assert.equal(holding?.token, answer.token, 'what is granted is there');
  await store.release(mine, waiting);
  await Promise.all([store, ahead].map((each) => each[Symbol.asyncDispose]()));
  client.close();
  other.close();
});

test('a server that hangs is left by those who gave up on it, and the next is asked', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const endpoints = [`http://127.0.0.1:${port}`, server.url];
  let aheadMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
  const client = new EtcdClient({ endpoints, timeoutMs: 60_000, clock, random: { int32: () => 0, unit: () => 0 } });
  const connected = once(silent, 'connection');
  const aborted = new AbortController();
  const asked = client.put({ key: freshPrefix(), value: '' }, { signal: aborted.signal });
  const [socket] = (await connected) as [Socket];
  aheadMs = 1000;
  aborted.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  await client.put({ key: freshPrefix(), value: '' });
  socket.destroy();
  silent.close();
  client.close();
});

test('who observes goes on after a gap', async () => {
  const client = new EtcdClient({ endpoints: [server.url] });
  const watch = client.watch.bind(client);
  const gap = async function* (): ReturnType<typeof watch> {
    yield { kind: 'gap', why: 'compacted', revision: 1n };
  };
  let watches = 0;
  const value = (...given: Parameters<typeof watch>): ReturnType<typeof watch> => {
    watches += 1;
    if (watches === 1) return gap();
    again.resolve();
    return watch(...given);
  };
  const again = Promise.withResolvers<void>();
  Object.defineProperty(client, 'watch', { value });
  const store = etcdLeases(client, { prefix: freshPrefix() });
  const unwatch = store.watch('payment:42', null, () => {});
  await again.promise;
  unwatch();
  await store[Symbol.asyncDispose]();
  client.close();
});

test('what others wrote under a name is in the way of nobody who knows how to read it', async () => {
  const prefix = freshPrefix();
  const { client } = countedClient(server.url);
  await using store = etcdLeases(client, { prefix });
  await client.put({ key: `${prefix}/payment%3A42/intruder`, value: 'not of here' });
  await using locks = createLocks(store);
  assert.equal(await locks.tryAcquire('payment:42', { ttl: '2s' }), null, 'it is taken for a holder of all');
  const [holding] = await store.read('payment:42', { signal: AbortSignal.timeout(5000) });
  assert.equal(holding?.holder, 'not of here');
  client.close();
});

test('the rights that the guide names are enough, and without them it is refused', async () => {
  const guide = await readFile(new URL('../../docs/guides/locks.md', import.meta.url), 'utf8');
  const [, from = '', to = ''] = /etcd: to read and write the keys from `(.*)` to `(.*)`/.exec(guide) ?? [];
  await using secured = await EtcdServer.start();
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const perm = { permType: 'READWRITE', key: base64(from), range_end: base64(to) };
  await secured.ask('/v3/auth/role/add', { name: 'locks' });
  await secured.ask('/v3/auth/role/grant', { name: 'locks', perm });
  await secured.ask('/v3/auth/role/add', { name: 'root' });
  for (const name of ['root', 'locks', 'stranger']) {
    await secured.ask('/v3/auth/user/add', { name, password: 'secret' });
    if (name !== 'stranger') await secured.ask('/v3/auth/user/grant', { user: name, role: name });
  }
  await secured.ask('/v3/auth/enable');
  const clientOf = (name: string): EtcdClient =>
    new EtcdClient({ endpoints: [secured.url], user: { name, password: 'secret' } });
  await using client = clientOf('locks');
  {
    await using store = etcdLeases(client);
    await using locks = createLocks(store);
    const held = await locks.acquire('payment:42', { ttl: '10s' });
    const seen = Promise.withResolvers<void>();
    const end = store.watch('payment:42', null, seen.resolve);
    await seen.promise;
    end();
    const next = locks.acquire('payment:42', { ttl: '10s', wait: '30s' });
    await held.release();
    await (await next).release();
  }
  await using nobody = clientOf('stranger');
  await using theirs = etcdLeases(nobody);
  await using others = createLocks(theirs);
  await assert.rejects(others.tryAcquire('payment:42', { ttl: '2s' }), {
    code: 'STORE_REFUSED',
    message: /permission denied/,
  });
});

test('a lease is no longer than its ttl, nor than what etcd keeps for a dead holder leaves of that', async () => {
  const { client } = countedClient(server.url);
  const grants: number[] = [];
  const grant = client.grant.bind(client);
  client.grant = (request, ...rest) => {
    grants.push(request.ttlS);
    return grant(request, ...rest);
  };
  for (const [ttlMs, seconds, lastsMs] of [
    [1200, 1, 1000],
    [1949, 1, 1000],
    [1950, 2, 1950],
    [2600, 2, 2000],
    [10_500, 11, 10_500],
  ] as const) {
    // A session of its own.
    grants.length = 0;
    await using own = etcdLeases(client, { prefix: freshPrefix() });
    const askedMs = own.clock.nowMs();
    const claim = claimOf({ ttlMs });
    const answer = await own.try(claim, waiting);
    const answeredMs = own.clock.nowMs();
    assert.ok(answer.granted);
    // One, unless this machine stood still for as long.
    assert.deepEqual([...new Set(grants)], [seconds], `${ttlMs} ms`);
    const endsMs = answer.since!.nowMs + ttlMs;
    const tookMs = answeredMs - askedMs + ROUNDING_MS;
    assert.ok(Math.abs(endsMs - askedMs - lastsMs) <= tookMs, `${endsMs - askedMs} ms of ${ttlMs}`);
  }
  client.close();
});

test('a ttl that etcd would keep a dead holder’s lease too long for is refused with one that it would not', async () => {
  const { client } = countedClient(server.url);
  await using store = etcdLeases(client, { prefix: freshPrefix() });
  await using locks = createLocks(store);
  await assert.rejects(locks.tryAcquire('payment:42', { ttl: '1s' }), {
    code: 'OPTIONS_INVALID',
    message: 'ttl is 1000 ms; etcd takes 1200 ms to 2147483647 ms.',
  });
  // As its servers are when nobody has set them otherwise.
  await using usual = await EtcdServer.start({ args: ['--heartbeat-interval', '100', '--election-timeout', '1000'] });
  const { client: theirs } = countedClient(usual.url);
  await using slow = etcdLeases(theirs, { prefix: freshPrefix() });
  await using others = createLocks(slow);
  await assert.rejects(others.acquire('payment:42', { ttl: 1949 }), {
    code: 'OPTIONS_INVALID',
    message:
      /ttl is 1949 ms, and this etcd keeps .* for 2 s at least.*: expected a ttl of at least 1950 ms, or a shorter/,
  });
  await (await others.acquire('payment:42', { ttl: 1950 })).release();
  theirs.close();
  client.close();
});

test('a prefix that would not be found again is refused', () => {
  const { client } = countedClient(server.url);
  assert.throws(() => etcdLeases(client, { prefix: 'a b' }), { code: 'OPTIONS_INVALID', message: /prefix is “a b”/ });
  client.close();
});
