/**
 * Least time: the endpoint where one more request would be answered soonest, latency × (in flight + 1) / weight.
 *
 * What nginx calls `least_time` and Traefik `leasttime`, with the estimate of `Loads`: peak EWMA, failures count as slow,
 * silence is slow, an idle endpoint is forgotten with time and so asked again. It uses fast servers as fully as they can bear.
 * Everyone who looks sees the same best, so with several gateways it herds; `peak-ewma` does not.
 *
 * Cost: that of `LeastCost`, O(n).
 */
import type { Balancer, BalancerOptions } from './balancer.ts';
import { LatencyCost } from './cost.ts';
import { LeastCost } from './least-cost.ts';
import { createLoads } from './loads.ts';
import { checkedWeights } from './weights.ts';

export function createLeastTime({ weights, loads = createLoads(weights.length) }: BalancerOptions): Balancer {
  return new LeastCost(weights.length, new LatencyCost(checkedWeights(weights), loads));
}
