/**
 * The fixed window: at most `limit` in each window of time. Windows begin at whole multiples of their length since 1970, so a
 * window of a day is a day in UTC, and everyone agrees on where it ends.
 *
 * What it is not: a limit on any other stretch of time. At the end of one window and the beginning of the next it admits twice the
 * limit within an instant; that is the price of two numbers and of a reset that everybody can name.
 *
 * State: [when the window began (µs), how much was taken in it].
 * Parameters: [limit, window (µs)].
 * Cost: O(1), two numbers a key.
 */
import type { Duration } from '../kernel/units.ts';
import { type Ask, fitting, LIMIT_MAX, type Outcome, type RateAlgorithm, shareOf, windowStart } from './algorithm.ts';
import { checkInteger, checkKeys, durationUs } from './options.ts';

export interface WindowOptions {
  /** How much may be taken in a window: an integer from 1 to 1,000,000,000. */
  readonly limit: number;
  /** How long a window is: `'1m'`, or milliseconds; up to 366 days. */
  readonly per: Duration | number;
}

class FixedWindow implements RateAlgorithm {
  readonly kind = 'fixed-window';
  readonly layout = 'fixed-window';
  readonly limit: number;
  readonly windowMs: number;
  readonly width = 2;
  readonly parameters: readonly number[];
  readonly #windowUs: number;

  constructor(limit: number, windowUs: number) {
    this.limit = limit;
    this.#windowUs = windowUs;
    this.windowMs = windowUs / 1000;
    this.parameters = Object.freeze([limit, windowUs]);
  }

  take(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    let taken = this.#grant(state, at, ask, out);
    if (out.granted > 0 && ask.cost > 0) {
      taken += out.granted * ask.cost;
      state[at] = windowStart(ask.nowUs, this.#windowUs);
      state[at + 1] = taken;
    }
    this.#report(taken, ask.nowUs, out);
  }

  peek(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    this.#report(this.#grant(state, at, ask, out), ask.nowUs, out);
  }

  refund(state: Float64Array, at: number, { nowUs, cost }: Ask): void {
    const taken = this.#taken(state, at, nowUs);
    if (taken > 0) state[at + 1] = Math.max(0, taken - cost);
  }

  idle(state: Float64Array, at: number, nowUs: number): boolean {
    return this.#taken(state, at, nowUs) === 0;
  }

  share(ratio: number): RateAlgorithm {
    return new FixedWindow(shareOf(this.limit, ratio), this.#windowUs);
  }

  /** Says how many are granted, and when the next would be; answers what is taken before them. */
  #grant(state: Float64Array, at: number, { nowUs, cost, times }: Ask, out: Outcome): number {
    const taken = this.#taken(state, at, nowUs);
    out.granted = cost > this.limit ? 0 : fitting(this.limit - taken, cost, times);
    if (out.granted === times) out.retryAfterUs = 0;
    else out.retryAfterUs = cost > this.limit ? Infinity : this.#leftUs(nowUs);
    return taken;
  }

  #report(taken: number, nowUs: number, out: Outcome): void {
    out.remaining = Math.max(0, this.limit - taken);
    out.resetAfterUs = taken === 0 ? 0 : this.#leftUs(nowUs);
  }

  #leftUs(nowUs: number): number {
    return windowStart(nowUs, this.#windowUs) + this.#windowUs - nowUs;
  }

  #taken(state: Float64Array, at: number, nowUs: number): number {
    const startUs = windowStart(nowUs, this.#windowUs);
    const beganUs = state[at]!;
    if (beganUs < startUs) return 0;
    // The clock stepped back, or windows became longer: it counts in this one.
    if (beganUs > startUs) state[at] = startUs;
    return state[at + 1]!;
  }
}

/**
 * A limit for each window of time, such as a day.
 *
 * @example
 * const limiter = createLimiter({ name: 'daily', algorithm: fixedWindow({ limit: 1000, per: '1d' }) });
 * console.log(limiter.takeSync('ann', 400).remaining); // 600
 */
export function fixedWindow(options: WindowOptions): RateAlgorithm {
  checkKeys('fixedWindow', options, ['limit', 'per']);
  const limit = checkInteger('fixedWindow: limit', options.limit, 1, LIMIT_MAX);
  return new FixedWindow(limit, durationUs('fixedWindow: per', options.per));
}
