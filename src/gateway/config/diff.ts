/**
 * What a reload changes, in lines for people: `service shop: endpoint 127.0.0.1:9003 added`. Pure. Two configs that do the
 * same have none; of secrets and certificates only that they changed.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatDuration, formatSize } from '../../kernel/units.ts';
import { sloId } from '../../observe/slo/objective.ts';
import { type EndpointPlan, type RoutePlan, serviceNameOf, type ServicePlan, type Snapshot } from '../snapshot.ts';
import { joinAddress } from './address.ts';
import { isCredential } from './config-text.ts';
import type { Config } from './load.ts';
import { type ActiveHealth, probeTimeoutMs } from './check-schema.ts';
import type { Service } from './service-schema.ts';

/** A config with what was made of it for the data plane. */
export interface Compiled {
  readonly config: Config;
  readonly snapshot: Snapshot;
}

/** In the order of the file, the data plane first. */
export function diffConfigs(before: Compiled, after: Compiled): readonly string[] {
  return [
    ...diffSnapshots(before.snapshot, after.snapshot),
    ...diffAffinity(before.config, after.config),
    ...diffDiscovery(before.config, after.config),
    ...diffHealth(before.config, after.config),
    ...diffAdmin(before.config, after.config),
    ...(isDeepStrictEqual(before.config.otlpHeaders, after.config.otlpHeaders) ? [] : ['telemetry: headers changed']),
    ...(isDeepStrictEqual(before.config.alertReceivers, after.config.alertReceivers)
      ? []
      : ['alerts: receivers changed']),
    ...diffNamed('objective', before.config.objectives, after.config.objectives, sloId),
    ...diffFields('gateway', ownValues(before.config), ownValues(after.config)),
  ];
}

/** What the control thread goes by itself. */
function ownValues({ workers, user, data, ledger, telemetry: { otlp } }: Config): object {
  const { endpoint: collector, traces, metrics } = otlp ?? {};
  const others = { tracesCollector: traces?.endpoint, metricsCollector: metrics?.endpoint };
  return { workers, user, data, ledger, collector, ...others, metricsEvery: metrics?.every };
}

function diffSnapshots(before: Snapshot, after: Snapshot): readonly string[] {
  return [
    ...diffNamed('listener', before.listeners, after.listeners, ({ id }) => id),
    ...diffNamed('service', before.services, after.services, ({ name }) => name, ['endpoints', 'discovery']),
    ...diffEndpoints(before, after),
    ...diffRoutes(before, after),
    ...diffNamed('limit', before.limits, after.limits, ({ name }) => name, ['memory', 'floor', 'refusedKeys']),
    ...diffFields('access log', before.accessLog, after.accessLog),
    ...diffFields('gateway', { ...before, ...parts }, { ...after, ...parts }),
  ];
}

// What has lines of its own, or none.
const parts = { version: 0, loads: 0, listeners: 0, services: 0, routes: 0, limits: 0, accessLog: 0 };

function diffNamed<T extends object>(
  what: string,
  before: readonly T[],
  after: readonly T[],
  nameOf: (item: T) => string,
  without: readonly string[] = [],
): string[] {
  const old = new Map(before.map((item) => [nameOf(item), item]));
  const names = new Set(after.map(nameOf));
  const removed = [...old.keys()].filter((name) => !names.has(name)).map((name) => `${what} ${name}: removed`);
  const changed = after.flatMap((item) => {
    const name = nameOf(item);
    const was = old.get(name);
    return was === undefined ? [`${what} ${name}: added`] : diffFields(`${what} ${name}`, was, item, without);
  });
  return [...removed, ...changed];
}

function diffEndpoints(before: Snapshot, after: Snapshot): string[] {
  const old = new Map(before.services.map((service) => [service.name, service]));
  return after.services.flatMap((service) => {
    const was = old.get(service.name);
    return was === undefined ? [] : diffServed(was, service).map((line) => `service ${service.name}: ${line}`);
  });
}

/** What endpoints a service has more, fewer or with other options: `endpoint 127.0.0.1:9003 added`. */
export function diffServed(before: ServicePlan, after: ServicePlan): string[] {
  const shown = (endpoint: EndpointPlan) => `endpoint ${endpoint.id}`;
  // Where it is known from is told with what else changes.
  const lines = diffNamed('', before.endpoints, after.endpoints, shown, ['pin', 'loadSlot', 'identity', 'source']);
  return lines.map((line) => line.trimStart().replace(/: (added|removed)$/, ' $1'));
}

function diffAffinity(before: Config, after: Config): string[] {
  return Object.entries(after.affinitySecrets).flatMap(([service, secret]) => {
    const was = before.affinitySecrets[service];
    return was === undefined || was === secret ? [] : [`service ${service}: affinity secret changed`];
  });
}

function diffDiscovery(before: Config, after: Config): string[] {
  const readable = ({ discovery }: Service): object => {
    if (discovery?.dns === undefined) return { discovery: discovery ?? null };
    const { timeout, refresh, servers, ...dns } = discovery.dns;
    const addresses = servers?.map(({ host, port }) => joinAddress(host, port));
    const times = { timeoutMs: timeout, refresh: { minMs: refresh.min, maxMs: refresh.max } };
    return { discovery: { ...discovery, dns: { ...dns, ...times, servers: addresses } } };
  };
  const old = new Map(before.services.map((service) => [service.name, service]));
  return after.services.flatMap((service) => {
    const was = old.get(service.name);
    return was === undefined ? [] : diffFields(`service ${service.name}`, readable(was), readable(service));
  });
}

