/**
 * Reads the live numbers of a snapshot's cells into a `GatewayState`. Only reads: no lock, no message to a worker.
 * O((endpoints + routes) × buckets) times lanes: for people and scrapes, not for a request.
 */
import { cellLanes } from '../../kernel/cells.ts';
import {
  ARM_SLOTS,
  armSlots,
  BREAKER_SLOTS,
  breakerSlots,
  ENDPOINT_SLOTS,
  endpointSlots,
  LISTENER_SLOTS,
  listenerSlots,
  PROCESS_SLOTS,
  processSlots,
  refusals,
  ROUTE_SLOTS,
  routeSlots,
} from '../slots.ts';
import { describeMatch } from '../routing/route-reasons.ts';
import { joinAddress } from '../config/address.ts';
import {
  type EndpointPlan,
  type ListenerPlan,
  type RoutePlan,
  type ServicePlan,
  serviceNameOf,
  type Snapshot,
} from '../snapshot.ts';
import type {
  BreakerState,
  CheckState,
  DiscoveryState,
  EndpointOfService,
  EndpointState,
  ListenerState,
  RouteArm,
  RouteState,
  RouteTarget,
  ServiceState,
  StatusCounts,
  WorkerState,
} from './gateway-state.ts';
import type { Breakers } from './breakers.ts';
import type { Drains } from './drains.ts';
import { reader } from './read-cell.ts';
import { type DurationReader, percentiles } from './read-durations.ts';
import type { HealthChecks, KnownHealth, LastCheck } from './health-checks.ts';

export function readListeners(
  snapshot: Snapshot,
  ports: Readonly<Record<string, number>>,
  durations: DurationReader,
): ListenerState[] {
  return snapshot.listeners.map((listener) => {
    const count = reader(listener.cell, LISTENER_SLOTS);
    return {
      name: listener.id,
      address: boundAddress(listener, ports),
      tls: listener.tls !== null,
      connections: count(listenerSlots.connections),
      tunnels: count(listenerSlots.tunnels),
      accepted: count(listenerSlots.accepted),
      refused: count(listenerSlots.refused),
      requests: count(listenerSlots.requests),
      responses: readStatuses(count, listenerSlots.responses1xx),
      ...percentiles(durations([listener.cell], LISTENER_SLOTS, listenerSlots)),
    };
  });
}

/** Who knows what of endpoints. */
export interface EndpointKnowledge {
  readonly health: Pick<HealthChecks, 'known' | 'isFailOpen'>;
  readonly drains: Pick<Drains, 'state'>;
  readonly breakers: Pick<Breakers, 'known'>;
  readonly durations: DurationReader;
}

/** `discovery`: of each service, in the order of the snapshot. */
export function readServices(
  snapshot: Snapshot,
  knowledge: EndpointKnowledge,
  discovery: readonly (DiscoveryState | null)[],
): ServiceState[] {
  return snapshot.services.map((service, index) => ({
    name: service.name,
    balance: service.balance.algorithm,
    failOpen: knowledge.health.isFailOpen(service.name),
    breaker: readBreaker(service, knowledge.breakers),
    discovery: discovery[index] ?? null,
    ...percentiles(
      knowledge.durations(
        service.endpoints.map(({ cell }) => cell),
        ENDPOINT_SLOTS,
        endpointSlots,
      ),
    ),
    endpoints: service.endpoints.map((endpoint) => endpointState(service, endpoint, knowledge)),
  }));
}

/** Null without one. */
export function readBreaker({ breaker, name }: ServicePlan, breakers: Pick<Breakers, 'known'>): BreakerState | null {
  const known = breakers.known(name);
  if (breaker === null || known === null) return null;
  const { phase, reason, sinceMs, untilMs, openings, transitions } = known;
  const count = reader(breaker.cell, BREAKER_SLOTS);
  const { good, slow, failed, failedSlowly, ignored, refused } = breakerSlots;
  return {
    ...{ phase, reason, openings, since: new Date(sinceMs).toISOString() },
    until: untilMs === null ? null : new Date(untilMs).toISOString(),
    attempts: {
      ...{ good: count(good), slow: count(slow), failed: count(failed) + count(failedSlowly) },
      ...{ ignored: count(ignored), refused: count(refused) },
    },
    transitions: [...transitions].map(([to, times]) => ({ to, count: times })),
  };
}

/** Of all services that have the address, once each. */
export function readEndpoints(
  snapshots: readonly Snapshot[],
  address: string,
  knowledge: EndpointKnowledge,
): EndpointOfService[] {
  const found = new Map<string, EndpointOfService>();
  for (const service of snapshots.flatMap(({ services }) => services)) {
    const endpoint = service.endpoints.find(({ id }) => id === address);
    if (endpoint === undefined || found.has(service.name)) continue;
    found.set(service.name, { service: service.name, ...endpointState(service, endpoint, knowledge) });
  }
  return [...found.values()];
}

function endpointState(
  { name }: ServicePlan,
  endpoint: EndpointPlan,
  { health, drains, durations }: EndpointKnowledge,
): EndpointState {
  return {
    ...readEndpoint(endpoint, health.known(name, endpoint.id), durations),
    drain: drains.state(name, endpoint.id),
  };
}

