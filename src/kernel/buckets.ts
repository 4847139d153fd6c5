/**
 * The buckets of a histogram: growing upper bounds, of which the last is +Infinity, and the bucket a value falls in.
 *
 * Invariant: bucket b holds what is above `bounds[b - 1]` and at most `bounds[b]`, exactly, whatever the bounds are. So a
 * threshold that somebody is promised can be a bound, and what was counted below it is no estimate.
 *
 * A value's bucket is found without a logarithm or a search: the high bits of a float64 (its exponent and first bits of its
 * mantissa, so 32 steps to a doubling) index a table with the first bucket that can hold it; from there bounds are compared, of
 * which a step seldom holds more than one (the lookup of exponential histograms in OpenTelemetry, with bounds of any kind).
 * Cost: `bucketOf` some 6 ns (`npm run bench -- observe --only updates`), 3 more than shifts alone would take for bounds that are linear
 * in each doubling, as the gateway's are, but would not be exact at them; a bound is 8 B, a doubling of the range 64 B, once for all who count.
 */
import { invalid } from './options.ts';

/** Steps of the table to a doubling, as bits of the mantissa. */
const STEP_BITS = 5;
const SHIFT = 20 - STEP_BITS;
const BOUNDS_MAX = 0xffff;

const float = new Float64Array(1);
const halves = new Int32Array(float.buffer);
const HIGH = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;

function stepOf(value: number): number {
  float[0] = value;
  return halves[HIGH]! >> SHIFT;
}

/** Where a step begins. */
function stepStart(step: number): number {
  halves[HIGH] = step << SHIFT;
  halves[1 - HIGH] = 0;
  return float[0]!;
}

export class Buckets {
  /** Upper bounds, growing; the last is +Infinity. */
  readonly bounds: Float64Array;
  readonly #first: Uint16Array;
  readonly #base: number;

  /** Of bounds above 0 in any order; +Infinity is added where it is not. */
  constructor(bounds: Iterable<number>) {
    this.bounds = Float64Array.from(new Set([...bounds, Number.POSITIVE_INFINITY])).sort();
    const { length } = this.bounds;
    const [lowest = 0, highest = 0] = [this.bounds[0], this.bounds[length - 2]];
    if (!(lowest > 0) || Number.isNaN(this.bounds[length - 1]) || length < 2 || length > BOUNDS_MAX) {
      throw invalid(
        `There are ${length - 1} bounds from ${lowest}; expected 1 to ${BOUNDS_MAX - 1} numbers, all above 0.`,
      );
    }
    this.#base = stepOf(lowest);
    // The step above the highest bound is there too: everything greater shares it.
    this.#first = new Uint16Array(stepOf(highest) - this.#base + 2);
    let bucket = 0;
    for (let step = 0; step < this.#first.length; step++) {
      while (this.bounds[bucket]! < stepStart(this.#base + step)) bucket++;
      this.#first[step] = bucket;
    }
  }

  /** The bucket that holds `value`; what is below the first bound, or no number, is in the first. */
  bucketOf(value: number): number {
    float[0] = value;
    const step = (halves[HIGH]! >> SHIFT) - this.#base;
    const first = this.#first;
    if (step < 0 || (step >= first.length && Number.isNaN(value))) return 0;
    let bucket = first[step < first.length ? step : first.length - 1]!;
    while (value > this.bounds[bucket]!) bucket++;
    return bucket;
  }
}

/**
 * Bounds that grow by the factor 2^(2^-scale), from the greatest power of it that is at most `min` to the least that is at least
 * `max`: an estimate in the middle of a bucket is at most (f - 1) / (f + 1) of itself away from whatever is in it. At scale 4 that is
 * 2.17 %, at scale 5 1.08 %. These are the buckets of OpenTelemetry's exponential and Prometheus's native histograms.
 */
export function exponentialBounds(min: number, max: number, scale: number): number[] {
  const perDoubling = 2 ** scale;
  const from = Math.floor(Math.log2(min) * perDoubling);
  const to = Math.ceil(Math.log2(max) * perDoubling);
  return Array.from({ length: to - from + 1 }, (_, index) => 2 ** ((from + index) / perDoubling));
}
