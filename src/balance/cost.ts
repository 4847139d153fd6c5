/**
 * What one more piece of work would cost at an endpoint, by what is known of its load, divided by its weight: the half of an
 * algorithm that says what is good. The other half says who is asked: all (`LeastCost`, `LeastTime`), or two (`TwoChoices`).
 *
 * A cost counts the work that is about to be added, so that of two idle endpoints the stronger is the cheaper one. An
 * endpoint that warms up costs as if it were so much weaker (slow-start.ts).
 *
 * Each kind has a loop of its own, alike but for its name: a loop that meets two kinds of cost, or a ramp that may be there or
 * not, is compiled for none of them and takes three times as long (`npm run bench -- pick`). Warm endpoints of equal weight, which
 * are the usual ones, have one that compares numbers in flight and computes nothing. That an index is of 32 bits is said to the
 * engine (`| 0`), or it keeps it in two forms and checks each step: an eighth to a third of a scan. And costs stay inside: a call that
 * hands over a fraction allocates it, unless the engine happens to inline the call.
 */
import type { PickContext } from './balancer.ts';
import type { Loads } from './loads.ts';

export interface Cost {
  /** The first of the cheapest eligible ones from `from` up to `to`, or `before` (-1: nobody) if none is cheaper than that. */
  cheapest(context: PickContext, from: number, to: number, before: number): number;
}

/** What a cost is multiplied by: 1 / (weight × ramp). Infinite for a weight of 0. */
class PerWeight {
  readonly #warm: Float64Array;
  readonly #cold: Float64Array;
  /** That of the strongest. */
  readonly least: number;
  /** Whether all are as strong, and none has a weight of 0. */
  readonly equal: boolean;

  constructor(weights: Float64Array) {
    this.equal = weights.every((weight) => weight > 0 && weight === weights[0]);
    this.#warm = weights.map((weight) => 1 / weight);
    this.#cold = new Float64Array(weights.length);
    this.least = this.#warm.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  }

  /** From `from` up to `to`; by index, and valid until the next call. */
  of({ ramp }: PickContext, from: number, to: number): Float64Array {
    if (ramp === null) return this.#warm;
    for (let index = from; index < to; index++) this.#cold[index] = this.#warm[index]! / ramp[index]!;
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

  cheapest(context: PickContext, from: number, to: number, before: number): number {
    const { eligible, ramp } = context;
    const loads = this.#loads;
    const { least, equal } = this.#perWeight;
    if (equal && ramp === null) return fewest(loads, eligible, from, to, before);
    let best = before | 0;
    let bestCost = Number.POSITIVE_INFINITY;
    if (before >= 0) bestCost = (loads.inFlight(before) + 1) * this.#perWeight.of(context, before, before + 1)[before]!;
    if (bestCost <= least) return best;
    const inFlight = loads.row(from, to);
    const perWeight = this.#perWeight.of(context, from, to);
    for (let index = from | 0; index < to; index = (index + 1) | 0) {
      const cost = ((inFlight[index]! + 1) | 0) * perWeight[index]!;
      // Few are cheaper than all before them: of those alone it is asked whether they are eligible.
      if (cost < bestCost && eligible[index] === 1) {
        best = index;
        bestCost = cost;
        // It has nothing to do and is the strongest: nobody is cheaper.
        if (cost <= least) break;
      }
    }
    return best;
  }
}

/** The same where all are warm and of equal weight: who has least in flight. */
function fewest(loads: Loads, eligible: Uint8Array, from: number, to: number, before: number): number {
  let best = before | 0;
  let bestCount = before < 0 ? 0x7fffffff : loads.inFlight(before);
  if (bestCount === 0) return best;
  const inFlight = loads.row(from, to);
  for (let index = from | 0; index < to; index = (index + 1) | 0) {
    const count = inFlight[index]!;
    if (count < bestCount && eligible[index] === 1) {
      best = index;
      bestCount = count;
      if (count === 0) break;
    }
  }
  return best;
}

/** By how long an answer takes, times its place in line. */
export class LatencyCost implements Cost {
  /** What one piece of work by itself costs, by index, as of the last `look` at each: it moves slowly, what is in flight does not. */
  readonly alone: Float64Array;
  readonly #loads: Loads;
  readonly #perWeight: PerWeight;

  constructor(weights: Float64Array, loads: Loads) {
    this.alone = new Float64Array(weights.length);
    this.#loads = loads;
    this.#perWeight = new PerWeight(weights);
  }

  /** Brings `alone` up to date from `from` up to `to`. */
  look(context: PickContext, from: number, to: number): void {
    this.#loads.expect(context.nowMs, this.#perWeight.of(context, from, to), this.alone, from, to);
  }

  /** The same for one; whether it costs no more than before and `passedMs` of waiting can have made it. */
  holds(context: PickContext, index: number, passedMs: number): boolean {
    const before = this.alone[index]!;
    this.look(context, index, index + 1);
    return this.alone[index]! <= before + passedMs * this.#perWeight.of(context, index, index + 1)[index]!;
  }

  cheapest(context: PickContext, from: number, to: number, before: number): number {
    const { alone } = this;
    let best = before;
    let bestCost = Number.POSITIVE_INFINITY;
    if (before >= 0) {
      this.look(context, before, before + 1);
      bestCost = (this.#loads.inFlight(before) + 1) * alone[before]!;
    }
    this.look(context, from, to);
    for (let index = from | 0; index < to; index = (index + 1) | 0) {
      const cost = (this.#loads.inFlight(index) + 1) * alone[index]!;
      if (cost < bestCost && context.eligible[index] === 1) {
        best = index;
        bestCost = cost;
      }
    }
    return best;
  }
}
