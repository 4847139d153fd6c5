/**
 * What one more piece of work would cost at an endpoint, by what is known of its load: the half of an algorithm that
 * says what is good. The other half says who is asked: all (`LeastCost`), or two (`TwoChoices`).
 *
 * A cost counts the work that is about to be added, so that of two idle endpoints the stronger is the cheaper one.
 * Classes and not functions: a call through a class that is known is compiled in place, and its number is never boxed.
 */
import type { Loads } from './loads.ts';

export interface Cost {
  /** At least 0, before weight; compared, never shown. */
  of(index: number, nowMs: number): number;
}

/** By requests in flight. */
export class InFlightCost implements Cost {
  readonly #loads: Loads;

  constructor(loads: Loads) {
    this.#loads = loads;
  }

  of(index: number): number {
    return this.#loads.inFlight(index) + 1;
  }
}

/** By how long an answer takes, times its place in line. */
export class LatencyCost implements Cost {
  readonly #loads: Loads;

  constructor(loads: Loads) {
    this.#loads = loads;
  }

  of(index: number, nowMs: number): number {
    return this.#loads.estimateMs(index, nowMs) * (this.#loads.inFlight(index) + 1);
  }
}
