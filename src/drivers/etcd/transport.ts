/**
 * One question to one etcd server by HTTP, on connections that are kept: what came back, or how it failed and whether the server can have
 * got the question.
 *
 * Invariants: every socket and stream has an error handler from birth; an exchange is settled once, in its time, whatever the server
 * sends, and is destroyed if it is not over then; nothing that a server sends is kept beyond `ANSWER_BYTES_MAX`. `close` ends all.
 */
import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../kernel/clock.ts';
import { formatDuration, formatSize } from '../../kernel/units.ts';

/** The server takes requests of 1.5 MB; an answer with a hundred such values is not what this is for. */
export const ANSWER_BYTES_MAX = 16 * 2 ** 20;
/** To one server; more questions wait for a connection. A server answers some thousand a second on this many. */
const CONNECTIONS_MAX = 64;

export interface EtcdTls {
  /** Authorities that are believed, PEM. @defaultValue those of Node */
  readonly ca?: string;
  /** The client's own certificate and key, PEM. @defaultValue none */
  readonly cert?: string;
  readonly key?: string;
  /** What the server's certificate must name. @defaultValue the host of the endpoint */
  readonly serverName?: string;
}

export interface Post {
  readonly endpoint: URL;
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface Limits {
  /** For all of it. */
  readonly limitMs: number;
  /** Until it is sent. @defaultValue limitMs */
  readonly unsentMs?: number;
  readonly signal: AbortSignal;
}

/** `sent`: the server may have got it, and done it. */
export interface Failure {
  readonly kind: 'failure';
  readonly why: string;
  readonly sent: boolean;
}

const notWaitedFor: Failure = { kind: 'failure', why: 'was not waited for', sent: false };

export interface Answer {
  readonly kind: 'answer';
  readonly response: IncomingMessage;
  readonly text: string;
}
/** Whoever has it reads it, and ends it by `response.destroy()`. */
interface Stream {
  readonly kind: 'stream';
  readonly response: IncomingMessage;
}

/** What a connection does, in words. */
const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused: nothing listens there',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
};

export function wordsOf({ code = '', message }: NodeJS.ErrnoException): string {
  return words[code] ?? `failed: ${message}`;
}

interface Reading<Result> {
  readonly response: IncomingMessage;
  readonly done: (result: Result) => void;
  readonly fail: (why: string) => void;
}

function readText({ response, done, fail }: Reading<Answer>): void {
  const chunks: Buffer[] = [];
  let length = 0;
  response.on('data', (chunk: Buffer) => {
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX) fail(`sent more than ${formatSize(ANSWER_BYTES_MAX)}`);
    else chunks.push(chunk);
  });
  response.on('end', () => done({ kind: 'answer', response, text: Buffer.concat(chunks).toString() }));
  response.on('close', () => fail('closed the connection in the middle of its answer'));
}

export class Transport {
  readonly #clock: Clock;
  readonly #tls: object;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };

  constructor(clock: Clock, { ca, cert, key, serverName }: EtcdTls) {
    this.#clock = clock;
    this.#tls = { ca, cert, key, servername: serverName };
    // The most recently used first, so that those of a rush are idle soon.
    const options = { keepAlive: true, maxSockets: CONNECTIONS_MAX, scheduling: 'lifo' } as const;
    this.#agents = { http: new HttpAgent(options), https: new HttpsAgent({ ...options, ...this.#tls }) };
  }

  /** Never throws. */
  async post(post: Post, limits: Limits): Promise<Failure | Answer> {
    // A request that is destroyed as it is made leaves a connection to the agent, which may be closed already.
    if (limits.signal.aborted) return notWaitedFor;
    const { http, https } = this.#agents;
    const request = post.endpoint.protocol === 'https:' ? this.#https(post, https) : this.#http(post, http);
    return this.#settle<Answer>(request, post, limits, readText);
  }

  /** For an answer that goes on: on a connection of its own; the limits are for its beginning. Never throws. */
  async stream(post: Post, limits: Limits): Promise<Failure | Answer | Stream> {
    if (limits.signal.aborted) return notWaitedFor;
    const request = post.endpoint.protocol === 'https:' ? this.#https(post, false) : this.#http(post, false);
    return this.#settle<Answer | Stream>(request, post, limits, (reading) => {
      const { response, done } = reading;
      if (response.statusCode === 200) done({ kind: 'stream', response });
      else readText(reading);
    });
  }

  /** Ends the connections that are not in use. */
  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #http({ endpoint, path, headers }: Post, agent: HttpAgent | false): ClientRequest {
    return httpRequest(new URL(path, endpoint), { method: 'POST', agent, headers });
  }

  #https({ endpoint, path, headers }: Post, agent: HttpsAgent | false): ClientRequest {
    return httpsRequest(new URL(path, endpoint), { method: 'POST', agent, headers, ...this.#tls });
  }

  #settle<Result>(
    request: ClientRequest,
    { endpoint, body }: Post,
    { limitMs, unsentMs = limitMs, signal }: Limits,
    read: (reading: Reading<Result>) => void,
  ): Promise<Failure | Result> {
    const { promise, resolve } = Promise.withResolvers<Failure | Result>();
    let settled = false;
    let sent = false;
    const done = (result: Failure | Result): void => {
      settled = true;
      resolve(result);
    };
    const fail = (why: string): void => {
      if (settled) return;
      done({ kind: 'failure', why, sent });
      request.destroy();
    };
    request.on('error', (error) => fail(wordsOf(error)));
    request.on('close', () => fail('closed the connection before it had answered'));
    request.on('socket', (socket) => {
      const ready = endpoint.protocol === 'https:' ? 'secureConnect' : 'connect';
      if (socket.connecting) socket.once(ready, () => (sent = true));
      else sent = true;
    });
    request.on('response', (response) => {
      response.on('error', (error) => fail(wordsOf(error)));
      read({ response, done, fail });
    });
    const onAbort = (): void => fail('was not waited for');
    signal.addEventListener('abort', onAbort);
    const late = `did not answer within ${formatDuration(Math.round(limitMs))}`;
    const timer = this.#clock.after(limitMs, () => fail(late), { ref: true });
    const unsent = this.#clock.after(unsentMs, () => {
      if (!sent) fail(`could not be connected to within ${formatDuration(Math.round(unsentMs))}`);
    });
    request.end(body);
    return promise.finally(() => {
      signal.removeEventListener('abort', onAbort);
      timer.clear();
      unsent.clear();
    });
  }
}
