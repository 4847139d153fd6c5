/**
 * Least time: the endpoint where one more request would be answered soonest, latency × (in flight + 1) / weight.
 *
 * What nginx calls `least_time` and Traefik `leasttime`, with the estimate of `Loads`: peak EWMA, failures count as slow,
 * silence is slow, an idle endpoint is forgotten with time and so asked again. It uses fast servers as fully as they can bear.
 * Everyone who looks sees the same best, so with several gateways it herds; `peak-ewma` does not.
 *
 * Invariant: latency is as of some moment in the last millisecond; that of the one who is picked is looked at again before. So a server
 * that has become quicker may get its due so much later, but none gets work because it was quick, or unknown, a moment ago.
 *
 * Cost: that of `LeastCost`, and O(n), twice as dear as its search, each millisecond; 16 B an endpoint.
 */
import type { Balancer, BalancerOptions } from './balancer.ts';
import { LatencyCost } from './cost.ts';
import { LeastCost } from './least-cost.ts';
import { createLoads } from './loads.ts';
import { checkedWeights } from './weights.ts';

export function createLeastTime({ weights, loads = createLoads(weights.length) }: BalancerOptions): Balancer {
  return new LeastCost(weights.length, loads, new LatencyCost(checkedWeights(weights), loads));
}
