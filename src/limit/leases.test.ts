import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { concurrency, createLimiter, memoryStore, tokenBucket } from './index.ts';

function limiter(limit = 2) {
  const clock = new SimulatedClock();
  const algorithm = concurrency({ limit, lease: '30s' });
  return { clock, jobs: createLimiter({ name: 'jobs', algorithm, store: memoryStore({ clock }) }) };
}

test('as many are in flight as there are slots, and a release makes room', async () => {
  const { jobs } = limiter();
  const [first, second, third] = [jobs.takeSync('ann'), await jobs.take('ann'), jobs.takeSync('ann')];
  assert.deepEqual([first.allowed, second.allowed, third.allowed], [true, true, false]);
  assert.deepEqual([third.lease, third.remaining, third.retryAfterMs], [0, 0, 30_000]);
  assert.equal(await jobs.release('ann', first.lease), true);
  assert.equal(jobs.releaseSync('ann', first.lease), false, 'once');
  assert.equal(jobs.takeSync('ann').allowed, true);
});

test('R12: the slot of a holder that died comes back when its lease ends, and its late release frees nobody', async () => {
  const { clock, jobs } = limiter(1);
  const dead = jobs.takeSync('ann');
  clock.pass(29_999);
  assert.equal(jobs.takeSync('ann').retryAfterMs, 1);
  clock.pass(1);
  const next = jobs.takeSync('ann');
  assert.equal(next.allowed, true);
  assert.equal(jobs.releaseSync('ann', dead.lease), false);
  assert.equal(jobs.takeSync('ann').allowed, false, 'the slot is still held by the next');
  assert.equal(await jobs.renew('ann', dead.lease), false);
});

test('a lease that is renewed holds on', () => {
  const { clock, jobs } = limiter(1);
  const { lease } = jobs.takeSync('ann');
  for (let times = 0; times < 5; times++) {
    clock.pass(20_000);
    assert.equal(jobs.renewSync('ann', lease), true);
  }
  clock.pass(29_999);
  assert.equal(jobs.takeSync('ann').allowed, false);
  clock.pass(1);
  assert.equal(jobs.takeSync('ann').allowed, true);
});

test('a take of several slots is all or nothing, and one release frees all of them', () => {
  const { jobs } = limiter(5);
  const three = jobs.takeSync('ann', 3);
  assert.equal(jobs.takeSync('ann', 3).allowed, false);
  assert.equal(jobs.peekSync('ann', 2).allowed, true);
  jobs.releaseSync('ann', three.lease);
  assert.equal(jobs.peekSync('ann', 5).allowed, true);
});

test('giving back is a release for leases and a refund for rates, and the other is refused', () => {
  const { jobs } = limiter();
  assert.throws(() => (jobs as never as { refundSync(key: string): void }).refundSync('ann'), /release gives back/);
  assert.throws(
    () => (jobs as never as { takeUpToSync(key: string, n: number): void }).takeUpToSync('ann', 2),
    /taken whole/,
  );
  const rate = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 1, refillPerSecond: 1 }) });
  assert.throws(() => (rate as never as typeof jobs).releaseSync('ann', 1), /refund gives back/);
});
