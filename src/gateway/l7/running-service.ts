/**
 * A service over the life of several snapshots.
 *
 * Invariants: an endpoint that stays keeps its connections; one that leaves finishes what was sent its way; how endpoints are
 * connected to never changes, because a service that is connected to otherwise is another one.
 * Cost: a pick is O(endpoints).
 */
import { createBalancer } from '../../balance/index.ts';
import type { EndpointPlan, ServicePlan } from '../snapshot.ts';
import { type Connected, Connector } from './connector.ts';
import { Eligibility } from './eligibility.ts';
import { Endpoint, type Opening } from './endpoint.ts';
import type { ResponseLimits } from './head.ts';
import type { Plane } from './plane.ts';
import type { Service } from './service.ts';

export class RunningService implements Service {
  plan: ServicePlan;
  endpoints: readonly Endpoint[] = [];
  responseLimits: ResponseLimits = { headerBytesMax: 0, headerFieldsMax: 0 };
  readonly #plane: Plane;
  readonly #connector: Connector;
  #balancer = createBalancer('round-robin', { weights: [] });
  #eligibility = new Eligibility([]);
  #shape = '';

  /** A service with the same key can be given the plan; one with another must be made. */
  static keyOf({ name, tls, allowLinkLocal }: ServicePlan): string {
    return JSON.stringify([name, tls, allowLinkLocal]);
  }

  /** Has no endpoints before `apply`. Throws what the `Connector` throws. */
  constructor(plane: Plane, plan: ServicePlan) {
    this.#plane = plane;
    this.plan = plan;
    this.#connector = new Connector(plane, plan);
  }

  apply(plan: ServicePlan): void {
    const { limits } = plan;
    this.plan = plan;
    this.responseLimits = {
      headerBytesMax: limits.responseHeaderBytesMax,
      headerFieldsMax: limits.responseHeaderFieldsMax,
    };
    const shape = JSON.stringify([plan.balance, plan.endpoints.map(({ id, weight }) => [id, weight])]);
    if (shape !== this.#shape) this.#reshape(shape, plan);
    for (const endpoint of this.endpoints) endpoint.limitsChanged();
  }

  #reshape(shape: string, plan: ServicePlan): void {
    this.#shape = shape;
    const old = new Map(this.endpoints.map((endpoint) => [endpoint.plan.id, endpoint]));
    this.endpoints = plan.endpoints.map((each) => {
      const kept = old.get(each.id);
      old.delete(each.id);
      if (kept === undefined) return new Endpoint(this.#plane, this, each);
      kept.plan = each;
      return kept;
    });
    this.#balancer = createBalancer(plan.balance, {
      weights: plan.endpoints.map(({ weight }) => weight),
      start: this.#plane.laneNumber - 1,
    });
    this.#eligibility = new Eligibility(plan.endpoints);
    for (const endpoint of old.values()) endpoint.retire();
  }

  pick(tried: readonly Endpoint[]): Endpoint | null {
    const eligibility = this.#eligibility.refresh();
    for (const endpoint of tried) eligibility.exclude(this.endpoints.indexOf(endpoint));
    return this.endpoints[this.#balancer.pick(eligibility)] ?? null;
  }

  connect(endpoint: EndpointPlan, onHandshake: () => void, done: Connected): Opening {
    return this.#connector.connect(endpoint, onHandshake, done);
  }

  retire(): void {
    for (const endpoint of this.endpoints) endpoint.retire();
  }

  closeIdle(): void {
    for (const endpoint of this.endpoints) endpoint.closeIdle();
  }
}
