/**
 * Where leases are kept: what locks and elections ask of a store, so that each of them works on each. One lease is a *share* of what a
 * key can give: an exclusive holder takes all of it, a reader one of very many, a permit of a semaphore one of n.
 *
 * What every store promises; `leaseStoreContract` of `spillway/testing` holds it, and so can you for your own:
 *
 * - Shares that are held at one time never exceed `of`, as the store's own clock counts `ttlMs`.
 * - `token` is greater than that of every lease that the store granted before, whatever the key: it is a fencing token.
 * - A claim is known by its `id`, and everything is idempotent by it. Asked again while it holds, `try` answers the same token and begins its
 *   time anew; so an answer that got lost does no harm.
 * - `renew` never brings back what is over, and `release` never takes what another holds. Who does not renew loses the lease when
 *   `ttlMs` have passed since the last question that was granted was *sent*, or since what its answer has as `since`, and not before.
 * - A store with `queue` serves claims that say so in the order of their first question; nobody overtakes one who keeps its place. A place is
 *   kept for `ttlMs` after the last `try`, or as long as a lease would last.
 * - What a store says is what its server said: an error is an error, never “busy”. Errors are `STORE_UNAVAILABLE`, after which everything
 *   may be or not be, or `STORE_REFUSED`.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Instant } from './instant.ts';

/** As much as an exclusive lease takes: so one key can be read by very many or written by one. */
export const WHOLE = 2 ** 31 - 1;

/** Who holds renews, and who waits asks again, so often within a ttl, or what a lease lasts of it: two may fail. */
export const RENEWALS_PER_TTL = 3;

export interface Claim {
  readonly key: string;
  /** Of this claim alone, in all processes and for ever: whoever knows it is the holder. 32 hexadecimal digits. */
  readonly id: string;
  /** For people and for those who observe an election: who claims. */
  readonly holder: string;
  /** Granted if no more than `of` is held with it. */
  readonly share: number;
  readonly of: number;
  readonly ttlMs: number;
  /** Whether to keep a place among those who wait while it is not granted; given up by `release`. */
  readonly queue: boolean;
}

export interface Granted {
  readonly granted: true;
  readonly token: bigint;
  /**
   * From when `ttlMs` counts, for a store whose leases share one session, or end before their ttl does: it is over then, if it is not renewed, before the
   * server can give it to another. @defaultValue when the question was sent
   */
  readonly since?: Instant;
}

export interface Busy {
  readonly granted: false;
  /** When to ask again at the latest, from now; sooner if `watch` says so. */
  readonly againMs: number;
}

export type Answer = Granted | Busy;

export type Renewal = { readonly held: true; readonly since?: Instant } | { readonly held: false };

/** Who holds a share of a key now. */
export interface Holding {
  readonly holder: string;
  readonly token: bigint;
  readonly share: number;
}

export interface Waiting {
  /** Nobody waits for the answer any more; what has not been sent by then need not be. */
  readonly signal: AbortSignal;
}

/** Ends what `watch` began. Idempotent. */
export type Unwatch = () => void;

export interface LeaseStoreLimits {
  /** Shorter or longer leases are refused. */
  readonly ttlMsMin: number;
  /** What is to be done where a shorter one is wanted, as a sentence. @defaultValue nothing can be */
  readonly ttlMsMinAdvice?: string;
  readonly ttlMsMax: number;
  /** Of a key in UTF-8. */
  readonly keyBytesMax: number;
  /** Whether several can hold parts of one key: readers, permits. */
  readonly shares: boolean;
  /** Whether those who wait are served in their order, across processes. */
  readonly queue: boolean;
  /**
   * Whether what is asked is done in the order of asking, unless it fails: then who is next asks together with the release before it, and a hand-over
   * within a process is one round trip. Where it is not, the next would find the key taken more often than not.
   */
  readonly ordered: boolean;
}

/** Of a store that has no reason for others. */
export const limitsUsual: LeaseStoreLimits = {
  // A shorter one is lost by any timer that is a little late.
  ttlMsMin: 10,
  // 24 days: nobody waits as long for what a dead holder had, and it fits what servers count in.
  ttlMsMax: 2 ** 31 - 1,
  keyBytesMax: 1024,
  shares: true,
  queue: true,
  ordered: false,
};

export interface LeaseStore extends AsyncDisposable {
  /** What it is called in messages, such as `redis`. */
  readonly name: string;
  readonly clock: Clock;
  readonly limits: LeaseStoreLimits;
  try(claim: Claim, waiting: Waiting): Promise<Answer>;
  /** Begins the time of a granted claim anew. */
  renew(claim: Claim, waiting: Waiting): Promise<Renewal>;
  /** Gives back what the claim holds, or its place among those who wait. */
  release(claim: Claim, waiting: Waiting): Promise<void>;
  /**
   * Calls `wake` when the claim, which has been told that the key is busy, should ask again; without a claim, whenever the holders of the key may
   * have changed. What may have been missed before the store began to listen is made up for by a call. A store that cannot listen
   * never calls. Never throws; `wake` is never called from within.
   */
  watch(key: string, claim: Claim | null, wake: () => void): Unwatch;
  /** Who holds the key, those first who have held it longest. */
  read(key: string, waiting: Waiting): Promise<readonly Holding[]>;
}
