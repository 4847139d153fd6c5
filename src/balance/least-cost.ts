/**
 * The cheapest of all endpoints. Ties go round: the scan begins behind the last pick and takes the first of equals, so
 * endpoints that are idle together get work in turn.
 *
 * Cost: O(n) a pick, 0.9 ns an endpoint if weights are equal, 1.0 ns if not (`npm run bench -- pick`); it ends at an endpoint that
 * cannot be beaten, so it is next to nothing while some are idle. The numbers are shared and change under the scan, so no structure can keep them in order; where n is large,
 * `TwoChoices` asks two.
 */
import type { Balancer, PickContext } from './balancer.ts';
import type { Cost } from './cost.ts';

export class LeastCost implements Balancer {
  readonly #length: number;
  readonly #cost: Cost;
  #next = 0;

  constructor(length: number, cost: Cost) {
    this.#length = length;
    this.#cost = cost;
  }

  pick(context: PickContext): number {
    const behind = this.#cost.cheapest(context, this.#next, this.#length, -1);
    const best = this.#cost.cheapest(context, 0, this.#next, behind);
    if (best >= 0) this.#next = best + 1;
    return best;
  }
}
