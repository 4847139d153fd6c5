/**
 * The buckets in which the gateway counts durations: of requests by listener and route, of answers by endpoint, of calls to stores.
 *
 * Sixteen to a doubling of a second from 61 µs to 68 minutes, and every threshold that `/metrics` shows is a bound besides, so that what is shown is
 * exact and a percentile is at most 2.2 % off (`exponentialBounds`). The same buckets everywhere: what lies in them can be added, and none lies in two
 * of the exponential ones that others count by.
 * Cost: `bucketOf` some 8 ns (`npm run bench -- observe --only updates`); 3.6 KB for a thing that is counted and worker.
 */
import { Buckets, exponentialBounds } from '../kernel/buckets.ts';
import { SCALE } from '../observe/metrics/definition.ts';
import { ExponentialLayout } from '../observe/metrics/exponential.ts';
import { latencyBoundsMs } from '../observe/slo/latency-bounds.ts';

/**
 * In seconds, of which native histograms and OTLP have the powers of two. Tunnels and long polls are requests too; what takes longer is in the last
 * bucket, which has no upper bound.
 */
const RANGE_S = [2 ** -14, 2 ** 12] as const;
const MS_PER_S = 1000;

export const durationBuckets = new Buckets([
  ...exponentialBounds(...RANGE_S, SCALE).map((bound) => bound * MS_PER_S),
  ...latencyBoundsMs,
]);

export const BUCKETS = durationBuckets.bounds.length;

/** The same in seconds, as exponential buckets. */
export const exponentialDurations = new ExponentialLayout(RANGE_S, durationBuckets.bounds, MS_PER_S);

/** How many of the first buckets hold what took no longer than this, which is one of their bounds; of the last bucket there is none. */
export function bucketsWithin(bounds: Float64Array, bound: number): number {
  return bounds.findIndex((each) => each > bound * (1 + Number.EPSILON * 4));
}

/** The bucket for a duration. */
export function bucketOf(durationMs: number): number {
  return durationBuckets.bucketOf(durationMs);
}
