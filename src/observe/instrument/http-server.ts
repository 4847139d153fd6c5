/**
 * Requests that servers of `node:http`, `node:https` and `node:http2` answer, of Express and Fastify too: each has a context, a server span and is
 * counted.
 *
 * It listens where Node tells of requests (`diagnostics_channel`) and replaces nothing but `emit` of the request and its answer (carried.ts).
 * Invariants: a request ends once, when its answer is closed, by whatever cause; nothing here throws into a server. Not seen: upgrades, `CONNECT`,
 * and what an HTTP/2 server pushes.
 * Cost: `npm run bench -- observe --only instrument`.
 */
import diagnostics from 'node:diagnostics_channel';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { ServerHttp2Stream } from 'node:http2';
import { extractContext } from '../context/header-fields.ts';
import { textOf } from '../context/plain-text.ts';
import { formatTraceparent, SAMPLED } from '../context/trace-context.ts';
import { enterContext } from '../context/work-context.ts';
import type { Span } from '../trace/span.ts';
import type { Traces } from '../trace/traces.ts';
import { carry } from './carried.ts';
import { type Exchange, Http1Exchange, Http2Exchange, type SeenRequest } from './exchange.ts';
import { type HttpServerMetrics, knownMethod } from './http-metrics.ts';
import { RouteWatch } from './server-routes.ts';

export interface HttpServerOptions {
  readonly traces: Traces;
  readonly metrics: HttpServerMetrics;
  /** The pattern of a request's route, of servers whose framework does not tell; undefined if it is not known. */
  readonly route: ((request: SeenRequest) => string | undefined) | undefined;
  readonly ignore: ((request: SeenRequest) => boolean) | undefined;
  readonly serverTiming: boolean;
  /** Told of each request that has ended, in its context. */
  readonly ended: (request: EndedRequest) => void;
}

export interface EndedRequest {
  readonly method: string;
  readonly route: string;
  readonly path: string;
  readonly status: number;
  readonly durationMs: number;
  /** Empty if nothing went wrong. */
  readonly error: string;
  /** What a handler threw, if it told. */
  readonly thrown: unknown;
}

interface Started {
  readonly exchange: Exchange;
  readonly span: Span;
  readonly method: string;
  /** As a framework or the service itself said it. */
  route: string;
  thrown: unknown;
  isOver: boolean;
}

interface StartMessage {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

interface StreamMessage {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

export class HttpServers {
  readonly #options: HttpServerOptions;
  /** By its request; of HTTP/2 by its stream. */
  readonly #started = new WeakMap<object, Started>();
  readonly #routes: RouteWatch;
  readonly #listeners: Readonly<Record<string, (message: unknown) => void>>;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#listeners = {
      'http.server.request.start': (message) => {
        const { request, response } = message as StartMessage;
        this.#start(request, new Http1Exchange(request, response));
      },
      'http2.server.stream.start': (message) => {
        const { stream, headers } = message as StreamMessage;
        const isPushed = (stream.id ?? 0) % 2 === 0;
        if (!isPushed && headers[':method'] !== 'CONNECT') this.#start(stream, new Http2Exchange(stream, headers));
      },
    };
    this.#routes = new RouteWatch({
      route: (request, route) => this.setRoute(request, route),
      thrown: (request, error) => {
        const started = this.#startedOf(request);
        if (started !== undefined) started.thrown = error;
      },
    });
  }

  watch(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) diagnostics.subscribe(name, listener);
    this.#routes.watch();
  }

  /** Requests that have begun still end. */
  unwatch(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) diagnostics.unsubscribe(name, listener);
    this.#routes.unwatch();
  }

  setRoute(request: object, route: string): void {
    const started = this.#startedOf(request);
    if (started !== undefined) started.route = textOf(route);
  }

  /** A request of HTTP/2 has its stream. */
  #startedOf(request: object): Started | undefined {
    const { stream } = request as { readonly stream?: object };
    return this.#started.get(request) ?? (stream === undefined ? undefined : this.#started.get(stream));
  }

  #start(key: object, exchange: Exchange): void {
    const { traces, metrics, serverTiming } = this.#options;
    const { request, emitters } = exchange;
    if (this.#started.has(key) || this.#isIgnored(request)) return;
    const method = knownMethod(request.method);
    const span = traces.startSpan(method, { kind: 'server', parent: extractContext(request.headers, traces.random) });
    if (span.isRecording) span.setAttributes(attributesOf(exchange, method));
    const started: Started = { exchange, span, method, route: '', thrown: undefined, isOver: false };
    this.#started.set(key, started);
    metrics.active(method, 1);
    const { context } = span;
    for (const emitter of emitters) {
      carry(emitter, context, emitter === emitters.at(-1) ? () => this.#end(started) : undefined);
    }
    if (serverTiming) exchange.setField('server-timing', `traceparent;desc="${formatTraceparent(span)}"`);
    enterContext(context);
  }

  #end(started: Started): void {
    if (started.isOver) return;
    started.isOver = true;
    const { exchange, span, method, thrown } = started;
    const { metrics, ended, traces } = this.#options;
    const route = this.#routeOf(started);
    const { status, isWhole } = exchange;
    const error = isWhole ? (status >= 500 ? String(status) : '') : 'aborted';
    if (span.isRecording) {
      span.rename(route === '' ? method : `${method} ${route}`);
      if (route !== '') span.setAttribute('http.route', route);
      if (status !== 0) span.setAttribute('http.response.status_code', status);
      if (error !== '') span.setAttribute('error.type', error);
    }
    // A client that left is no failure of the service.
    if (status >= 500) span.fail(thrown ?? `status ${status}`);
    const durationMs = traces.clock.nowMs() - span.startMs;
    metrics.active(method, -1);
    metrics.ended(
      { method, route, status, error },
      durationMs,
      (span.flags & SAMPLED) === 0 ? undefined : span.traceId,
    );
    ended({ method, route, path: pathOf(exchange.request), status, durationMs, error, thrown });
    span.end();
  }

  /** What is thrown where Node tells of a request ends the process, and a client chooses what a request looks like. */
  #isIgnored(request: SeenRequest): boolean {
    try {
      return this.#options.ignore?.(request) === true;
    } catch {
      // WHY nothing is said: a request must not fail because of who looks at it.
      return false;
    }
  }

  /** Who knows better comes first: the service itself, its framework, then what `route` says. */
  #routeOf({ exchange, route }: Started): string {
    if (route !== '') return route;
    try {
      return textOf(this.#options.route?.(exchange.request));
    } catch {
      // WHY nothing is said: a request must not fail because of what it is called.
      return '';
    }
  }
}

function attributesOf({ request, version, address }: Exchange, method: string): Record<string, string | number> {
  const agent = request.headers['user-agent'];
  return {
    'http.request.method': method,
    ...(method === '_OTHER' && { 'http.request.method_original': request.method ?? '' }),
    'url.path': pathOf(request),
    'network.protocol.version': version,
    ...(address !== undefined && { 'client.address': address }),
    ...(agent !== undefined && { 'user_agent.original': agent }),
  };
}

/** Without the query, which may hold anything. Express shortens `url` within mounted routers, and keeps the whole. */
function pathOf(request: SeenRequest): string {
  const { originalUrl } = request as { readonly originalUrl?: unknown };
  const whole = typeof originalUrl === 'string' ? originalUrl : (request.url ?? '');
  const query = whole.indexOf('?');
  return query === -1 ? whole : whole.slice(0, query);
}
