/** Services and routes as a worker runs them: the plan of the snapshot with its endpoints and counters. */
import { cellLane, type Lane } from '../../kernel/cells.ts';
import type { ServiceBreaker } from '../breakers/service-breaker.ts';
import type { AnyGate, Limits } from '../limits/limits.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import { Shaping } from '../shaping/shaping.ts';
import { ARM_SLOTS, type Refusal, ROUTE_SLOTS } from '../slots.ts';
import type { EndpointPlan, RoutePlan, ServicePlan } from '../snapshot.ts';
import type { Connected } from './connector.ts';
import type { Endpoint, Opening } from './endpoint.ts';
import type { ResponseLimits } from './head.ts';
import { Mirror } from './mirror.ts';
import type { Plane } from './plane.ts';
import type { RetryBudget } from './retry-budget.ts';

/** What a request is picked an endpoint by. */
export interface Wanted {
  /** Of the key the service hashes by; 0 if it hashes by none. */
  keyHash: number;
  /** Where affinity says it belongs. */
  pinned: Endpoint | null;
  /** Where it was already. */
  readonly tried: readonly Endpoint[];
}

export interface Service {
  readonly plan: ServicePlan;
  readonly responseLimits: ResponseLimits;
  readonly budget: RetryBudget;
  /** Null for most services. */
  readonly breaker: ServiceBreaker | null;
  /** Reads what the service picks by out of a request. */
  read(request: RoutedRequest, into: Wanted): void;
  /** The next endpoint for a request, or null if there is none. */
  pick(wanted: Wanted): Endpoint | null;
  /** Whether there is one, without picking it. */
  hasLeft(wanted: Wanted): boolean;
  /** The line, if any, that the answer of `endpoint` gets so that the client stays there. `overTls`: how the client came. */
  pinField(endpoint: Endpoint, overTls: boolean): Uint8Array;
  /**
   * Opens a connection to an endpoint of it; `done` is called later than that, once, unless it is cancelled. Before it,
   * `onHandshake` is called where TLS is spoken.
   */
  connect(endpoint: EndpointPlan, onHandshake: () => void, done: Connected): Opening;
}

/** What a client is told that is refused by a service; -1 is nothing. */
export function comeAgainS({ breaker, plan }: Service, refusal: Refusal, nowMs: number): number {
  if (refusal === 'breaker_open' && breaker !== null) return breaker.retryAfterS(nowMs);
  return refusal === 'no_endpoint' || refusal === 'queue_full' ? plan.retryAfterS : -1;
}

/** A service that a route leads to; of a split there are several. */
export interface Arm {
  /** '' if the route has but one. */
  readonly name: string;
  readonly service: Service;
  /** Where an arm of a split counts; null if the route has but one. */
  readonly lane: Lane | null;
}

export class Route {
  readonly plan: RoutePlan;
  readonly lane: Lane;
  /** Null for a route that only leads to a service. */
  readonly shaping: Shaping | null;
  readonly mirror: Mirror | null;
  /** Of the config that the route is of; null if it has none. */
  readonly #limits: Limits | null;
  /** Of requests that came by the listener that asked last: a route has few, and mostly one. */
  #gate: AnyGate | null = null;
  #gateOf: string | null = null;
  readonly #arms: readonly Arm[];

  /** `services` and `limits` are those of the snapshot, the services in its order. */
  constructor(plane: Plane, plan: RoutePlan, services: readonly Service[], limits: Limits | null) {
    const { cell, name, shaping } = plan;
    const serviceAt = (index: number): Service => {
      const service = services[index];
      if (service === undefined) throw new RangeError(`route ${name} names service ${index} of ${services.length}`);
      return service;
    };
    const arms = shaping?.split?.arms ?? [];
    const mirror = shaping?.mirror ?? null;
    this.plan = plan;
    this.#limits = limits;
    this.lane = cellLane(cell, ROUTE_SLOTS, plane.laneNumber);
    this.shaping = shaping === null ? null : new Shaping(shaping, plan, plane.random);
    this.mirror = mirror === null ? null : new Mirror(plane, mirror, serviceAt(mirror.service), this.lane);
    this.#arms =
      plan.service === null
        ? arms.map((arm) => ({
            name: arm.name,
            service: serviceAt(arm.service),
            lane: cellLane(arm.cell, ARM_SLOTS, plane.laneNumber),
          }))
        : [{ name: '', service: serviceAt(plan.service), lane: null }];
  }

  /** The limits that a request meets which came by `listener`; null if it meets none. */
  gate(listener: string): AnyGate | null {
    const limits = this.#limits;
    if (limits === null) return null;
    if (listener !== this.#gateOf) {
      this.#gate = limits.gate(listener, this.plan);
      this.#gateOf = listener;
    }
    return this.#gate;
  }

  /** Where `request` goes. Not for a route whose requests the gateway answers. */
  arm(request: RoutedRequest): Arm {
    const split = this.shaping === null ? null : this.shaping.split;
    return this.#arms[split === null ? 0 : split.arm(request)]!;
  }
}
