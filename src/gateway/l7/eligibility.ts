/**
 * Which endpoints of a service may be picked now: the one answer that the data plane and `explain` share.
 *
 * Out are: weight 0, down by its health word, and what was tried already for this request. Unknown health is in: a check that has
 * not run yet is no reason to refuse. One mask per service and worker, refilled for each pick: O(n), no allocation.
 */
import { cellHeader } from '../../kernel/cells.ts';
import { HEALTH, HEALTH_DOWN, HEALTH_UP } from '../slots.ts';
import type { EndpointPlan } from '../snapshot.ts';

export class Eligibility {
  /** 1 may be picked. Has the shape of a balancer's `PickContext`. */
  readonly eligible: Uint8Array;
  keyHash = 0;
  nowMs = 0;
  ramp: Float64Array | null = null;
  readonly #headers: readonly Int32Array[];
  readonly #weighted: Uint8Array;

  constructor(endpoints: readonly EndpointPlan[]) {
    this.eligible = new Uint8Array(endpoints.length);
    this.#headers = endpoints.map((endpoint) => cellHeader(endpoint.cell));
    this.#weighted = Uint8Array.from(endpoints, (endpoint) => (endpoint.weight > 0 ? 1 : 0));
  }

  /** Looks again. `tried` has a 1 at each index that is not to be picked. */
  refresh(tried: Uint8Array | null): this {
    const { eligible } = this;
    const headers = this.#headers;
    const weighted = this.#weighted;
    for (let index = 0; index < headers.length; index++) {
      const up = Atomics.load(headers[index]!, HEALTH) !== HEALTH_DOWN;
      eligible[index] = up && (tried === null || tried[index] !== 1) ? weighted[index]! : 0;
    }
    return this;
  }
}

export type HealthWord = 'up' | 'down' | 'unknown';

/** What the cell of an endpoint says about it. */
export function healthWord(endpoint: EndpointPlan): HealthWord {
  const word = Atomics.load(cellHeader(endpoint.cell), HEALTH);
  return word === HEALTH_UP ? 'up' : word === HEALTH_DOWN ? 'down' : 'unknown';
}
