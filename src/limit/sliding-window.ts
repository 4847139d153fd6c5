/**
 * The sliding window counter: the count of this window, and of the one before as much as the window that ends now still
 * overlaps it. It takes two counters to do nearly what a log of all takes does.
 *
 * Error: it assumes that the takes of the window before were spread evenly. Whatever they were, in any time t up to a window it admits
 * at most limit × (1 + t / window): a burst of the limit at most, and less than twice the limit in a whole window. (Of the
 * takes within t, p were before the edge, at most the limit; those after it, at e ≤ t past the edge, are at most
 * limit − p × (1 − e / window).) Where takes are even it is exact.
 *
 * State: [when the window began (µs), taken in it, taken in the one before].
 * Parameters: [limit, window (µs), step (µs)]. The overlap shrinks in steps of 1 µs; of 1 ms or 1 s where limit × window would
 * not fit into 52 bits. Rounding is to the safe side: the overlap is never taken for smaller than it is.
 * Cost: O(1), three numbers a key.
 * Source: the approximation that Cloudflare described in "How we built rate limiting capable of scaling to millions of domains" (2017).
 */
import {
  type Ask,
  EXACT_MAX,
  fitting,
  LIMIT_MAX,
  type Outcome,
  type RateAlgorithm,
  shareOf,
  windowStart,
} from './algorithm.ts';
import type { WindowOptions } from './fixed-window.ts';
import { checkInteger, checkKeys, durationUs, invalid } from './options.ts';

const STEPS_US = [1, 1e3, 1e6] as const;

class SlidingWindow implements RateAlgorithm {
  readonly kind = 'sliding-window';
  readonly layout = 'sliding-window';
  readonly limit: number;
  readonly windowMs: number;
  readonly width = 3;
  readonly parameters: readonly number[];
  readonly #windowUs: number;
  readonly #stepUs: number;
  /** The window in steps. */
  readonly #steps: number;
  /** What `#read` found: when this window began, and what was taken in it and in the one before. */
  #startUs = 0;
  #current = 0;
  #previous = 0;

  constructor(limit: number, windowUs: number) {
    const stepUs = STEPS_US.find((step) => windowUs % step === 0 && limit * (windowUs / step) < EXACT_MAX);
    if (stepUs === undefined) {
      throw invalid(
        `slidingWindow: ${limit} in ${windowUs / 1000} ms cannot be counted exactly; take a window of whole seconds.`,
      );
    }
    this.limit = limit;
    this.#windowUs = windowUs;
    this.#stepUs = stepUs;
    this.#steps = windowUs / stepUs;
    this.windowMs = windowUs / 1000;
    this.parameters = Object.freeze([limit, windowUs, stepUs]);
  }

  take(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    this.#read(state, at, ask.nowUs);
    this.#grant(ask, out);
    if (out.granted > 0 && ask.cost > 0) {
      this.#current += out.granted * ask.cost;
      this.#write(state, at);
    }
    this.#report(ask.nowUs, out);
  }

  peek(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    this.#read(state, at, ask.nowUs);
    this.#grant(ask, out);
    this.#report(ask.nowUs, out);
  }

  refund(state: Float64Array, at: number, { nowUs, cost }: Ask): void {
    this.#read(state, at, nowUs);
    const ofCurrent = Math.min(this.#current, cost);
    this.#current -= ofCurrent;
    this.#previous = Math.max(0, this.#previous - (cost - ofCurrent));
    this.#write(state, at);
  }

  idle(state: Float64Array, at: number, nowUs: number): boolean {
    this.#read(state, at, nowUs);
    return this.#current === 0 && this.#previous === 0;
  }

  share(ratio: number): RateAlgorithm {
    return new SlidingWindow(shareOf(this.limit, ratio), this.#windowUs);
  }

  #read(state: Float64Array, at: number, nowUs: number): void {
    const startUs = windowStart(nowUs, this.#windowUs);
    const beganUs = state[at]!;
    this.#startUs = startUs;
    this.#current = 0;
    this.#previous = 0;
    if (beganUs >= startUs) {
      // The clock stepped back, or windows became longer: what was counted counts as of now.
      if (beganUs > startUs) state[at] = startUs;
      this.#current = state[at + 1]!;
      this.#previous = state[at + 2]!;
    } else if (beganUs >= startUs - this.#windowUs) this.#previous = state[at + 1]!;
  }

  #write(state: Float64Array, at: number): void {
    state[at] = this.#startUs;
    state[at + 1] = this.#current;
    state[at + 2] = this.#previous;
  }

  /** What there is room for, times the steps of a window, so that it is a whole number. */
  #room(nowUs: number): number {
    const elapsed = Math.floor((nowUs - this.#startUs) / this.#stepUs);
    return (this.limit - this.#current) * this.#steps - this.#previous * (this.#steps - elapsed);
  }

  /** Says how many are granted, and when the next would be. */
  #grant({ nowUs, cost, times }: Ask, out: Outcome): void {
    out.granted = cost > this.limit ? 0 : fitting(this.#room(nowUs), cost * this.#steps, times);
    if (out.granted === times) out.retryAfterUs = 0;
    else if (cost > this.limit) out.retryAfterUs = Infinity;
    else out.retryAfterUs = this.#fitsAfterUs(nowUs, cost, this.#current + out.granted * cost);
  }

  /** When there is room for `cost`, `current` being taken in this window. */
  #fitsAfterUs(nowUs: number, cost: number, current: number): number {
    const steps = this.#steps;
    const startUs = this.#startUs;
    const spare = this.limit - current - cost;
    // In this window, as soon as what is left of the one before is no more than what is spare.
    if (spare >= 0) return startUs + (steps - Math.floor((spare * steps) / this.#previous)) * this.#stepUs - nowUs;
    // In the next one, as soon as what is left of this one leaves room for the cost.
    const overlap = Math.min(steps, Math.floor(((this.limit - cost) * steps) / current));
    return startUs + this.#windowUs + (steps - overlap) * this.#stepUs - nowUs;
  }

  #report(nowUs: number, out: Outcome): void {
    out.remaining = Math.max(0, Math.floor(this.#room(nowUs) / this.#steps));
    const leftUs = this.#startUs + this.#windowUs - nowUs;
    if (this.#current > 0) out.resetAfterUs = leftUs + this.#windowUs;
    else out.resetAfterUs = this.#previous > 0 ? leftUs : 0;
  }
}

/**
 * Nearly a limit for every window of time, with two counters.
 *
 * @example
 * const limiter = createLimiter({ name: 'api', algorithm: slidingWindow({ limit: 100, per: '1m' }) });
 * console.log(limiter.takeSync('ann').remaining); // 99
 */
export function slidingWindow(options: WindowOptions): RateAlgorithm {
  checkKeys('slidingWindow', options, ['limit', 'per']);
  const limit = checkInteger('slidingWindow: limit', options.limit, 1, LIMIT_MAX);
  return new SlidingWindow(limit, durationUs('slidingWindow: per', options.per));
}
