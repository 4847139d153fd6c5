/**
 * Answer times as counts in buckets: four to a doubling from 0.25 ms, so that a median read from them is within 12.5 % of the
 * true one, and two histograms can be added or subtracted slot by slot. Linear within a doubling, as HdrHistogram has it.
 *
 * 64 buckets: the last begins at 12.3 s, where an answer is late by any measure. What a bucket costs to find:
 * kernel/buckets.ts; the others are O(buckets) and run once an evaluation.
 *
 * What it is not: the histogram of the metrics, which begins lower and reaches further. Here 16 buckets fewer are memory for
 * each endpoint, thread and slot of time.
 */
import { Buckets } from '../kernel/buckets.ts';

export const BUCKETS = 64;

const TICKS_PER_MS = 16;

/** Where a bucket begins. The last has no end; for an estimate it is taken to be as wide as the one before. */
export function bucketLowerMs(bucket: number): number {
  if (bucket === 0) return 0;
  return ((4 + ((bucket - 1) & 3)) * 2 ** ((bucket - 1) >> 2)) / TICKS_PER_MS;
}

const buckets = new Buckets(Array.from({ length: BUCKETS - 1 }, (_, bucket) => bucketLowerMs(bucket + 1)));

/** The bucket for a duration; what is no number, or below 0, is the first. */
export function bucketOf(ms: number): number {
  return buckets.bucketOf(ms);
}

/** What is known of the answer times in `counts[first, first + BUCKETS)`. Without samples both times are 0. */
export interface Latency {
  readonly samples: number;
  readonly medianMs: number;
  readonly meanMs: number;
}

export function latencyOf(counts: ArrayLike<number>, first: number): Latency {
  let samples = 0;
  let sumMs = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[first + bucket] ?? 0;
    samples += count;
    sumMs += (count * (bucketLowerMs(bucket) + bucketLowerMs(bucket + 1))) / 2;
  }
  if (samples === 0) return { samples, medianMs: 0, meanMs: 0 };
  return { samples, medianMs: medianOf(counts, first, samples), meanMs: sumMs / samples };
}

/** Half of the samples are below it; within its bucket they are taken to be spread evenly. */
function medianOf(counts: ArrayLike<number>, first: number, samples: number): number {
  let left = samples / 2;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    const count = counts[first + bucket] ?? 0;
    if (count >= left && count > 0) {
      const lowerMs = bucketLowerMs(bucket);
      return lowerMs + (left / count) * (bucketLowerMs(bucket + 1) - lowerMs);
    }
    left -= count;
  }
  return bucketLowerMs(BUCKETS);
}
