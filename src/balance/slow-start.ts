/**
 * Slow start: an endpoint that is new or has recovered gets its share little by little. Its caches are cold, its code is
 * not compiled, its pools are empty; to a balancer that counts requests in flight it looks idle, and would get them all.
 *
 * `rampAt` says how warm it is, from `floor` to 1 over `windowMs`. There are two ways of heeding it, by what an algorithm
 * compares:
 *   - one that weighs load divides by weight × ramp, as if the endpoint were so much weaker (`LeastCost`, `TwoChoices`);
 *   - one that does not is *thinned*: a pick of a cold endpoint is kept with the probability of its ramp, else there is
 *     another pick without it. For algorithms that hash, chance comes from the key: a key moves over once and stays.
 * Thinning would not do for the first kind: a scan finds the idle one again with each request, and keeps it one time in ten,
 * until it has as much in flight as all others.
 *
 * Cost: nothing while all are warm; O(n) a hundred times in a window while one is not; no allocation.
 */
import { mix32 } from '../kernel/mix32.ts';
import { createRandom } from '../kernel/random.ts';
import type { Balancer, BalancerOptions, PickContext } from './balancer.ts';

/** A ramp moves in steps of 1 %. */
const STEPS = 100;

export interface SlowStartOptions {
  /** From the first share to the full one, in ms, above 0. */
  readonly windowMs: number;
  /** The first share, above 0 and at most 1. @defaultValue 0.1 */
  readonly floor?: number;
  /** How the share grows: 1 evenly, 2 late, 0.5 early. Above 0. @defaultValue 1 */
  readonly exponent?: number;
}

/** How warm an endpoint is that has been in for `sinceMs`: `floor` to 1. */
export function rampAt(sinceMs: number, { windowMs, floor = 0.1, exponent = 1 }: SlowStartOptions): number {
  if (sinceMs >= windowMs) return 1;
  return Math.max(floor, Math.max(0, sinceMs / windowMs) ** exponent);
}

/** Who is warming up, and how far: what becomes `PickContext.ramp`. */
export class SlowStart {
  readonly #options: SlowStartOptions;
  readonly #sinceMs: Float64Array;
  readonly #ramp: Float64Array;
  #lastMs = Number.NEGATIVE_INFINITY;
  #nextMs = Number.POSITIVE_INFINITY;

  constructor(endpoints: number, options: SlowStartOptions) {
    const { windowMs, floor = 0.1, exponent = 1 } = options;
    if (!(windowMs > 0 && floor > 0 && floor <= 1 && exponent > 0)) {
      throw new RangeError(
        `windowMs is ${windowMs}, floor ${floor}, exponent ${exponent}; expected all above 0 and floor at most 1.`,
      );
    }
    this.#options = options;
    this.#sinceMs = new Float64Array(endpoints).fill(Number.NEGATIVE_INFINITY);
    this.#ramp = new Float64Array(endpoints).fill(1);
  }

  /** The endpoint is in since `nowMs`, and cold. */
  begin(index: number, nowMs: number): void {
    this.#sinceMs[index] = nowMs;
    this.#lastMs = Math.max(this.#lastMs, nowMs + this.#options.windowMs);
    this.#nextMs = Number.NEGATIVE_INFINITY;
  }

  /** When an endpoint came in last; -Infinity if it has been in from the start. */
  sinceMs(index: number): number {
    return this.#sinceMs[index] ?? Number.NEGATIVE_INFINITY;
  }

  /** For `PickContext.ramp`, before each pick: null when all are warm. */
  ramp(nowMs: number): Float64Array | null {
    if (nowMs >= this.#lastMs) return null;
    if (nowMs >= this.#nextMs) {
      for (let index = 0; index < this.#ramp.length; index++) {
        this.#ramp[index] = rampAt(nowMs - this.#sinceMs[index]!, this.#options);
      }
      this.#nextMs = nowMs + this.#options.windowMs / STEPS;
    }
    return this.#ramp;
  }
}

/** Where thinning takes its chance from: 32 uniform bits. */
interface Chance {
  int32(context: PickContext, index: number): number;
}

/** The same for the same key and endpoint. */
const chanceOfKey: Chance = {
  int32: ({ keyHash }, index) => mix32(keyHash ^ Math.imul(index + 1, 0x9e3779b9)),
};

class Thinned implements Balancer {
  readonly #inner: Balancer;
  readonly #chance: Chance;

  constructor(inner: Balancer, chance: Chance) {
    this.#inner = inner;
    this.#chance = chance;
  }

  pick(context: PickContext): number {
    const { eligible, ramp } = context;
    const index = this.#inner.pick(context);
    if (ramp === null || index < 0 || ramp[index] === 1) return index;
    if (this.#chance.int32(context, index) >>> 0 < ramp[index]! * 2 ** 32) return index;
    eligible[index] = 0;
    const other = this.pick(context);
    eligible[index] = 1;
    return other < 0 ? index : other;
  }
}

type Create = (options: BalancerOptions) => Balancer;

/** An algorithm that is blind to load, with slow start. */
export function thinned(create: Create): Create {
  return (options) => {
    const random = options.random ?? createRandom();
    return new Thinned(create({ ...options, random }), random);
  };
}

/** An algorithm that goes by `keyHash`, with slow start. */
export function thinnedByKey(create: Create): Create {
  return (options) => new Thinned(create(options), chanceOfKey);
}
