/**
 * One call instruments a Node service: requests that it answers and makes, calls to PostgreSQL and Redis, each counted, timed and part of a trace;
 * and what belongs to a request finds its way by itself (../context).
 *
 * It listens to what Node and the packages tell on their channels; what tells nothing (`pg`) is wrapped, and `dispose` undoes it all. Invariant:
 * the service does what it did before, and fails as it failed before.
 */
import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest, ServerHttp2Stream } from 'node:http2';
import { createRequire } from 'node:module';
import { hostname } from 'node:os';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { checkDuration, checkKeys, invalid } from '../../kernel/options.ts';
import { createRandom, type Random } from '../../kernel/random.ts';
import type { Duration } from '../../kernel/units.ts';
import type { Logger } from '../log/logger.ts';
import { createLogs, type Logs, type LogsOptions } from '../log/logs.ts';
import { createMetrics, type Exposition, type Metrics } from '../metrics/metrics.ts';
import { createOtlpExporter, type OtlpExporter, type OtlpExporterOptions } from '../otlp/exporter.ts';
import { LogsPush } from '../otlp/logs-push.ts';
import { MetricsPush } from '../otlp/metrics-push.ts';
import { createTraces, type SpanSink, type Traces } from '../trace/traces.ts';
import { DatabaseCalls } from './database-call.ts';
import type { SeenRequest } from './exchange.ts';
import { HttpClients } from './http-clients.ts';
import { HttpClientMetrics, HttpServerMetrics } from './http-metrics.ts';
import { type EndedRequest, HttpServers } from './http-server.ts';
import { type OwnHosts, ownHosts } from './own-hosts.ts';
import { type PgModule, PgQueries } from './postgres.ts';
import { RedisCommands } from './redis.ts';
import { type IoredisClass, SilentIoredis } from './silent-ioredis.ts';

export interface InstrumentOptions {
  /** Who this is: `service.name`. */
  readonly service: string;
  /** Where to count. @defaultValue `createMetrics()` */
  readonly metrics?: Metrics;
  /**
   * Where metrics and kept spans are sent: a collector of OpenTelemetry or a gateway's admin address, such as `'http://127.0.0.1:9900'`; or all
   * options of `createOtlpExporter`. @defaultValue nowhere
   */
  readonly otlp?: string | OtlpExporterOptions;
  /**
   * The service's logs: all options of `createLogs` but its name, `redact` among them. With `otlp` each line is sent too; `recent` keeps the last ones
   * here. @defaultValue to stdout, from `info` on
   */
  readonly logs?: Omit<LogsOptions, 'service' | 'metrics'>;
  /** How often metrics are sent: `'5s'`, or milliseconds, from 1 second. @defaultValue '5s' */
  readonly every?: Duration | number;
  /** Which of the processes of this service it is. @defaultValue host name and process id */
  readonly instance?: string;
  /** Where spans go that are kept, beside `otlp`: a `createTraceStore()`, or anything with `add(spans)`. @defaultValue nowhere */
  readonly spans?: SpanSink;
  /** The share of traces that begin here and are kept whatever happens, from 0 to 1; see `createTraces`. @defaultValue 0.1 */
  readonly sample?: number;
  /** From when on a trace is slow, and kept: `'1s'`, or milliseconds. @defaultValue '1s' */
  readonly slow?: string | number;
  /**
   * The pattern of a request's route, for servers whose framework does not tell it (Express 5 and Fastify 5 do); never its path, of which there are as
   * many as somebody cares to send. @defaultValue not known
   */
  readonly route?: (request: SeenRequest) => string | undefined;
  /** Requests that are not to be seen, such as a health check. @defaultValue none */
  readonly ignore?: (request: SeenRequest) => boolean;
  /**
   * Hosts that are told all: with requests to them go `tracestate`, `baggage` and `x-request-id`, to others `traceparent` alone. Names beside those of
   * private networks, such as `['pay.example', '.corp.example']` (all below it), or `(url) => boolean`, which decides alone.
   * @defaultValue those of private networks: names without a dot or below `.internal`, `.local`, `.localhost`, `.test`, `.home.arpa`, `.svc`; addresses
   * that are loopback, link-local, private or shared
   */
  readonly ownHosts?: OwnHosts;
  /** Whether answers say which trace they belong to: `Server-Timing: traceparent`. Those of HTTP/2 do not. @defaultValue false */
  readonly serverTiming?: boolean;
  /** The module `pg`, if it is not the one that is found from here; `false` leaves it as it is. @defaultValue the one that is found */
  readonly pg?: PgModule | false;
  /** The class `Redis` of an `ioredis` before 5.11, which tells of nothing, if it is not the one that is found from here; `false` leaves it as it is. @defaultValue the one that is found */
  readonly ioredis?: IoredisClass | false;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  /** For ids. @defaultValue seeded by the operating system */
  readonly random?: Random;
}

