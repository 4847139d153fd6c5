/**
 * One load of a key, and all who wait for it: callers come and go, and only when the last has gone is the load told to stop. A refresh
 * in the background is waited for by the cache itself.
 *
 * Invariants: it ends once, by its value, its failure, its deadline or its being abandoned; what the loader does afterwards is nobody's. One
 * that was *outdated*, because its key was set or deleted while it ran, is still answered to who waits for it, for they asked before that, and never
 * kept.
 */
import { abortable, LazyAbort } from '../kernel/abort.ts';
import type { Timer } from '../kernel/clock.ts';
import type { CacheResult, LoadReason } from './tally.ts';

/** What a loader is told. */
export interface LoadContext {
  /** Aborted when nobody waits any more, or at the deadline. */
  readonly signal: AbortSignal;
}

/** Its signal is made when it is first looked at. */
class Context implements LoadContext {
  readonly #abort: LazyAbort;

  constructor(abort: LazyAbort) {
    this.#abort = abort;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }
}

export interface FlightOptions {
  readonly key: string;
  readonly reason: LoadReason;
  readonly sinceMs: number;
}

export class Flight {
  readonly key: string;
  readonly reason: LoadReason;
  readonly sinceMs: number;
  readonly context: LoadContext;
  readonly promise: Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly #abort = new LazyAbort();
  /** Callers that wait for it. */
  waiting: number;
  /** Whether the caller that began it is among them. */
  isFirstHere: boolean;
  /** How it ended for who waits; for the one who began it, `miss` in place of `joined`. Null while it lasts. */
  result: CacheResult | null = null;
  outdated = false;
  timer: Timer | null = null;

  constructor({ key, reason, sinceMs }: FlightOptions) {
    this.key = key;
    this.reason = reason;
    this.sinceMs = sinceMs;
    this.context = new Context(this.#abort);
    ({ promise: this.promise, resolve: this.resolve, reject: this.reject } = Promise.withResolvers<unknown>());
    // Of a refresh nobody may hear.
    this.promise.catch(() => {});
    this.waiting = reason === 'miss' ? 1 : 0;
    this.isFirstHere = reason === 'miss';
  }

  get isOver(): boolean {
    return this.result !== null;
  }

  end(result: CacheResult): void {
    this.result = result;
    this.timer?.clear();
  }

  /** Tells the loader to stop. */
  abort(why: () => Error): void {
    this.#abort.abort(why);
  }

  /** The value, for a caller who may give up; it is then told. */
  async hear(signal: AbortSignal, gone: () => void): Promise<unknown> {
    try {
      return await abortable(this.promise, signal);
    } catch (error) {
      if (signal.aborted && !this.isOver) gone();
      throw error;
    }
  }
}
