/**
 * From a valid config to what the planes work with: the snapshot for the workers, the health plans for the control thread.
 * Pure, but for the cells it asks the store for and the names it reads out of certificates.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { resolve } from 'node:path';
import type { CheckPlan, HealthPlan } from '../control/health-plan.ts';
import type {
  BreakerPlan,
  EndpointOrigin,
  EndpointPlan,
  ListenerPlan,
  ListenerTlsPlan,
  RetryPlan,
  ServicePlan,
  Snapshot,
  TracesPlan,
  UpstreamTlsPlan,
} from '../snapshot.ts';
import { compileAffinity } from './balance-schema.ts';
import { compileBreaker } from './breaker-schema.ts';
import type { CellStore } from './cell-store.ts';
import { compileRoute } from './compile-route.ts';
import { describeDiscovery } from './discovery-schema.ts';
import type { Endpoint } from './endpoint-schema.ts';
import { compileLimit } from './compile-limit.ts';
import type { Listener } from './listener-schema.ts';
import type { Config } from './load.ts';
import { certificateNames } from './pem.ts';
import { compileHealthPolicy } from './health-schema.ts';
import { type ActiveHealth, probeTimeoutMs, compileProbe } from './check-schema.ts';
import type { Service } from './service-schema.ts';

export interface CompileOptions {
  /** Grows by one with each config. */
  readonly version: number;
  readonly cells: CellStore;
  /** Random, at least 32 bytes, the same until they are rotated; each listener gets keys of its own derived from them. */
  readonly ticketSecret: Uint8Array;
  /** The name in `Via` if the config has none: unique per process, the same in each version. */
  readonly pseudonym: string;
  /** What discovery knows of a service's endpoints. @defaultValue nothing, as for a config that does not run */
  readonly found?: (service: Service) => readonly FoundEndpoint[];
}

/** An endpoint that is not in the config. */
export interface FoundEndpoint extends Endpoint {
  readonly source: EndpointOrigin;
  /** The name it was found by, for its certificate; null is its host. */
  readonly identity: string | null;
}

export function compileSnapshot(config: Config, options: CompileOptions): Snapshot {
  const { version, cells, pseudonym } = options;
  const services = new Map(config.services.map((service, index) => [service.name, index]));
  return {
    version,
    pseudonym: config.pseudonym ?? pseudonym,
    listeners: config.listeners.map((listener) => compileListener(listener, config, options)),
    services: config.services.map((service) => compileService(service, config, options)),
    routes: config.routes.map((route) => compileRoute(route, { services, cells })),
    limits: config.limits.map((limit) => compileLimit(limit, cells, config.storeUrls[limit.name])),
    accessLog: {
      share: config.accessLog?.sample ?? 0,
      target: targetOf(config),
      redactQuery: config.accessLog?.redactQuery ?? [],
    },
    traces: tracesOf(config),
    memoryBytesMax: config.memoryMax,
    drainTimeoutMs: config.drainTimeout,
    loads: cells.loads,
    cell: cells.process,
  };
}

function tracesOf({ telemetry: { traces } }: Config): TracesPlan | null {
  return traces === undefined ? null : { sample: traces.sample, slowMs: traces.slow, perSecond: traces.perSecond };
}

function targetOf({ accessLog, folder }: Config): string {
  return accessLog === null || accessLog.target === 'stdout' ? 'stdout' : resolve(folder, accessLog.target);
}

/** The text of a file that loading the config has read. */
function pem(config: Config, file: string): string {
  const text = config.texts[resolve(config.folder, file)];
  if (text === undefined) throw new TypeError(`not read with the config: ${file}`);
  return text;
}

function pemOrNull(config: Config, file: string | undefined): string | null {
  return file === undefined ? null : pem(config, file);
}

