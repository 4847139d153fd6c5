/** How many go through in the worst span of one window, counted from every arrival by brute force. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Algorithm, createOutcome } from './algorithm.ts';
import { fixedWindow } from './fixed-window.ts';
import { gcra } from './gcra.ts';
import { slidingLog } from './sliding-log.ts';
import { slidingWindow } from './sliding-window.ts';

const START_US = 1_790_000_000_000_000;
const WINDOW_US = 1_000;
const per = WINDOW_US / 1000;

/** The most that was granted within any window. */
function worst(algorithm: Algorithm, gapsUs: readonly number[]): number {
  const state = new Float64Array(algorithm.width);
  const out = createOutcome();
  const granted: number[] = [];
  let nowUs = START_US;
  let most = 0;
  for (const gapUs of gapsUs) {
    nowUs += gapUs;
    algorithm.take(state, 0, { nowUs, cost: 1, times: 1, holder: 1 }, out);
    if (out.granted === 1) granted.push(nowUs);
    most = Math.max(most, granted.filter((atUs) => atUs > nowUs - WINDOW_US).length);
  }
  return most;
}

test('R1: in any window a log admits the limit, GCRA its rate and burst, a counter less than the double, a fixed window the double', () => {
  const gap = fc.oneof({ weight: 6, arbitrary: fc.nat(30) }, { weight: 1, arbitrary: fc.nat(WINDOW_US) });
  const limits = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(limits, limits, fc.array(gap, { maxLength: 150 }), (limit, burst, gapsUs) => {
      assert.ok(worst(slidingLog({ limit, per }), gapsUs) <= limit);
      assert.ok(worst(gcra({ limit, per, burst }), gapsUs) <= limit + burst);
      assert.ok(worst(gcra({ limit, per, burst: 1 }), gapsUs) <= limit);
      assert.ok(worst(slidingWindow({ limit, per }), gapsUs) <= 2 * limit - 1);
      assert.ok(worst(fixedWindow({ limit, per }), gapsUs) <= 2 * limit);
    }),
    { numRuns: 2000 },
  );
});
