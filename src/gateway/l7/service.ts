/** Services and routes as a worker runs them: the plan of the snapshot with its endpoints and counters. */
import { cellLane, type Lane } from '../../kernel/cells.ts';
import { ROUTE_SLOTS } from '../slots.ts';
import type { EndpointPlan, RoutePlan, ServicePlan } from '../snapshot.ts';
import type { Connected } from './connector.ts';
import type { Endpoint, Opening } from './endpoint.ts';
import type { ResponseLimits } from './head.ts';
import type { Plane } from './plane.ts';

export interface Service {
  readonly plan: ServicePlan;
  readonly responseLimits: ResponseLimits;
  /** The next endpoint for a request that was at `tried` already, or null if there is none. */
  pick(tried: readonly Endpoint[]): Endpoint | null;
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
