/**
 * The admin listener: `node:http` on an address or a socket of its own, never on a data port.
 *
 * Invariants: every answer but the live feed is complete, and says `no-store` unless it is a file of the dashboard; a body over the limit of its path is not read; no request can throw
 * past `#handle`; each write leaves one audit line, refused or not. Slow and idle callers are cut by `node:http`'s own timers,
 * and `CONNECTIONS_MAX` bounds them all: operators are few. A connection has one answer at a time, since one that waits for others to be taken is
 * memory; what it asks ahead is not read before its turn.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { SpillwayError } from '../../kernel/errors.ts';
import { joinAddress } from '../config/address.ts';
import type { ApiAnswer } from './answers.ts';
import { apiPathNames, findApiPath } from './api.ts';
import type { AdminBackend } from './backend.ts';
import { writeChunks } from './chunked-body.ts';
import { callerOf, guard, isUnknown, roleOf, type AdminPolicy, type AdminRequest } from './guard.ts';
import { listenAdmin, type AdminAddress } from './listen.ts';
import { problemBody, type Problem } from './problem.ts';

/** Unless a path says otherwise: a request description for `explain`, whose head is at most 32 KiB. */
const BODY_BYTES_MAX = 65_536;
/** Probes, a scraper, a dashboard and a few people, with room. */
const CONNECTIONS_MAX = 256;
/** Of one connection, before it has taken the first answer: nobody of those asks ahead. */
const UNANSWERED_MAX = 8;

const clientErrors: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
};

export class AdminServer {
  readonly #backend: AdminBackend;
  readonly #server: Server;
  readonly #streams = new Set<ServerResponse>();
  readonly #lines = new WeakMap<Socket, { length: number; last: Promise<void> }>();
  #policy: AdminPolicy;
  #address: AdminAddress | null = null;

