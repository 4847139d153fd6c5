import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom } from '../../kernel/random.ts';
import { restartDelayMs } from './restart-delay.ts';

test('the delay doubles from 100 ms to 10 s, and half of it is random', () => {
  fc.assert(
    fc.property(fc.nat(2_000), fc.integer(), (losses, seed) => {
      const delayMs = restartDelayMs(losses, seededRandom(seed));
      const ceiling = Math.min(10_000, 100 * 2 ** losses);
      assert.ok(delayMs >= ceiling / 2 && delayMs <= ceiling, `${delayMs} ms after ${losses} losses`);
    }),
  );
});

test('lanes lost together do not come back together', () => {
  const random = seededRandom(1);
  assert.notEqual(restartDelayMs(3, random), restartDelayMs(3, random));
});
