/**
 * One active check of one address: its time, and that it settles once. What is asked is in a file of its own for each kind.
 *
 * A check is one fresh connection, used once and closed, so that it measures what a new client would meet and never a
 * connection that happens to have survived. It settles exactly once, never throws, and leaves no socket behind.
 * Costs one connection and a bounded part of the answer (src/health/expectation.ts says how much).
 */
import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { CheckResult, HttpExpectation, TcpExpectation } from '../../health/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { failed } from './probe-failure.ts';
import { beginGrpc } from './probe-grpc.ts';
import { beginHttp } from './probe-http.ts';
import { beginTcp } from './probe-tcp.ts';

/** What is asked, and what the answer must be. Plain data: services that ask the same are told from others by it. */
export type ProbeKind =
  | {
      readonly type: 'http';
      readonly method: string;
      readonly path: string;
      /** Value of the Host field; null is the address itself. */
      readonly host: string | null;
      readonly fields: Readonly<Record<string, string>>;
      readonly expectation: HttpExpectation;
    }
  | { readonly type: 'tcp'; readonly expectation: TcpExpectation }
  | {
      readonly type: 'grpc';
      /** Of which service; empty is the server as a whole. */
      readonly service: string;
      /** `:authority`; null is the address itself. */
      readonly host: string | null;
      readonly fields: Readonly<Record<string, string>>;
    };

export type ProbeOf<Type extends ProbeKind['type']> = Extract<ProbeKind, { readonly type: Type }>;

/** Where to ask, and how to get there. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
  /** Null is a plain connection. */
  readonly tls: ConnectionOptions | null;
  readonly lookup: LookupFunction;
}

export interface Probe extends ProbeTarget {
  readonly timeoutMs: number;
  readonly kind: ProbeKind;
}

/** How the I/O of a check tells what it has met. */
export interface ProbeEvents {
  readonly onConnect: () => void;
  /** May be called again; only the first call counts. Null: the reason is ours and says nothing about the endpoint. */
  readonly settle: (result: CheckResult | null) => void;
}

/** The I/O of a check under way. */
export interface ProbeIo {
  destroy(): void;
  /** What an answer that is not complete comes to when its time is over; null or absent: it counts as none. */
  unfinished?(): CheckResult | null;
}

/**
 * Starts a check; `done` gets its result, or null if what went wrong is this process's (it was late itself, or has no descriptor
 * left) and says nothing about the endpoint. Returns what cancels it: then `done` is not called.
 */
export function startProbe(probe: Probe, clock: Clock, done: (result: CheckResult | null) => void): () => void {
  const startedMs = clock.nowMs();
  let connected = false;
  let settled = false;
  let io: ProbeIo | null = null;
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
    const reason = `no ${missing} within ${formatMs(probe.timeoutMs)}`;
    settle(io?.unfinished?.() ?? { kind: 'failure', code: 'timeout', reason });
  });
  io = begin(probe, { settle, onConnect: () => (connected = true) });
  return () => void end();
}

function begin(probe: Probe, events: ProbeEvents): ProbeIo | null {
  const { kind } = probe;
  try {
    switch (kind.type) {
      case 'http':
        return beginHttp(probe, kind, events);
      case 'tcp':
        return beginTcp(probe, kind, events);
      case 'grpc':
        return beginGrpc(probe, kind, events);
      default:
        return kind satisfies never;
    }
  } catch (error) {
    // Only options that Node refuses, such as a key that does not parse. Later, so that `done` never runs within the call.
    queueMicrotask(() => events.settle(failed(error)));
    return null;
  }
}

function formatMs(ms: number): string {
  return ms < 1000 || ms % 100 !== 0 ? `${ms} ms` : `${ms / 1000} s`;
}
