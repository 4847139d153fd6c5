/**
 * What a cache of many processes must do, and what nothing of it is needed for: behind the memory of each process, one store in which a value
 * is loaded once for all of them.
 *
 * Of every store:
 * - A key that is not known, or not for long enough, is leased to one who asks: he loads it, the others hear that it is taken. The lease is a token
 *   (Nishtala and others, “Scaling Memcache at Facebook”, NSDI 2013, §3.2.1).
 * - `fill` keeps a value only if the token is still that of the key: `set` and `delete` take it away, and so does the next lease. So what was
 *   read before a change is never in the store after it, whatever was slow.
 * - Each call is atomic, and goes by one clock, the store's.
 */

/** A value as text, which may be anything; and how long it took to load. */
export interface SharedValue {
  readonly text: string;
  /** For how long it is fresh, in whole milliseconds; 0 if it is not to be kept. */
  readonly freshMs: number;
  readonly tookMs: number;
}

export type SharedAnswer =
  | ({ readonly is: 'known' } & SharedValue)
  /** Who asked is to load it. */
  | { readonly is: 'leased' }
  /** Another is loading it, for so long at most. */
  | { readonly is: 'taken'; readonly leaseMs: number };

/** Whoever waits for a call; when that is aborted, nobody does. */
export interface Waiting {
  readonly signal: AbortSignal;
}

export interface LeaseAsk {
  readonly token: string;
  readonly leaseMs: number;
  /** So much must be left of a value for it to do. */
  readonly beyondMs: number;
}

export interface SharedCache {
  /** What metrics call it. */
  readonly name: string;
  ask(key: string, ask: LeaseAsk, waiting: Waiting): Promise<SharedAnswer>;
  /** False if the token is not that of the key any more: nothing is kept then. What there is no room for is not kept either, and true. */
  fill(key: string, token: string, value: SharedValue, waiting: Waiting): Promise<boolean>;
  /** Gives the lease back; if it is not the token's any more, nothing. What was known stays. */
  release(key: string, token: string, waiting: Waiting): Promise<void>;
  /** Without room for it, nothing is known of the key. */
  set(key: string, value: SharedValue, waiting: Waiting): Promise<void>;
  delete(key: string, waiting: Waiting): Promise<void>;
}
