import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { type LeaseStore, memoryLeases } from '../lease/index.ts';
import { createLocks } from './index.ts';

const options = { ttl: '10s' } as const;
const waiting = { signal: new AbortController().signal };

test('one at a time, and whoever waits comes after', async () => {
  await using locks = createLocks(memoryLeases());
  const order: string[] = [];
  const first = await locks.acquire('payment:42', options);
  const second = locks.withLock('payment:42', options, ({ token }) => {
    order.push('second');
    assert.ok(token > first.token);
    return 'done';
  });
  assert.equal(await locks.tryAcquire('payment:42', options), null);
  order.push('first');
  await first.release();
  assert.equal(await second, 'done');
  assert.deepEqual(order, ['first', 'second']);
});

test('a wait that is over says for what and how long', async () => {
  await using locks = createLocks(memoryLeases());
  await using held = await locks.acquire('payment:42', options);
  await assert.rejects(locks.acquire('payment:42', { ...options, wait: 5 }), {
    code: 'LEASE_TAKEN',
    retryable: true,
    message: '“payment:42” could not be had within 5 ms: others hold or wait for it.',
  });
  held.assertHeld();
});

test('several names are locked in one order, so those who want the same cannot wait for each other', async () => {
  const store = memoryLeases();
  await using one = createLocks(store);
  await using two = createLocks(store);
  const turns = Array.from({ length: 20 }, (_, turn) =>
    (turn % 2 === 0 ? one : two).withLock(turn % 2 === 0 ? ['a', 'b'] : ['b', 'a'], options, ({ token }) => token),
  );
  const tokens = await Promise.all(turns);
  assert.equal(new Set(tokens).size, 20);
});

test('several names of which one was lost while another was waited for are not had: their token would be greater than the new holder’s', async () => {
  const clock = new SimulatedClock();
  const store = memoryLeases({ clock });
  const renewed = Promise.withResolvers<void>();
  const renew = store.renew.bind(store);
  store.renew = async (claim, waiting) => {
    if (claim.key !== 'a' || claim.holder !== 'slow') return renew(claim, waiting);
    await store.release(claim, waiting);
    queueMicrotask(renewed.resolve);
    return { held: false };
  };
  await using slow = createLocks(store, { holder: 'slow' });
  await using other = createLocks(store, { holder: 'other' });
  const b = await other.acquire('b', options);
  const both = slow.acquire(['a', 'b'], { ...options, wait: '20s' });
  // Once `a` is had, its first renewal is due after a third of the ttl.
  while ((await store.read('a', waiting)).length === 0);
  clock.pass(4000);
  await renewed.promise;
  await using a = await other.acquire('a', options);
  await b.release();
  await assert.rejects(both, { code: 'LEASE_LOST', message: /“a”/ });
  a.assertHeld();
  assert.ok(await other.tryAcquire('b', options), 'the other is given back');
});

test('of several names, all or none; one lease of all, whose token is the greatest', async () => {
  await using locks = createLocks(memoryLeases());
  const b = await locks.acquire('b', options);
  assert.equal(await locks.tryAcquire(['c', 'a', 'b'], options), null);
  const others = await locks.tryAcquire(['a', 'c'], options);
  assert.ok(others !== null, 'those that were had are given back');
  assert.equal(others.key, 'a, c');
  assert.ok(others.token > b.token);
  await assert.rejects(locks.acquire(['a', 'b'], { ...options, wait: 0 }), {
    code: 'LEASE_TAKEN',
    message: /“a” and “b”/,
  });
  assert.equal(await others.release(), true);
  assert.throws(() => others.assertHeld(), { code: 'LEASE_LOST' });
  assert.equal(others.signal.aborted, true);
  assert.equal(others.remainingMs(), 0);
  await (await locks.acquire(['c', 'a'], options)).release();
});

test('readers are together, a writer is alone', async () => {
  await using locks = createLocks(memoryLeases());
  const read = { ...options, mode: 'read' } as const;
  const [one, two] = [await locks.acquire('doc', read), await locks.acquire('doc', read)];
  assert.equal(await locks.tryAcquire('doc', options), null);
  const writer = locks.acquire('doc', options);
  await one.release();
  await two.release();
  await using alone = await writer;
  assert.equal(await locks.tryAcquire('doc', read), null);
  alone.assertHeld();
});

