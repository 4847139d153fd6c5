/**
 * Requests that the service makes by `node:http` and `node:https`, and by `fetch` (undici), as Node tells of them on its channels. The context goes
 * with them: `traceparent`, and to hosts of one's own `tracestate`, `baggage`, `x-request-id`. What has its fields sent already is counted and
 * goes as it is.
 *
 * A call ends with the head of its answer: its body may stream for days, and so may what an upgrade or CONNECT has become. Of `fetch` only
 * Node's own is seen by its channels, and any undici.
 */
import diagnostics from 'node:diagnostics_channel';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { isUnobserved } from '../context/work-context.ts';
import { ClientCall, type ClientOptions, portOf } from './client-call.ts';
import { bareHost, bracketed } from './destination.ts';

type Listener = (message: unknown) => void;

/** What undici tells of a request. */
interface UndiciRequest {
  readonly origin?: string | URL;
  readonly method?: string;
  readonly path?: string;
  /** Names and values in turn. */
  readonly headers?: readonly unknown[] | string;
  addHeader?(name: string, value: string): void;
  onUpgrade?(status: number, ...rest: readonly unknown[]): unknown;
}

export class HttpClients {
  readonly #options: ClientOptions;
  readonly #calls = new WeakMap<object, ClientCall>();
  readonly #listeners: Readonly<Record<string, Listener>>;

  constructor(options: ClientOptions) {
    this.#options = options;
    const failed: Listener = (message) => {
      const { request, error } = message as { readonly request: object; readonly error: unknown };
      this.#calls.get(request)?.failed(error);
    };
    this.#listeners = {
      'http.client.request.created': (message) => this.#created((message as { request: ClientRequest }).request),
      'http.client.response.finish': (message) => {
        const { request, response } = message as { request: ClientRequest; response: IncomingMessage };
        this.#calls.get(request)?.answered(response.statusCode ?? 0, request.socket?.remotePort);
      },
      'http.client.request.error': failed,
      'undici:request:create': (message) => this.#fetched((message as { request: UndiciRequest }).request),
      'undici:request:headers': (message) => {
        const { request, response } = message as { request: object; response: { readonly statusCode: number } };
        this.#calls.get(request)?.answered(response.statusCode);
      },
      'undici:request:error': failed,
    };
  }

  watch(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) diagnostics.subscribe(name, listener);
  }

  unwatch(): void {
    for (const [name, listener] of Object.entries(this.#listeners)) diagnostics.unsubscribe(name, listener);
  }

  #created(request: ClientRequest): void {
    if (isUnobserved()) return;
    const { method, protocol: scheme, host, path } = request;
    const call = new ClientCall(this.#options, { method, scheme, host, port: portNamed(request), path });
    this.#calls.set(request, call);
    // Of an upgrade, CONNECT and a request that is given up, no channel tells.
    request.once('close', () => {
      const { res } = request as { res?: IncomingMessage | null };
      call.closed(res, request.socket?.remotePort);
    });
    if (request.headersSent) return;
    for (const [name, value] of call.fields((field) => request.hasHeader(field))) request.setHeader(name, value);
  }

  #fetched(request: UndiciRequest): void {
    if (isUnobserved()) return;
    const origin = String(request.origin ?? '');
    if (!URL.canParse(origin)) return;
    const { protocol: scheme, hostname, port } = new URL(origin);
    const { method, path = '/', headers = [] } = request;
    const target = { method, scheme, host: bareHost(hostname), port: portOf(port, scheme), path };
    const call = new ClientCall(this.#options, target);
    this.#calls.set(request, call);
    const upgraded = request.onUpgrade?.bind(request);
    if (upgraded !== undefined) {
      // WHY it is replaced: of an upgrade undici's channels do not tell.
      request.onUpgrade = (status, ...rest) => {
        call.answered(status);
        return upgraded(status, ...rest);
      };
    }
    const isSet = (name: string): boolean =>
      typeof headers === 'string'
        ? headers.toLowerCase().includes(`${name}:`)
        : headers.some((entry, at) => at % 2 === 0 && String(entry).toLowerCase() === name);
    for (const [name, value] of call.fields(isSet)) request.addHeader?.(name, value);
  }
}

/** The port in `Host`, as Node writes it. Null if somebody has set another: that names whom they mean, and not where they ask. */
function portNamed(request: ClientRequest): number | null {
  const { host, protocol: scheme } = request;
  const [, name, port] = /^(.*?)(?::(\d+))?$/.exec(String(request.getHeader('host') ?? '')) ?? [];
  return name === bracketed(host) ? portOf(port, scheme) : null;
}
