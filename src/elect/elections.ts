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
import { checkDuration, checkFunction, checkKeys, checkParts } from '../kernel/options.ts';
import { createRandom, type Random } from '../kernel/random.ts';
import type { Duration } from '../kernel/units.ts';
import type { Lease } from '../lease/lease.ts';
import { Leases } from '../lease/leases.ts';
import type { LeaseStore } from '../lease/store.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import { type CronOptions, type CronWork, runCron } from './cron.ts';
import { type Leadership, observeSeat } from './observe.ts';
import { Retry, type RetryOptions } from './retry.ts';
import { SeatMetrics } from './seat-metrics.ts';
import { type CampaignOptions, type Leading, type Term, TTL_DEFAULT, TTL_MS_MAX } from './term.ts';

export interface ElectionsOptions {
  /** Who this is, as observers see it: at most 256 bytes, an address perhaps. @defaultValue host name and process id */
  readonly holder?: string;
  /** How long one question to the store may take: `'2s'`, or milliseconds, from 1 ms to 1 minute. @defaultValue '2s' */
  readonly timeout?: Duration | number;
  /** For jitter. @defaultValue seeded by the operating system */
  readonly random?: Random;
  /**
   * Where to count: the metrics of `spillway/observe`, or whatever has `counter`, `gauge` and `histogram` as they do. Counted are who leads in which
   * term and since when, how long campaigns and terms took and how they ended, by seat. See docs/metrics.md. @defaultValue nowhere
   */
  readonly metrics?: MetricsSink;
}

export interface ObserveOptions {
  /** How often to look without being told, which is how a leader is missed that died: `'5s'`, or milliseconds. @defaultValue '5s' */
  readonly every?: Duration | number;
  /** Ends the iteration. */
  readonly signal?: AbortSignal;
}

export interface Elections extends AsyncDisposable {
  /** Waits, for as long as it takes, until this process leads. */
  campaign(seat: string, options?: CampaignOptions): Promise<Term>;
  /** Who leads now, and then each change. Ends when the signal is aborted; while the store cannot be asked, nothing new is known. */
  observe(seat: string, options?: ObserveOptions): AsyncIterable<Leadership>;
  /**
   * Runs the work while this process leads, and only then. When the term is lost, the work is told by its signal, awaited, and begun anew in the
   * next term. Resolves with what the work resolves with in a term that it holds to the end, and resigns; rejects with what it throws, or with
   * the reason of `options.signal`. Work that does not heed its signal is waited for: it never runs twice at once in this process.
   */
  whileLeader<T>(seat: string, options: CampaignOptions, work: (leading: Leading) => Promise<T>): Promise<T>;
  /**
   * Runs the work once per tick of a schedule, in one of all the instances that have this cron. A tick is written down before it is run; what the
   * work throws is written down too, and does not end the cron. Resolves when the signal was aborted and the work has ended; rejects with an
   * error of the stores that waiting does not mend, or `CRON_RECORD`.
   */
  cron(options: CronOptions, work: CronWork): Promise<void>;
}

const TIMEOUT_DEFAULT = '2s';
const EVERY_DEFAULT = '5s';
const DAY_MS = 86_400_000;

interface Setting {
  readonly holder: string;
  readonly timeoutMs: number;
  readonly random: Random;
  readonly witness: SeatMetrics | null;
}

class StoreElections implements Elections {
  readonly #leases: Leases;
  readonly #holder: string;
  readonly #retrying: RetryOptions;

  constructor(store: LeaseStore, { holder, timeoutMs, random, witness }: Setting) {
    this.#leases = new Leases({ store, timeoutMs, random, witness });
    this.#holder = holder;
    this.#retrying = { clock: store.clock, random, timeoutMs };
  }

  async campaign(seat: string, options: CampaignOptions = {}): Promise<Term> {
    checkKeys('campaign', options, ['ttl', 'signal']);
    const { ttl = TTL_DEFAULT, signal } = options;
    const ttlMs = checkDuration('ttl', ttl, 1, TTL_MS_MAX);
    const lease = await this.#leases.acquire({ key: seat, holder: this.#holder, ttlMs, waitMs: Infinity, signal });
    // It waits for ever, so it is never refused.
    return termOf(lease!);
  }

  observe(seat: string, options: ObserveOptions = {}): AsyncIterable<Leadership> {
    checkKeys('observe', options, ['every', 'signal']);
    const { every = EVERY_DEFAULT, signal } = options;
    const everyMs = checkDuration('every', every, 1, DAY_MS);
    return observeSeat(this.#leases.store, { seat, everyMs, signal, retrying: this.#retrying });
  }

  async whileLeader<T>(seat: string, options: CampaignOptions, work: (leading: Leading) => Promise<T>): Promise<T> {
    checkKeys('whileLeader', options, ['ttl', 'signal']);
    checkFunction('whileLeader: work', work);
    const { signal } = options;
    const retry = new Retry(this.#retrying);
    for (;;) {
      await using term = await retry.until(() => this.campaign(seat, options), signal);
      // The work stops when the term is lost, and when nobody wants it any more.
      const ends = signal === undefined ? term.signal : AbortSignal.any([term.signal, signal]);
      try {
        signal?.throwIfAborted();
        const result = await work({ seat, term: term.term, signal: ends, assertLeader: () => term.assertLeader() });
        term.assertLeader();
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        if (!term.signal.aborted) throw error;
      }
    }
  }

  async cron(options: CronOptions, work: CronWork): Promise<void> {
    checkParts('cron: what is said of it', options, '{ name, schedule }, and more', []);
    const { ttl, signal } = options;
    const campaign = { ...(ttl === undefined ? {} : { ttl }), ...(signal === undefined ? {} : { signal }) };
    const lead = (seat: string, leading: (leading: Leading) => Promise<void>): Promise<void> =>
      this.whileLeader(seat, campaign, leading);
    return runCron({ ...this.#retrying, holder: this.#holder, lead }, options, work);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#leases[Symbol.asyncDispose]();
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
  checkKeys('createElections', options, ['holder', 'timeout', 'random', 'metrics']);
  const {
    holder = `${hostname()}:${process.pid}`,
    timeout = TIMEOUT_DEFAULT,
    random = createRandom(),
    metrics,
  } = options;
  const timeoutMs = checkDuration('createElections: timeout', timeout, 1, 60_000);
  const witness = metrics === undefined ? null : new SeatMetrics(metrics, store, holder);
  return new StoreElections(store, { holder, timeoutMs, random, witness });
}