test('a semaphore has as many permits as it says', async () => {
  await using locks = createLocks(memoryLeases());
  const gpus = locks.semaphore('gpu', 2);
  const [one, two] = [await gpus.acquire(options), await gpus.tryAcquire(options)];
  assert.ok(two !== null);
  assert.equal(await gpus.tryAcquire(options), null);
  const third = gpus.withPermit(options, ({ token }) => token);
  await one.release();
  assert.ok((await third) > two.token);
});

test('work whose lock was lost is not done, whatever it says', async () => {
  const store = memoryLeases();
  await using locks = createLocks(store);
  const work = locks.withLock('payment:42', { ttl: 300 }, ({ signal }) => {
    // Nothing of this process runs meanwhile, so nothing is renewed.
    const untilMs = performance.now() + 400;
    while (performance.now() < untilMs);
    assert.equal(signal.aborted, false, 'not yet seen');
    return 'paid';
  });
  await assert.rejects(work, { code: 'LEASE_LOST', message: /payment:42/ });
  await assert.rejects(
    locks.withLock('payment:42', options, () => {
      throw new Error('no money');
    }),
    /no money/,
  );
  await (await locks.acquire('payment:42', { ...options, wait: 0 })).release();
});

test('a store whose leases cannot be shared has locks, and neither readers nor permits', async () => {
  const memory = memoryLeases();
  const alone: LeaseStore = {
    name: 'alone',
    clock: memory.clock,
    limits: { ...memory.limits, shares: false },
    try: (claim, waiting) => memory.try(claim, waiting),
    renew: (claim, waiting) => memory.renew(claim, waiting),
    release: (claim, waiting) => memory.release(claim, waiting),
    watch: (key, claim, wake) => memory.watch(key, claim, wake),
    read: (key, waiting) => memory.read(key, waiting),
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
  };
  await using locks = createLocks(alone);
  await (await locks.acquire('payment:42', options)).release();
  const refused = { code: 'OPTIONS_INVALID', message: /neither readers nor permits/ };
  await assert.rejects(locks.acquire('payment:42', { ...options, mode: 'read' }), refused);
  await assert.rejects(locks.semaphore('payment:42', 3).acquire(options), refused);
});

test('what makes no sense is refused with what to do', async () => {
  await using locks = createLocks(memoryLeases());
  const refused = { code: 'OPTIONS_INVALID' };
  await assert.rejects(locks.acquire('a', { ttl: 0 }), { ...refused, message: 'ttl is 0; expected from 1ms to 366d.' });
  await assert.rejects(locks.acquire('a', { ttl: -5 }), refused);
  // @ts-expect-error a ttl is needed
  await assert.rejects(locks.acquire('a', {}), refused);
  await assert.rejects(locks.acquire('', options), refused);
  await assert.rejects(locks.acquire([], options), refused);
  await assert.rejects(locks.acquire(['a', 'a'], options), { ...refused, message: /“a” is named twice/ });
  // @ts-expect-error no such mode
  await assert.rejects(locks.acquire('a', { ...options, mode: 'shared' }), refused);
  // @ts-expect-error no such option
  await assert.rejects(locks.tryAcquire('a', { ...options, wait: 5 }), { ...refused, message: /no option “wait”/ });
  assert.throws(() => locks.semaphore('a', 0), refused);
  assert.throws(() => createLocks(memoryLeases(), { timeout: 0 }), refused);
});

test('a lease that is held keeps no process alive; one that is waited for does', async () => {
  // Of its timers, Node says which it would wait for.
  const program = `
    import { createLocks } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
    import { memoryLeases } from ${JSON.stringify(new URL('../lease/index.ts', import.meta.url).href)};
    const locks = createLocks(memoryLeases(), { timeout: '60s' });
    const say = (when) => console.log(when, process.getActiveResourcesInfo().filter((each) => each === 'Timeout').length);
    const lease = await locks.acquire('payment:42', { ttl: '10m' });
    say('held');
    const next = locks.acquire('payment:42', { ttl: '10m', wait: '10m' });
    say('waited for');
    await lease.release();
    await next;
    say('held after a wait');`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  assert.equal(stdout, 'held 0\nwaited for 1\nheld after a wait 0\n');
});
