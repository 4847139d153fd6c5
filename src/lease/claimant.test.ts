/** What a claim leaves set while it is asked, held and given back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import type { Lease } from './lease.ts';
import { Leases, type LeaseRequest } from './leases.ts';
import { memoryLeases } from './memory.ts';
import type { LeaseStore } from './store.ts';

function asking(change: (memory: LeaseStore) => Partial<LeaseStore>) {
  // It keeps the process alive as the machine's does.
  const clock = Object.assign(new SimulatedClock(), {
    keepAlive: (isAwaited: boolean) => systemClock.keepAlive?.(isAwaited),
  });
  const memory = memoryLeases({ clock });
  const store: LeaseStore = {
    name: memory.name,
    clock,
    limits: memory.limits,
    try: (claim, waiting) => memory.try(claim, waiting),
    renew: (claim, waiting) => memory.renew(claim, waiting),
    release: (claim, waiting) => memory.release(claim, waiting),
    watch: (key, claim, wake) => memory.watch(key, claim, wake),
    read: (key, waiting) => memory.read(key, waiting),
    [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
    ...change(memory),
  };
  const leases = new Leases({ store, timeoutMs: 1000 });
  const ask = (request: Partial<LeaseRequest> = {}): Promise<Lease | null> =>
    leases.acquire({ key: 'payment:42', holder: 'me', ttlMs: 3000, waitMs: 0, ...request });
  return { ask, clock, memory };
}

async function held(lease: Promise<Lease | null>): Promise<Lease> {
  const granted = await lease;
  assert.ok(granted !== null);
  return granted;
}

/** In small steps; what is asked meanwhile is answered. */
async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.pass(50);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  }
}

test('a claim that is over soon has no timer of its own, and one that is not is renewed when it is due', async () => {
  const renewedMs: number[] = [];
  const { ask, clock } = asking((memory) => ({
    renew(claim, waiting) {
      renewedMs.push(clock.nowMs() - startMs);
      return memory.renew(claim, waiting);
    },
  }));
  const startMs = clock.nowMs();
  const brief = await held(ask());
  assert.equal(clock.timers, 1, 'that of the next look');
  await brief.release();
  assert.equal(clock.timers, 1);
  const lease = await held(ask());
  await pass(clock, 2050);
  assert.deepEqual(renewedMs, [1000, 2000]);
  await lease.release();
  await pass(clock, 250);
  assert.equal(clock.timers, 0);
});

test('a held lease does not keep the process alive; a claim that waits does, and a release until it is answered', async () => {
  const awake = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = awake();
  let isDown = false;
  const { ask, clock } = asking((memory) => ({
    release: (claim, waiting) =>
      isDown ? Promise.reject(new SpillwayError('STORE_UNAVAILABLE', 'down')) : memory.release(claim, waiting),
  }));
  const asked = ask();
  assert.equal(awake(), before + 1, 'it asks');
  const lease = await held(asked);
  assert.equal(awake(), before, 'it holds');
  await pass(clock, 5000);
  assert.equal(awake(), before, 'it was renewed');
  const waits = ask({ waitMs: Number.POSITIVE_INFINITY });
  await pass(clock, 50);
  assert.equal(awake(), before + 1, 'the next waits');
  const released = lease.release();
  await released;
  const next = await held(waits);
  assert.equal(awake(), before);
  isDown = true;
  const unreleased = next.release();
  assert.equal(awake(), before + 1, 'it is being given back');
  assert.equal(await unreleased, false);
  assert.equal(awake(), before, 'nobody waits for it to be told again');
  isDown = false;
  await pass(clock, 3000);
  assert.equal(clock.timers, 0);
});

test('what is granted after the claim was over is given back, and again if nobody answers', async () => {
  const late = Promise.withResolvers<void>();
  let releases = 0;
  const { ask, clock, memory } = asking((memory) => ({
    async try(claim, waiting) {
      await late.promise;
      return await memory.try(claim, waiting);
    },
    async release(claim, waiting) {
      releases += 1;
      if (releases === 2) await new Promise<never>(() => {});
      await memory.release(claim, waiting);
    },
  }));
  const asked = assert.rejects(ask(), { code: 'STORE_UNAVAILABLE' });
  await pass(clock, 1000);
  await asked;
  assert.equal(releases, 1);
  late.resolve();
  await pass(clock, 50);
  const held = (): Promise<readonly unknown[]> => memory.read('payment:42', { signal: AbortSignal.abort() });
  assert.equal((await held()).length, 1);
  assert.equal(releases, 2, 'it is over, and it is given back');
  await pass(clock, 1500);
  assert.equal(releases, 3);
  assert.deepEqual(await held(), []);
  assert.equal(clock.timers, 0);
});