function readEndpoint(
  endpoint: EndpointPlan,
  { check, health, reason, cause, sinceMs, changes, outMs, outSinceMs }: KnownHealth,
  durations: DurationReader,
): Omit<EndpointState, 'drain'> {
  const count = reader(endpoint.cell, ENDPOINT_SLOTS);
  const answers = durations([endpoint.cell], ENDPOINT_SLOTS, endpointSlots);
  return {
    address: endpoint.id,
    source: endpoint.source,
    weight: endpoint.weight,
    zone: endpoint.zone,
    backup: endpoint.backup,
    health,
    reason,
    cause,
    changes,
    since: sinceMs === null ? null : new Date(sinceMs).toISOString(),
    check: check === null ? null : checkState(check),
    outMs,
    outSince: outSinceMs === null ? null : new Date(outSinceMs).toISOString(),
    inFlight: count(endpointSlots.inFlight),
    tunnels: count(endpointSlots.tunnels),
    connections: count(endpointSlots.connections),
    idleConnections: count(endpointSlots.idle),
    queued: count(endpointSlots.queued),
    requests: count(endpointSlots.requests),
    responses: readStatuses(count, endpointSlots.responses1xx),
    connects: count(endpointSlots.connects),
    connectFailures: count(endpointSlots.connectFailures),
    reuses: count(endpointSlots.reuses),
    timeouts: count(endpointSlots.timeouts),
    resets: count(endpointSlots.resets),
    retries: count(endpointSlots.retries),
    bytesSent: count(endpointSlots.bytesSent),
    bytesReceived: count(endpointSlots.bytesReceived),
    meanMs: answers.count === 0 ? null : answers.mean,
    ...percentiles(answers),
  };
}

function checkState({ atMs, reason, result, tookMs }: LastCheck): CheckState {
  return { result, reason, at: new Date(atMs).toISOString(), tookMs };
}

export function readRoutes(snapshot: Snapshot, durations: DurationReader): RouteState[] {
  return snapshot.routes.map((route) => {
    const count = reader(route.cell, ROUTE_SLOTS);
    return {
      name: route.name,
      matches: describeMatch(route.match),
      ...route.match,
      service: serviceNameOf(snapshot, route),
      target: targetOf(snapshot, route),
      inFlight: count(routeSlots.inFlight),
      requests: count(routeSlots.requests),
      responses: readStatuses(count, routeSlots.responses1xx),
      broken: count(routeSlots.broken),
      aborted: count(routeSlots.aborted),
      retries: count(routeSlots.retries),
      ...percentiles(durations([route.cell], ROUTE_SLOTS, routeSlots)),
    };
  });
}

function targetOf(snapshot: Snapshot, route: RoutePlan): RouteTarget {
  const { answer = null, split = null } = route.shaping ?? {};
  if (answer !== null) {
    return { kind: 'answer', status: answer.status, to: answer.kind === 'redirect' ? answer.to : null };
  }
  const arms = split?.arms.map(({ cell, service, weight }) => ({
    ...{ service: snapshot.services[service]?.name ?? '', weight },
    ...readArm(reader(cell, ARM_SLOTS), armSlots),
  }));
  const only = () => ({
    service: serviceNameOf(snapshot, route),
    weight: 1,
    ...readArm(reader(route.cell, ROUTE_SLOTS), routeSlots),
  });
  return { kind: 'services', arms: arms ?? [only()] };
}

function readArm(
  count: (slot: number) => number,
  slots: Readonly<Record<'requests' | 'responses5xx' | 'broken', number>>,
): Pick<RouteArm, 'requests' | 'errors'> {
  return { requests: count(slots.requests), errors: count(slots.responses5xx) + count(slots.broken) };
}

export function readRefusals(snapshot: Snapshot): Record<string, number> {
  const count = reader(snapshot.cell, PROCESS_SLOTS);
  const counts = refusals.map(({ word }, number) => [word, count(processSlots.refusals + number)] as const);
  return Object.fromEntries(counts.filter(([, value]) => value > 0));
}

/** Adds to what control knows of its workers what each says of itself. */
export function readWorkers(
  snapshot: Snapshot,
  workers: readonly Omit<WorkerState, 'loopLagMs' | 'heapBytes'>[],
): WorkerState[] {
  const lanes = cellLanes(snapshot.cell, PROCESS_SLOTS);
  return workers.map((worker) => ({
    ...worker,
    loopLagMs: lanes[worker.lane]?.[processSlots.loopLagMs] ?? 0,
    heapBytes: lanes[worker.lane]?.[processSlots.heapBytes] ?? 0,
  }));
}

/** `host:port` as bound; with the port asked for while nothing is. */
export function boundAddress(
  listener: Pick<ListenerPlan, 'id' | 'host' | 'port'>,
  ports: Readonly<Record<string, number>>,
): string {
  return joinAddress(listener.host, ports[listener.id] ?? listener.port);
}

/** `first` is the slot of 1xx; the other classes follow it. */
export function readStatuses(count: (slot: number) => number, first: number): StatusCounts {
  return {
    '1xx': count(first),
    '2xx': count(first + 1),
    '3xx': count(first + 2),
    '4xx': count(first + 3),
    '5xx': count(first + 4),
  };
}
