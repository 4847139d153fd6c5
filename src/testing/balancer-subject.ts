/** The balancer that a contract is held against, and what is to be expected of it. */
import type { BalancerPlace } from './balancer-place.ts';
import type { Deviations } from './contract.ts';

/** What decides: whose turn it is, chance, what endpoints have to do, or the key. */
export type BalancerKind = 'turn' | 'chance' | 'load' | 'key';

export interface BalancerSubject extends BalancerPlace {
  /** Shown with each case. */
  readonly name: string;
  readonly kind: BalancerKind;
  /** How far an endpoint may be from its share, relative: what the algorithm owes to its build, not to chance. @defaultValue 0 */
  readonly shareTolerance?: number;
  /**
   * Of kind `key`: the share of all keys that may move between endpoints that stay when the list changes. @defaultValue 0
   */
  readonly needlessMoves?: number;
  readonly deviations?: Deviations;
}
