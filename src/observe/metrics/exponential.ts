/**
 * The buckets of a histogram as exponential ones, which OpenTelemetry's push and Prometheus's native histograms have: bucket `index` holds what is
 * above 2^((index-1)/16) and at most 2^(index/16).
 *
 * Ours are those, some of them divided by bounds that are shown; so parts of one are added, and nothing is estimated. What is at most the least
 * bound is “zero”, with that bound as the threshold that both formats have for it. What is above the greatest is in the bucket after it, as neither
 * has one without end: a quantile there reads the end of the range, and not Infinity.
 * Cost: O(buckets), some 500; what has no counts is left out at both ends.
 */
import { exponentialBounds } from '../../kernel/buckets.ts';
import { SCALE } from './definition.ts';

export interface ExponentialHistogram {
  /** Buckets to a doubling, as a power of two. */
  readonly scale: number;
  readonly count: number;
  readonly sum: number;
  /** What is at most this is in `zeroCount`. */
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  /** The index of the first of `counts`. */
  readonly firstIndex: number;
  readonly counts: readonly number[];
}

export class ExponentialLayout {
  readonly #zeroThreshold: number;
  /** Of the bucket after the threshold. */
  readonly #firstIndex: number;
  /** For each bucket of ours its place, from `#firstIndex`; -1 is zero. */
  readonly #places: Int16Array;
  readonly #width: number;

  /** `bounds` are the upper bounds of all buckets, the last Infinity; `perUnit` of theirs are one of what `range` is in, as 1000 ms are a second. */
  constructor(range: readonly [min: number, max: number], bounds: Float64Array, perUnit = 1) {
    const ends = exponentialBounds(...range, SCALE);
    this.#zeroThreshold = ends[0]!;
    this.#firstIndex = Math.round(Math.log2(ends[0]!) * 2 ** SCALE) + 1;
    this.#width = ends.length;
    let place = 0;
    this.#places = Int16Array.from(bounds, (bound) => {
      while (place < ends.length && bound > ends[place]! * perUnit) place += 1;
      return place - 1;
    });
  }

  of(counts: Float64Array, sum: number): ExponentialHistogram {
    const sums = new Array<number>(this.#width).fill(0);
    let count = 0;
    let zeroCount = 0;
    for (const [bucket, one] of counts.entries()) {
      count += one;
      const place = this.#places[bucket]!;
      if (place === -1) zeroCount += one;
      else sums[place]! += one;
    }
    const first = sums.findIndex((one) => one > 0);
    const last = sums.findLastIndex((one) => one > 0);
    return {
      scale: SCALE,
      count,
      sum,
      zeroThreshold: this.#zeroThreshold,
      zeroCount,
      firstIndex: first === -1 ? 0 : this.#firstIndex + first,
      counts: first === -1 ? [] : sums.slice(first, last + 1),
    };
  }
}
