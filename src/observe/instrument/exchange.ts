/**
 * A request and its answer, of HTTP/1 and of HTTP/2, as they are told of. Of HTTP/2 they are one stream, which Node tells of before it
 * makes a request and a response of it, if anybody wants those.
 */
import type { EventEmitter } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';

/** What may be looked at when a request comes. Of HTTP/1 it is the `IncomingMessage`. */
export interface SeenRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
}

export interface Exchange {
  readonly request: SeenRequest;
  /** As in `network.protocol.version`. */
  readonly version: string;
  /** Of the client. */
  readonly address: string | undefined;
  /** What events come from; the `close` of the last ends it. */
  readonly emitters: readonly EventEmitter[];
  /** 0 if there was no answer. */
  readonly status: number;
  /** Whether the answer went out to its end. */
  readonly isWhole: boolean;
  /** A field of the answer, where one can be set that early. */
  setField(name: string, value: string): void;
}

export class Http1Exchange implements Exchange {
  readonly request: IncomingMessage;
  readonly emitters: readonly EventEmitter[];
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.emitters = [request, response];
    this.#response = response;
  }

  get version(): string {
    return this.request.httpVersion;
  }

  get address(): string | undefined {
    return this.request.socket.remoteAddress;
  }

  get status(): number {
    return this.#response.headersSent ? this.#response.statusCode : 0;
  }

  get isWhole(): boolean {
    return this.#response.writableFinished;
  }

  setField(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }
}

export class Http2Exchange implements Exchange {
  readonly request: SeenRequest;
  readonly version = '2';
  readonly emitters: readonly EventEmitter[];
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    const { ':method': method, ':path': url } = headers as Readonly<Record<string, string>>;
    this.request = { method, url, headers };
    this.emitters = [stream];
    this.#stream = stream;
  }

  get address(): string | undefined {
    return this.#stream.session?.socket.remoteAddress;
  }

  get status(): number {
    const { sentHeaders } = this.#stream as { readonly sentHeaders?: OutgoingHttpHeaders };
    return Number(sentHeaders?.[':status'] ?? 0);
  }

  /** Whoever cuts it short resets it: a server with a reason, a client perhaps with none. */
  get isWhole(): boolean {
    return this.status !== 0 && this.#stream.rstCode === 0 && !this.#stream.aborted;
  }

  setField(): void {}
}
