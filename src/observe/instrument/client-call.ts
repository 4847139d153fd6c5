/**
 * A request that the service makes: a client span, its duration, and the fields with which the context goes on. What `node:http` and `fetch` have in
 * common; each ends once, whatever is told of it afterwards.
 */
import { injectContext } from '../context/header-fields.ts';
import { SAMPLED } from '../context/trace-context.ts';
import type { Span } from '../trace/span.ts';
import type { Traces } from '../trace/traces.ts';
import { errorType } from './error-type.ts';
import { type HttpClientMetrics, knownMethod } from './http-metrics.ts';

export interface ClientOptions {
  readonly traces: Traces;
  readonly metrics: HttpClientMetrics;
}

export interface CallTarget {
  readonly method: string | undefined;
  readonly scheme: string;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

export class ClientCall {
  readonly #options: ClientOptions;
  readonly #span: Span;
  readonly #method: string;
  readonly #host: string;
  readonly #port: number;
  #isOver = false;

  constructor(options: ClientOptions, { method: given, scheme, host, port, path }: CallTarget) {
    this.#options = options;
    this.#host = host;
    this.#port = port;
    const method = knownMethod(given);
    this.#method = method;
    this.#span = options.traces.startSpan(method, { kind: 'client' });
    if (!this.#span.isRecording) return;
    const query = path.indexOf('?');
    this.#span.setAttributes({
      'http.request.method': method,
      'server.address': host,
      'server.port': port,
      // The query may hold anything.
      'url.full': `${scheme}//${host}:${port}${query === -1 ? path : path.slice(0, query)}`,
    });
  }

  /** What goes with it, but for what whoever calls has set. */
  fields(isSet: (name: string) => boolean): [name: string, value: string][] {
    // Half of one trace and half of another would be none.
    if (isSet('traceparent')) return [];
    return Object.entries(injectContext(this.#span.context)).filter(([name]) => !isSet(name));
  }

  answered(status: number): void {
    // undici tells of interim heads (103) as of others.
    if (status > 0 && status < 200 && status !== 101) return;
    this.#span.setAttribute('http.response.status_code', status);
    if (status >= 400) this.#span.setAttribute('error.type', String(status)).fail(`status ${status}`);
    this.#end(status, status >= 400 ? String(status) : '');
  }

  failed(error: unknown): void {
    const kind = errorType(error);
    this.#span.setAttribute('error.type', kind).fail(error);
    this.#end(0, kind);
  }

  #end(status: number, error: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { metrics, traces } = this.#options;
    const outcome = { method: this.#method, host: this.#host, port: this.#port, status, error };
    const { flags, traceId, startMs } = this.#span;
    metrics.ended(outcome, traces.clock.nowMs() - startMs, (flags & SAMPLED) === 0 ? undefined : traceId);
    this.#span.end();
  }
}

/** The port that a scheme has if none is given. */
export function portOf(port: string | number | null | undefined, scheme: string): number {
  const given = Number(port ?? 0);
  return given > 0 ? given : scheme === 'https:' ? 443 : 80;
}