const known = ['service', 'metrics', 'otlp', 'logs', 'every', 'instance', 'spans', 'sample', 'slow', 'route', 'ignore', 'ownHosts', 'serverTiming', 'pg', 'ioredis', 'clock', 'random']; // prettier-ignore

/** On the process, not in this module: there may be two of it, and they would count everything twice. */
const HELD = Symbol.for('spillway.instrument');

/** Of HTTP/2, a stream may be all there is. */
type RoutedRequest = IncomingMessage | Http2ServerRequest | ServerHttp2Stream;

export interface Telemetry extends AsyncDisposable {
  readonly metrics: Metrics;
  readonly traces: Traces;
  /** What to log with, `telemetry.logs.logger()`: each line has the ids of the request that it was written for. */
  readonly logs: Logs;
  /** All metrics, as Prometheus reads them: `metrics.expose`. */
  expose(): Exposition<string>;
  expose(accept: string | undefined): Exposition;
  /** Ends it: undoes what was wrapped, and sends what is left, for some seconds at most. */
  [Symbol.asyncDispose](): Promise<void>;
  /** Says of a request that is being answered which route it has: the pattern, of which there are few. */
  setRoute(request: RoutedRequest, route: string): void;
}

interface Parts {
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly logs: Logs;
  readonly servers: HttpServers;
  readonly exporter: OtlpExporter | null;
  readonly push: MetricsPush | null;
  readonly unwatch: () => void;
}

class Instrumented implements Telemetry {
  readonly metrics: Metrics;
  readonly traces: Traces;
  readonly logs: Logs;
  readonly #parts: Parts;
  #disposed: Promise<void> | null = null;

  constructor(parts: Parts) {
    this.metrics = parts.metrics;
    this.traces = parts.traces;
    this.logs = parts.logs;
    this.#parts = parts;
  }

  expose(): Exposition<string>;
  expose(accept: string | undefined): Exposition;
  expose(accept?: string): Exposition {
    return this.metrics.expose(accept);
  }

  setRoute(request: RoutedRequest, route: string): void {
    this.#parts.servers.setRoute(request, route);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return (this.#disposed ??= this.#dispose());
  }

  /** What is left is sent, for some seconds at most. */
  async #dispose(): Promise<void> {
    const { unwatch, push, exporter } = this.#parts;
    unwatch();
    this.traces[Symbol.dispose]();
    push?.stop();
    await push?.read();
    await Promise.all([this.logs[Symbol.asyncDispose](), exporter?.close()]);
  }
}

/**
 * Instruments this process, until it is disposed; once at a time.
 *
 * @example
 * await using telemetry = instrument({ service: 'shop' });
 * // … servers, clients, pools, as before …
 * console.log(telemetry.expose().contentType); // text/plain; version=0.0.4; charset=utf-8
 */
