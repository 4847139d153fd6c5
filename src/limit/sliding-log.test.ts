/** What a refund of the sliding window log costs in exactness, as its documentation says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createLimiter, memoryStore, slidingLog, type SyncLimiter, type SyncRates } from './index.ts';

function twoAMinute(): { readonly clock: SimulatedClock; readonly limiter: SyncLimiter & SyncRates } {
  const clock = new SimulatedClock();
  return {
    clock,
    limiter: createLimiter({
      name: 'log',
      algorithm: slidingLog({ limit: 2, per: '1m' }),
      store: memoryStore({ clock }),
    }),
  };
}

test('a refund gives back the newest take: one that came in between is free earlier by the time since the refunded', () => {
  const { clock, limiter } = twoAMinute();
  limiter.takeSync('ann');
  clock.pass(10_000);
  limiter.takeSync('ann');
  limiter.refundSync('ann');
  assert.equal(limiter.peekSync('ann').resetAfterMs, 50_000);
});

test('who is refused elsewhere and refunded at once keeps nobody out, however often', () => {
  const { clock, limiter } = twoAMinute();
  limiter.takeSync('ann');
  for (let second = 0; second < 59; second++) {
    clock.pass(1000);
    limiter.takeSync('ann');
    limiter.refundSync('ann');
  }
  clock.pass(1000);
  assert.equal(limiter.peekSync('ann').remaining, 2);
});
