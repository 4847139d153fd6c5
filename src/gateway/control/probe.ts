/**
 * One active check of one address: its time, and that it settles once. What is asked is in a file of its own for each kind.
 *
 * A check is one fresh connection, used once and closed, so that it measures what a new client would meet and never a
 * connection that happens to have survived. It settles exactly once, never throws, and leaves no socket behind.
 * Costs one connection and a bounded part of the answer (src/health/expectation.ts says how much).
 */
import type { CheckResult } from '../../health/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { failed } from './probe-failure.ts';
import { beginGrpc } from './probe-grpc.ts';
import { beginHttp } from './probe-http.ts';
import type { Probe, ProbeEvents, ProbeIo } from './probe-io.ts';
import { beginTcp } from './probe-tcp.ts';

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
