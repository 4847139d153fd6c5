/**
 * Where counters live: what a limiter asks of a store, so that algorithms and stores can be combined freely.
 *
 * There are two kinds. A *local* store answers at once: the memory of this thread, or memory shared by the threads of a process. A
 * *remote* one answers with a promise: Redis, PostgreSQL, or your own. What has to be written once for all remote stores (calls of
 * one tick made one, refusals remembered, deadlines, outages) is in the limiter above them and not in the store.
 *
 * What every store promises; `npm test -- src/limit` holds it, and so can you for your own store (`spillway/testing`):
 *
 * - A question is decided at one moment, whoever else asks: no take comes between its parts.
 * - Time is the store's own clock, never the caller's.
 * - The numbers are those of the algorithm (algorithm.ts), to the microsecond.
 * - The name of a limiter and the layout of its algorithm are the identity of its counters: who opens the same meets the same
 *   counters, also with a changed limit.
 * - What is forgotten, to save memory or by a crash, can only admit more.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Algorithm, Ask, LeaseAlgorithm, Outcome } from './algorithm.ts';

/** The counters of one limiter in a local store: one set of numbers a key. A store sets `ask.nowUs`. */
export interface Counters {
  take(key: string, ask: Ask, out: Outcome): void;
  peek(key: string, ask: Ask, out: Outcome): void;
  /** Gives back `ask.cost`. */
  refund(key: string, ask: Ask): void;
  /** Forgets the key. */
  reset(key: string): void;
  /** Of a lease algorithm: gives back what `ask.holder` holds. */
  release(key: string, ask: Ask): boolean;
  /** Of a lease algorithm: another whole lease for `ask.holder`. */
  renew(key: string, ask: Ask): boolean;
}

/** One of several limits that are taken from together; `ask.times` is 1. */
export interface LocalPart {
  readonly counters: Counters;
  readonly key: string;
  readonly ask: Ask;
  readonly out: Outcome;
}

export interface LocalStore {
  readonly local: true;
  readonly clock: Clock;
  /** The counters of that name and of the algorithm's layout. */
  open(name: string, algorithm: Algorithm): Counters;
  /**
   * Takes from all or from none, as if at one moment; true if from all, and each `out` says what `Counters.take` would have said.
   * Otherwise nothing is taken, each `out` says what `Counters.peek` would have said, and those refused whose `granted` is 0.
   */
  takeAll(parts: readonly LocalPart[]): boolean;
}

/** Whose counters. */
export interface CountersKey {
  /** Of the limiter: with the algorithm's layout, the identity of the counters. */
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly key: string;
}

/** What a remote store is asked. `take` grants as many of `times` takes as there is room for. */
export interface RemotePart extends CountersKey {
  readonly cost: number;
  readonly times: number;
  readonly holder: number;
}

export interface Question {
  /**
   * - `take`: of one part, as many of `times` as there is room for; of several parts (whose `times` are then 1), all or none.
   * - `peek`: what a take would get, taking nothing.
   * - `refund`, `reset`, `release`, `renew`: as `Counters` has them.
   */
  readonly verb: 'take' | 'peek' | 'refund' | 'reset' | 'release' | 'renew';
  readonly parts: readonly [RemotePart, ...RemotePart[]];
}

export interface RemoteStore {
  readonly local: false;
  /** What it is called in messages, such as `redis`. */
  readonly name: string;
  /** For deadlines and waiting here; what is counted goes by the store's own clock. */
  readonly clock: Clock;
  /** Where limiters count by themselves while this store is unavailable. @defaultValue memory of this thread */
  readonly fallback?: LocalStore;
  /**
   * Answers questions in their order, each decided at one moment: for each question an outcome for each part. All that one tick
   * brings comes in one call, so that it can be one round trip. Rejects if the store cannot be asked or does not answer; what was
   * then decided is unknown. The signal says that nobody waits for the answer any more; of one that comes all the same, leases are given
   * back.
   *
   * After a refused take of several parts, the outcomes are what `LocalStore.takeAll` says. For `refund` and `reset` the outcome has
   * no meaning; for `release` and `renew`, `granted` is 1 or 0.
   */
  ask(
    questions: readonly Question[],
    options: { readonly signal: AbortSignal },
  ): Promise<readonly (readonly Outcome[])[]>;
  /** Throws `KEYS_APART` if these can never be decided at one moment, being on different servers. */
  checkTogether?(counters: readonly CountersKey[]): void;
}

export type Store = LocalStore | RemoteStore;

export function hasLeases(algorithm: Algorithm): algorithm is LeaseAlgorithm {
  return algorithm.kind === 'concurrency';
}

/** Microseconds since the epoch that never step back: the wall clock as it was when the store was made, and monotonic since. */
export class StoreTime {
  readonly #clock: Clock;
  readonly #originUs: number;

  constructor(clock: Clock, originUs = Math.round(clock.wallMs() * 1000) - Math.round(clock.nowMs() * 1000)) {
    this.#clock = clock;
    this.#originUs = originUs;
  }

  get originUs(): number {
    return this.#originUs;
  }

  nowUs(): number {
    return this.atUs(this.#clock.nowMs());
  }

  /** The same of a moment that the clock has said. */
  atUs(nowMs: number): number {
    return this.#originUs + Math.round(nowMs * 1000);
  }
}
