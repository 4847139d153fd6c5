import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bucketLowerMs, bucketOf, BUCKETS, latencyOf } from './latency-buckets.ts';

test('a duration is in the bucket that begins below it and ends at or above it', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100_000, noNaN: true }), (ms) => {
      const bucket = bucketOf(ms);
      if (bucket > 0) assert.ok(bucketLowerMs(bucket) < ms);
      if (bucket < BUCKETS - 1) assert.ok(ms <= bucketLowerMs(bucket + 1));
    }),
    { numRuns: 2_000 },
  );
  assert.deepEqual([-1, Number.NaN, 0, Number.POSITIVE_INFINITY].map(bucketOf), [0, 0, 0, BUCKETS - 1]);
});

test('median and mean are those of the durations, to a bucket', () => {
  const durations = fc.array(fc.double({ min: 0.3, max: 12_000, noNaN: true }), { minLength: 1, maxLength: 200 });
  fc.assert(
    fc.property(durations, (times) => {
      const counts = new Float64Array(3 + BUCKETS);
      for (const ms of times) counts[3 + bucketOf(ms)]! += 1;
      const { samples, medianMs, meanMs } = latencyOf(counts, 3);
      const sorted = times.toSorted((a, b) => a - b);
      assert.equal(samples, times.length);
      // Within the bucket of one of the middle ones: a quarter more or less.
      assert.ok(medianMs >= sorted[Math.ceil(times.length / 2) - 1]! / 1.27);
      assert.ok(medianMs <= sorted[Math.floor(times.length / 2)]! * 1.27);
      const mean = times.reduce((sum, ms) => sum + ms, 0) / times.length;
      assert.ok(Math.abs(meanMs / mean - 1) <= 0.26, `${meanMs} for ${mean}`);
    }),
  );
  assert.deepEqual(latencyOf(new Float64Array(BUCKETS), 0), { samples: 0, medianMs: 0, meanMs: 0 });
});
