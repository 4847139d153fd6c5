/**
 * A request that the service makes: a client span, its duration, and the fields with which the context goes on. What `node:http` and `fetch` have in
 * common; each ends once, whatever is told of it afterwards.
 */
import { injectContext } from '../context/header-fields.ts';
import { formatTraceparent, SAMPLED } from '../context/trace-context.ts';
import type { Span } from '../trace/span.ts';
import type { Traces } from '../trace/traces.ts';
import { type Destination, destinationOf } from './destination.ts';
import { errorType } from './error-type.ts';
import { type HttpClientMetrics, knownMethod } from './http-metrics.ts';

export interface ClientOptions {
  readonly traces: Traces;
  readonly metrics: HttpClientMetrics;
  /** Who is told more than the trace. */
  readonly isOwn: (destination: Destination) => boolean;
}

export interface CallTarget {
  readonly method: string | undefined;
  readonly scheme: string;
  /** An address of IPv6 without brackets. */
  readonly host: string;
  /** Null if it is not known before there is a connection. */
  readonly port: number | null;
  readonly path: string;
}

export class ClientCall {
  readonly #options: ClientOptions;
  readonly #span: Span;
  readonly #method: string;
  readonly #target: CallTarget;
  #isOver = false;

  constructor(options: ClientOptions, target: CallTarget) {
    this.#options = options;
    this.#target = target;
    this.#method = knownMethod(target.method);
    this.#span = options.traces.startSpan(this.#method, { kind: 'client' });
    if (target.port !== null) this.#describe(target.port);
  }

  /** What goes with it, but for what whoever calls has set. */
  fields(isSet: (name: string) => boolean): [name: string, value: string][] {
    // Half of one trace and half of another would be none.
    if (isSet('traceparent')) return [];
    const isOwn = this.#options.isOwn(destinationOf(this.#target));
    const fields = isOwn ? injectContext(this.#span.context) : { traceparent: formatTraceparent(this.#span) };
    return Object.entries(fields).filter(([name]) => !isSet(name));
  }

  /** `port` is the one it had, if it was not known. */
  answered(status: number, port?: unknown): void {
    // undici tells of interim heads (103) as of others.
    if (status > 0 && status < 200 && status !== 101) return;
    this.#span.setAttribute('http.response.status_code', status);
    if (status >= 400) this.#span.setAttribute('error.type', String(status)).fail(`status ${status}`);
    this.#end({ status, error: status >= 400 ? String(status) : '', port });
  }

  failed(error: unknown): void {
    const kind = errorType(error);
    this.#span.setAttribute('error.type', kind).fail(error);
    this.#end({ status: 0, error: kind, port: (error as { readonly port?: unknown } | null)?.port });
  }

  /** Nothing more is told of it: what was answered by an upgrade or a tunnel, or was given up. */
  closed(answer: { readonly statusCode?: number | undefined } | null | undefined, port: unknown): void {
    if (this.#isOver) return;
    if (answer?.statusCode !== undefined) this.answered(answer.statusCode, port);
    else this.failed(new DOMException('The request was given up.', 'AbortError'));
  }

  #end({ status, error, port: actual }: { status: number; error: string; port: unknown }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const { metrics, traces } = this.#options;
    const { scheme, host, port: named } = this.#target;
    const port = named ?? portOf(actual, scheme);
    if (named === null) this.#describe(port);
    const { flags, traceId, startMs } = this.#span;
    const outcome = { method: this.#method, host, port, status, error };
    metrics.ended(outcome, traces.clock.nowMs() - startMs, (flags & SAMPLED) === 0 ? undefined : traceId);
    this.#span.end();
  }

  #describe(port: number): void {
    if (!this.#span.isRecording) return;
    this.#span.setAttributes({
      'http.request.method': this.#method,
      'server.address': this.#target.host,
      'server.port': port,
      'url.full': destinationOf({ ...this.#target, port }).address,
    });
  }
}

/** The port that a scheme has if none is given. */
export function portOf(port: unknown, scheme: string): number {
  const given = Number(port ?? 0);
  return given > 0 ? given : scheme === 'https:' ? 443 : 80;
}
