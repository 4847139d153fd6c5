import assert from 'node:assert/strict';
import { after, test, type TestContext } from 'node:test';
import { ZookeeperSession } from '../../src/drivers/zookeeper/session.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { type LeaseStore, zookeeperLeases, type ZookeeperLeasesOptions } from '../../src/lease/index.ts';
import { createLocks } from '../../src/lock/index.ts';
import { electionContract, leaseStoreContract } from '../../src/testing/index.ts';
import { Relay } from '../faults/relay.ts';
import { TICK_MS, ZookeeperServer } from '../servers/zookeeper.ts';

const server = await ZookeeperServer.start();
after(() => server[Symbol.asyncDispose]());

/** Of sums of doubles. */
const ROUNDING_MS = 1e-6;
let roots = 0;

function fresh(): string {
  roots += 1;
  return `/test/root-${roots}`;
}

function storeAt(root: string, options: Partial<ZookeeperLeasesOptions> = {}): LeaseStore {
  return zookeeperLeases({ servers: [server.address], root, tickTime: TICK_MS, ...options });
}

function open(): { readonly connect: () => LeaseStore } {
  const root = fresh();
  return { connect: () => storeAt(root) };
}

// A leader that a busy machine holds up for two thirds of it is left. The servers of a test keep a session for a minute at most.
const subject = { name: 'zookeeper', open, ttlMs: 2000, longTtlMs: 30_000 };
for (const { name, run } of [...leaseStoreContract(subject), ...electionContract(subject)]) test(name, run);

async function monitored(what: string): Promise<number> {
  return Number(new RegExp(`zk_${what}\\s+(\\d+)`).exec(await server.ask('mntr'))?.[1]);
}

/** Requests that the server has been sent, heartbeats and this one included. */
const requests = (): Promise<number> => monitored('packets_received');
const watches = (): Promise<number> => monitored('watch_count');

/** Asks until it is so, and for no longer than the test may take. */
async function until({ signal }: TestContext, isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) signal.throwIfAborted();
}

/** So many have looked for the first time, and wait for what they saw. A node is there before its claim has looked. */
const watching = (t: TestContext, count: number): Promise<void> => until(t, async () => (await watches()) >= count);

test('a lock that is free is one request to take and one to give back', async () => {
  await using store = storeAt(fresh());
  await using locks = createLocks(store);
  // So long that no heartbeat comes in between.
  const options = { ttl: '30s' } as const;
  await (await locks.acquire('payment:42', options)).release();
  const before = await requests();
  for (let turn = 0; turn < 10; turn++) await (await locks.acquire('payment:42', options)).release();
  assert.equal((await requests()) - before - 1, 20);
});

test('one that has a lock alone holds it by the transaction that made its node', async (t) => {
  const root = fresh();
  await using store = storeAt(root);
  await using locks = createLocks(store);
  await (await locks.acquire('payment:42', { ttl: '30s' })).release();
  const looks = t.mock.method(ZookeeperSession.prototype, 'children').mock;
  const lease = await locks.acquire('payment:42', { ttl: '30s' });
  assert.equal(looks.callCount(), 0);
  await using session = new ZookeeperSession({ servers: [server.address] });
  const [name = ''] = (await session.children(`${root}/payment%3A42`)).children;
  assert.equal((await session.exists(`${root}/payment%3A42/${name}`))?.czxid, lease.token);
  assert.equal(await locks.tryAcquire('payment:42', { ttl: '30s' }), null);
  assert.deepEqual((await session.children(`${root}/payment%3A42`)).children, [name]);
});

test('a node that is made is known, also when nobody waits for the look that follows', async (t) => {
  const root = fresh();
  await using store = storeAt(root);
  const claim = { key: 'payment:42', id: 'c'.repeat(32), holder: 'me', share: 1, of: 1, ttlMs: 30_000, queue: true };
  const other = { ...claim, id: 'd'.repeat(32) };
  const waiting = { signal: AbortSignal.timeout(20_000) };
  assert.ok((await store.try(other, waiting)).granted);
  const lost = new SpillwayError('STORE_UNAVAILABLE', 'nobody knows');
  t.mock.method(ZookeeperSession.prototype, 'children', () => Promise.reject(lost), { times: 1 });
  await assert.rejects(store.try(claim, waiting), lost);
  await using session = new ZookeeperSession({ servers: [server.address] });
  assert.equal((await session.children(`${root}/payment%3A42`)).children.length, 2);
  await store.release(claim, waiting);
  assert.equal((await session.children(`${root}/payment%3A42`)).children.length, 1);
});

