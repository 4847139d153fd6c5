/**
 * A limit on how much is in flight: `limit` slots, each held under a lease. A holder gives its slot back when it is done; the slot of
 * one that died comes back when its lease ends.
 *
 * State: [when the lease ends (µs), its holder] for each slot; a slot whose lease has ended is free, whatever else it says.
 * Parameters: [limit, lease (µs)]. A lease taken at t holds at every moment before t + lease.
 * A holder is a number that the one who asks draws at random from 52 bits; a late release finds another's number in the slot,
 * or none, and frees nothing.
 * Cost: O(limit) a take; 2 × limit numbers, 8 B each, for every key.
 */
import type { Duration } from '../kernel/units.ts';
import { type Ask, fitting, type LeaseAlgorithm, type Outcome, shareOf } from './algorithm.ts';
import { checkInteger, checkKeys, durationUs } from './options.ts';

export interface ConcurrencyOptions {
  /** How many may be in flight at once: an integer from 1 to 1,000. */
  readonly limit: number;
  /**
   * After how long a holder that does not answer is taken for dead: `'30s'`, or milliseconds. Longer than the work ever takes, or
   * renewed meanwhile.
   */
  readonly lease: Duration | number;
}

/** 16 KB a key, all of which a take looks through. */
const SLOTS_MAX = 1_000;

class Concurrency implements LeaseAlgorithm {
  readonly kind = 'concurrency';
  readonly layout: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly width: number;
  readonly parameters: readonly number[];
  readonly #leaseUs: number;
  /** What `#held` noted: the ends of the leases that hold, and the latest of them. */
  readonly #ends: Float64Array;
  #latestUs = 0;

  constructor(limit: number, leaseUs: number) {
    this.layout = `concurrency-${limit}`;
    this.limit = limit;
    this.width = 2 * limit;
    this.#leaseUs = leaseUs;
    this.#ends = new Float64Array(limit);
    this.windowMs = leaseUs / 1000;
    this.parameters = Object.freeze([limit, leaseUs]);
  }

  take(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    const held = this.#grant(state, at, ask, out);
    const taken = out.granted * ask.cost;
    out.remaining = Math.max(0, this.limit - held - taken);
    if (taken === 0) return;
    this.#fill(state, at, taken, ask);
    out.resetAfterUs = this.#leaseUs;
  }

  peek(state: Float64Array, at: number, ask: Ask, out: Outcome): void {
    out.remaining = Math.max(0, this.limit - this.#grant(state, at, ask, out));
  }

  release(state: Float64Array, at: number, ask: Ask): boolean {
    return this.#setEnd(state, at, ask, 0);
  }

  renew(state: Float64Array, at: number, ask: Ask): boolean {
    return this.#setEnd(state, at, ask, ask.nowUs + this.#leaseUs);
  }

  idle(state: Float64Array, at: number, nowUs: number): boolean {
    return this.#held(state, at, nowUs) === 0;
  }

  share(ratio: number): LeaseAlgorithm {
    return new Concurrency(shareOf(this.limit, ratio), this.#leaseUs);
  }

  /** Of what `ask.holder` holds. */
  #setEnd(state: Float64Array, at: number, { nowUs, holder }: Ask, endUs: number): boolean {
    let found = false;
    for (let slot = at; slot < at + this.width; slot += 2) {
      if (state[slot + 1] !== holder || state[slot]! <= nowUs) continue;
      state[slot] = endUs;
      found = true;
    }
    return found;
  }

  /** Counts the leases that hold, and notes when they end. */
  #held(state: Float64Array, at: number, nowUs: number): number {
    const longestUs = nowUs + this.#leaseUs;
    let held = 0;
    this.#latestUs = nowUs;
    for (let slot = at; slot < at + this.width; slot += 2) {
      if (state[slot]! <= nowUs) continue;
      // The clock stepped back, or leases became shorter.
      if (state[slot]! > longestUs) state[slot] = longestUs;
      const endUs = state[slot]!;
      if (endUs > this.#latestUs) this.#latestUs = endUs;
      this.#ends[held++] = endUs;
    }
    return held;
  }

  /** Says how many are granted, when the next would be, and when all before them have ended; answers how many are held. */
  #grant(state: Float64Array, at: number, { nowUs, cost, times }: Ask, out: Outcome): number {
    const held = this.#held(state, at, nowUs);
    out.granted = cost > this.limit ? 0 : fitting(this.limit - held, cost, times);
    out.resetAfterUs = this.#latestUs - nowUs;
    if (out.granted === times) out.retryAfterUs = 0;
    else if (cost > this.limit) out.retryAfterUs = Infinity;
    else {
      // So many must end; those now granted end last.
      const missing = cost - (this.limit - held - out.granted * cost);
      const ends = this.#ends.subarray(0, held).sort();
      out.retryAfterUs = missing <= held ? ends[missing - 1]! - nowUs : this.#leaseUs;
    }
    return held;
  }

  /** Gives each take its free slots, under a holder of its own. */
  #fill(state: Float64Array, at: number, taken: number, { nowUs, cost, holder }: Ask): void {
    let given = 0;
    for (let slot = at; given < taken; slot += 2) {
      if (state[slot]! > nowUs) continue;
      state[slot] = nowUs + this.#leaseUs;
      state[slot + 1] = holder + Math.floor(given / cost);
      given += 1;
    }
  }
}

/**
 * A limit on how much is in flight at once.
 *
 * @example
 * const limiter = createLimiter({ name: 'exports', algorithm: concurrency({ limit: 2, lease: '30s' }) });
 * const [first, second, third] = [1, 2, 3].map(() => limiter.takeSync('ann'));
 * console.log(first.allowed, second.allowed, third.allowed); // true true false
 * limiter.releaseSync('ann', first.lease);
 * console.log(limiter.takeSync('ann').allowed); // true
 */
export function concurrency(options: ConcurrencyOptions): LeaseAlgorithm {
  checkKeys('concurrency', options, ['limit', 'lease']);
  const limit = checkInteger('concurrency: limit', options.limit, 1, SLOTS_MAX);
  return new Concurrency(limit, durationUs('concurrency: lease', options.lease));
}
