/**
 * Percentiles of what workers count in buckets of time (`durations.ts`). What threads, endpoints or minutes have counted is added, bucket by
 * bucket, and asked then: percentiles themselves cannot be averaged.
 * Cost: adding up one thing is a pass over its buckets for each worker, some 0.4 µs a lane; a percentile is another pass.
 */
import { cellLanes, type Cell, type Lane } from '../../kernel/cells.ts';
import { HistogramReading } from '../../observe/metrics/reading.ts';
import { BUCKETS, durationBuckets } from '../durations.ts';

/** Where a cell has its durations: so many slots, the buckets from slot `buckets` on, their sum in `durationSumMs`. */
export interface DurationSlots {
  readonly buckets: number;
  readonly durationSumMs: number;
}

/** Since the process started; null before the first. At most 2.2 % off, up to 68 minutes, which is what longer ones are told as. */
export interface Percentiles {
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
  readonly p999Ms: number | null;
}

/** Adds what all lanes have counted to `into`, a count for each bucket. Returns the sum of the durations, in ms. */
export function addDurations(lanes: readonly Lane[], slots: DurationSlots, into: Float64Array): number {
  const { buckets: first, durationSumMs } = slots;
  let sumMs = 0;
  for (const lane of lanes) {
    for (let bucket = 0; bucket < BUCKETS; bucket++) into[bucket]! += lane[first + bucket]!;
    sumMs += lane[durationSumMs]!;
  }
  return sumMs;
}

/** All that was counted of some things together; `laneSlots` is the size of a lane of their cells. */
export function readDurations(cells: readonly Cell[], laneSlots: number, slots: DurationSlots): HistogramReading {
  const counts = new Float64Array(BUCKETS);
  let sumMs = 0;
  for (const cell of cells) sumMs += addDurations(cellLanes(cell, laneSlots), slots, counts);
  return new HistogramReading(durationBuckets.bounds, counts, sumMs);
}

/** Of which time: all since the start, or `RecentDurations`. */
export type DurationReader = typeof readDurations;

export function percentiles(reading: HistogramReading): Percentiles {
  if (reading.count === 0) return { p50Ms: null, p90Ms: null, p99Ms: null, p999Ms: null };
  const [p50Ms, p90Ms, p99Ms, p999Ms] = [0.5, 0.9, 0.99, 0.999].map((share) => quantileMs(reading, share));
  return { p50Ms: p50Ms!, p90Ms: p90Ms!, p99Ms: p99Ms!, p999Ms: p999Ms! };
}

/** Of a reading that is not empty; what is beyond the last bound is told as that bound. */
export function quantileMs(reading: HistogramReading, share: number): number {
  return Math.min(reading.quantile(share), durationBuckets.bounds[BUCKETS - 2]!);
}
