/**
 * What one more piece of work would cost at an endpoint, by what is known of its load, divided by its weight: the half of an
 * algorithm that says what is good. The other half says who is asked: all (`LeastCost`), or two (`TwoChoices`).
 *
 * A cost is (in flight + 1) × what one piece of work costs there by itself: it counts the work that is about to be added, so that of
 * two idle endpoints the stronger is the cheaper one. An endpoint that warms up costs as if it were so much weaker (slow-start.ts).
 *
 * Costs lie in arrays and stay there: a call that hands over a fraction allocates it, unless the engine happens to inline the call.
 */
import type { PickContext } from './balancer.ts';
import type { Loads } from './loads.ts';

export interface Cost {
  /** What one piece of work costs by itself, by index, as of the last `look` at each. For a weight of 0 infinite, or no number. */
  readonly alone: Float64Array;
  /** What that is at least, whoever does it: whoever costs no more cannot be beaten. */
  readonly least: number;
  /** How long `alone` is good enough to compare by. */
  readonly ageMaxMs: number;
  /** Brings `alone` up to date from `from` up to `to`. */
  look(context: PickContext, from: number, to: number): void;
  /** The same for one; whether it costs no more than before and `ageMaxMs` of waiting can have made it. */
  holds(context: PickContext, index: number): boolean;
}

/** What a cost is multiplied by: 1 / (weight × ramp). Infinite for a weight of 0. */
class PerWeight {
  readonly warm: Float64Array;
  readonly #cold: Float64Array;

  constructor(weights: Float64Array) {
    this.warm = weights.map((weight) => 1 / weight);
    this.#cold = new Float64Array(weights.length);
  }

  /** From `from` up to `to`; by index, and valid until the next call. */
  of({ ramp }: PickContext, from: number, to: number): Float64Array {
    if (ramp === null) return this.warm;
    for (let index = from; index < to; index++) this.#cold[index] = this.warm[index]! / ramp[index]!;
    return this.#cold;
  }
}

/** By requests in flight. */
export class InFlightCost implements Cost {
  alone: Float64Array;
  readonly least: number;
  readonly ageMaxMs = 0;
  readonly #perWeight: PerWeight;

  constructor(weights: Float64Array) {
    this.#perWeight = new PerWeight(weights);
    this.alone = this.#perWeight.warm;
    this.least = this.alone.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  }

  look(context: PickContext, from: number, to: number): void {
    this.alone = this.#perWeight.of(context, from, to);
  }

  holds(): boolean {
    return true;
  }
}

/** By how long an answer takes, times its place in line. */
export class LatencyCost implements Cost {
  readonly alone: Float64Array;
  readonly least = 0;
  /** Less than an answer takes, mostly: how long nothing has come back is a part of what is compared. */
  readonly ageMaxMs = 1;
  readonly #loads: Loads;
  readonly #perWeight: PerWeight;

  constructor(weights: Float64Array, loads: Loads) {
    this.alone = new Float64Array(weights.length);
    this.#loads = loads;
    this.#perWeight = new PerWeight(weights);
  }

  look(context: PickContext, from: number, to: number): void {
    this.#loads.expect(context, this.#perWeight.of(context, from, to), this.alone, from, to);
  }

  holds(context: PickContext, index: number): boolean {
    const before = this.alone[index]!;
    this.look(context, index, index + 1);
    return this.alone[index]! <= before + this.ageMaxMs * this.#perWeight.of(context, index, index + 1)[index]!;
  }
}
