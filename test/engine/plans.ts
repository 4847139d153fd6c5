/** A snapshot made by hand, with limits and times that a test changes one by one. */
import { createLoadTable } from '../../src/balance/index.ts';
import { createTrafficCell } from '../../src/health/index.ts';
import { createCell } from '../../src/kernel/cells.ts';
import { ENDPOINT_SLOTS, LISTENER_SLOTS, PROCESS_SLOTS, ROUTE_SLOTS } from '../../src/gateway/slots.ts';
import type { EndpointPlan, ListenerPlan, RoutePlan, ServicePlan, Snapshot } from '../../src/gateway/snapshot.ts';

import type { LimitPlan } from '../../src/gateway/limits/plan.ts';

/** Lane 0 is the control thread's, 1 the data plane's, and others those of workers beside it. */
const LANES = 4;

export interface Changes {
  readonly limits?: Partial<ListenerPlan['limits']>;
  readonly timeouts?: Partial<ListenerPlan['timeouts']>;
  readonly strict?: Partial<ListenerPlan['strict']>;
  readonly listener?: Partial<Pick<ListenerPlan, 'tls' | 'trustedProxies' | 'requestLimits' | 'proxyProtocol'>>;
  readonly serviceLimits?: Partial<ServicePlan['limits']>;
  readonly serviceTimeouts?: Partial<ServicePlan['timeouts']>;
  readonly service?: Partial<Pick<ServicePlan, 'balance' | 'slowStart' | 'affinity' | 'judged'>>;
  /** Of the endpoint at `index`. */
  readonly endpoint?: (
    index: number,
  ) => Partial<Pick<EndpointPlan, 'weight' | 'pin' | 'priority' | 'local' | 'backup' | 'connectionsMax' | 'drainMs'>>;
  readonly attemptsMax?: number;
  readonly retries?: Partial<ServicePlan['retries']>;
  readonly deadlineField?: string;
  readonly route?: Partial<Omit<RoutePlan, 'cell'>>;
  /** Services with these names, each with one of the endpoints. Without it one service has them all. */
  readonly services?: readonly string[];
  readonly memoryBytesMax?: number;
  /** Limits, and those of them that the route names. */
  readonly requestLimits?: readonly LimitPlan[];
  readonly drainTimeoutMs?: number;
  readonly traces?: Snapshot['traces'];
}

function listenerPlan({ limits, timeouts, strict, listener }: Changes): ListenerPlan {
  return {
    id: 'web',
    host: '127.0.0.1',
    port: 0,
    tls: null,
    limits: {
      requestLineBytesMax: 8192,
      headerBytesMax: 32768,
      headerFieldsMax: 100,
      connectionsMax: 10_000,
      connectionsPerIpMax: 10_000,
      requestsPerConnectionMax: 1e9,
      requestBodyRateMin: 0,
      ...limits,
    },
    timeouts: {
      headerMs: 60_000,
      idleMs: 60_000,
      bodyIdleMs: 60_000,
      writeIdleMs: 60_000,
      handshakeMs: 5000,
      halfCloseMs: 60_000,
      ...timeouts,
    },
    requestLimits: [],
    trustedProxies: [],
    forwarding: { xForwarded: true, forwarded: true, requestId: true, traceparent: true },
    proxyProtocol: 'off',
    strict: { underscoresInNames: 'reject', escapedSlashes: 'reject', mergeSlashes: false, ...strict },
    cell: createCell(LANES, LISTENER_SLOTS),
    ...listener,
  };
}

function servicePlan(endpoints: readonly EndpointPlan[], changes: Changes): ServicePlan {
  return {
    name: 'shop',
    balance: { algorithm: 'round-robin', key: null, loadFactor: 1.25 },
    slowStart: null,
    affinity: null,
    judged: null,
    breaker: null,
    ...changes.service,
    endpoints,
    discovery: null,
    tls: null,
    allowLinkLocal: false,
    timeouts: {
      connectMs: 60_000,
      responseHeaderMs: 60_000,
      perTryMs: 0,
      totalMs: 0,
      bodyIdleMs: 60_000,
      idleMs: 60_000,
      queueMs: 60_000,
      ...changes.serviceTimeouts,
    },
    limits: {
      connectionsMax: 1024,
      idleConnectionsMax: 1024,
      queueMax: 1024,
      responseHeaderBytesMax: 65_536,
      responseHeaderFieldsMax: 200,
      requestsPerConnectionMax: 1e9,
      ...changes.serviceLimits,
    },
    deadlineField: changes.deadlineField ?? null,
    retries: {
      attemptsMax: changes.attemptsMax ?? 3,
      statuses: [],
      backoffBaseMs: 0,
      backoffMaxMs: 1000,
      budgetShare: 0.2,
      budgetMin: 1000,
      hedgeAfterMs: 0,
      ...changes.retries,
    },
    retryAfterS: 7,
  };
}

/** Takes every request. */
export const anyRequest: RoutePlan['match'] = {
  host: null,
  path: null,
  pathRegex: null,
  listeners: null,
  methods: null,
  headers: [],
  query: [],
  cookies: [],
  contentTypes: null,
  clients: null,
};

/** One listener, one route for everything, one service with an endpoint for each port. */
export function snapshotOf(ports: readonly number[], changes: Changes = {}): Snapshot {
  const endpoints = ports.map((port, index) => ({
    id: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    identity: '127.0.0.1',
    source: 'config' as const,
    weight: 1,
    priority: 0,
    zone: null,
    local: true,
    backup: false,
    connectionsMax: null,
    drainMs: null,
    pin: null,
    traffic: createTrafficCell(LANES),
    loadSlot: index,
    cell: createCell(LANES, ENDPOINT_SLOTS),
    ...changes.endpoint?.(index),
  }));
  return {
    version: 1,
    pseudonym: 'engine-under-test',
    listeners: [listenerPlan(changes)],
    services: changes.services?.map((name, index) => ({ ...servicePlan([endpoints[index]!], changes), name })) ?? [
      servicePlan(endpoints, changes),
    ],
    routes: [
      {
        name: 'all',
        match: anyRequest,
        service: 0,
        requestBodyBytesMax: 1e12,
        requestLimits: [],
        upgrade: ['websocket'],
        shaping: null,
        tunnelIdleMs: 60_000,
        cell: createCell(LANES, ROUTE_SLOTS),
        ...changes.route,
      },
    ],
    limits: changes.requestLimits ?? [],
    accessLog: { share: 0, target: 'stdout', redactQuery: [] },
    traces: changes.traces ?? null,
    loads: createLoadTable(64, LANES),
    memoryBytesMax: changes.memoryBytesMax ?? 512e6,
    drainTimeoutMs: changes.drainTimeoutMs ?? 5000,
    cell: createCell(LANES, PROCESS_SLOTS),
  };
}