export function instrument(options: InstrumentOptions): Telemetry {
  checkKeys('instrument', options, known);
  const { service, clock = systemClock, random = createRandom() } = options;
  if (typeof service !== 'string' || service === '') throw invalid('instrument: service is missing; expected a name.');
  if (Object.hasOwn(globalThis, HELD)) {
    throw new SpillwayError(
      'INSTRUMENTED',
      `This process is instrumented already, as “${String(Reflect.get(globalThis, HELD))}”. Dispose of that first, or hand on what instrument returned.`,
    );
  }
  const { instance = `${hostname()}:${process.pid}` } = options;
  const everyMs = checkDuration('instrument: every', options.every ?? '5s', 1000, 86_400_000);
  const isOwn = ownHosts(options.ownHosts);
  const metrics = options.metrics ?? createMetrics({ clock });
  const exporter = exporterOf(options, instance);
  const traces = createTraces({
    service,
    to: [options.spans, exporter].filter((sink) => sink !== undefined && sink !== null),
    ...(options.sample !== undefined && { sample: options.sample }),
    ...(options.slow !== undefined && { slow: options.slow }),
    clock,
    random,
  });
  const { recent, ...given } = options.logs ?? {};
  const keeper = exporter === null ? recent : new LogsPush(exporter, recent ?? null);
  const logs = createLogs({ clock, ...given, service, metrics, ...(keeper !== undefined && { recent: keeper }) });
  const log = logs.logger();
  const calls = new DatabaseCalls(traces, metrics);
  const servers = new HttpServers({
    traces,
    metrics: new HttpServerMetrics(metrics),
    route: options.route,
    ignore: options.ignore,
    serverTiming: options.serverTiming ?? false,
    ended: (request) => logFailure(log, request),
  });
  const clients = new HttpClients({ traces, metrics: new HttpClientMetrics(metrics), isOwn });
  const redis = new RedisCommands(calls);
  const queries = new PgQueries(calls);
  const pg = options.pg ?? (found('pg') as PgModule | null);
  if (pg !== null && pg !== false) queries.watch(pg);
  const silent = new SilentIoredis(calls);
  const ioredis = options.ioredis ?? (found('ioredis') as { readonly Redis?: IoredisClass } | null)?.Redis;
  if (ioredis !== undefined && ioredis !== false) silent.watch(ioredis);
  const watched = [servers, clients, redis];
  for (const each of watched) each.watch();
  Object.defineProperty(globalThis, HELD, { value: service, configurable: true });
  const unwatch = (): void => {
    for (const each of [...watched, queries, silent]) each.unwatch();
    Reflect.deleteProperty(globalThis, HELD);
  };
  const counted = { collect: () => metrics.collect(), startMs: metrics.startMs, clock: metrics.clock };
  const push = exporter === null ? null : new MetricsPush({ ...counted, exporter, service, instance, everyMs });
  return new Instrumented({ metrics, traces, logs, servers, exporter, push, unwatch });
}

function exporterOf({ otlp, clock, random }: InstrumentOptions, instance: string): OtlpExporter | null {
  if (otlp === undefined) return null;
  const given = typeof otlp === 'string' ? { endpoint: otlp } : otlp;
  return createOtlpExporter({
    ...(clock !== undefined && { clock }),
    ...(random !== undefined && { random }),
    ...given,
    resource: { 'service.instance.id': instance, ...given.resource },
  });
}

/** What went wrong in the service is in its log, with what was thrown, if the framework told. */
function logFailure(log: Logger, { method, route, path, status, durationMs, thrown }: EndedRequest): void {
  if (status < 500) return;
  const about = { method, route, path, status, duration_ms: Math.round(durationMs) };
  log.error({ ...about, ...(thrown !== undefined && { err: thrown }) }, 'request failed');
}

/** The module that this package would be given, if there is one. */
function found(name: string): unknown {
  try {
    return createRequire(import.meta.url)(name);
  } catch (error) {
    // Not installed; or it cannot be loaded, which whoever uses it hears from its own import.
    if (error instanceof Error) return null;
    throw error;
  }
}
