/** Every balancing algorithm by the name it has in the config. */
import type { Balancer, BalancerOptions } from './balancer.ts';
import { createRoundRobin } from './round-robin.ts';

export const algorithms = {
  'round-robin': createRoundRobin,
  // One algorithm: equal weights are the plain one.
  'weighted-round-robin': createRoundRobin,
} as const satisfies Record<string, (options: BalancerOptions) => Balancer>;

export type BalancerName = keyof typeof algorithms;

/**
 * A balancer by name.
 *
 * @example
 * const balancer = createBalancer('round-robin', { weights: [3, 1] });
 * const context = createPickContext(2);
 * const picks = Array.from({ length: 4 }, () => balancer.pick(context));
 * console.log(picks.join(' ')); // 0 0 1 0
 */
export function createBalancer(name: BalancerName, options: BalancerOptions): Balancer {
  return algorithms[name](options);
}
