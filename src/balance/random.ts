/**
 * Random: each pick by chance, in proportion to weight.
 *
 * Nothing is remembered, so workers and whole gateways need not agree on anything, and nothing is in step. The price is
 * unevenness: with m requests on each of n endpoints the fullest has about m + sqrt(2 m ln n) (Raab and Steger, "Balls into
 * Bins", 1998).
 *
 * Cost: that of `WeightedSampler`, O(1). What it is not: aware of load; `two-choices` costs twice as much and is.
 */
import { createRandom } from '../kernel/random.ts';
import type { Balancer, BalancerOptions, PickContext } from './balancer.ts';
import { WeightedSampler } from './weighted-sampler.ts';
import { checkedWeights } from './weights.ts';

class RandomBalancer implements Balancer {
  readonly #sampler: WeightedSampler;

  constructor(sampler: WeightedSampler) {
    this.#sampler = sampler;
  }

  pick(context: PickContext): number {
    return this.#sampler.draw(context.eligible, -1);
  }
}

export function createRandomBalancer({ weights, random = createRandom() }: BalancerOptions): Balancer {
  return new RandomBalancer(new WeightedSampler(checkedWeights(weights), random));
}
