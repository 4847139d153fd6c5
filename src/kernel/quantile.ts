/**
 * Quantiles of what is in buckets: the one computation for metrics, stored series, the gateway and its dashboard, so that they say the
 * same of the same. Counts are added first, over threads, steps or routes, and only then asked: quantiles cannot be averaged.
 *
 * Error: the answer is the middle of the bucket that holds the value of that rank, so that both ends are equally far as a share of
 * themselves: (f - 1) / (f + 1) of the value at most, where f is what the bucket's bounds differ by. Cost: O(buckets).
 * Imports nothing, so that a browser can have it.
 */

/**
 * The value that the share `q` of all values does not exceed, by the nearest rank: 0.99 for p99. `bounds` are upper bounds, the last
 * +Infinity. NaN of nothing; the first bound for what is below it, Infinity for what is above the last but one.
 */
export function quantile(bounds: ArrayLike<number>, counts: ArrayLike<number>, q: number): number {
  let count = 0;
  for (let bucket = 0; bucket < counts.length; bucket++) count += counts[bucket]!;
  if (count === 0) return Number.NaN;
  let left = Math.max(1, Math.ceil(q * count));
  let bucket = 0;
  while (bucket < counts.length - 1 && left > counts[bucket]!) left -= counts[bucket++]!;
  const upper = bounds[bucket]!;
  const lower = bounds[bucket - 1];
  return lower === undefined || upper === Number.POSITIVE_INFINITY ? upper : (2 * lower * upper) / (lower + upper);
}

/** Adds what a step holds, as `[bucket, count, bucket, count, …]` of those that are not empty. What is no bucket is left out. */
export function addSparse(counts: Float64Array, pairs: ArrayLike<number>): void {
  for (let at = 0; at + 1 < pairs.length; at += 2) {
    const bucket = pairs[at]!;
    if (bucket in counts) counts[bucket]! += pairs[at + 1]!;
  }
}
