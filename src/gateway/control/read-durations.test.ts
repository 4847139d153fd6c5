import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { seededRandom } from '../../kernel/random.ts';
import { BUCKETS, bucketOf } from '../durations.ts';
import { ENDPOINT_SLOTS, endpointSlots } from '../slots.ts';
import { addDurations, percentiles, readDurations } from './read-durations.ts';

/** Stated in durations.ts and docs/metrics.md. */
const ERROR_MAX = 0.022;
const LANES = 3;

test('percentiles of what endpoints and workers have counted together are within 2.2 % of the exact ones', () => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0.5, max: 2.5, noNaN: true }), (seed, spread) => {
      const random = seededRandom(seed);
      const cells = [createCell(LANES, ENDPOINT_SLOTS), createCell(LANES, ENDPOINT_SLOTS)];
      const times = Array.from({ length: 3000 }, () =>
        Math.min(4e6, 0.2 + 5 * (1 - random.unit()) ** -(1 / (3 - spread))),
      );
      for (const [at, ms] of times.entries()) {
        const lane = cellLane(cells[at % 2]!, ENDPOINT_SLOTS, at % LANES);
        lane[endpointSlots.buckets + bucketOf(ms)]! += 1;
        lane[endpointSlots.durationSumMs]! += ms;
      }
      times.sort((a, b) => a - b);
      const reading = readDurations(cells, ENDPOINT_SLOTS, endpointSlots);
      const { p50Ms, p90Ms, p99Ms, p999Ms } = percentiles(reading);
      for (const [share, found] of [
        [0.5, p50Ms],
        [0.9, p90Ms],
        [0.99, p99Ms],
        [0.999, p999Ms],
      ] as const) {
        const exact = times[Math.ceil(share * times.length) - 1]!;
        assert.ok(Math.abs(found! / exact - 1) <= ERROR_MAX, `${share}: ${found} for ${exact}`);
      }
      assert.ok(Math.abs(reading.mean / (times.reduce((sum, ms) => sum + ms, 0) / times.length) - 1) < 1e-9);
    }),
    { numRuns: 40 },
  );
});

test('before the first there are none, and what takes longer than can be told is told as the longest', () => {
  const cell = createCell(1, ENDPOINT_SLOTS);
  const read = () => percentiles(readDurations([cell], ENDPOINT_SLOTS, endpointSlots));
  assert.deepEqual(read(), { p50Ms: null, p90Ms: null, p99Ms: null, p999Ms: null });
  cellLane(cell, ENDPOINT_SLOTS, 0)[endpointSlots.buckets + bucketOf(1e9)]! += 1;
  assert.equal(read().p50Ms, 1000 * 2 ** 12);
});

test('what is added to counts that are there stays there: a sampler keeps its lanes and one array', () => {
  const lanes = [0, 1].map((lane) => cellLane(createCell(2, ENDPOINT_SLOTS), ENDPOINT_SLOTS, lane));
  for (const lane of lanes) {
    lane[endpointSlots.buckets + bucketOf(20)]! += 1;
    lane[endpointSlots.durationSumMs]! += 20;
  }
  const counts = new Float64Array(BUCKETS);
  assert.equal(addDurations(lanes, endpointSlots, counts), 40);
  assert.equal(addDurations(lanes.slice(0, 1), endpointSlots, counts), 20);
  assert.equal(counts[bucketOf(20)], 3);
});
