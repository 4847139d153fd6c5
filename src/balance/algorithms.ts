/** Every balancing algorithm by the name it has in the config. */
import type { Balancer, BalancerOptions } from './balancer.ts';
import { createConsistentHash } from './consistent-hash.ts';
import { createIpHash } from './ip-hash.ts';
import { createLeastConnections } from './least-connections.ts';
import { createLeastTime } from './least-time.ts';
import { createMaglevBalancer } from './maglev.ts';
import { createPeakEwma } from './peak-ewma.ts';
import { createRandomBalancer } from './random.ts';
import { createRoundRobin } from './round-robin.ts';
import { thinned, thinnedByKey } from './slow-start.ts';
import { createTwoChoices } from './two-choices.ts';

export const algorithms = {
  'round-robin': thinned(createRoundRobin),
  // One algorithm: equal weights are the plain one.
  'weighted-round-robin': thinned(createRoundRobin),
  random: thinned(createRandomBalancer),
  'least-connections': createLeastConnections,
  'two-choices': createTwoChoices,
  'least-time': createLeastTime,
  'peak-ewma': createPeakEwma,
  'ip-hash': thinnedByKey(createIpHash),
  'consistent-hash': thinnedByKey(createConsistentHash),
  maglev: thinnedByKey(createMaglevBalancer),
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
