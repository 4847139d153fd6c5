import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from './backoff.ts';
import type { Random } from './random.ts';

const backoff = { shortestMs: 5, baseMs: 10, longestMs: 500 };
const always = (unit: number): Random => ({ unit: () => unit, int32: () => 0 });

test('a pause is anything from the shortest to a bound that doubles, up to the longest', () => {
  const failures = [1, 2, 3, 5, 6, 7, 5000];
  const bounds = failures.map((count) => backoffMs(backoff, count, always(1)));
  assert.deepEqual(bounds, [20, 40, 80, 320, 500, 500, 500]);
  for (const count of failures) assert.equal(backoffMs(backoff, count, always(0)), 5);
  assert.equal(backoffMs(backoff, 2, always(0.5)), 22.5);
});