test('fifty that wait in processes of their own: a release wakes one, which asks once', async (t) => {
  const root = fresh();
  const stores = Array.from({ length: 50 }, () => storeAt(root));
  const locks = stores.map((store) => createLocks(store));
  // As long as a session may be: so nobody says again that it waits.
  const options = { ttl: '45s', wait: '45s' } as const;
  const held = await locks[0]!.acquire('payment:42', options);
  const turns = locks.slice(1).map(async (own) => (await own.acquire('payment:42', options)).release());
  await watching(t, 49);
  const looks = t.mock.method(ZookeeperSession.prototype, 'children').mock;
  const deletions = t.mock.method(ZookeeperSession.prototype, 'delete').mock;
  await held.release();
  await Promise.all(turns);
  assert.deepEqual([looks.callCount(), deletions.callCount()], [49, 50]);
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

test('twenty readers behind a writer: they look when it goes, once each, and not when another reader does', async (t) => {
  const root = fresh();
  const stores = Array.from({ length: 22 }, () => storeAt(root));
  const [writer, leaver, ...readers] = stores.map((store) => createLocks(store));
  const options = { ttl: '45s', wait: '45s', mode: 'read' } as const;
  const held = await writer!.acquire('page', { ...options, mode: 'write' });
  await using session = new ZookeeperSession({ servers: [server.address] });
  const standing = (count: number): Promise<void> =>
    until(t, async () => (await session.exists(`${root}/page`))?.children === count);
  const leave = new AbortController();
  const left = assert.rejects(leaver!.acquire('page', { ...options, signal: leave.signal }));
  await standing(2);
  const turns = readers.map((own) => own.acquire('page', options));
  await watching(t, 21);
  const looks = t.mock.method(ZookeeperSession.prototype, 'children').mock;
  leave.abort();
  await left;
  await standing(21);
  await held.release();
  const leases = await Promise.all(turns);
  assert.equal(looks.callCount(), 20);
  await Promise.all(leases.map((lease) => lease.release()));
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

test('twenty that wait for a permit: one that is given back makes two look, and they are served in their order', async (t) => {
  const root = fresh();
  const stores = Array.from({ length: 22 }, () => storeAt(root));
  const [first, second, ...rest] = stores.map((store) => createLocks(store).semaphore('pool', 2));
  const options = { ttl: '45s', wait: '45s' } as const;
  const held = [await first!.acquire(options), await second!.acquire(options)];
  await using session = new ZookeeperSession({ servers: [server.address] });
  const served: number[] = [];
  const turns: Promise<void>[] = [];
  for (const [index, own] of rest.entries()) {
    turns.push(
      own
        .acquire(options)
        .then((lease) => (served.push(index), lease.release()))
        .then(() => {}),
    );
    await until(t, async () => (await session.exists(`${root}/pool`))?.children === 3 + index);
  }
  const looks = t.mock.method(ZookeeperSession.prototype, 'children').mock;
  await held[0]!.release();
  await Promise.all(turns);
  // The one that has it; and the next, which looks, watches, looks again, and is told.
  assert.ok(looks.callCount() <= 5 * rest.length, `${looks.callCount()} looks for ${rest.length} permits`);
  assert.deepEqual(
    served,
    rest.map((_, index) => index),
  );
  await held[1]!.release();
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

test('E4: the next in the line is told that it is the first, also if the connection is lost by which it was to be told', async (t) => {
  const root = fresh();
  const stores = Array.from({ length: 3 }, () => storeAt(root));
  const [holder, third, fourth] = stores.map((store) => createLocks(store).semaphore('pool', 2));
  const options = { ttl: '45s', wait: '45s' } as const;
  const held = [await holder!.acquire(options), await holder!.acquire(options)];
  await using session = new ZookeeperSession({ servers: [server.address] });
  const turns = [third!.acquire(options)];
  await until(t, async () => (await session.exists(`${root}/pool`))?.children === 3);
  turns.push(fourth!.acquire(options));
  await until(t, async () => (await session.exists(`${root}/pool`))?.children === 4);
  const lost = new SpillwayError('STORE_UNSURE', 'nobody knows');
  t.mock.method(ZookeeperSession.prototype, 'set', () => Promise.reject(lost), { times: 1 });
  await held[0]!.release();
  const lease = await turns[0]!;
  await held[1]!.release();
  // Told or not: whoever is not told asks by itself after a third of the ttl.
  await (await turns[1]!).release();
  const [name = ''] = (await session.children(`${root}/pool`)).children;
  assert.equal((await session.exists(`${root}/pool/${name}`))?.version, 1, 'it was not told');
  await lease.release();
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

test('E4: a node whose creation was not answered is found again, and given back by whoever no longer wants it', async () => {
  const root = fresh();
  await using relay = await Relay.open(server.port);
  await using far = storeAt(root, { servers: [`127.0.0.1:${relay.port}`] });
  await using near = storeAt(root);
  await using theirs = createLocks(far, { timeout: '10s' });
  await using ours = createLocks(near);
  await (await theirs.acquire('payment:42', { ttl: '3s' })).release();
  const lost = relay.loseNextReply({ containing: 'payment%3A42', then: 'reset' });
  const lease = await theirs.acquire('payment:42', { ttl: '3s', wait: '10s' });
  await lost;
  await using session = new ZookeeperSession({ servers: [server.address] });
  assert.equal((await session.children(`${root}/payment%3A42`)).children.length, 1, 'one node of one claim');
  await lease.release();
  const again = relay.loseNextReply({ containing: 'payment%3A42', then: 'reset' });
  await assert.rejects(theirs.tryAcquire('payment:42', { ttl: '3s' }), { code: 'STORE_UNAVAILABLE' });
  await again;
  await (await ours.acquire('payment:42', { ttl: '3s', wait: '10s' })).release();
});

test('where numbers are about to come twice, nobody is granted anything, and nothing is left', async (t) => {
  const root = fresh();
  await using store = storeAt(root);
  const waiting = { signal: AbortSignal.timeout(20_000) };
  const claim = { key: 'k', id: 'a'.repeat(32), holder: 'me', share: 1, of: 1, ttlMs: 30_000, queue: false };
  await store.try(claim, waiting);
  await store.release(claim, waiting);
  await using session = new ZookeeperSession({ servers: [server.address] });
  const tryWith = (number: string): ReturnType<LeaseStore['try']> => {
    const made = async function (this: ZookeeperSession): Promise<unknown> {
      const path = `${root}/k/${claim.id}-1-1-${number}`;
      const { stat } = await this.create(path, Buffer.alloc(0), { ephemeral: true });
      return [
        { op: 'create', path },
        { op: 'set', stat: { ...stat, children: 1 } },
      ];
    };
    t.mock.method(ZookeeperSession.prototype, 'multi', made, { times: 1 });
    return store.try(claim, waiting);
  };
  for (const number of ['2147418113', '2147483647', '-2147483648']) {
    await assert.rejects(tryWith(number), { code: 'STORE_UNAVAILABLE', message: /no more numbers for claims of “k”/ });
    assert.deepEqual((await session.children(`${root}/k`)).children, []);
  }
  assert.ok((await tryWith('2147418112')).granted);
});

test('a node of ours that an earlier session made is no lease', async () => {
  const root = fresh();
  const store = storeAt(root);
  const id = 'f'.repeat(32);
  const claim = { key: 'payment:42', id, holder: 'me', share: 1, of: 1, ttlMs: 10_000, queue: false };
  const waiting = { signal: AbortSignal.timeout(20_000) };
  const first = await store.try(claim, waiting);
  assert.ok(first.granted);
  await using admin = new ZookeeperSession({ servers: [server.address] });
  const [name = ''] = (await admin.children(`${root}/payment%3A42`)).children;
  await admin.delete(`${root}/payment%3A42/${name}`);
  await admin.create(`${root}/payment%3A42/${name.slice(0, -10)}`, Buffer.alloc(0), {
    ephemeral: true,
    sequential: true,
  });
  assert.equal((await store.try(claim, waiting)).granted, false, 'its own is gone');
  // The other is in the way for as long as its session lives, unless it is taken away: nobody can want it any more.
  const next = await store.try({ ...claim, queue: true }, waiting);
  assert.ok(next.granted && next.token > first.token);
  await store[Symbol.asyncDispose]();
});

test('E4: a node that was found again is not forgotten when its removal fails', async (t) => {
  const root = fresh();
  await using store = storeAt(root);
  const claim = { key: 'payment:42', id: 'e'.repeat(32), holder: 'me', share: 1, of: 1, ttlMs: 10_000, queue: false };
  const waiting = { signal: AbortSignal.timeout(20_000) };
  assert.ok((await store.try({ ...claim, id: 'd'.repeat(32) }, waiting)).granted);
  await store.release({ ...claim, id: 'd'.repeat(32) }, waiting);
  const lost = new SpillwayError('STORE_UNSURE', 'nobody knows');
  const made = async function (
    this: ZookeeperSession,
    ...given: Parameters<ZookeeperSession['multi']>
  ): Promise<never> {
    await this.multi(...given);
    throw lost;
  };
  t.mock.method(ZookeeperSession.prototype, 'multi', made, { times: 1 });
  await assert.rejects(store.try(claim, waiting), { code: 'STORE_UNAVAILABLE' });
  t.mock.method(ZookeeperSession.prototype, 'delete', () => Promise.reject(lost), { times: 1 });
  await assert.rejects(store.release(claim, waiting), { code: 'STORE_UNAVAILABLE' });
  await using session = new ZookeeperSession({ servers: [server.address] });
  assert.equal((await session.children(`${root}/payment%3A42`)).children.length, 1, 'it is there still');
  await store.release(claim, waiting);
  assert.deepEqual((await session.children(`${root}/payment%3A42`)).children, []);
});

test('watches end with what they were for, also of a node that was gone before it was watched', async (t) => {
  const root = fresh();
  const stores = Array.from({ length: 4 }, () => storeAt(root));
  const locks = stores.map((store) => createLocks(store));
  const before = await watches();
  const turns = locks.map(async (own) => {
    for (let turn = 0; turn < 100; turn++)
      await (await own.acquire('payment:42', { ttl: '30s', wait: '60s' })).release();
  });
  await Promise.all(turns);
  // What a session that is over has watched is forgotten with its connection, a moment later.
  await until(t, async () => (await watches()) <= before);
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

test('with auth, what is under the root is for whoever has that and nobody else', async () => {
  const root = fresh();
  const auth = { scheme: 'digest', credentials: 'ann:secret' };
  await using store = storeAt(root, { auth });
  await using locks = createLocks(store);
  await using lease = await locks.acquire('payment:42', { ttl: '10s' });
  await using theirs = storeAt(root, { auth: { ...auth, credentials: 'bob:secret' } });
  await using others = createLocks(theirs);
  const refused = { code: 'STORE_REFUSED', message: /NO_AUTH/ };
  await assert.rejects(others.tryAcquire('payment:42', { ttl: '10s' }), {
    ...refused,
    message: /create \/.*\/payment%3A42\/.*NO_AUTH/,
  });
  await assert.rejects(others.tryAcquire('other', { ttl: '10s' }), refused);
  await assert.rejects(theirs.read('payment:42', { signal: AbortSignal.timeout(20_000) }), refused);
  await using stranger = new ZookeeperSession({ servers: [server.address] });
  for (const path of [root, `${root}/payment%3A42`]) {
    await assert.rejects(stranger.children(path), { code: 'STORE_REFUSED', message: /NO_AUTH/ });
  }
  await using same = storeAt(root, { auth });
  await using mates = createLocks(same);
  assert.equal(await mates.tryAcquire('payment:42', { ttl: '10s' }), null);
  lease.assertHeld();
});

test('a session is as long as the ticks after it leave time for, and a lease a sixth less, but for its ttl', async () => {
  await using store = storeAt(fresh(), { tickTime: '2s' });
  const waiting = { signal: AbortSignal.timeout(20_000) };
  const claim = { key: 'k', id: 'a'.repeat(32), holder: 'me', share: 1, of: 1, ttlMs: 0, queue: false };
  for (const [at, [ttlMs, sessionMs]] of [
    // Three ticks, four, and so many that all of it fits.
    [6000, 4900],
    [8000, 7566],
    [18_606, 21_707],
    [30_000, 35_000],
  ].entries()) {
    const asked = { ...claim, id: String(at).repeat(32), key: `k${at}`, ttlMs: ttlMs! };
    const askedMs = store.clock.nowMs();
    const answer = await store.try(asked, waiting);
    const answeredMs = store.clock.nowMs();
    assert.ok(answer.granted);
    assert.match(await server.ask('cons'), new RegExp(`,to=${sessionMs},`));
    const lastsMs = Math.min(ttlMs!, (sessionMs! * 6) / 7);
    const endsMs = answer.since!.nowMs + ttlMs!;
    // Sooner by what a follower may not have told of, which is no more than it took.
    const tookMs = answeredMs - askedMs + ROUNDING_MS;
    assert.ok(Math.abs(endsMs - askedMs - lastsMs) <= tookMs, `${endsMs - askedMs} ms`);
  }
});

test('a ttl that sessions of two ticks are too long for is refused, with what makes them shorter', async () => {
  await using store = storeAt(fresh(), { tickTime: '2s' });
  await using locks = createLocks(store);
  await assert.rejects(locks.tryAcquire('payment:42', { ttl: '5s' }), {
    code: 'OPTIONS_INVALID',
    message:
      'ttl is 5000 ms; zookeeper takes 5325 ms to 2000000 ms. A shorter one takes servers with a tickTime below 2000 ms, which zookeeperLeases must be told.',
  });
  assert.throws(() => storeAt(fresh(), { tickTime: 49 }), { code: 'OPTIONS_INVALID', message: /tickTime is 49/ });
  // Ticks that are longer than was said show at the shortest sessions: of 250 ms they are 500.
  await using mistaken = storeAt(fresh(), { tickTime: 100 });
  await using others = createLocks(mistaken);
  await assert.rejects(others.acquire('payment:42', { ttl: 500 }), {
    code: 'OPTIONS_INVALID',
    message:
      /ttl is 500 ms, and .* keep what a dead holder had for at least 500 ms, and up to 150 ms more: expected at least 563 ms/,
  });
});

test('a ttl that the servers keep no session for is refused with what they do', async () => {
  await using store = storeAt(fresh());
  await using locks = createLocks(store);
  await assert.rejects(locks.tryAcquire('payment:42', { ttl: '5m' }), {
    code: 'OPTIONS_INVALID',
    message:
      /ttl is 300000 ms, and the servers of ZooKeeper keep a session for at most 60000 ms: expected at most 51428 ms/,
  });
});

test('closed, it has given back all, and grants no more', async () => {
  const root = fresh();
  const store = storeAt(root);
  const claim = { key: 'payment:42', id: 'a'.repeat(32), holder: 'me', share: 1, of: 1, ttlMs: 30_000, queue: false };
  const waiting = { signal: AbortSignal.timeout(20_000) };
  assert.ok((await store.try(claim, waiting)).granted);
  await store[Symbol.asyncDispose]();
  await assert.rejects(store.try(claim, waiting), { code: 'LEASES_CLOSED' });
  await assert.rejects(store.read(claim.key, waiting), { code: 'LEASES_CLOSED' });
  await store.release(claim, waiting);
  await using other = storeAt(root);
  assert.ok((await other.try({ ...claim, id: 'b'.repeat(32) }, waiting)).granted);
});

test('a root that is no path is refused', () => {
  assert.throws(() => storeAt('/spillway/'), { code: 'OPTIONS_INVALID', message: /root is “\/spillway\/”/ });
});
