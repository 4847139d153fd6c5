/**
 * The cheapest of all endpoints, cost divided by weight. Ties go round: the scan begins behind the last pick and takes the
 * first of equals, so endpoints that are idle together get work in turn.
 *
 * Cost: O(n) a pick, 1 to 2 ns an endpoint for a cost that is one number (`balance.bench.ts`). The numbers are shared
 * and change under the scan, so no structure can keep them in order; where n is large, `TwoChoices` asks two.
 */
import type { Balancer, PickContext } from './balancer.ts';
import type { Cost } from './cost.ts';

export class LeastCost implements Balancer {
  readonly #weights: Float64Array;
  readonly #cost: Cost;
  #last = -1;

  constructor(weights: Float64Array, cost: Cost) {
    this.#weights = weights;
    this.#cost = cost;
  }

  pick(context: PickContext): number {
    const { eligible, nowMs, ramp } = context;
    const weights = this.#weights;
    const cost = this.#cost;
    const { length } = weights;
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    let index = this.#last;
    for (let seen = 0; seen < length; seen++) {
      index = index + 1 < length ? index + 1 : 0;
      if (eligible[index] !== 1 || weights[index] === 0) continue;
      const weight = ramp === null ? weights[index]! : weights[index]! * ramp[index]!;
      const found = cost.of(index, nowMs) / weight;
      if (found < bestCost) {
        best = index;
        bestCost = found;
      }
    }
    if (best >= 0) this.#last = best;
    return best;
  }
}
