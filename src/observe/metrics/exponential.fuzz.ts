/** Exponential buckets against counting each value by itself; whatever the range and the bounds that are shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Buckets, exponentialBounds } from '../../kernel/buckets.ts';
import { bucketBounds, defineMetric, SCALE } from './definition.ts';
import { ExponentialLayout } from './exponential.ts';

const bounds = fc.uniqueArray(fc.double({ min: 1e-4, max: 1e4, noNaN: true }), { minLength: 1, maxLength: 8 });
const range = fc.tuple(fc.double({ min: 1e-3, max: 1, noNaN: true }), fc.double({ min: 2, max: 1e3, noNaN: true }));
const values = fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { maxLength: 60 });

test('each value is in the bucket whose bounds it lies between', () => {
  fc.assert(
    fc.property(bounds, range, values, (shown, [min, max], given) => {
      const definition = defineMetric('histogram', {
        name: 's',
        help: 'S.',
        bounds: shown.toSorted((a, b) => a - b),
        range: [min, max],
      });
      const buckets = new Buckets(bucketBounds(definition));
      // On and around every edge too.
      const edges = [...buckets.bounds].filter((bound) => bound < Infinity);
      const all = [...given, ...edges, ...edges.map((edge) => edge * (1 + 1e-9))];
      const counts = new Float64Array(buckets.bounds.length);
      for (const value of all) counts[buckets.bucketOf(value)]! += 1;

      const ends = exponentialBounds(min, max, SCALE);
      const least = ends[0]!;
      const greatest = ends.at(-1)!;
      const {
        count,
        zeroCount,
        zeroThreshold,
        firstIndex,
        counts: theirs,
      } = new ExponentialLayout(definition.range, buckets.bounds).of(counts, 1);
      assert.equal(count, all.length);
      assert.equal(zeroThreshold, least);
      assert.equal(zeroCount, all.filter((value) => value <= least).length);
      for (const [at, one] of theirs.entries()) {
        const index = firstIndex + at;
        const [lower, upper] = [2 ** ((index - 1) / 16), 2 ** (index / 16)];
        const within = all.filter((value) => value > lower && (value <= upper || lower >= greatest));
        assert.equal(one, within.length, `bucket ${index}, above ${lower}`);
      }
      assert.equal(
        theirs.reduce((sum, one) => sum + one, zeroCount),
        all.length,
      );
    }),
    { numRuns: 200 },
  );
});
