/**
 * Leader election: of all processes that campaign for a seat, one leads.
 *
 * A term is a lease (spillway/lease) that its leader renews; its number is the fencing token. A leader steps down by itself before the store can
 * give the seat to another; what it wrote too late is refused by whoever checks the term. Those who campaign wait as those do who wait
 * for a lock: in their order and by notification, where the store can.
 *
 * Cost: one round trip every third of the ttl for each leader and each process that campaigns; observers ask when they are told, and every
 * few seconds.
 */
import { hostname } from 'node:os';
import { SpillwayError } from '../kernel/errors.ts';
import { checkDuration, checkKeys } from '../kernel/options.ts';
import type { Random } from '../kernel/random.ts';
import type { Duration } from '../kernel/units.ts';
import type { Lease } from '../lease/lease.ts';
import { Leases } from '../lease/leases.ts';
import type { LeaseStore } from '../lease/store.ts';
import { type Leadership, observeSeat } from './observe.ts';

export interface ElectionsOptions {
  /** Who this is, as observers see it: at most 256 bytes, an address perhaps. @defaultValue host name and process id */
  readonly holder?: string;
  /** How long one question to the store may take: `'2s'`, or milliseconds, from 1 ms to 1 minute. @defaultValue '2s' */
  readonly timeout?: Duration | number;
  /** For jitter. @defaultValue seeded by the operating system */
  readonly random?: Random;
}

export interface CampaignOptions {
  /** How long a leader that died is still taken for one: `'15s'`, or milliseconds. It is renewed every third of it. @defaultValue '15s' */
  readonly ttl?: Duration | number;
  /** Ends the campaign: the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

export interface ObserveOptions {
  /** How often to look without being told, which is how a leader is missed that died: `'5s'`, or milliseconds. @defaultValue '5s' */
  readonly every?: Duration | number;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

/** What a leader has in its hands. */
export interface Term extends AsyncDisposable {
  readonly seat: string;
  /** Greater than that of every leader before: for resources to check. */
  readonly term: bigint;
  /** Aborted when this process leads no more, before another can; its reason is an error `LEASE_LOST`. */
  readonly signal: AbortSignal;
  /** Throws `LEASE_LOST` unless it leads at this moment, by both clocks. */
  assertLeader(): void;
  /** Leaves the seat to the next: true if the store knows. Never rejects. */
  resign(): Promise<boolean>;
}

/** What the work of a leader is given. */
export type Leading = Pick<Term, 'seat' | 'term' | 'signal' | 'assertLeader'>;

export interface Elections extends AsyncDisposable {
  /** Waits, for as long as it takes, until this process leads. */
  campaign(seat: string, options?: CampaignOptions): Promise<Term>;
  /** Who leads now, and then each change. Ends when the signal is aborted; while the store cannot be asked, nothing new is known. */
  observe(seat: string, options?: ObserveOptions): AsyncIterable<Leadership>;
  /**
   * Runs the work while this process leads, and only then. When the term is lost, the work is told by its signal, awaited, and begun anew in the
   * next term. Resolves with what the work resolves with in a term that it holds to the end, and resigns; rejects with what it throws, or with
   * the reason of `options.signal`.
   */
  whileLeader<T>(seat: string, options: CampaignOptions, work: (leading: Leading) => Promise<T>): Promise<T>;
}

const TIMEOUT_DEFAULT = '2s';
/** As client-go has it: long beside a pause of garbage collection or a failover of a store. */
const TTL_DEFAULT = '15s';
const EVERY_DEFAULT = '5s';
const DAY_MS = 86_400_000;

class StoreElections implements Elections {
  readonly #leases: Leases;
  readonly #holder: string;

  constructor(leases: Leases, holder: string) {
    this.#leases = leases;
    this.#holder = holder;
  }

  async campaign(seat: string, options: CampaignOptions = {}): Promise<Term> {
    checkKeys('campaign', options, ['ttl', 'signal']);
    const { ttl = TTL_DEFAULT, signal } = options;
    const ttlMs = checkDuration('ttl', ttl, 1, DAY_MS);
    const lease = await this.#leases.acquire({ key: seat, holder: this.#holder, ttlMs, waitMs: Infinity, signal });
    // It waits for ever, so it is never refused.
    return termOf(lease!);
  }

  observe(seat: string, options: ObserveOptions = {}): AsyncIterable<Leadership> {
    checkKeys('observe', options, ['every', 'signal']);
    const { every = EVERY_DEFAULT, signal } = options;
    const everyMs = checkDuration('every', every, 1, DAY_MS);
    return observeSeat(this.#leases.store, { seat, everyMs, signal });
  }

  async whileLeader<T>(seat: string, options: CampaignOptions, work: (leading: Leading) => Promise<T>): Promise<T> {
    const { signal } = options;
    for (;;) {
      await using term = await this.#campaignOn(seat, options);
      // The work stops when the term is lost, and when nobody wants it any more.
      const ends = signal === undefined ? term.signal : AbortSignal.any([term.signal, signal]);
      try {
        const result = await work({ seat, term: term.term, signal: ends, assertLeader: () => term.assertLeader() });
        term.assertLeader();
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        if (!term.signal.aborted) throw error;
      }
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#leases[Symbol.asyncDispose]();
  }

  /** Campaigns again where it would do any good. */
  async #campaignOn(seat: string, options: CampaignOptions): Promise<Term> {
    for (;;) {
      try {
        return await this.campaign(seat, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        if (!(error instanceof SpillwayError && error.retryable)) throw error;
      }
    }
  }
}

function termOf(lease: Lease): Term {
  return {
    seat: lease.key,
    term: lease.token,
    get signal() {
      return lease.signal;
    },
    assertLeader: () => lease.assertHeld(),
    resign: () => lease.release(),
    [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose](),
  };
}

/** Elections in a store of `spillway/lease`, which disposing of them leaves open. */
export function createElections(store: LeaseStore, options: ElectionsOptions = {}): Elections {
  checkKeys('createElections', options, ['holder', 'timeout', 'random']);
  const { holder = `${hostname()}:${process.pid}`, timeout = TIMEOUT_DEFAULT, random } = options;
  const timeoutMs = checkDuration('createElections: timeout', timeout, 1, 60_000);
  return new StoreElections(new Leases({ store, timeoutMs, ...(random === undefined ? {} : { random }) }), holder);
}
