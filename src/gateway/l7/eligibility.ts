/**
 * Which endpoints of a service may be picked now: the one answer that the data plane and `explain` share.
 *
 * Out are: weight 0, down by its health word, draining by its word or its plan, and whatever is excluded for one pick. Unknown health is in: a check
 * that has not run yet is no reason to refuse. One mask per service and worker, refilled for each pick: O(n), no allocation.
 */
import type { SlowStart } from '../../balance/index.ts';
import { TRIAL_SHARE } from '../../health/index.ts';
import { cellHeader } from '../../kernel/cells.ts';
import { CLOSED, CUT, DRAIN, DRAINING, HEALTH, HEALTH_DOWN, HEALTH_TRIAL, SERVING } from '../slots.ts';
import type { EndpointPlan } from '../snapshot.ts';

export class Eligibility {
  /** 1 may be picked. Has the shape of a balancer's `PickContext`. */
  readonly eligible: Uint8Array;
  keyHash = 0;
  nowMs = 0;
  ramp: Float64Array | null = null;
  readonly #headers: readonly Int32Array[];
  readonly #weighted: Uint8Array;
  readonly #wasOut: Uint8Array;
  readonly #slowStart: SlowStart | null;
  readonly #trials: Float64Array;

  /** With `slowStart`, whoever comes back begins slowly. */
  constructor(endpoints: readonly EndpointPlan[], slowStart: SlowStart | null = null) {
    this.#slowStart = slowStart;
    this.#trials = new Float64Array(endpoints.length);
    this.#wasOut = new Uint8Array(endpoints.length);
    this.eligible = new Uint8Array(endpoints.length);
    this.#headers = endpoints.map((endpoint) => cellHeader(endpoint.cell));
    this.#weighted = Uint8Array.from(endpoints, ({ weight, drainMs }) => (weight > 0 && drainMs === null ? 1 : 0));
  }

  /** Looks again. */
  refresh(nowMs: number): this {
    const { eligible } = this;
    const headers = this.#headers;
    const weighted = this.#weighted;
    const wasOut = this.#wasOut;
    const slowStart = this.#slowStart;
    this.nowMs = nowMs;
    let trials = 0;
    for (let index = 0; index < headers.length; index++) {
      const header = headers[index]!;
      // Plain reads: an atomic one is a call of 10 ns, and there are two for each endpoint and pick. One that is late is as
      // good as a request that came earlier.
      const health = header[HEALTH];
      const isOut = health === HEALTH_DOWN || header[DRAIN] !== SERVING ? 1 : 0;
      if (health === HEALTH_TRIAL) trials++;
      eligible[index] = isOut === 0 ? weighted[index]! : 0;
      if (isOut === wasOut[index]) continue;
      wasOut[index] = isOut;
      if (isOut === 0) slowStart?.begin(index, nowMs);
    }
    const ramp = slowStart?.ramp(nowMs) ?? null;
    this.ramp = trials === 0 ? ramp : this.#withTrials(ramp);
    return this;
  }

  /** Who is on trial gets a small share, whatever else it would. */
  #withTrials(ramp: Float64Array | null): Float64Array | null {
    const headers = this.#headers;
    let found: Float64Array | null = null;
    for (let index = 0; index < headers.length; index++) {
      if (Atomics.load(headers[index]!, HEALTH) !== HEALTH_TRIAL) continue;
      found ??= this.#trials;
      if (found !== ramp) for (let at = 0; at < headers.length; at++) found[at] = ramp?.[at] ?? 1;
      ramp = found;
      found[index] = Math.min(found[index]!, TRIAL_SHARE);
    }
    return ramp;
  }

  /** Whether those who are pinned to it may go on coming: also while it drains. */
  takesPinned(index: number): boolean {
    const header = this.#headers[index]!;
    return Atomics.load(header, HEALTH) !== HEALTH_DOWN && Atomics.load(header, DRAIN) < CLOSED;
  }

  /** Until it looks again, the endpoint at `index` is out; -1 is none of these. */
  exclude(index: number): void {
    if (index >= 0) this.eligible[index] = 0;
  }
}

type DrainWord = 'serving' | 'draining' | 'closed';

export function drainWord(endpoint: EndpointPlan): DrainWord {
  switch (Atomics.load(cellHeader(endpoint.cell), DRAIN)) {
    case DRAINING:
      return 'draining';
    case CLOSED:
    case CUT:
      return 'closed';
    default:
      return 'serving';
  }
}