function compileListener(listener: Listener, config: Config, options: CompileOptions): ListenerPlan {
  const { limits, timeouts } = listener;
  return {
    id: listener.name,
    host: listener.address.host,
    port: listener.address.port,
    tls: listener.tls === undefined ? null : compileTls(listener.name, listener.tls, config, options.ticketSecret),
    limits: {
      requestLineBytesMax: limits.requestLine,
      headerBytesMax: limits.header,
      headerFieldsMax: limits.headerFields,
      connectionsMax: limits.connections,
      connectionsPerIpMax: limits.connectionsPerIp,
      requestsPerConnectionMax: limits.requestsPerConnection,
      requestBodyRateMin: limits.requestBodyRate,
    },
    timeouts: {
      headerMs: timeouts.header,
      idleMs: timeouts.idle,
      bodyIdleMs: timeouts.bodyIdle,
      writeIdleMs: timeouts.writeIdle,
      handshakeMs: timeouts.handshake,
      halfCloseMs: timeouts.halfClose,
    },
    requestLimits: limits.requests,
    trustedProxies: listener.trustedProxies,
    strict: listener.strict,
    forwarding: listener.forwarding,
    proxyProtocol: listener.proxyProtocol,
    cell: options.cells.listener(listener.name),
  };
}

function compileTls(
  name: string,
  tls: NonNullable<Listener['tls']>,
  config: Config,
  secret: Uint8Array,
): ListenerTlsPlan {
  const { certificate, key, certificates = [], minVersion, unknownSni, clientCa } = tls;
  const first = certificate === undefined || key === undefined ? [] : [{ certificate, key }];
  return {
    certificates: [...first, ...certificates].map((pair) => {
      const certificatePem = pem(config, pair.certificate);
      return { certificatePem, keyPem: pem(config, pair.key), names: certificateNames(certificatePem) };
    }),
    minVersion,
    // Keys per listener: a session of one never resumes on another, which may ask for client certificates (RFC 8446 §4.6.1).
    ticketKeys: new Uint8Array(hkdfSync('sha256', secret, '', `spillway tickets ${name}`, 48)),
    unknownSni,
    clientCaPem: pemOrNull(config, clientCa),
  };
}

function compileService(service: Service, config: Config, { cells, found }: CompileOptions): ServicePlan {
  const { name, discovery, balance, slowStart, affinity, health, timeouts, limits } = service;
  const secret = config.affinitySecrets[name];
  return {
    name,
    balance,
    slowStart:
      slowStart === undefined
        ? null
        : { windowMs: slowStart.window, floor: slowStart.floor, exponent: slowStart.curve },
    affinity: affinity === undefined ? null : compileAffinity(affinity),
    breaker: breakerOf(service, cells),
    judged: health.passive === null ? null : { row: health.passive.consecutive },
    endpoints: endpointsOf(service, found?.(service) ?? []).map(({ address, ...each }): EndpointPlan => {
      const { text: id, host, port } = address;
      const { weight, zone, priority, backup, drain, source, connectionsMax = null } = each;
      const identity = each.identity ?? host;
      const pin = secret === undefined ? null : pinOf(secret, name, id);
      const drainMs = drain === true ? config.drainTimeout : drain === false ? null : drain;
      const local = config.zone === undefined || zone === undefined || zone === config.zone;
      const shared = {
        traffic: cells.traffic(name, id),
        loadSlot: cells.loadSlot(name, id),
        cell: cells.endpoint(name, id),
      };
      const place = { zone: zone ?? null, priority, local, backup };
      return { id, host, port, identity, source, weight, ...place, connectionsMax, drainMs, pin, ...shared };
    }),
    discovery: discovery === undefined ? null : describeDiscovery(discovery),
    tls: compileUpstreamTls(service, config),
    allowLinkLocal: service.allowLinkLocal,
    timeouts: {
      connectMs: timeouts.connect,
      responseHeaderMs: timeouts.responseHeader,
      perTryMs: timeouts.perTry,
      totalMs: timeouts.total,
      bodyIdleMs: timeouts.bodyIdle,
      idleMs: timeouts.idle,
      queueMs: timeouts.queue,
    },
    limits: {
      connectionsMax: limits.connections,
      idleConnectionsMax: Math.min(limits.idleConnections, limits.connections),
      queueMax: limits.queue,
      responseHeaderBytesMax: limits.responseHeader,
      responseHeaderFieldsMax: limits.responseHeaderFields,
      requestsPerConnectionMax: limits.requestsPerConnection,
    },
    deadlineField: timeouts.header ?? null,
    retries: compileRetries(service),
    retryAfterS: Math.ceil(service.retryAfter / 1000),
  };
}

