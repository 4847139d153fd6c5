/**
 * What a piece of work carries with it through `await`, callbacks and timers: which trace it belongs to, by which id people find it
 * again, and its baggage. One `AsyncLocalStorage` in the process, so that logs, spans and clients all see the same.
 *
 * A context is never changed: who wants another runs in another. Cost: `currentContext` some nanoseconds, `runInContext` below 100.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Baggage } from './baggage.ts';
import type { TraceContext } from './trace-context.ts';

export type { Baggage } from './baggage.ts';
export type { TraceContext } from './trace-context.ts';

export interface WorkContext {
  /** The span that runs, or the caller's if none was begun here; null if nobody traces. */
  readonly trace: TraceContext | null;
  /** What all log lines of one request share, here and in every service it reaches; `X-Request-Id` on the wire. */
  readonly correlationId: string;
  readonly baggage: Baggage;
  /** What another library lets go along, of which nothing is known here. */
  readonly carried?: unknown;
}

const storage = new AsyncLocalStorage<WorkContext | null>();

/** Null outside of any. */
export function currentContext(): WorkContext | null {
  return storage.getStore() ?? null;
}

/** Runs it, and all it starts, in this context; with null, in none. */
export function runInContext<T>(context: WorkContext | null, run: () => T): T {
  return storage.run(context, run);
}

/** What is left of this callback of the event loop, and all it starts, is in this context: where nobody hands over what to run. */
export function enterContext(context: WorkContext): void {
  storage.enterWith(context);
}

const unobserved = new AsyncLocalStorage<boolean>();

/** Runs it, and all it starts, unseen by who looks at outgoing requests: telemetry on its way would cause itself. */
export function runUnobserved<T>(run: () => T): T {
  return unobserved.run(true, run);
}

export function isUnobserved(): boolean {
  return unobserved.getStore() === true;
}

/** Runs it as if nobody had begun it: for timers and connections that many share, which would keep what the first of them carried. */
export const outsideOfAny: <T>(run: () => T) => T = AsyncLocalStorage.snapshot();
