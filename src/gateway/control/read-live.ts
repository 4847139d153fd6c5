/** The state of a gateway as the live feed tells it: tables of columns. Pure. */
import {
  type ArmRow,
  type EndpointRow,
  type LimitRow,
  type LiveGateway,
  type LiveState,
  type LiveTables,
  type RefusedRow,
  type RouteRow,
  tableOf,
} from '../admin/live-model.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { EndpointState, GatewayState, LimitState, RouteState, StatusCounts } from './gateway-state.ts';
import { problemsOf } from './problems.ts';

/** What is told beside the state. */
export interface LiveFacts extends Pick<LiveGateway, 'lastChange' | 'latenciesOf'> {
  readonly atMs: number;
  readonly slos: readonly SloStatus[];
}

export function liveState(state: GatewayState, { atMs, slos, lastChange, latenciesOf }: LiveFacts): LiveState {
  const { version, phase, pid, startedAt, file, admin, configVersion, pendingRestart, canary, reloads } = state;
  return {
    atMs,
    gateway: {
      ...{ version, phase, pid, startedAt, file, admin, configVersion, pendingRestart, canary },
      ...{ reloadRefused: reloads.lastReason, lastChange, latenciesOf },
    },
    problems: problemsOf(state, slos),
    tables: tablesOf(state),
  };
}

function tablesOf(state: GatewayState): LiveTables {
  const { limits, listeners, routes, services, stores, workers } = state;
  return {
    listeners: tableOf(
      columns.listeners,
      listeners.map((listener) => ({ ...listener, ...answersOf(listener.responses) })),
    ),
    routes: tableOf(columns.routes, routes.map(routeRow)),
    arms: tableOf(columns.arms, routes.flatMap(armRows)),
    services: tableOf(
      columns.services,
      services.map(({ breaker, discovery, endpoints, ...service }) => ({
        ...service,
        ...{ breaker: breaker?.phase ?? null, breakerReason: breaker?.reason ?? null },
        ...{ endpoints: endpoints.length, source: discovery?.source ?? '', sourceProblem: discovery?.problem ?? null },
      })),
    ),
    endpoints: tableOf(
      columns.endpoints,
      services.flatMap(({ name, endpoints }) => endpoints.map((endpoint) => endpointRow(name, endpoint))),
    ),
    limits: tableOf(columns.limits, limits.map(limitRow)),
    refused: tableOf(columns.refused, limits.flatMap(refusedRows)),
    stores: tableOf(columns.stores, stores),
    workers: tableOf(columns.workers, workers),
    refusals: tableOf(
      columns.refusals,
      Object.entries(state.refusals).map(([reason, count]) => ({ reason, count })),
    ),
    versions: tableOf(
      columns.versions,
      state.history.map(({ changes, ...version }) => ({ ...version, changes: changes.length })),
    ),
  };
}

/** The order of the columns; what a row has beside them is not told. */
const answers = ['s1xx', 's2xx', 's3xx', 's4xx', 's5xx'] as const;
const latencies = ['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms'] as const;
const columns = {
  listeners: [
    ...(['name', 'address', 'tls', 'connections', 'tunnels', 'accepted', 'refused', 'requests'] as const),
    ...answers,
    ...latencies,
  ],
  routes: [
    ...(['name', 'matches', 'listeners', 'service', 'inFlight', 'requests', ...answers] as const),
    ...(['broken', 'aborted', 'retries'] as const),
    ...latencies,
  ],
  arms: ['route', 'service', 'weight', 'requests', 'errors'],
  services: [
    'name',
    'balance',
    'failOpen',
    'breaker',
    'breakerReason',
    'endpoints',
    'source',
    'sourceProblem',
    ...latencies,
  ],
  endpoints: [
    ...(['service', 'address', 'source', 'weight', 'health', 'reason', 'cause', 'since', 'zone', 'backup'] as const),
    ...(['check', 'checkReason', 'checkAt', 'checkMs', 'outMs', 'outSince'] as const),
    ...(['drain', 'drainedBy', 'drainUntil', 'ejections', 'inFlight', 'tunnels', 'connections', 'idle'] as const),
    ...(['queued', 'requests', ...answers, 'connects', 'connectFailures', 'reuses', 'timeouts', 'resets'] as const),
    ...(['retries', 'bytesSent', 'bytesReceived', 'meanMs'] as const),
    ...latencies,
  ],
  limits: [
    ...(['name', 'algorithm', 'key', 'shadow', 'store', 'outage', 'usedBy', 'allowed', 'refused'] as const),
    ...(['shadowed', 'byStore', 'byCache', 'byFallback', 'byOpen', 'byClosed'] as const),
  ],
  refused: ['limit', 'key', 'count'],
  stores: ['name', 'downFor', 'calls', 'failures', 'meanMs'],
  workers: ['lane', 'phase', 'restarts', 'lastLoss', 'loopLagMs', 'heapBytes'],
  refusals: ['reason', 'count'],
  versions: ['version', 'fingerprint', 'appliedAt', 'cause', 'restored', 'changes'],
} as const;

function answersOf(counts: StatusCounts) {
  return {
    ...{ s1xx: counts['1xx'], s2xx: counts['2xx'], s3xx: counts['3xx'] },
    ...{ s4xx: counts['4xx'], s5xx: counts['5xx'] },
  };
}

function routeRow({ listeners, responses, ...route }: RouteState): RouteRow {
  return { ...route, ...answersOf(responses), listeners: listeners?.join(' ') ?? '' };
}

function armRows({ name, target }: RouteState): ArmRow[] {
  return target.kind === 'answer' ? [] : target.arms.map((arm) => ({ ...arm, route: name }));
}

function endpointRow(service: string, { check, drain, responses, changes, ...endpoint }: EndpointState): EndpointRow {
  return {
    ...endpoint,
    ...answersOf(responses),
    service,
    idle: endpoint.idleConnections,
    ...{ check: check?.result ?? null, checkReason: check?.reason ?? '' },
    ...{ checkAt: check?.at ?? null, checkMs: check?.tookMs ?? null },
    drain: drain?.phase ?? null,
    drainedBy: drain?.by ?? null,
    drainUntil: drain?.until ?? null,
    ejections: changes.reduce((sum, { to, count }) => sum + (to === 'ejected' ? count : 0), 0),
  };
}

function limitRow({ store, listeners, routes, ...limit }: LimitState): LimitRow {
  const by = store?.decisions;
  return {
    ...limit,
    ...{ store: store?.name ?? '', outage: store?.outage ?? '', usedBy: [...listeners, ...routes].join(', ') },
    ...{ byStore: by?.store ?? 0, byCache: by?.cache ?? 0, byFallback: by?.fallback ?? 0 },
    ...{ byOpen: by?.open ?? 0, byClosed: by?.closed ?? 0 },
  };
}

function refusedRows({ name, topRefused }: LimitState): RefusedRow[] {
  const counts = new Map<string, number>();
  // Each worker has its own list: the same key may be in several.
  for (const { key, refused } of topRefused) counts.set(key, (counts.get(key) ?? 0) + refused);
  return [...counts].map(([key, count]) => ({ limit: name, key, count }));
}
