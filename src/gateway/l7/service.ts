/** Services and routes as a worker runs them: the plan of the snapshot with its endpoints and counters. */
import { cellLane, type Lane } from '../../kernel/cells.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import { ROUTE_SLOTS } from '../slots.ts';
import type { EndpointPlan, RoutePlan, ServicePlan } from '../snapshot.ts';
import type { Connected } from './connector.ts';
import type { Endpoint, Opening } from './endpoint.ts';
import type { ResponseLimits } from './head.ts';
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
  /** Reads what the service picks by out of a request. */
  read(request: RoutedRequest, into: Wanted): void;
  /** The next endpoint for a request, or null if there is none. */
  pick(wanted: Wanted): Endpoint | null;
  /** The line, if any, that the answer of `endpoint` gets so that the client stays there. `overTls`: how the client came. */
  pinField(endpoint: Endpoint, overTls: boolean): Uint8Array;
  /**
   * Opens a connection to an endpoint of it; `done` is called later than that, once, unless it is cancelled. Before it,
   * `onHandshake` is called where TLS is spoken.
   */
  connect(endpoint: EndpointPlan, onHandshake: () => void, done: Connected): Opening;
}

export class Route {
  readonly plan: RoutePlan;
  readonly service: Service;
  readonly lane: Lane;

  constructor(plane: Plane, plan: RoutePlan, service: Service) {
    this.plan = plan;
    this.service = service;
    this.lane = cellLane(plan.cell, ROUTE_SLOTS, plane.laneNumber);
  }
}
