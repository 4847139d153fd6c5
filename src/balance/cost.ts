/**
 * What one more piece of work would cost at an endpoint, by what is known of its load, divided by its weight: the half of an
 * algorithm that says what is good. The other half says who is asked: all (`LeastCost`), or two (`TwoChoices`).
 *
 * A cost counts the work that is about to be added, so that of two idle endpoints the stronger is the cheaper one. An
 * endpoint that warms up costs as if it were so much weaker (slow-start.ts).
 *
 * Each kind has a loop of its own over many endpoints, alike but for its name: a loop that meets two kinds of cost, or a ramp that
 * may be there or not, is compiled for none of them and takes three times as long (`npm run bench -- pick`).
 */
import type { PickContext } from './balancer.ts';
import type { Loads } from './loads.ts';

export interface Cost {
  /** At least 0; compared, never shown. Infinite, or not a number, for a weight of 0. */
  of(index: number, context: PickContext): number;
  /** The first of the cheapest eligible ones from `from` up to `to`, or `before` (-1: nobody) if none is cheaper than that. */
  cheapest(context: PickContext, from: number, to: number, before: number): number;
}

/** What a cost is multiplied by: 1 / (weight × ramp). */
class PerWeight {
  readonly #warm: Float64Array;
  readonly #cold: Float64Array;
  /** That of the strongest. */
  readonly least: number;

  constructor(weights: Float64Array) {
    this.#warm = weights.map((weight) => 1 / weight);
    this.#cold = new Float64Array(weights.length);
    this.least = this.#warm.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  }

  at(index: number, ramp: Float64Array | null): number {
    return ramp === null ? this.#warm[index]! : this.#warm[index]! / ramp[index]!;
  }

  /** Of all; valid until the next call. */
  all(ramp: Float64Array | null): Float64Array {
    if (ramp === null) return this.#warm;
    for (let index = 0; index < ramp.length; index++) this.#cold[index] = this.#warm[index]! / ramp[index]!;
    return this.#cold;
  }
}

/** By requests in flight. */
export class InFlightCost implements Cost {
  readonly #loads: Loads;
  readonly #perWeight: PerWeight;

  constructor(weights: Float64Array, loads: Loads) {
    this.#loads = loads;
    this.#perWeight = new PerWeight(weights);
  }

  of(index: number, { ramp }: PickContext): number {
    return this.#weighed(index, this.#perWeight.at(index, ramp));
  }

  cheapest(context: PickContext, from: number, to: number, before: number): number {
    const { eligible, ramp } = context;
    const perWeight = this.#perWeight.all(ramp);
    // Who costs that little has nothing to do and is the strongest: nobody is cheaper.
    const { least } = this.#perWeight;
    let best = before;
    let bestCost = before < 0 ? Number.POSITIVE_INFINITY : this.of(before, context);
    for (let index = from; index < to && bestCost > least; index++) {
      const cost = this.#weighed(index, perWeight[index]!);
      // Few are cheaper than all before them: of those alone it is asked whether they are eligible.
      if (cost < bestCost && eligible[index] === 1) {
        best = index;
        bestCost = cost;
      }
    }
    return best;
  }

  #weighed(index: number, perWeight: number): number {
    return (this.#loads.inFlight(index) + 1) * perWeight;
  }
}

/** By how long an answer takes, times its place in line. */
export class LatencyCost implements Cost {
  readonly #loads: Loads;
  readonly #perWeight: PerWeight;

  constructor(weights: Float64Array, loads: Loads) {
    this.#loads = loads;
    this.#perWeight = new PerWeight(weights);
  }

  of(index: number, { nowMs, ramp }: PickContext): number {
    return this.#weighed(index, nowMs, this.#perWeight.at(index, ramp));
  }

  cheapest(context: PickContext, from: number, to: number, before: number): number {
    const { eligible, nowMs, ramp } = context;
    const perWeight = this.#perWeight.all(ramp);
    let best = before;
    let bestCost = before < 0 ? Number.POSITIVE_INFINITY : this.of(before, context);
    // One of which nothing is known costs nothing: it is to be tried.
    for (let index = from; index < to && bestCost > 0; index++) {
      const cost = this.#weighed(index, nowMs, perWeight[index]!);
      if (cost < bestCost && eligible[index] === 1) {
        best = index;
        bestCost = cost;
      }
    }
    return best;
  }

  #weighed(index: number, nowMs: number, perWeight: number): number {
    return this.#loads.estimateMs(index, nowMs) * (this.#loads.inFlight(index) + 1) * perWeight;
  }
}
