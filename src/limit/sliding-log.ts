/**
 * The sliding window log: the time of every take is kept, so that no window, wherever it begins, ever has more than the limit, as long as
 * nothing is given back. A refund does not know which times are its own and takes the newest: another's that came later then counts from
 * the time of a refunded one, and leaves as early. Were it the oldest, who is refused and refunded all the time would never get out.
 *
 * State: [where the newest time is, how many there are, times (µs) …]: a ring of `limit` times in their order. As what is granted
 * always fits, a time that is overwritten has always left the window.
 * Parameters: [limit, window (µs)]. A take at t counts at every moment before t + window.
 * Cost: O(cost + log limit) a take; limit + 2 numbers, 8 B each, for every key. For large limits the others are
 * better company.
 */
import { type Ask, fitting, type Outcome, type RateAlgorithm, shareOf } from './algorithm.ts';
import type { WindowOptions } from './fixed-window.ts';
import { checkInteger, checkKeys, durationUs } from './options.ts';

/** 80 KB a key. */
const LOG_MAX = 10_000;

class SlidingLog implements RateAlgorithm {
  readonly kind = 'sliding-log';
  readonly layout: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly width: number;
  readonly parameters: readonly number[];
  readonly #windowUs: number;

  constructor(limit: number, windowUs: number) {
    this.layout = `sliding-log-${limit}`;
    this.limit = limit;
    this.width = limit + 2;
    this.#windowUs = windowUs;
    this.windowMs = windowUs / 1000;
    this.parameters = Object.freeze([limit, windowUs]);
  }

  take(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    let inside = this.#grant(state, at, ask, out);
    const taken = out.granted * ask.cost;
    if (taken > 0) {
      const { limit } = this;
      let newest = state[at]!;
      for (let times = 0; times < taken; times++) {
        newest = newest + 1 === limit ? 0 : newest + 1;
        state[at + 2 + newest] = ask.nowUs;
      }
      state[at] = newest;
      state[at + 1] = Math.min(limit, state[at + 1]! + taken);
      inside += taken;
    }
    this.#report(state, at, inside, ask.nowUs, out);
  }

  peek(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    this.#report(state, at, this.#grant(state, at, ask, out), ask.nowUs, out);
  }

  refund(state: Float64Array, at: number, { nowUs, cost }: Ask): void {
    const back = Math.min(cost, this.#inside(state, at, nowUs));
    state[at] = (state[at]! - back + this.limit) % this.limit;
    state[at + 1]! -= back;
  }

  idle(state: Float64Array, at: number, nowUs: number): boolean {
    return this.#inside(state, at, nowUs) === 0;
  }

  share(ratio: number): RateAlgorithm {
    return new SlidingLog(shareOf(this.limit, ratio), this.#windowUs);
  }

  /** The time of the `nth` newest take, from 1. */
  #nth(state: Float64Array, at: number, nth: number): number {
    const place = state[at]! - (nth - 1);
    return state[at + 2 + (place < 0 ? place + this.limit : place)]!;
  }

  /** How many takes are in the window that ends now. */
  #inside(state: Float64Array, at: number, nowUs: number): number {
    let [low, high] = [0, state[at + 1]!];
    if (high === 0) return 0;
    const aheadUs = this.#nth(state, at, 1) - nowUs;
    if (aheadUs > 0) this.#stepBack(state, at, aheadUs);
    // The first `low` newest are inside, those from `high` on are not.
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#nth(state, at, middle) + this.#windowUs > nowUs) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The clock stepped back: the newest take was now, and the others as long before it as they were. */
  #stepBack(state: Float64Array, at: number, byUs: number): void {
    for (let place = 0; place < this.limit; place++) {
      state[at + 2 + place] = Math.max(0, state[at + 2 + place]! - byUs);
    }
  }

  /** Says how many are granted, and when the next would be; answers how many are inside before them. */
  #grant(state: Float64Array, at: number, { nowUs, cost, times }: Ask, out: Outcome): number {
    const inside = this.#inside(state, at, nowUs);
    out.granted = cost > this.limit ? 0 : fitting(this.limit - inside, cost, times);
    if (out.granted === times) out.retryAfterUs = 0;
    else if (cost > this.limit) out.retryAfterUs = Infinity;
    else {
      // All must have left but `limit - cost` of the newest, those now granted included.
      const nth = this.limit - cost + 1 - out.granted * cost;
      out.retryAfterUs = (nth > 0 ? this.#nth(state, at, nth) - nowUs : 0) + this.#windowUs;
    }
    return inside;
  }

  #report(state: Float64Array, at: number, inside: number, nowUs: number, out: Outcome): void {
    out.remaining = this.limit - inside;
    out.resetAfterUs = inside === 0 ? 0 : this.#nth(state, at, 1) + this.#windowUs - nowUs;
  }
}

/**
 * A limit for every window of time, exactly: the limit is at most 10,000.
 *
 * @example
 * const limiter = createLimiter({ name: 'codes', algorithm: slidingLog({ limit: 3, per: '10m' }) });
 * console.log(limiter.takeSync('ann').remaining); // 2
 */
export function slidingLog(options: WindowOptions): RateAlgorithm {
  checkKeys('slidingLog', options, ['limit', 'per']);
  const limit = checkInteger('slidingLog: limit', options.limit, 1, LOG_MAX);
  return new SlidingLog(limit, durationUs('slidingLog: per', options.per));
}
