/**
 * One active check of one address: the I/O, and the words for how it failed.
 *
 * A check is one fresh connection, used once and closed, so that it measures what a new client would meet and never a
 * connection that happens to have survived. It settles exactly once, never throws, and leaves no socket behind.
 * Costs one connection and at most `BODY_BYTES_MAX` of answer.
 */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect as tcpConnect, type LookupFunction, type Socket } from 'node:net';
import { connect as tlsConnect, type ConnectionOptions } from 'node:tls';
import type { CheckResult } from '../../health/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { failureReason } from '../connection-failure.ts';

export type ProbeKind =
  | {
      readonly type: 'http';
      readonly method: string;
      readonly path: string;
      /** Value of the Host field; null is the address itself. */
      readonly host: string | null;
      /** Inclusive ranges of status codes. */
      readonly expected: readonly StatusRange[];
    }
  /** A connection that can be made (with the TLS handshake, if there is one) is a success. */
  | { readonly type: 'tcp' };

export interface StatusRange {
  readonly from: number;
  readonly to: number;
}

export interface Probe {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly kind: ProbeKind;
  /** Null is a plain connection. */
  readonly tls: ConnectionOptions | null;
  readonly lookup: LookupFunction;
}

/** Of an answer's body: a health page over this is cut, and counts as answered. */
const BODY_BYTES_MAX = 16_384;
const HEADER_BYTES_MAX = 16_384;

type Settle = (result: CheckResult) => void;

/**
 * Starts a check; `done` gets its result, or null if this thread was so late itself that the result would say nothing
 * about the endpoint. Returns what cancels it: then `done` is not called.
 */
export function startProbe(probe: Probe, clock: Clock, done: (result: CheckResult | null) => void): () => void {
  const startedMs = clock.nowMs();
  let connected = false;
  let settled = false;
  let io: { destroy(): unknown } | null = null;
  const end = (): boolean => {
    if (settled) return false;
    settled = true;
    timer.clear();
    io?.destroy();
    return true;
  };
  const settle = (result: CheckResult | null): void => {
    if (end()) done(result);
  };
  const timer = clock.after(probe.timeoutMs, () => {
    const lateMs = clock.nowMs() - startedMs - probe.timeoutMs;
    if (lateMs > probe.timeoutMs / 2) return settle(null);
    const missing = connected ? 'answer' : 'connection';
    settle({ kind: 'failure', reason: `no ${missing} within ${formatMs(probe.timeoutMs)}`, timeout: true });
  });
  io = begin(probe, settle, () => (connected = true));
  return () => void end();
}

function begin(probe: Probe, settle: Settle, onConnect: () => void): { destroy(): unknown } | null {
  try {
    return probe.kind.type === 'tcp'
      ? beginTcp(probe, settle, onConnect)
      : beginHttp(probe, probe.kind, settle, onConnect);
  } catch (error) {
    // Only options that Node refuses, such as a key that does not parse. Later, so that `done` never runs within the call.
    queueMicrotask(() => settle(failed(error)));
    return null;
  }
}

function beginTcp(probe: Probe, settle: Settle, onConnect: () => void): Socket {
  const { host, port, tls, lookup } = probe;
  const socket = tls === null ? tcpConnect({ host, port, lookup }) : tlsConnect({ ...tls, host, port, lookup });
  socket.on('error', (error) => settle(failed(error)));
  socket.on('close', () => settle(failed(new Error('connection closed'))));
  socket.on('connect', onConnect);
  socket.on(tls === null ? 'connect' : 'secureConnect', () => {
    settle({ kind: 'success', reason: 'accepted a connection' });
  });
  return socket;
}

function beginHttp(
  probe: Probe,
  kind: Extract<ProbeKind, { type: 'http' }>,
  settle: Settle,
  onConnect: () => void,
): ClientRequest {
  const { host, port, tls, lookup } = probe;
  const options = {
    host,
    port,
    lookup,
    method: kind.method,
    path: kind.path,
    agent: false as const,
    maxHeaderSize: HEADER_BYTES_MAX,
    headers: { 'User-Agent': 'spillway-health', Accept: '*/*', ...(kind.host === null ? {} : { Host: kind.host }) },
  };
  const request = tls === null ? httpRequest(options) : httpsRequest({ ...tls, ...options });
  request.on('error', (error) => settle(failed(error)));
  let answering = false;
  request.on('close', () =>
    settle(failed(new Error(`connection closed ${answering ? 'within the' : 'before an'} answer`))),
  );
  request.on('socket', (socket) => socket.once('connect', onConnect));
  request.on('upgrade', (_response, socket) => {
    socket.on('error', () => {});
    socket.destroy();
    settle({ kind: 'failure', reason: 'an upgrade (status 101) that was not asked for', timeout: false });
  });
  request.on('response', (response) => {
    answering = true;
    const verdict = judge(response.statusCode ?? 0, kind.expected);
    if (verdict.kind === 'failure') settle(verdict);
    else readBody(response, verdict, settle);
  });
  request.end();
  return request;
}

function judge(status: number, expected: readonly StatusRange[]): CheckResult {
  if (expected.some(({ from, to }) => status >= from && status <= to))
    return { kind: 'success', reason: `status ${status}` };
  const wanted = expected.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
  return { kind: 'failure', reason: `status ${status}, expected ${wanted}`, timeout: false };
}

/** An answer that begins and never ends is no answer; one that is too long to wait for is. */
function readBody(response: IncomingMessage, verdict: CheckResult, settle: Settle): void {
  let bytes = 0;
  response.on('error', () =>
    settle({ kind: 'failure', reason: 'connection closed within the answer', timeout: false }),
  );
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) settle(verdict);
  });
  response.on('end', () => settle(verdict));
}

function failed(error: unknown): CheckResult {
  const { code, message } = error as NodeJS.ErrnoException;
  return { kind: 'failure', reason: reasonFor(code ?? '', message), timeout: code === 'ETIMEDOUT' };
}

function reasonFor(code: string, message: string): string {
  if (code === 'HPE_HEADER_OVERFLOW') return `the head of its answer is over ${HEADER_BYTES_MAX} bytes`;
  return code.startsWith('HPE_') ? 'its answer is not valid HTTP' : failureReason(code, message);
}

function formatMs(ms: number): string {
  return ms < 1000 || ms % 100 !== 0 ? `${ms} ms` : `${ms / 1000} s`;
}
