import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { addSparse, quantile } from './quantile.ts';
import { Buckets, exponentialBounds } from './buckets.ts';

const buckets = new Buckets(exponentialBounds(1, 1000, 4));
const { bounds } = buckets;

test('a quantile is in the bucket of the value of its rank, however the counts were spread before they were added', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.double({ min: 1.01, max: 999, noNaN: true })), { maxLength: 5 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (steps, q) => {
        const counts = new Float64Array(bounds.length);
        for (const values of steps) {
          const step = new Map<number, number>();
          for (const value of values) {
            const bucket = buckets.bucketOf(value);
            step.set(bucket, (step.get(bucket) ?? 0) + 1);
          }
          addSparse(counts, [...step].flat());
        }
        const all = steps.flat().toSorted((a, b) => a - b);
        const found = quantile(bounds, counts, q);
        if (all.length === 0) return assert.equal(found, Number.NaN);
        const exact = all[Math.max(1, Math.ceil(q * all.length)) - 1]!;
        assert.ok(Math.abs(found / exact - 1) <= 0.0218, `${found} for ${exact}`);
      },
    ),
  );
});

test('below the first bound that is read, above the last Infinity', () => {
  const counts = new Float64Array(bounds.length);
  addSparse(counts, [0, 1]);
  assert.equal(quantile(bounds, counts, 0.5), 1);
  addSparse(counts, [bounds.length - 1, 2]);
  assert.equal(quantile(bounds, counts, 0.5), Number.POSITIVE_INFINITY);
});

test('pairs that name no bucket, or have no count, are left out', () => {
  const counts = new Float64Array(3);
  addSparse(counts, [1, 2, 7, 1, -1, 1, 0.5, 1, Number.NaN, 1, 2]);
  assert.deepEqual([...counts], [0, 2, 0]);
});
