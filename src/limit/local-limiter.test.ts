import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLimiter, fixedWindow, memoryStore, slidingLog, slidingWindow, tokenBucket } from './index.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';

function limiter(shadow = false) {
  const clock = new SimulatedClock();
  const store = memoryStore({ clock });
  const algorithm = tokenBucket({ capacity: 10, refillPerSecond: 3 });
  return { clock, store, limiter: createLimiter({ name: 'api', algorithm, store, shadow }) };
}

test('a decision says everything: who, how much is left, when again', () => {
  const { limiter: api } = limiter();
  assert.deepEqual(api.takeSync('ann', 4), {
    allowed: true,
    granted: 4,
    limit: 10,
    remaining: 6,
    retryAfterMs: 0,
    resetAfterMs: 1334,
    policy: 'api',
    source: 'store',
    shadowed: false,
  });
  const refused = api.takeSync('ann', 7);
  assert.deepEqual([refused.allowed, refused.granted, refused.remaining, refused.retryAfterMs], [false, 0, 6, 334]);
  assert.deepEqual(api.counts, { allowed: 1, refused: 1, shadowed: 0 });
});

test('waiting retryAfterMs, alone, succeeds, and one millisecond less does not', async () => {
  const { clock, limiter: api } = limiter();
  api.takeSync('ann', 10);
  for (let cost = 1; cost <= 10; cost++) {
    const { retryAfterMs } = await api.take('ann', { cost });
    clock.pass(retryAfterMs - 1);
    assert.equal((await api.take('ann', { cost })).allowed, false);
    clock.pass(1);
    assert.equal((await api.take('ann', { cost })).allowed, true);
  }
});

test('R7: a cost above the limit is refused for good, at once and without touching the key', async () => {
  const { limiter: api } = limiter();
  for (const cost of [11, 1e9, Number.MAX_SAFE_INTEGER, 1e300]) {
    const { allowed, retryAfterMs, remaining } = await api.take('ann', { cost });
    assert.deepEqual([allowed, retryAfterMs, remaining], [false, Number.POSITIVE_INFINITY, 10]);
  }
});

test('a cost of 0 is granted and takes nothing; peek says what a take would be told', async () => {
  const { limiter: api } = limiter();
  api.takeSync('ann', 9);
  assert.deepEqual([api.takeSync('ann', 0).allowed, api.takeSync('ann', 0).remaining], [true, 1]);
  const seen = await api.peek('ann', { cost: 2 });
  assert.deepEqual([seen.allowed, seen.granted, seen.remaining, seen.retryAfterMs], [false, 0, 1, 334]);
  assert.deepEqual([api.peekSync('ann').allowed, api.peekSync('ann').granted], [true, 0]);
  assert.equal(api.takeSync('ann').remaining, 0);
  assert.deepEqual(api.counts, { allowed: 4, refused: 0, shadowed: 0 });
});

test('takeUpTo takes what there is', async () => {
  const { limiter: api } = limiter();
  assert.equal(api.takeUpToSync('ann', 7).granted, 7);
  const rest = await api.takeUpTo('ann', 1e12);
  assert.deepEqual([rest.allowed, rest.granted, rest.remaining, rest.retryAfterMs], [true, 3, 0, 334]);
  const none = api.takeUpToSync('ann', 5);
  assert.deepEqual([none.allowed, none.granted], [false, 0]);
  assert.equal(api.takeUpToSync('bob', 0).allowed, true);
});

test('a refund gives back what was taken and never more than the limit; a reset forgets', async () => {
  const { store, limiter: api } = limiter();
  await api.refund('nobody', 5);
  assert.equal(store.size('api').keys, 0, 'who took nothing is given nothing back');
  api.takeSync('ann', 6);
  api.refundSync('ann', 4);
  assert.equal(api.peekSync('ann').remaining, 8);
  api.refundSync('ann', 1e15);
  assert.equal(api.peekSync('ann').remaining, 10);
  api.takeSync('ann', 10);
  await api.reset('ann');
  assert.equal(api.takeSync('ann', 10).allowed, true);
});

test('a limiter in shadow mode refuses nobody and says whom it would have refused', () => {
  const { limiter: api } = limiter(true);
  api.takeSync('ann', 8);
  const over = api.takeSync('ann', 4);
  assert.deepEqual([over.allowed, over.shadowed, over.granted, over.remaining], [true, true, 0, 2]);
  assert.ok(over.retryAfterMs > 0);
  assert.equal(api.takeSync('ann', 2).shadowed, false);
  assert.deepEqual(api.counts, { allowed: 2, refused: 0, shadowed: 1 });
});

