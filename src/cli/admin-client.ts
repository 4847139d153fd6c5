/**
 * Asks a running gateway through its admin API. One request, one answer, a deadline.
 *
 * The token comes from a file or the environment, never from the command line, where every user of the machine can read it; or from
 * the file in which a gateway on this machine keeps the one that it made.
 */
import { readFileSync } from 'node:fs';
import { Agent, request as httpRequest, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import { urlToHttpOptions } from 'node:url';
import { CLI_AGENT } from '../gateway/admin/cli-agent.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { packageVersion } from '../kernel/version.ts';
import { type Arguments, type OptionSpec, UsageError } from './command.ts';
import { findToken } from './found-token.ts';
import { printable } from './terminal.ts';

/** An admin answer takes milliseconds; a person waits this long before suspecting the wrong thing. */
const TIMEOUT_MS = 5000;
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;

export interface AdminTarget {
  /** `host:port`, `http://host:port` or `unix:PATH`. */
  readonly address: string;
  readonly token: string | null;
}

export interface AdminAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** Where `spillway init` puts it. */
const DEFAULT_ADDRESS = '127.0.0.1:9900';

/** The options of every command that asks a running gateway. */
export const adminOptions = {
  admin: {
    type: 'string',
    short: 'a',
    value: 'ADDRESS',
    summary: `The gateway running with this admin address: HOST:PORT or unix:PATH. Default: ${DEFAULT_ADDRESS}.`,
  },
  'token-file': {
    type: 'string',
    value: 'FILE',
    summary:
      'File with the admin token. Default: SPILLWAY_ADMIN_TOKEN, else the file of a gateway that made its own token, if this user may read it.',
  },
} as const satisfies Record<string, OptionSpec>;

/** Throws UsageError. */
export function adminTarget(args: Arguments, environment: NodeJS.ProcessEnv): AdminTarget {
  return { address: args.text('admin') ?? DEFAULT_ADDRESS, token: readToken(args.text('token-file'), environment) };
}

/** What to throw for an answer that is not the one that was asked for. */
export function adminRefusal({ address }: AdminTarget, { status, body }: AdminAnswer): Error {
  const detail = (body as { readonly detail?: unknown } | null)?.detail;
  const said = printable(typeof detail === 'string' ? detail : `status ${status}`);
  if (status === 400) return new UsageError(said);
  if (status === 401 || status === 403) return refused(address, said);
  return new SpillwayError('ADMIN_UNREACHABLE', `The gateway on ${address} does not answer this: ${said}`);
}

function refused(address: string, why: string): SpillwayError {
  const advice = 'Name the file with its token by --token-file, or set SPILLWAY_ADMIN_TOKEN.';
  return new SpillwayError('ADMIN_REFUSED', `The gateway on ${address} refuses this: ${why} ${advice}`);
}

/** The token from `--token-file`, else SPILLWAY_ADMIN_TOKEN, else none. */
function readToken(file: string | null, environment: NodeJS.ProcessEnv): string | null {
  if (file === null) return environment['SPILLWAY_ADMIN_TOKEN'] ?? null;
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`--token-file ${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
}

/**
 * A POST that changes something: with the token of the target, else with the one that the gateway made, if this user may read it. Throws
 * as `askAdmin`, and ADMIN_REFUSED if the gateway has made a token that this user cannot have.
 */
export async function changeByAdmin(target: AdminTarget, path: string, body: unknown): Promise<AdminAnswer> {
  if (target.token !== null) return askAdmin(target, path, body);
  using line = new Line();
  const answer = await ask(target, '/api/token', undefined, line);
  const file = (answer.body as { readonly madeToken?: { readonly file?: unknown } } | null)?.madeToken?.file;
  if (answer.status !== 200 || typeof file !== 'string') return await ask(target, path, body, line);
  const { hostname, socketPath } = placeOf(target.address, path);
  const found = await findToken({ hostname, socketPath: socketPath ?? undefined, connection: line.socket ?? {} }, file);
  if (found.kind === 'token') return await ask({ ...target, token: found.text }, path, body, line);
  throw refused(target.address, `Changing something needs the token that it made. ${found.reason}`);
}

/** A GET, or with a body a POST. Throws ADMIN_UNREACHABLE if nothing answers, or what answers is not the admin API. */
export function askAdmin(target: AdminTarget, path: string, body?: unknown): Promise<AdminAnswer> {
  return ask(target, path, body, null);
}

/** One connection for several requests, and never another: who is at its other end stays who it was. */
class Line {
  readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });
  socket: Socket | null = null;

  /** False if it is another connection than before. */
  take(socket: Socket): boolean {
    this.socket ??= socket;
    return this.socket === socket;
  }

  [Symbol.dispose](): void {
    this.agent.destroy();
  }
}

async function ask(target: AdminTarget, path: string, body: unknown, line: Line | null): Promise<AdminAnswer> {
  const place = placeOf(target.address, path);
  const { status, text } = await send(place, body === undefined ? null : JSON.stringify(body), target, line);
  try {
    return { status, body: JSON.parse(text) };
  } catch {
    throw unreachable(target, `what answers there is not the admin API of Spillway (status ${status})`);
  }
}

function placeOf(address: string, path: string): RequestOptions {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length), path };
  const base = /^https?:\/\//i.test(address) ? address : `http://${address}`;
  if (!URL.canParse(base) || !base.toLowerCase().startsWith('http://')) {
    throw new UsageError(`--admin ${address} is no address; expected host:port or unix:PATH`);
  }
  return urlToHttpOptions(new URL(path, base));
}

function send(
  place: RequestOptions,
  body: string | null,
  target: AdminTarget,
  line: Line | null,
): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const method = body === null ? 'GET' : 'POST';
  const headers: Record<string, string> = {
    'Content-Type': 'application/json',
    Connection: line === null ? 'close' : 'keep-alive',
    'User-Agent': `${CLI_AGENT}${packageVersion()}`,
  };
  if (target.token !== null) headers['Authorization'] = `Bearer ${target.token}`;
  const fail = (error: NodeJS.ErrnoException): void => reject(unreachable(target, reasonOf(error), error));
  let request: ReturnType<typeof httpRequest>;
  try {
    const agent = line === null ? {} : { agent: line.agent };
    request = httpRequest({ ...place, ...agent, method, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new UsageError(`the admin token cannot be sent (${error instanceof Error ? error.message : String(error)})`);
  }
  request.on('error', fail);
  request.on('socket', (socket) => {
    if (line?.take(socket) === false) request.destroy(new Error('it closed the connection on which it had answered'));
  });
  request.on('response', (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('error', fail);
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) response.destroy(new Error('its answer does not end'));
      else chunks.push(chunk);
    });
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
    );
  });
  request.end(body ?? undefined);
  return promise;
}

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'connection refused';
    case 'ENOENT':
      return 'there is no such socket';
    case 'EACCES':
      return 'only the owner of the socket may use it';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the name is not known';
    case 'ABORT_ERR':
      return `no answer within ${TIMEOUT_MS / 1000} s`;
    default:
      return error.message;
  }
}

function unreachable({ address }: AdminTarget, reason: string, cause?: unknown): SpillwayError {
  const hint = 'Is the gateway running, and is this the admin.address of its config?';
  return new SpillwayError('ADMIN_UNREACHABLE', `No running gateway answered on ${address}: ${reason}. ${hint}`, {
    cause,
    retryable: true,
  });
}
