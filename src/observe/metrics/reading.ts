/**
 * What a histogram says: a count for each bucket. Readings are added (threads, routes, machines) and subtracted (now less a minute ago is
 * the last minute), and only then asked for a percentile: percentiles themselves cannot be averaged.
 *
 * Error: a quantile is the middle of the bucket that holds the value of that rank, so within the range at most 2.2 % away from
 * that value, whatever the distribution. Cost: O(buckets), some 500.
 */
import { invalid } from '../../kernel/options.ts';
import { quantile } from '../../kernel/quantile.ts';

export class HistogramReading {
  /** Upper bounds of the buckets; the last is +Infinity. */
  readonly bounds: Float64Array;
  /** How many values were in each. */
  readonly counts: Float64Array;
  /** Of all values. */
  readonly sum: number;

  constructor(bounds: Float64Array, counts: Float64Array, sum: number) {
    this.bounds = bounds;
    this.counts = counts;
    this.sum = sum;
  }

  get count(): number {
    let count = 0;
    for (const one of this.counts) count += one;
    return count;
  }

  /** NaN of nothing. */
  get mean(): number {
    return this.sum / this.count;
  }

  /**
   * The value that the share `q` of all values does not exceed: 0.99 for p99, by the nearest rank. NaN of nothing, Infinity
   * above the range of the histogram.
   */
  quantile(q: number): number {
    if (!(q >= 0 && q <= 1)) throw invalid(`quantile: q is ${q}; expected from 0 to 1, such as 0.99.`);
    return quantile(this.bounds, this.counts, q);
  }

  plus(other: HistogramReading): HistogramReading {
    this.#checkSame(other);
    return new HistogramReading(
      this.bounds,
      this.counts.map((count, bucket) => count + other.counts[bucket]!),
      this.sum + other.sum,
    );
  }

  /** What came since `earlier`, a reading of the same histogram. */
  minus(earlier: HistogramReading): HistogramReading {
    this.#checkSame(earlier);
    return new HistogramReading(
      this.bounds,
      this.counts.map((count, bucket) => count - earlier.counts[bucket]!),
      this.sum - earlier.sum,
    );
  }

  #checkSame({ bounds }: HistogramReading): void {
    if (bounds === this.bounds) return;
    if (bounds.length === this.bounds.length && bounds.every((bound, at) => bound === this.bounds[at])) return;
    throw invalid('These histograms have different buckets; only those with the same bounds and range can be added.');
  }
}
