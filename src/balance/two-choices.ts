/**
 * Two choices: of two different endpoints drawn by chance, the one with fewer requests in flight for its weight.
 *
 * "The power of two choices" (Azar, Broder, Karlin and Upfal 1994; Mitzenmacher 1996): where random leaves the fullest of n
 * with about ln n / ln ln n more than its share, one comparison leaves ln ln n. Counts may be late or partial: chance keeps
 * gateways that know nothing of each other from all choosing the same server, which is what least connections then does.
 * Both are drawn by weight: a strong server must be asked more often, or it cannot get its share.
 *
 * Cost: two draws of `WeightedSampler` and two costs, O(1).
 */
import { createRandom } from '../kernel/random.ts';
import type { Balancer, BalancerOptions, PickContext } from './balancer.ts';
import { type Cost, InFlightCost } from './cost.ts';
import { createLoads, type Loads } from './loads.ts';
import { WeightedSampler } from './weighted-sampler.ts';
import { checkedWeights } from './weights.ts';

/** The cheaper of two; of equals the one drawn first. */
export class TwoChoices implements Balancer {
  readonly #sampler: WeightedSampler;
  readonly #loads: Loads;
  readonly #cost: Cost;

  constructor(sampler: WeightedSampler, loads: Loads, cost: Cost) {
    this.#sampler = sampler;
    this.#loads = loads;
    this.#cost = cost;
  }

  pick(context: PickContext): number {
    const { eligible } = context;
    const first = this.#sampler.draw(eligible, -1);
    if (first < 0) return -1;
    const second = this.#sampler.draw(eligible, first);
    if (second < 0) return first;
    const loads = this.#loads;
    const cost = this.#cost;
    cost.look(context, first, first + 1);
    cost.look(context, second, second + 1);
    const { alone } = cost;
    return (loads.inFlight(second) + 1) * alone[second]! < (loads.inFlight(first) + 1) * alone[first]! ? second : first;
  }
}

export function createTwoChoices(options: BalancerOptions): Balancer {
  const { random = createRandom(), loads = createLoads(options.weights.length) } = options;
  const weights = checkedWeights(options.weights);
  return new TwoChoices(new WeightedSampler(weights, random), loads, new InFlightCost(weights));
}
