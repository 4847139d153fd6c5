/**
 * A config on trial, as a worker runs it: routes and services of its own beside those in force, for a share of the connections.
 *
 * A connection draws a lot when it begins; while a trial runs, those below the share are routed by the config on trial. Pools are
 * its own, so that nothing of it is left when it ends; endpoints, their health and their counters are shared with the config in
 * force, as far as they are the same.
 */
import { cellLane, type Lane } from '../../kernel/cells.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import { createRouter, type RouteTable } from '../routing/router.ts';
import { bucketOf } from '../durations.ts';
import { countStatus, ROUTE_SLOTS, routeSlots } from '../slots.ts';
import type { CanaryPlan, Snapshot } from '../snapshot.ts';
import type { Plane } from './plane.ts';
import { RunningService } from './running-service.ts';
import { Route } from './service.ts';

export class CanaryRun {
  readonly snapshot: Snapshot;
  readonly share: number;
  readonly #routes: readonly Route[];
  readonly #mine: ReadonlySet<Route>;
  readonly #services: readonly RunningService[];
  readonly #tables: ReadonlyMap<string, RouteTable>;
  readonly #canary: Lane;
  readonly #others: Lane;

  /** Throws what a service that cannot be run throws. */
  constructor(plane: Plane, { snapshot, share, canary, others }: CanaryPlan) {
    this.snapshot = snapshot;
    this.share = share;
    this.#services = snapshot.services.map((plan) => new RunningService(plane, plan));
    const limits = plane.limitsOf(snapshot);
    this.#routes = snapshot.routes.map((plan) => new Route(plane, plan, this.#services, limits));
    this.#mine = new Set(this.#routes);
    const router = createRouter(snapshot.routes);
    this.#tables = new Map(snapshot.listeners.map(({ id }) => [id, router.table(id)]));
    this.#canary = cellLane(canary, ROUTE_SLOTS, plane.laneNumber);
    this.#others = cellLane(others, ROUTE_SLOTS, plane.laneNumber);
    for (const [index, plan] of snapshot.services.entries()) this.#services[index]!.apply(plan);
  }

  /** The route of a request on `listener`. A listener that the config has no more has no routes. */
  match(listener: string, request: RoutedRequest): Route | undefined {
    return this.#routes[this.#tables.get(listener)?.match(request) ?? -1];
  }

  /** A request has come for `route`, of this config or the one in force. Returns where it counts when it is over. */
  begun(route: Route): Lane {
    return this.#begun(this.#mine.has(route));
  }

  /** One that `route` answers by itself. */
  answered(route: Route, status: number): void {
    countAnswer(this.begun(route), status, false, 0);
  }

  /** One that no route takes; `mine`: none of this config. */
  unrouted(mine: boolean): void {
    this.#begun(mine)[routeSlots.broken]! += 1;
  }

  #begun(mine: boolean): Lane {
    const lane = mine ? this.#canary : this.#others;
    lane[routeSlots.requests]! += 1;
    return lane;
  }

  /** What was sent its way is finished; nothing is kept. */
  retire(): void {
    for (const service of this.#services) service.retire();
  }
}

/** An exchange is over that its client has not given up. */
export function countAnswer(lane: Lane, status: number, broken: boolean, totalMs: number): void {
  if (broken) lane[routeSlots.broken]! += 1;
  else if (status > 0) countStatus(lane, routeSlots.responses1xx, status);
  lane[routeSlots.buckets + bucketOf(totalMs)]! += 1;
}
