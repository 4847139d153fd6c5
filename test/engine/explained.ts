/** Plans by hand for tests of `explain`: what a config may not say, or says only by chance, is said here. */
import { createLoadTable } from '../../src/balance/index.ts';
import { createTrafficCell } from '../../src/health/index.ts';
import type { KnownReader } from '../../src/gateway/l7/explain.ts';
import { anyRequest } from './plans.ts';
import { cellHeader, createCell } from '../../src/kernel/cells.ts';
import { ENDPOINT_SLOTS, HEALTH, HEALTH_DOWN, HEALTH_UP } from '../../src/gateway/slots.ts';
import type { EndpointPlan, ListenerPlan, RoutePlan, ServicePlan, Snapshot } from '../../src/gateway/snapshot.ts';

const cell = new SharedArrayBuffer(64);

export function listener(id: string, port: number, tls = false): ListenerPlan {
  const limits = { requestLineBytesMax: 8192, headerBytesMax: 32_768, headerFieldsMax: 100 };
  return {
    id,
    host: '127.0.0.1',
    port,
    tls: tls
      ? {
          certificates: [],
          minVersion: 'TLSv1.2',
          ticketKeys: new Uint8Array(48),
          unknownSni: 'default',
          clientCaPem: null,
        }
      : null,
    limits: {
      ...limits,
      connectionsMax: 100,
      connectionsPerIpMax: 100,
      requestsPerConnectionMax: 100,
      requestBodyRateMin: 0,
    },
    timeouts: { headerMs: 1, idleMs: 1, bodyIdleMs: 1, writeIdleMs: 1, handshakeMs: 1, halfCloseMs: 1 },
    trustedProxies: [],
    requestLimits: [],
    forwarding: { xForwarded: true, forwarded: true, requestId: true, traceparent: true },
    proxyProtocol: 'off',
    strict: { underscoresInNames: 'reject', escapedSlashes: 'reject', mergeSlashes: false },
    cell,
  };
}

export function endpoint(id: string, weight = 1, health = 0): EndpointPlan {
  const own = createCell(2, ENDPOINT_SLOTS);
  Atomics.store(cellHeader(own), HEALTH, health);
  return {
    id,
    host: '127.0.0.1',
    port: Number(id.split(':')[1]),
    identity: '127.0.0.1',
    source: 'config',
    weight,
    priority: 0,
    ...{ local: true, zone: null },
    backup: false,
    connectionsMax: 3,
    drainMs: null,
    pin: null,
    traffic: createTrafficCell(1),
    loadSlot: 0,
    cell: own,
  };
}

export function knownBy(endpoint: KnownReader['endpoint']): KnownReader {
  return { endpoint, breaker: () => '60 % of 20 calls failed' };
}

export function service(name: string, ...endpoints: EndpointPlan[]): ServicePlan {
  return {
    name,
    balance: { algorithm: 'round-robin', key: null, loadFactor: 1 },
    slowStart: null,
    affinity: null,
    judged: null,
    breaker: null,
    endpoints,
    discovery: null,
    tls: null,
    allowLinkLocal: false,
    timeouts: {
      connectMs: 1,
      responseHeaderMs: 1,
      perTryMs: 0,
      totalMs: 0,
      bodyIdleMs: 1,
      idleMs: 1,
      queueMs: 1,
    },
    limits: {
      connectionsMax: 1,
      idleConnectionsMax: 1,
      queueMax: 1,
      responseHeaderBytesMax: 1,
      responseHeaderFieldsMax: 1,
      requestsPerConnectionMax: 1,
    },
    deadlineField: null,
    retries: {
      attemptsMax: 1,
      statuses: [],
      backoffBaseMs: 0,
      backoffMaxMs: 0,
      budgetShare: 0,
      budgetMin: 0,
      hedgeAfterMs: 0,
    },
    retryAfterS: 3,
  };
}

export function route(name: string, match: Partial<RoutePlan['match']>, target = 0): RoutePlan {
  return {
    name,
    match: { ...anyRequest, ...match },
    service: target,
    requestBodyBytesMax: 1000,
    requestLimits: [],
    upgrade: ['websocket'],
    shaping: null,
    tunnelIdleMs: 1,
    cell,
  };
}

export function snapshot(routes: RoutePlan[], services: ServicePlan[], listeners = [listener('web', 8080)]): Snapshot {
  return {
    version: 1,
    pseudonym: 'test',
    listeners,
    services,
    routes,
    limits: [],
    accessLog: { share: 0, target: 'stdout', redactQuery: [] },
    traces: null,
    loads: createLoadTable(1, 1),
    memoryBytesMax: 1,
    drainTimeoutMs: 1,
    cell,
  };
}

export const shop = service(
  'shop',
  endpoint('127.0.0.1:9001', 1, HEALTH_UP),
  endpoint('127.0.0.1:9002', 0),
  endpoint('127.0.0.1:9003', 1, HEALTH_DOWN),
);
export const routes = [
  route('all', {}),
  route('api', { host: 'shop.example', path: '/api/*' }),
  route('wild', { host: '*.example', path: '/api/x' }),
  route('admin', { path: '/api/*', listeners: ['admin'] }),
];
export const plan = snapshot(routes, [shop], [listener('web', 8080), listener('admin', 9000)]);