function diffHealth(before: Config, after: Config): string[] {
  const old = new Map(before.services.map(({ name, health }) => [name, health.active ?? null]));
  return after.services.flatMap(({ name, health }) => {
    const [was, is] = [old.get(name), health.active ?? null];
    if (was === undefined || (was === null && is === null)) return [];
    if (was === null || is === null) return [`service ${name}: health checks ${is === null ? 'removed' : 'added'}`];
    return diffFields(`service ${name}`, { health: readableCheck(was) }, { health: readableCheck(is) });
  });
}

function readableCheck(active: ActiveHealth): object {
  const { interval, timeout: _, expect = {}, ...rest } = active;
  const status = expect.status?.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`));
  return { ...rest, expect: { ...expect, status }, intervalMs: interval, timeoutMs: probeTimeoutMs(active) };
}

function diffAdmin(before: Config, after: Config): string[] {
  const moved = before.admin?.address.text !== after.admin?.address.text;
  const lines = moved ? [`admin: address ${after.admin?.address.text ?? 'none'}`] : [];
  return isDeepStrictEqual(before.adminGrants, after.adminGrants) ? lines : [...lines, 'admin: tokens changed'];
}

function diffRoutes(before: Snapshot, after: Snapshot): string[] {
  const readable = (snapshot: Snapshot) => snapshot.routes.map((route) => readableRoute(snapshot, route));
  const lines = diffNamed('route', readable(before), readable(after), ({ name }) => name);
  // Order decides only between routes of equal precedence; a move alone is still worth a line.
  const order = (snapshot: Snapshot) => snapshot.routes.map(({ name }) => name).join('\n');
  return lines.length === 0 && order(before) !== order(after) ? ['routes: order changed'] : lines;
}

/** With names of services in place of their indexes, and without what the route does not do. */
function readableRoute(snapshot: Snapshot, route: RoutePlan) {
  const { shaping, ...plan } = route;
  const named = ({ service, ...rest }: { readonly service: number }) => ({
    service: snapshot.services[service]?.name ?? '',
    ...rest,
  });
  const { split = null, mirror = null, ...others } = shaping ?? {};
  const actions = {
    ...others,
    split: split && { by: split.by, arms: Object.fromEntries(split.arms.map((arm) => [arm.name, named(arm)])) },
    mirror: mirror && named(mirror),
  };
  const done = Object.entries(actions).filter(([, action]) => action !== null);
  return { ...plan, service: serviceNameOf(snapshot, route), ...Object.fromEntries(done) };
}

function diffFields(subject: string, before: object, after: object, without: readonly string[] = []): string[] {
  const old = flatten(before, '', without);
  const lines: string[] = [];
  for (const [path, value] of flatten(after, '', without)) {
    const was = old.get(path);
    old.delete(path);
    if (was !== value) lines.push(line(subject, path, was, value));
  }
  // What was none and is a map now has been told by its parts.
  for (const [path, was] of old) if (was !== null) lines.push(line(subject, path, was, undefined));
  return [...new Set(lines)];
}

function line(subject: string, path: string, before: unknown, after: unknown): string {
  // Certificates and keys: that they changed is enough, and what they are is nobody's business.
  const pem = /^(.*?)(certificates|certificatePem|keyPem|caPem|clientCaPem)\b/i.exec(path);
  if (pem !== null) {
    const name = (pem[2] ?? '').replace(/Pem$/, '').replace(/^key$/, 'certificate');
    return `${subject}: ${pem[1]}${name} changed`;
  }
  // The address has the password in it.
  if (path === 'store.url') return `${subject}: store changed`;
  // A field that a route sets or asks for: its name says whether its value is a secret.
  if (path.endsWith(HIDDEN)) return `${subject}: ${path.slice(0, -HIDDEN.length)} changed`;
  if (path === 'health.send') return `${subject}: health.send changed`;
  // What is sent with a check may be a credential.
  if (path.startsWith('health.headers.')) return `${subject}: health.headers changed`;
  return `${subject}: ${nameOf(path)} ${show(path, before)} → ${show(path, after)}`;
}

/** `timeouts.connectMs` is `timeouts.connect` in the config. */
function nameOf(path: string): string {
  return path
    .replace(/^store\.outage\./, 'outage.')
    .replace(/(BytesMax|RateMin|Max|Ms|S)$/, (suffix) => (suffix === 'RateMin' ? 'Rate' : ''));
}

function show(path: string, value: unknown): string {
  if (value === undefined || value === null) return 'none';
  if (typeof value === 'number' && path.endsWith('Ms')) return formatDuration(value);
  if (typeof value === 'number' && /(BytesMax|RateMin)$/.test(path)) return formatSize(value);
  return typeof value === 'string' && value !== '' ? value : JSON.stringify(value);
}

/** Ends the path of a value that is compared, and not shown. */
const HIDDEN = '.(secret)';

/** Leaves by dotted path. Cells and ticket keys are no config; a list of plain values is one leaf. */
function flatten(value: object, prefix: string, without: readonly string[]): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  const isHidden = 'name' in value && 'value' in value && isCredential(String(value.name));
  for (const [key, item] of Object.entries(value)) {
    if (item instanceof SharedArrayBuffer || item instanceof Uint8Array || without.includes(key)) continue;
    const path = prefix === '' ? key : `${prefix}.${key}`;
    const leaf = typeof item !== 'object' || item === null;
    if (leaf) leaves.set(isHidden && key === 'value' ? prefix + HIDDEN : path, item);
    else if (Array.isArray(item) && item.every((each) => typeof each !== 'object')) leaves.set(path, item.join(', '));
    else for (const [at, inner] of flatten(item as object, path, [])) leaves.set(at, inner);
  }
  return leaves;
}
