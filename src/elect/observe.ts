/**
 * Watching a seat: who leads it, and each change. Looks when the store says that something changed, and every so often in case it did not.
 *
 * One look at a time; changes that come faster than they are taken are seen as the last of them. An iteration that is left, also while a look
 * has no answer, leaves neither watch nor timer.
 */
import { abortable } from '../kernel/abort.ts';
import type { Timer } from '../kernel/clock.ts';
import type { LeaseStore, Unwatch } from '../lease/store.ts';
import { answered, Retry, type RetryOptions } from './retry.ts';

export interface Leadership {
  /** What the leader calls itself; null while there is none. */
  readonly leader: string | null;
  readonly term: bigint | null;
}

export interface SeatOptions {
  readonly seat: string;
  readonly everyMs: number;
  readonly signal: AbortSignal | undefined;
  readonly retrying: RetryOptions;
}

export function observeSeat(store: LeaseStore, options: SeatOptions): AsyncIterable<Leadership> {
  return { [Symbol.asyncIterator]: () => new SeatObservation(store, options) };
}

type Result = IteratorResult<Leadership, undefined>;

// WHY: no generator. One that is asked to return while it awaits does so only afterwards, and a store may never answer.
class SeatObservation implements AsyncIterator<Leadership, undefined> {
  readonly #store: LeaseStore;
  readonly #options: SeatOptions;
  readonly #retry: Retry;
  readonly #end = new AbortController();
  readonly #finish = (): void => this.#finished();
  #changed = Promise.withResolvers<void>();
  #looking: Timer | null = null;
  #unwatch: Unwatch | null = null;
  /** Undefined until the first look. */
  #known: bigint | null | undefined;
  /** Callers of `next` are served in turn. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(store: LeaseStore, options: SeatOptions) {
    this.#store = store;
    this.#options = options;
    this.#retry = new Retry(options.retrying);
  }

  next(): Promise<Result> {
    const next = this.#last.then(() => this.#next());
    this.#last = next.catch(() => {});
    return next;
  }

  async return(): Promise<Result> {
    this.#finished();
    return { done: true, value: undefined };
  }

  async #next(): Promise<Result> {
    this.#begin();
    const { signal } = this.#end;
    try {
      for (;;) {
        if (this.#known !== undefined) await abortable(this.#changed.promise, signal);
        this.#changed = Promise.withResolvers();
        const value = await this.#retry.until(() => this.#look(), signal);
        if (value.term === this.#known) continue;
        this.#known = value.term;
        return { done: false, value };
      }
    } catch (error) {
      if (signal.aborted) return { done: true, value: undefined };
      this.#finished();
      throw error;
    }
  }

  async #look(): Promise<Leadership> {
    const { seat, retrying } = this.#options;
    const ask = (signal: AbortSignal): ReturnType<LeaseStore['read']> => this.#store.read(seat, { signal });
    const [holding] = await answered(retrying, ask, this.#end.signal);
    return { leader: holding?.holder ?? null, term: holding?.token ?? null };
  }

  #begin(): void {
    const { seat, everyMs, signal } = this.#options;
    if (signal?.aborted === true) this.#finished();
    if (this.#looking !== null || this.#end.signal.aborted) return;
    const look = (): void => this.#changed.resolve();
    this.#looking = this.#store.clock.every(everyMs, look, { ref: true });
    this.#unwatch = this.#store.watch(seat, null, look);
    signal?.addEventListener('abort', this.#finish, { once: true });
  }

  #finished(): void {
    this.#looking?.clear();
    this.#unwatch?.();
    this.#options.signal?.removeEventListener('abort', this.#finish);
    this.#end.abort();
  }
}
