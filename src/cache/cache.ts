/**
 * Caching: the concept. A cache answers with what it knows and loads what it does not, once for all who ask.
 *
 * An error is the loader's own, or means that it was too late (`CACHE_LOAD_LATE`), that the call was wrong (`OPTIONS_INVALID`), or that it was given up
 * by its signal. Everybody is answered with the same value, not with a copy: it must not be changed.
 */
import type { LoadContext } from './flight.ts';
import type { CacheOutage } from './shared-tier.ts';
import type { CacheCounts } from './tally.ts';

/** Gets a value from where it is known for sure. Null or undefined is the answer that there is none. */
export type Load<Value> = (context: LoadContext) => Value | PromiseLike<Value>;

export interface GetOptions {
  /** Gives up waiting. The load goes on for the others; if there are none, it is told to stop. */
  readonly signal?: AbortSignal | undefined;
}

export interface Cache<Value = unknown> {
  readonly name: string;
  /** How requests ended, and what was done for them, since it was made. */
  readonly counts: CacheCounts;
  readonly entries: number;
  /** What they take in memory, by their sizes. */
  readonly bytes: number;
  /** Since when the shared store does not answer, and why; null while it does, and without one. */
  readonly outage: CacheOutage | null;
  /** What is known of the key, or else what `load` brings, which then is known. */
  get(key: string, load: Load<Value>, options?: GetOptions): Promise<Value>;
  /** What `get` would answer without waiting; undefined if nothing. Loads nothing, counts nothing, and is no use of the entry. */
  peek(key: string): Value | undefined;
  /**
   * From now on this is known of the key; what is being loaded is not kept. With a shared store, there too when it resolves: it rejects if the store does not
   * answer, and others may be given what was known before until its end.
   */
  set(key: string, value: Value): Promise<void>;
  /** From now on nothing is known of the key; what is being loaded is not kept. With a shared store as `set`. */
  delete(key: string): Promise<void>;
  /** The same of all keys, but for what is in a shared store: there it stays until its end. */
  clear(): Promise<void>;
}
