/** Services and routes as a worker runs them: the plan of the snapshot with its endpoints and counters. */
import type tls from 'node:tls';
import { cellLane, type Lane } from '../../kernel/cells.ts';
import { ROUTE_SLOTS } from '../slots.ts';
import type { EndpointPlan, RoutePlan, ServicePlan } from '../snapshot.ts';
import type { Endpoint } from './endpoint.ts';
import type { ResponseLimits } from './head.ts';
import type { Plane } from './plane.ts';

export interface Service {
  readonly plan: ServicePlan;
  readonly endpoints: readonly Endpoint[];
  readonly responseLimits: ResponseLimits;
  /** The next endpoint for a request, or -1: `tried` has a 1 at each index that is not to be picked again. */
  pick(tried: Uint8Array | null): number;
  /** Begins a TLS connection to an endpoint, for a service whose plan has TLS. */
  connectSecurely(endpoint: EndpointPlan): tls.TLSSocket;
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
