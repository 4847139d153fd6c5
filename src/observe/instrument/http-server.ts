/**
 * Requests that servers of `node:http` and `node:https` answer, of Express and Fastify too: each has a context, a server span and is counted.
 *
 * It listens where Node tells of requests (`diagnostics_channel`) and replaces nothing but `emit` of the request and its answer (carried.ts).
 * Invariants: a request ends once, when its answer is closed, by whatever cause; nothing here throws into a server. Not seen: upgrades, HTTP/2.
 * Cost: `npm run bench -- observe --only instrument`.
 */
import diagnostics from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extractContext } from '../context/header-fields.ts';
import { formatTraceparent, SAMPLED } from '../context/trace-context.ts';
import { enterContext } from '../context/work-context.ts';
import type { Span } from '../trace/span.ts';
import type { Traces } from '../trace/traces.ts';
import { carry } from './carried.ts';
import { type HttpServerMetrics, knownMethod } from './http-metrics.ts';
import { RouteWatch } from './server-routes.ts';

export interface HttpServerOptions {
  readonly traces: Traces;
  readonly metrics: HttpServerMetrics;
  /** The pattern of a request's route, of servers whose framework does not tell; undefined if it is not known. */
  readonly route: ((request: IncomingMessage) => string | undefined) | undefined;
  readonly ignore: ((request: IncomingMessage) => boolean) | undefined;
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
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
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

const START = 'http.server.request.start';

export class HttpServers {
  readonly #options: HttpServerOptions;
  readonly #started = new WeakMap<IncomingMessage, Started>();
  readonly #routes: RouteWatch;
  readonly #onStart = (message: unknown): void => this.#start(message as StartMessage);

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#routes = new RouteWatch({
      route: (request, route) => this.setRoute(request as IncomingMessage, route),
      thrown: (request, error) => {
        const started = this.#started.get(request as IncomingMessage);
        if (started !== undefined) started.thrown = error;
      },
    });
  }

  watch(): void {
    diagnostics.subscribe(START, this.#onStart);
    this.#routes.watch();
  }

  /** Requests that have begun still end. */
  unwatch(): void {
    diagnostics.unsubscribe(START, this.#onStart);
    this.#routes.unwatch();
  }

  setRoute(request: IncomingMessage, route: string): void {
    const started = this.#started.get(request);
    if (started !== undefined) started.route = route;
  }

  #start({ request, response }: StartMessage): void {
    const { traces, metrics, serverTiming } = this.#options;
    if (this.#started.has(request) || this.#isIgnored(request)) return;
    const method = knownMethod(request.method);
    const span = traces.startSpan(method, { kind: 'server', parent: extractContext(request.headers, traces.random) });
    if (span.isRecording) span.setAttributes(attributesOf(request, method));
    const started: Started = { request, response, span, method, route: '', thrown: undefined, isOver: false };
    this.#started.set(request, started);
    metrics.active(method, 1);
    const { context } = span;
    carry(request, context);
    carry(response, context, () => this.#end(started));
    if (serverTiming) response.setHeader('server-timing', `traceparent;desc="${formatTraceparent(span)}"`);
    enterContext(context);
  }

  #end(started: Started): void {
    if (started.isOver) return;
    started.isOver = true;
    const { request, response, span, method, thrown } = started;
    const { metrics, ended, traces } = this.#options;
    const route = this.#routeOf(started);
    const status = response.headersSent ? response.statusCode : 0;
    const error = response.writableFinished ? (status >= 500 ? String(status) : '') : 'aborted';
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
    ended({ method, route, path: pathOf(request), status, durationMs, error, thrown });
    span.end();
  }

  /** What is thrown where Node tells of a request ends the process, and a client chooses what a request looks like. */
  #isIgnored(request: IncomingMessage): boolean {
    try {
      return this.#options.ignore?.(request) === true;
    } catch {
      // WHY nothing is said: a request must not fail because of who looks at it.
      return false;
    }
  }

  /** Who knows better comes first: the service itself, its framework, then what `route` says. */
  #routeOf({ request, route }: Started): string {
    if (route !== '') return route;
    try {
      return this.#options.route?.(request) ?? '';
    } catch {
      // WHY nothing is said: a request must not fail because of what it is called.
      return '';
    }
  }
}

function attributesOf(request: IncomingMessage, method: string): Record<string, string | number> {
  const { headers, socket, httpVersion } = request;
  const agent = headers['user-agent'];
  return {
    'http.request.method': method,
    ...(method === '_OTHER' && { 'http.request.method_original': request.method ?? '' }),
    'url.path': pathOf(request),
    'network.protocol.version': httpVersion,
    ...(socket.remoteAddress !== undefined && { 'client.address': socket.remoteAddress }),
    ...(agent !== undefined && { 'user_agent.original': agent }),
  };
}

/** Without the query, which may hold anything. Express shortens `url` within mounted routers, and keeps the whole. */
function pathOf(request: IncomingMessage): string {
  const { originalUrl = request.url ?? '' } = request as { readonly originalUrl?: string };
  const query = originalUrl.indexOf('?');
  return query === -1 ? originalUrl : originalUrl.slice(0, query);
}
