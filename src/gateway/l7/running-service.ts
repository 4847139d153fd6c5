/**
 * A service over the life of several snapshots.
 *
 * Invariants: an endpoint that stays keeps its connections; one that leaves finishes what was sent its way; how endpoints are
 * connected to never changes, because a service that is connected to otherwise is another one.
 * Cost: a pick is O(endpoints): their health is looked at anew for each.
 */
import { type Balancer, createBalancer, Loads, SlowStart, Tiers } from '../../balance/index.ts';
import { ServiceBreaker } from '../breakers/service-breaker.ts';
import { createRequestKey, type RequestKey } from '../routing/request-key.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import type { EndpointPlan, ServicePlan } from '../snapshot.ts';
import { Affinity } from './affinity.ts';
import { type Connected, Connector } from './connector.ts';
import { Eligibility } from './eligibility.ts';
import { Endpoint, type Opening } from './endpoint.ts';
import type { ResponseLimits } from './head.ts';
import type { Plane } from './plane.ts';
import { RetryBudget } from './retry-budget.ts';
import type { Service, Wanted } from './service.ts';

const NO_FIELD = new Uint8Array(0);

export class RunningService implements Service {
  plan: ServicePlan;
  endpoints: readonly Endpoint[] = [];
  responseLimits: ResponseLimits = { headerBytesMax: 0, headerFieldsMax: 0 };
  readonly budget = new RetryBudget();
  breaker: ServiceBreaker | null = null;
  readonly #plane: Plane;
  readonly #connector: Connector;
  #balancer: Balancer = createBalancer('round-robin', { weights: [] });
  #eligibility = new Eligibility([]);
  #slowStart: SlowStart | null = null;
  #key: RequestKey | null = null;
  #affinity: Affinity | null = null;
  #tiers = new Tiers([]);
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
    this.breaker = plan.breaker === null ? null : new ServiceBreaker(plan.breaker, this.#plane.laneNumber);
    const shape = shapeOf(plan);
    if (shape !== this.#shape) this.#reshape(plan);
    this.#shape = shape;
    for (const endpoint of this.endpoints) endpoint.limitsChanged();
  }

  #reshape(plan: ServicePlan): void {
    const { balance, endpoints, affinity } = plan;
    const before = this.endpoints;
    const old = new Map(before.map((endpoint) => [endpoint.plan.id, endpoint]));
    this.endpoints = endpoints.map((each) => {
      const kept = old.get(each.id);
      old.delete(each.id);
      if (kept === undefined) return new Endpoint(this.#plane, this, each);
      kept.plan = each;
      return kept;
    });
    const { laneNumber, random, snapshot } = this.#plane;
    this.#balancer = createBalancer(balance.algorithm, {
      weights: endpoints.map(({ weight }) => weight),
      names: endpoints.map(({ id }) => id),
      loads: new Loads(
        snapshot.loads,
        laneNumber,
        endpoints.map(({ loadSlot }) => loadSlot),
      ),
      loadFactor: balance.loadFactor,
      start: laneNumber - 1,
      random,
    });
    this.#slowStart = this.#warmedAs(before, plan);
    this.#eligibility = new Eligibility(endpoints, this.#slowStart);
    this.#tiers = new Tiers(endpoints);
    this.#key = balance.key === null ? null : createRequestKey(balance.key);
    this.#affinity = affinity === null ? null : new Affinity(affinity, endpoints);
    for (const endpoint of old.values()) endpoint.retire();
  }

  /** Slow start for the new list: who stays is as warm as before, who is new begins, unless all are. */
  #warmedAs(before: readonly Endpoint[], { slowStart: plan, endpoints }: ServicePlan): SlowStart | null {
    if (plan === null) return null;
    const slowStart = new SlowStart(endpoints.length, plan);
    if (before.length === 0) return slowStart;
    for (const [index, endpoint] of this.endpoints.entries()) {
      const place = before.indexOf(endpoint);
      const sinceMs = place < 0 ? this.#plane.nowMs : (this.#slowStart?.sinceMs(place) ?? Number.NEGATIVE_INFINITY);
      if (Number.isFinite(sinceMs)) slowStart.begin(index, sinceMs);
    }
    return slowStart;
  }

  read(request: RoutedRequest, into: Wanted): void {
    const key = this.#key;
    // Without the key, by chance: one endpoint would get them all otherwise.
    into.keyHash = key === null ? 0 : key.read(request) ? key.hash : this.#plane.random.int32();
    into.pinned = this.#affinity === null ? null : (this.endpoints[this.#affinity.find(request.head)] ?? null);
  }

  pick({ keyHash, pinned, tried }: Wanted): Endpoint | null {
    const eligibility = this.#eligibility.refresh(this.#plane.nowMs);
    if (pinned !== null && !tried.includes(pinned)) {
      const index = this.endpoints.indexOf(pinned);
      if (index >= 0 && eligibility.takesPinned(index)) return pinned;
    }
    eligibility.keyHash = keyHash;
    for (const endpoint of tried) eligibility.exclude(this.endpoints.indexOf(endpoint));
    if (this.#key === null) this.#leaveFull(eligibility.eligible);
    if (this.#tiers.count > 1) this.#tiers.choose(eligibility.eligible, this.#chance(keyHash));
    return this.endpoints[this.#balancer.pick(eligibility)] ?? null;
  }

  hasLeft({ tried }: Wanted): boolean {
    const eligibility = this.#eligibility.refresh(this.#plane.nowMs);
    for (const endpoint of tried) eligibility.exclude(this.endpoints.indexOf(endpoint));
    return eligibility.eligible.includes(1);
  }

  /** While anybody has room, nobody stands in a queue. Not for keys: one that waits at its own endpoint finds what is kept there. */
  #leaveFull(eligible: Uint8Array): void {
    const { endpoints } = this;
    let roomy = 0;
    let full = 0;
    for (let index = 0; index < eligible.length; index++) {
      if (eligible[index] === 0) continue;
      if (endpoints[index]!.hasRoom) roomy += 1;
      else full += 1;
    }
    if (full === 0 || roomy === 0) return;
    for (let index = 0; index < eligible.length; index++) if (!endpoints[index]!.hasRoom) eligible[index] = 0;
  }

  /** Which tier: by chance, and the same for the same key. */
  #chance(keyHash: number): number {
    return this.#key === null ? this.#plane.random.unit() : (Math.imul(keyHash, 0x9e3779b1) >>> 0) / 2 ** 32;
  }

  pinField(endpoint: Endpoint, overTls: boolean): Uint8Array {
    const index = this.#affinity === null ? -1 : this.endpoints.indexOf(endpoint);
    return index < 0 ? NO_FIELD : (this.#affinity?.field(index, overTls) ?? NO_FIELD);
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

/** What a service is balanced by: as long as it is the same, counters and turns go on. */
function shapeOf({ balance, slowStart, affinity, endpoints }: ServicePlan): string {
  const shape = endpoints.map(({ id, identity, weight, priority, local, backup, connectionsMax, drainMs, pin }) => [
    id,
    identity,
    weight,
    priority,
    local,
    backup,
    connectionsMax,
    drainMs,
    pin,
  ]);
  return JSON.stringify([balance, slowStart, affinity, shape]);
}