  constructor(backend: AdminBackend, policy: AdminPolicy) {
    this.#backend = backend;
    this.#policy = policy;
    this.#server = createServer(
      {
        maxHeaderSize: 16_384,
        headersTimeout: 5_000,
        requestTimeout: 10_000,
        keepAliveTimeout: 5_000,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.#handle(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.on('connection', (socket) => socket.on('error', () => {}));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      const status = clientErrors[error.code ?? ''] ?? '400 Bad Request';
      if (socket.writable) socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      else socket.destroy();
    });
  }

  /** As bound; null before `listen`. */
  get address(): AdminAddress | null {
    return this.#address;
  }

  /** Takes effect with the next request; who looks at the live feed has to make one. */
  set policy(policy: AdminPolicy) {
    if (isDeepStrictEqual(policy, this.#policy)) return;
    this.#policy = policy;
    this.#endStreams();
  }

  /** Throws `LISTEN_FAILED`. */
  async listen(address: AdminAddress): Promise<AdminAddress> {
    this.#address = await listenAdmin(this.#server, address);
    return this.#address;
  }

  /** Stops accepting and cuts what is open; idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Stops accepting, closes what is idle and lets answers under way end, such as that of the reload that moved it. */
  retire(): void {
    this.#endStreams();
    this.#server.close();
    this.#server.closeIdleConnections();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    request.on('error', () => {});
    if (!(await this.#hasTurn(request, response))) return;
    try {
      const answer = await this.#answer(request);
      if (!response.destroyed) this.#send(request, response, answer);
    } catch (error) {
      this.#broken(request, response, error);
    }
  }

  /** When what the connection asked before is answered; false if it is gone by then, or asked too much ahead. */
  async #hasTurn({ socket }: IncomingMessage, response: ServerResponse): Promise<boolean> {
    const line = this.#lines.get(socket) ?? { length: 0, last: Promise.resolve() };
    this.#lines.set(socket, line);
    const { last, length } = line;
    if (length === UNANSWERED_MAX) {
      socket.destroy();
      return false;
    }
    line.length += 1;
    line.last = new Promise((resolve) => {
      response.once('close', () => {
        line.length -= 1;
        resolve();
      });
    });
    if (length === 0) return true;
    await last;
    return !socket.destroyed;
  }

  async #answer(request: IncomingMessage): Promise<ApiAnswer> {
    const [path = '', ...asked] = (request.url ?? '').split('?');
    const matched = findApiPath(path);
    const known = matched?.found;
    const access = known ?? { methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'], role: 'read' as const };
    const facts = factsOf(request);
    if (known?.role === 'write' || request.headers.authorization !== undefined) await this.#backend.renewToken();
    const refusal = guard(facts, access, this.#policy);
    const outcome = refusal === null ? null : `refused: ${refusal.status} ${refusal.title}`;
    if (refusal !== null) {
      if (known?.role === 'write') this.#audit(request, outcome ?? '');
      return problem(refusal);
    }
    if (matched === null || known === undefined) {
      const detail = `There is ${apiPathNames}.`;
      return problem({ status: 404, title: 'Not Found', detail });
    }
    const { bodyBytesMax = BODY_BYTES_MAX } = known;
    const body = await readBody(request, bodyBytesMax);
    if (body === null) {
      return problem({ status: 413, title: 'Content Too Large', detail: `The limit is ${bodyBytesMax} bytes.` });
    }
    const { names } = matched;
    const query = new URLSearchParams(asked.join('?'));
    const { headers } = request;
    const answer = await known.answer(this.#backend, { ...facts, names, query, body, headers });
    if (known.role === 'write') this.#audit(request, outcomeOf(answer));
    return answer;
  }

  #audit(request: IncomingMessage, outcome: string): void {
    const by = callerOf(factsOf(request), this.#policy);
    this.#backend.audit({ by, remote: remoteOf(request), action: describe(request), outcome });
  }

  #send(request: IncomingMessage, response: ServerResponse, made: ApiAnswer): void {
    const answer = made.kind === 'problem' ? asToldBy(request, made.problem) : made;
    if (answer.kind === 'stream') {
      this.#stream(request, response, answer);
      return;
    }
    const plain = answer.kind === 'answer';
    const body = plain ? answer.body : problemBody(answer.problem);
    const isWhole = typeof body === 'string' || body instanceof Uint8Array;
    const isHead = request.method === 'HEAD';
    response.writeHead(plain ? answer.status : answer.problem.status, {
      ...everyAnswer,
      'Content-Type': plain ? answer.contentType : 'application/problem+json',
      ...(isWhole ? { 'Content-Length': Buffer.byteLength(body) } : {}),
      // A body that was not read to its end would be taken for the next request.
      ...(request.complete ? {} : { Connection: 'close' }),
      ...(plain ? answer.headers : answer.problem.headers),
    });
    if (!request.complete) response.once('finish', () => request.destroy());
    if (isHead || isWhole) response.end(isHead ? undefined : body);
    else writeChunks(response, body).catch((error: unknown) => this.#broken(request, response, error));
  }

  /** An answer could not be made, or not to its end: then the caller sees that it is not whole. */
  #broken(request: IncomingMessage, response: ServerResponse, error: unknown): void {
    const early = isGatewayState(error) ? problem(notNow(error)) : null;
    const detail = 'This is a fault of Spillway.';
    if (response.headersSent) response.destroy();
    else this.#send(request, response, early ?? problem({ status: 500, title: 'Internal Server Error', detail }));
    this.#audit(request, early === null ? `failed: ${String(error).slice(0, 200)}` : outcomeOf(early));
  }

  /** The head says what the caller may do, so that a page need not offer what would be refused. */
  #stream(request: IncomingMessage, response: ServerResponse, answer: Extract<ApiAnswer, { kind: 'stream' }>): void {
    const facts = factsOf(request);
    response.writeHead(200, {
      ...everyAnswer,
      ...answer.headers,
      'Content-Type': answer.contentType,
      'Spillway-Role': roleOf(facts, this.#policy) ?? '',
      // Where everybody may look, nothing else tells whoever shows one.
      ...(isUnknown(facts, this.#policy) ? { 'Spillway-Token': 'unknown' } : {}),
    });
    this.#streams.add(response);
    response.once('close', () => this.#streams.delete(response));
    answer.begin(response);
  }

  /** Whoever was told for as long as it looks has to ask again. */
  #endStreams(): void {
    for (const response of this.#streams) response.end();
  }
}

const everyAnswer = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
} as const;

function problem(value: Problem): ApiAnswer {
  return { kind: 'problem', problem: value };
}

function isGatewayState(error: unknown): error is SpillwayError {
  return error instanceof SpillwayError && error.code === 'GATEWAY_STATE';
}

/** The admin address answers before there is a config in force, and still while the gateway ends. */
function notNow({ code, message }: SpillwayError): Problem {
  const detail = `${message} Ask again when GET /readyz answers 200.`;
  return { status: 503, title: 'Not now', detail, headers: { 'Retry-After': '1' }, members: { code } };
}

/** A path may have a way of its own to say no. */
function asToldBy(request: IncomingMessage, value: Problem): ApiAnswer {
  const [path = ''] = (request.url ?? '').split('?', 1);
  return findApiPath(path)?.found.refuse?.(value, request.headers) ?? problem(value);
}

function outcomeOf(answer: ApiAnswer): string {
  return answer.kind === 'problem' ? `refused: ${answer.problem.detail}` : 'done';
}

function factsOf({ method = '', rawHeaders }: IncomingMessage): AdminRequest {
  return { method, rawHeaders };
}

function remoteOf(request: IncomingMessage): string {
  const { remoteAddress, remotePort } = request.socket;
  if (remoteAddress !== undefined) return joinAddress(remoteAddress, remotePort ?? 0);
  return request.socket.destroyed ? 'gone' : 'the socket';
}

/** Such as `POST /api/reload`. Printable ASCII, as in every request line. */
function describe(request: IncomingMessage): string {
  return `${request.method ?? ''} ${(request.url ?? '').split('?', 1)[0] ?? ''}`.slice(0, 200);
}

/** Null if it is too long; what comes after the limit is not kept. */
function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  return new Promise((resolve) => {
    // Its end was told already, to nobody.
    if (request.destroyed) {
      resolve(null);
      return;
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) {
        chunks.push(chunk);
        return;
      }
      request.pause();
      resolve(null);
    });
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('close', () => resolve(null));
  });
}
