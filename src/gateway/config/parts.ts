/**
 * The parts of a config that can be understood although others cannot: rules look at these, so that a wrong duration in one
 * service does not hide a wrong reference in a route.
 *
 * A part that breaks the schema is null; its name counts if it has one, so that nobody is told twice.
 */
import type * as z from 'zod';
import type { AlertReceivers } from './alert-schema.ts';
import { type Limit, limitSchema } from './limit-schema.ts';
import { listenerSchema } from './listener-schema.ts';
import type { Listener } from './listener-schema.ts';
import { routeSchema } from './route-schema.ts';
import type { Route } from './route-schema.ts';
import { adminSchema, configSchema } from './schema.ts';
import type { Admin, ConfigValues } from './schema.ts';
import { serviceSchema } from './service-schema.ts';
import type { Service } from './service-schema.ts';

export interface Part<T> {
  readonly name: string | null;
  readonly value: T | null;
}

export interface Parts {
  readonly listeners: readonly Part<Listener>[];
  readonly services: readonly Part<Service>[];
  readonly routes: readonly Part<Route>[];
  readonly limits: readonly Part<Limit>[];
  readonly zone: string | null;
  readonly user: string | null;
  /** Null if that is not understood. */
  readonly workers: ConfigValues['workers'] | null;
  readonly admin: Admin | null;
  readonly accessLog: ConfigValues['accessLog'];
  readonly telemetry: ConfigValues['telemetry'] | null;
  readonly slos: readonly string[];
  readonly alerts: AlertReceivers;
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}

/** Parses `item`; if that fails, once more without the keys that are wrong, so their defaults stand in for them. */
function parseSound<T>(schema: z.ZodType<T>, item: unknown): z.ZodSafeParseResult<T> {
  const parsed = schema.safeParse(item);
  if (parsed.success || typeof item !== 'object' || item === null) return parsed;
  const sound = copyOf(item) as object;
  for (const issue of parsed.error.issues) {
    const keys = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
    for (const path of keys) drop(sound, path);
  }
  return schema.safeParse(sound);
}

/** A copy of plain data; anything else, such as a function, is left as it is for the schema to refuse. */
function copyOf(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > 10) return value;
  if (Array.isArray(value)) return value.map((item) => copyOf(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item, depth + 1)]));
}

/**
 * Takes one key out of a map. An item of a list stays: without it the others would be in the wrong place. For an endpoint whose
 * address is wrong another stands in, of a name that nobody has (RFC 6761 §6.4), so that those beside it are looked at.
 */
function drop(root: object, path: readonly PropertyKey[]): void {
  let value: unknown = root;
  for (const step of path.slice(0, -1)) value = field(value, String(step));
  const key = path.at(-1);
  if (typeof value !== 'object' || value === null || key === undefined) return;
  const [list, index] = path;
  const isAddress = path.length === 2 || (path.length === 3 && key === 'address');
  if (list === 'endpoints' && isAddress) Reflect.set(value, key, `endpoint-${String(index)}.invalid:1`);
  else if (typeof key === 'string') Reflect.deleteProperty(value, key);
}

function partsOf<T>(raw: unknown, key: string, schema: z.ZodType<T>): Part<T>[] {
  const list = field(raw, key);
  if (!Array.isArray(list)) return [];
  return list.slice(0, 10_000).map((item: unknown) => {
    const name = field(item, 'name');
    const parsed = parseSound(schema, item);
    return { name: typeof name === 'string' ? name : null, value: parsed.success ? parsed.data : null };
  });
}

function whole<T>(values: readonly (T & { readonly name?: string | undefined })[]): Part<T>[] {
  return values.map((value) => ({ name: value.name ?? null, value }));
}

/** `values` is the whole config if the schema accepts all of it. */
export function partsFrom(raw: unknown, values: ConfigValues | null): Parts {
  if (values !== null) {
    const { zone = null, user = null, admin = null, accessLog, telemetry, workers } = values;
    const { limits, listeners, services, routes, slos, alerts } = values;
    return {
      listeners: whole(listeners),
      services: whole(services),
      routes: whole(routes),
      limits: whole(limits),
      zone,
      user,
      workers,
      admin,
      accessLog,
      telemetry,
      slos,
      alerts,
    };
  }
  const zone = configSchema.shape.zone.safeParse(field(raw, 'zone'));
  const user = configSchema.shape.user.safeParse(field(raw, 'user'));
  const workers = configSchema.shape.workers.safeParse(field(raw, 'workers'));
  const admin = adminSchema.safeParse(field(raw, 'admin'));
  const accessLog = configSchema.shape.accessLog.safeParse(field(raw, 'accessLog'));
  const telemetry = configSchema.shape.telemetry.safeParse(field(raw, 'telemetry'));
  const alerts = configSchema.shape.alerts.safeParse(field(raw, 'alerts'));
  const slos = configSchema.shape.slos.safeParse(field(raw, 'slos'));
  return {
    listeners: partsOf(raw, 'listeners', listenerSchema),
    services: partsOf(raw, 'services', serviceSchema),
    routes: partsOf(raw, 'routes', routeSchema),
    limits: partsOf(raw, 'limits', limitSchema),
    zone: zone.success ? (zone.data ?? null) : null,
    user: user.success ? (user.data ?? null) : null,
    workers: workers.success ? workers.data : null,
    admin: admin.success ? admin.data : null,
    accessLog: accessLog.success ? accessLog.data : null,
    telemetry: telemetry.success ? telemetry.data : null,
    slos: slos.success ? slos.data : [],
    alerts: alerts.success ? alerts.data : [],
  };
}
