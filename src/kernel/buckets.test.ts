import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Buckets, exponentialBounds } from './buckets.ts';

const positive = fc.double({ min: 5e-324, max: Number.MAX_VALUE, noNaN: true });

test('a value is in the first bucket whose bound it does not exceed, whatever the bounds and the value', () => {
  fc.assert(
    fc.property(fc.array(positive, { minLength: 1, maxLength: 60 }), fc.array(fc.double()), (bounds, values) => {
      const buckets = new Buckets(bounds);
      for (const value of [Number.NaN, ...values, ...bounds, ...bounds.map((bound) => bound * (1 + Number.EPSILON))]) {
        const expected = Number.isNaN(value) ? 0 : buckets.bounds.findIndex((bound) => value <= bound);
        assert.equal(buckets.bucketOf(value), expected, `${value} of ${bounds.join(' ')}`);
      }
    }),
  );
});

test('exponential bounds reach over the range, and each grows by the same factor', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-12, max: 1, noNaN: true }),
      fc.double({ min: 2, max: 1e15, noNaN: true }),
      fc.integer({ min: 0, max: 6 }),
      (min, max, scale) => {
        const bounds = exponentialBounds(min, max, scale);
        assert.ok(bounds[0]! <= min && bounds.at(-1)! >= max);
        for (let at = 1; at < bounds.length; at++) {
          assert.ok(Math.abs(bounds[at]! / bounds[at - 1]! / 2 ** (2 ** -scale) - 1) < 1e-12);
        }
      },
    ),
  );
});

test('bounds that no value could be above or below are refused', () => {
  for (const bounds of [[], [0], [-1, 1], [Number.NaN], [Number.POSITIVE_INFINITY]]) {
    assert.throws(() => new Buckets(bounds), { code: 'OPTIONS_INVALID' });
  }
});
