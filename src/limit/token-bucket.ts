/**
 * The token bucket: a bucket of `capacity` tokens that fills at a steady rate; a take needs its cost in tokens.
 *
 * Kept as what is owed rather than what is there, so that zeros are a full bucket. A token is `unit` parts, and `refill` parts come
 * back each microsecond, in lowest terms: 3 a second is 3 parts a µs of a token of 1,000,000. So nothing is ever rounded,
 * and a million small steps are one large step.
 *
 * State: [parts owed, when that was so (µs), unit]. The unit is kept with the debt so that counters outlive a changed rate.
 * Parameters: [capacity, unit, refill].
 * Invariant: 0 ≤ owed ≤ capacity × unit < 2^52.
 * Cost: O(1), three numbers a key. In any time t it admits at most capacity + t × rate.
 * Source: J. Turner, "New Directions in Communications" (1986). GCRA is the same in another notation: gcra.ts.
 */
import { type Ask, EXACT_MAX, fitting, LIMIT_MAX, type Outcome, type RateAlgorithm, shareOf } from './algorithm.ts';
import { checkInteger, checkKeys, invalid, textOfGiven } from './options.ts';

export interface TokenBucketOptions {
  /** How many tokens fit, and so the largest burst: an integer from 1 to 1,000,000,000. */
  readonly capacity: number;
  /**
   * How many come back in a second, steadily: from 0.000001 to 1,000,000,000, with at most six decimals. For a rate such as
   * one in three seconds, which has no end in decimals, there is `gcra({ limit: 1, per: '3s' })`.
   */
  readonly refillPerSecond: number;
}

function commonDivisor(a: number, b: number): number {
  while (b !== 0) [a, b] = [b, a % b];
  return a;
}

export class TokenBucket implements RateAlgorithm {
  readonly kind = 'token-bucket';
  readonly layout = 'token-bucket';
  readonly limit: number;
  readonly windowMs: number;
  readonly width = 3;
  readonly parameters: readonly number[];
  readonly #unit: number;
  readonly #refill: number;
  readonly #full: number;

  /** `tokens` come back in `perUs`; integers. */
  constructor(what: string, capacity: number, tokens: number, perUs: number) {
    const divisor = commonDivisor(tokens, perUs);
    this.limit = capacity;
    this.#unit = perUs / divisor;
    this.#refill = tokens / divisor;
    this.#full = capacity * this.#unit;
    if (this.#full >= EXACT_MAX) {
      throw invalid(
        `${what}: ${capacity} tokens at ${tokens} in ${perUs / 1000} ms cannot be counted exactly; ` +
          'take a rounder number (one with a divisor in common with the time) or fewer tokens.',
      );
    }
    this.windowMs = this.#full / this.#refill / 1000;
    this.parameters = Object.freeze([capacity, this.#unit, this.#refill]);
  }

  take(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    let owed = this.#grant(state, at, ask, out);
    if (out.granted > 0 && ask.cost > 0) {
      owed += out.granted * ask.cost * this.#unit;
      state[at] = owed;
      state[at + 1] = ask.nowUs;
      state[at + 2] = this.#unit;
    }
    this.#report(owed, out);
  }

  peek(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    this.#report(this.#grant(state, at, ask, out), out);
  }

  refund(state: Float64Array, at: number, { nowUs, cost }: Ask): void {
    const owed = this.#owed(state, at, nowUs);
    state[at] = Math.max(0, owed - Math.min(cost, this.limit) * this.#unit);
    state[at + 1] = nowUs;
    state[at + 2] = this.#unit;
  }

  idle(state: Float64Array, at: number, nowUs: number): boolean {
    return this.#owed(state, at, nowUs) === 0;
  }

  share(ratio: number): RateAlgorithm {
    // The time is stretched, not the rate rounded, so that the share is kept to a microsecond of the time for a token.
    return new TokenBucket('share', shareOf(this.limit, ratio), this.#refill, Math.ceil(this.#unit / ratio));
  }

  /** Says how many are granted, and when the next would be; answers what is owed before they are taken. */
  #grant(state: Float64Array, at: number, { nowUs, cost, times }: Ask, out: Outcome): number {
    const owed = this.#owed(state, at, nowUs);
    const room = this.#full - owed;
    const price = cost * this.#unit;
    out.granted = cost > this.limit ? 0 : fitting(room, price, times);
    if (out.granted === times) out.retryAfterUs = 0;
    else if (cost > this.limit) out.retryAfterUs = Infinity;
    else out.retryAfterUs = Math.ceil(((out.granted + 1) * price - room) / this.#refill);
    return owed;
  }

  #report(owed: number, out: Outcome): void {
    out.remaining = Math.floor((this.#full - owed) / this.#unit);
    out.resetAfterUs = Math.ceil(owed / this.#refill);
  }

  #owed(state: Float64Array, at: number, nowUs: number): number {
    let owed = state[at]!;
    if (owed === 0) return 0;
    const unit = state[at + 2]!;
    if (unit !== this.#unit) owed = Math.ceil((owed / unit) * this.#unit);
    // A smaller bucket cannot be emptier than empty.
    owed = Math.min(owed, this.#full);
    const sinceUs = nowUs - state[at + 1]!;
    if (sinceUs >= 0) return Math.max(0, owed - sinceUs * this.#refill);
    state[at] = owed;
    state[at + 1] = nowUs;
    state[at + 2] = this.#unit;
    return owed;
  }
}

const DECIMALS = 1e6;

/**
 * A bucket of tokens that fills steadily.
 *
 * @example
 * const limiter = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 2, refillPerSecond: 0.5 }) });
 * console.log([1, 2, 3].map(() => limiter.takeSync('ann').allowed).join(' ')); // true true false
 */
export function tokenBucket(options: TokenBucketOptions): RateAlgorithm {
  checkKeys('tokenBucket', options, ['capacity', 'refillPerSecond']);
  const capacity = checkInteger('tokenBucket: capacity', options.capacity, 1, LIMIT_MAX);
  const { refillPerSecond } = options;
  const millionths = Math.round(refillPerSecond * DECIMALS);
  if (!(refillPerSecond > 0 && refillPerSecond <= LIMIT_MAX && millionths / DECIMALS === refillPerSecond)) {
    throw invalid(
      `tokenBucket: refillPerSecond is ${textOfGiven(refillPerSecond)}; expected a number from 0.000001 to ${LIMIT_MAX} with ` +
        `at most six decimals. A rate like one in three seconds is gcra({ limit: 1, per: '3s' }).`,
    );
  }
  return new TokenBucket('tokenBucket', capacity, millionths, 1e6 * DECIMALS);
}
