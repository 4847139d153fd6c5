/**
 * Choosing one of a service's endpoints for one piece of work.
 *
 * A balancer knows weights and what it picked before; who may be picked at all (health, a drain, endpoints tried already) is
 * the caller's, said with each pick. So a balancer has no I/O, no clock and no opinion on health, and one endpoint being
 * out needs no rebuild.
 *
 * To add an algorithm: a file beside this one, a line in `balancers`, a run of `contract.test.ts`. What an algorithm needs
 * to know about the work (a key to hash, requests in flight) is a field of `PickContext`.
 */
import { createSmoothWeightedRoundRobin } from './smooth-weighted-round-robin.ts';

export interface PickContext {
  /** One byte an endpoint, in the balancer's order: 1 may be picked, 0 may not. Read, never kept: reuse it. */
  readonly eligible: Uint8Array;
}

export interface Balancer {
  /** The index of the endpoint to use, or -1 when none is eligible. Allocates nothing. */
  pick(context: PickContext): number;
}

export interface BalancerOptions {
  /**
   * Relative share of each endpoint, in order: finite, at least 0. Weight 0 is never picked, eligible or not.
   * At most 65,536 endpoints.
   */
  readonly weights: readonly number[];
  /**
   * Where in its cycle the balancer begins, an integer of at least 0. Give each worker its own number: workers that begin
   * alike send their first requests to the same endpoint, and stay in step. @defaultValue 0
   */
  readonly start?: number;
}

/** Every algorithm, by the name it has in the config. */
export const balancers = {
  'round-robin': createSmoothWeightedRoundRobin,
} as const satisfies Record<string, (options: BalancerOptions) => Balancer>;

export type BalancerName = keyof typeof balancers;

/**
 * A balancer by name.
 *
 * @example
 * const balancer = createBalancer('round-robin', { weights: [3, 1] });
 * const eligible = new Uint8Array([1, 1]);
 * const picks = Array.from({ length: 4 }, () => balancer.pick({ eligible }));
 * console.log(picks.join(' ')); // 0 0 1 0
 */
export function createBalancer(name: BalancerName, options: BalancerOptions): Balancer {
  return balancers[name](options);
}