function breakerOf({ breaker, name, timeouts }: Service, cells: CellStore): BreakerPlan | null {
  if (breaker === undefined) return null;
  const trialMs = timeouts.queue + timeouts.connect + timeouts.responseHeader;
  return { policy: compileBreaker(breaker, trialMs), cell: cells.breaker(name) };
}

/** Those of the config first; one that is found as well is what the config says of it. */
function endpointsOf(service: Service, found: readonly FoundEndpoint[]): readonly FoundEndpoint[] {
  const own = service.endpoints.map((each): FoundEndpoint => ({ ...each, source: 'config', identity: null }));
  const known = new Set(own.map(({ address }) => address.text));
  return [...own, ...found.filter(({ address }) => !known.has(address.text))];
}

/** 120 bits of a MAC of the endpoint's name: what an affinity cookie holds. */
function pinOf(secret: string, service: string, endpoint: string): string {
  const mac = createHmac('sha256', secret).update(`spillway pin ${service} ${endpoint}`).digest();
  return mac.subarray(0, 15).toString('base64url');
}

function compileRetries({ retries }: Service): RetryPlan {
  const { attempts, statuses, backoff, budget, hedge } = retries;
  return {
    attemptsMax: attempts,
    statuses,
    backoffBaseMs: backoff.base,
    backoffMaxMs: backoff.max,
    budgetShare: budget.share,
    budgetMin: budget.min,
    hedgeAfterMs: hedge?.after ?? 0,
  };
}

function compileUpstreamTls({ tls }: Service, config: Config): UpstreamTlsPlan | null {
  if (tls === undefined) return null;
  return {
    caPem: pemOrNull(config, tls.ca),
    serverName: tls.serverName ?? null,
    verify: tls.verify,
    certificatePem: pemOrNull(config, tls.certificate),
    keyPem: pemOrNull(config, tls.key),
    closeNotify: tls.closeNotify,
  };
}

/** What the control thread checks. `snapshot` is compiled from the same config: its endpoints have the cells. */
export function compileHealthPlans(config: Config, snapshot: Snapshot): readonly HealthPlan[] {
  return config.services.flatMap(({ health }, index) => {
    const plan = snapshot.services[index];
    if (plan === undefined) return [];
    const policy = compileHealthPolicy(health);
    return plan.endpoints.map((endpoint): HealthPlan => {
      const { id, weight, backup, cell, traffic } = endpoint;
      const check = health.active === undefined ? null : compileCheck(health.active, endpoint, plan);
      return { service: plan.name, endpoint: id, weight, backup, cell, traffic, policy, check };
    });
  });
}

function compileCheck(active: ActiveHealth, endpoint: EndpointPlan, service: ServicePlan): CheckPlan {
  return {
    host: endpoint.host,
    identity: endpoint.identity,
    port: active.port ?? endpoint.port,
    probe: compileProbe(active),
    tls: service.tls,
    allowLinkLocal: service.allowLinkLocal,
    intervalMs: active.interval,
    jitterRatio: active.jitter,
    timeoutMs: probeTimeoutMs(active),
    unhealthyAfter: active.unhealthyAfter,
    healthyAfter: active.healthyAfter,
  };
}
