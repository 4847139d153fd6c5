/**
 * Peak EWMA: of two different endpoints drawn by chance, the one where one more request would be answered sooner:
 * latency × (in flight + 1) / weight.
 *
 * Twitter's Finagle and Linkerd balance so ("Beyond Round Robin", Linkerd 2016). It needs no weights to tell strong servers
 * from weak ones, sees a slow one within a request, and keeps off one that fails; the estimate is that of `Loads`.
 * Chance keeps the callers from herding, as with `two-choices`.
 *
 * Cost: two draws of `WeightedSampler` and two costs, O(1).
 */
import { createRandom } from '../kernel/random.ts';
import type { Balancer, BalancerOptions } from './balancer.ts';
import { LatencyCost } from './cost.ts';
import { createLoads } from './loads.ts';
import { TwoChoices } from './two-choices.ts';
import { WeightedSampler } from './weighted-sampler.ts';
import { checkedWeights } from './weights.ts';

export function createPeakEwma(options: BalancerOptions): Balancer {
  const { random = createRandom(), loads = createLoads(options.weights.length) } = options;
  const weights = checkedWeights(options.weights);
  return new TwoChoices(new WeightedSampler(weights, random), loads, new LatencyCost(weights, loads));
}