test('R9: a limit is changed live and the counters go on', () => {
  const { clock, limiter: api } = limiter();
  api.takeSync('ann', 10);
  assert.equal(api.change(tokenBucket({ capacity: 20, refillPerSecond: 7 })), true);
  assert.equal(api.takeSync('ann').remaining, 9, 'ten of twenty are taken');
  assert.equal(api.takeSync('ann', 9).allowed, true);
  assert.equal(api.change(tokenBucket({ capacity: 2, refillPerSecond: 1 })), true);
  assert.deepEqual([api.takeSync('ann').allowed, api.takeSync('ann', 2).retryAfterMs], [false, 2000]);
  clock.pass(2000);
  assert.equal(api.takeSync('ann', 2).allowed, true);
});

test('limiters of one name in one store share their counters, of different names do not', () => {
  const store = memoryStore();
  const algorithm = tokenBucket({ capacity: 2, refillPerSecond: 0.001 });
  const [a, b, c] = ['x', 'x', 'y'].map((name) => createLimiter({ name, algorithm, store }));
  a!.takeSync('k', 2);
  assert.equal(b!.takeSync('k').allowed, false);
  assert.equal(c!.takeSync('k').allowed, true);
});

test('what is not a key, a cost or a name is refused with the value; an aborted call does not take', async () => {
  const { limiter: api } = limiter();
  assert.throws(() => api.takeSync(''), { code: 'OPTIONS_INVALID', message: /key is ""/ });
  assert.throws(() => api.takeSync(undefined as unknown as string), { code: 'OPTIONS_INVALID' });
  for (const cost of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '1' as unknown as number]) {
    assert.throws(() => api.takeSync('ann', cost), { code: 'OPTIONS_INVALID', message: new RegExp(`cost is ${cost}`) });
    await assert.rejects(api.takeUpTo('ann', cost), { code: 'OPTIONS_INVALID', message: /amount is/ });
  }
  const algorithm = tokenBucket({ capacity: 1, refillPerSecond: 1 });
  for (const name of ['', 'a b', 'x'.repeat(65)]) {
    assert.throws(() => createLimiter({ name, algorithm }), { code: 'OPTIONS_INVALID', message: /name is/ });
  }
  assert.throws(() => createLimiter({ name: 'a' } as never), { code: 'OPTIONS_INVALID', message: /no algorithm/ });
  const reason = new Error('gone');
  await assert.rejects(api.take('ann', { signal: AbortSignal.abort(reason) }), reason);
  assert.equal(api.peekSync('ann').remaining, 10);
});

test('R15: the moment at which everything is back does not move between two answers', () => {
  const clock = new SimulatedClock();
  const store = memoryStore({ clock });
  for (const algorithm of [
    fixedWindow({ limit: 5, per: '1m' }),
    slidingWindow({ limit: 5, per: '1m' }),
    tokenBucket({ capacity: 5, refillPerSecond: 0.1 }),
    slidingLog({ limit: 5, per: '1m' }),
  ]) {
    const api = createLimiter({ name: algorithm.kind, algorithm, store });
    const { resetAfterMs } = api.takeSync('ann', 5);
    const backMs = clock.nowMs() + resetAfterMs;
    for (let second = 0; second < 40; second++) {
      clock.pass(1000);
      assert.equal(
        clock.nowMs() + api.takeSync('ann', 5).resetAfterMs,
        backMs,
        `${algorithm.kind} after ${second + 1} s`,
      );
    }
  }
});

test('R6: what the store may forget when everything is back, it can forget without anybody noticing', () => {
  const clock = new SimulatedClock();
  const store = memoryStore({ clock, keysMax: 1 });
  const api = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 5, refillPerSecond: 1 }), store });
  const { resetAfterMs } = api.takeSync('ann', 3);
  clock.pass(resetAfterMs);
  const whole = api.peekSync('ann');
  api.takeSync('bob');
  assert.equal(store.size('api').keys, 1, 'ann is forgotten');
  assert.deepEqual(api.peekSync('ann'), whole);
  api.takeSync('ann', 5);
  api.takeSync('carl');
  assert.equal(api.takeSync('ann').allowed, true, 'forgetting only admits more');
});
