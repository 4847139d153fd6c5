/**
 * The buckets in which the gateway counts durations: of requests by listener and route, of answers by endpoint, of calls to stores.
 *
 * Sixteen to a doubling from 62.5 µs to 70 minutes, and every threshold that `/metrics` shows is a bound besides, so that what is shown is
 * exact and a percentile is at most 2.2 % off (`exponentialBounds`). The same buckets everywhere: what lies in them can be added.
 * Cost: `bucketOf` some 8 ns (`npm run bench -- observe --only updates`); 3.6 KB for a thing that is counted and worker.
 */
import { Buckets, exponentialBounds } from '../kernel/buckets.ts';
import { latencyBoundsMs } from '../observe/slo/latency-bounds.ts';

/** Two powers of two, so that buckets of other ranges share bounds with these. */
const MIN_MS = 1 / 16;
/** Tunnels and long polls are requests too; what takes longer is in the last bucket, which has no upper bound. */
const MAX_MS = 2 ** 22;
const SCALE = 4;

export const durationBuckets = new Buckets([...exponentialBounds(MIN_MS, MAX_MS, SCALE), ...latencyBoundsMs]);

export const BUCKETS = durationBuckets.bounds.length;

/** How many of the first buckets hold what took no longer than this, which is one of their bounds; of the last bucket there is none. */
export function bucketsWithin(bounds: Float64Array, bound: number): number {
  return bounds.findIndex((each) => each > bound * (1 + Number.EPSILON * 4));
}

/** The bucket for a duration. */
export function bucketOf(durationMs: number): number {
  return durationBuckets.bucketOf(durationMs);
}
