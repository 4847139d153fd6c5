/**
 * Least connections: the endpoint with the fewest requests in flight for its weight, (in flight + 1) / weight.
 *
 * "Join the shortest queue": for equal servers and requests of unknown length it is the best that can be done without knowing
 * more (Winston 1977, for exponential service). It needs true counts: `Loads` are shared by all workers of a process. Between
 * several gateways the counts are partial, and each may send its next request to the same server that looks idle. Its weakness: a
 * server that fails fast looks idle. Health checks, or `peak-ewma`, see that.
 *
 * Cost and how exact it is between threads: see `LeastCost`.
 */
import type { Balancer, BalancerOptions } from './balancer.ts';
import { InFlightCost } from './cost.ts';
import { LeastCost } from './least-cost.ts';
import { createLoads } from './loads.ts';
import { checkedWeights } from './weights.ts';

export function createLeastConnections({ weights, loads = createLoads(weights.length) }: BalancerOptions): Balancer {
  return new LeastCost(weights.length, loads, new InFlightCost(checkedWeights(weights)));
}
