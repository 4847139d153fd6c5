/**
 * Locks: one at a time, or many readers, or n at once, among all processes that share a store.
 *
 * A lock is a lease (lease.ts): it ends by itself, so that one whose holder died is free again; so its holder may lose it while it works, and is told
 * by `lease.signal`. Whatever must not be done twice also checks `lease.token` where it is done (fenced/): no lock can prevent that its holder
 * is paused between looking and acting. What each store guarantees is in docs/guides/locks.md.
 *
 * Cost: one round trip to acquire and one to release, and one every third of the ttl in between.
 */
import { hostname } from 'node:os';
import { SpillwayError } from '../kernel/errors.ts';
import {
  checkDuration,
  checkFunction,
  checkInteger,
  checkKeys,
  invalid,
  shown,
  textOfGiven,
} from '../kernel/options.ts';
import type { Random } from '../kernel/random.ts';
import type { Duration } from '../kernel/units.ts';
import type { Lease } from '../lease/lease.ts';
import { Leases } from '../lease/leases.ts';
import { type LeaseStore, WHOLE } from '../lease/store.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import { LeaseGroup } from './lease-group.ts';
import { LockMetrics } from './lock-metrics.ts';

export interface LocksOptions {
  /** Who this is, for people and for `read`: at most 256 bytes. @defaultValue host name and process id */
  readonly holder?: string;
  /**
   * How long one question to the store may take: `'2s'`, or milliseconds, from 1 ms to 1 minute; renewals at most a third of their ttl. Who waits is
   * asked for again when a question took too long; who does not is refused with `STORE_UNAVAILABLE`.
   * @defaultValue '2s'
   */
  readonly timeout?: Duration | number;
  /** For jitter. @defaultValue seeded by the operating system */
  readonly random?: Random;
  /**
   * Where to count: the metrics of `spillway/observe`, or whatever has `counter`, `gauge` and `histogram` as they do. Counted are how long it took
   * to have a lock, or not; how long it was held, and how that ended; who waits, and who holds; and, where there are `rows` too, since when those are held
   * that are held longest. See docs/metrics.md. @defaultValue nowhere
   */
  readonly metrics?: MetricsSink;
  /**
   * With `metrics`: what a lock of this name is called there. A name often holds an id, and each label is a series, so of these there should be
   * few: `(name) => name.split(':')[0]`. Beyond a hundred or so they are counted together. @defaultValue all locks without a name
   */
  readonly metricsName?: (name: string) => string;
  /**
   * With `metrics`: whether of the locks that are held each is told by its name, which is a series for each name that is ever held for a second: for names
   * of which there are few. Otherwise of all that `metricsName` calls the same the one is told that is held longest. @defaultValue false
   */
  readonly showNames?: boolean;
}

export interface TryOptions {
  /**
   * How long the lock lasts if it is not renewed, which is what others wait when its holder dies: `'10s'`, or milliseconds. It is renewed every third
   * of it by itself. Shorter than a pause of the holder, it is lost by the pause; see the guide.
   */
  readonly ttl: Duration | number;
  /** `read`: with other readers; `write`: alone. @defaultValue 'write' */
  readonly mode?: 'read' | 'write';
  /** Gives up: the call rejects with its reason. A lock that is held already is not affected. */
  readonly signal?: AbortSignal;
}

export interface AcquireOptions extends TryOptions {
  /**
   * How long to wait for it at most: `'5s'`, or milliseconds. A question to the store that is open then is waited for, for `timeout` at most: its answer
   * may be yes. @defaultValue '30s'
   */
  readonly wait?: Duration | number;
}

export type PermitOptions = Omit<AcquireOptions, 'mode'>;

/** What the work under a lock is given. */
export interface Held {
  /** Aborted when the lock is lost: stop. */
  readonly signal: AbortSignal;
  /** For the resource to check. */
  readonly token: bigint;
}

export interface Semaphore {
  /** A permit; rejects with `LEASE_TAKEN` when the wait is over. */
  acquire(options: PermitOptions): Promise<Lease>;
  /** A permit, or null if all are taken. */
  tryAcquire(options: Omit<PermitOptions, 'wait'>): Promise<Lease | null>;
  withPermit<T>(options: PermitOptions, work: (held: Held) => T | Promise<T>): Promise<T>;
}

export interface Locks extends AsyncDisposable {
  /**
   * The lock, as soon as it is free; rejects with `LEASE_TAKEN` when the wait is over. Several names are locked one after the other in the order of
   * their characters, so that two who want the same ones cannot wait for each other; the lease is then one of all, and its token fences each.
   */
  acquire(names: string | readonly string[], options: AcquireOptions): Promise<Lease>;
  /** The lock, or null if it is taken. */
  tryAcquire(names: string | readonly string[], options: TryOptions): Promise<Lease | null>;
  /** Runs the work while the lock is held, and gives it back. Rejects with `LEASE_LOST` if it was not held to the end, whatever the work said. */
  withLock<T>(
    names: string | readonly string[],
    options: AcquireOptions,
    work: (held: Held) => T | Promise<T>,
  ): Promise<T>;
  /** As many at once as there are permits. Everybody should say the same number; who says another is granted by their own. */
  semaphore(name: string, permits: number): Semaphore;
}

const TIMEOUT_DEFAULT = '2s';
/** As long as a request may take whose caller still waits. */
const WAIT_DEFAULT = '30s';
const YEAR_MS = 366 * 86_400_000;
/** Each is a round trip to take, and one more to lose. */
const NAMES_MAX = 64;

const keysOfTry = ['ttl', 'mode', 'signal'] as const;
const keysOfAcquire = [...keysOfTry, 'wait'] as const;

interface Wanted {
  readonly names: readonly string[];
  readonly share: number;
  readonly of: number;
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

class StoreLocks implements Locks {
  readonly #leases: Leases;
  readonly #holder: string;

  constructor(leases: Leases, holder: string) {
    this.#leases = leases;
    this.#holder = holder;
  }

  async acquire(names: string | readonly string[], options: AcquireOptions): Promise<Lease> {
    checkKeys('acquire', options, keysOfAcquire);
    const wanted = this.#wantedOf(names, options, waitOf(options));
    return (await this.#take(wanted)) ?? refuse(wanted);
  }

  async tryAcquire(names: string | readonly string[], options: TryOptions): Promise<Lease | null> {
    checkKeys('tryAcquire', options, keysOfTry);
    return await this.#take(this.#wantedOf(names, options, 0));
  }

  async withLock<T>(
    names: string | readonly string[],
    options: AcquireOptions,
    work: (held: Held) => T | Promise<T>,
  ): Promise<T> {
    checkFunction('withLock: work', work);
    return whileHeld(await this.acquire(names, options), work);
  }

  semaphore(name: string, permits: number): Semaphore {
    checkInteger('semaphore: permits', permits, 1, WHOLE);
    const wantedOf = (options: PermitOptions, waitMs: number): Wanted => ({
      names: [name],
      share: 1,
      of: permits,
      ttlMs: ttlOf(options),
      waitMs,
      signal: options.signal,
    });
    const acquire = async (options: PermitOptions): Promise<Lease> => {
      checkKeys('acquire', options, ['ttl', 'wait', 'signal']);
      const wanted = wantedOf(options, waitOf(options));
      return (await this.#take(wanted)) ?? refuse(wanted);
    };
    return {
      acquire,
      tryAcquire: async (options) => {
        checkKeys('tryAcquire', options, ['ttl', 'signal']);
        return await this.#take(wantedOf(options, 0));
      },
      withPermit: async (options, work) => whileHeld(await acquire(options), work),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#leases[Symbol.asyncDispose]();
  }

  #wantedOf(names: string | readonly string[], options: TryOptions, waitMs: number): Wanted {
    const { mode = 'write', signal } = options;
    if (mode !== 'read' && mode !== 'write') throw invalid(`mode is “${textOfGiven(mode)}”; expected read or write.`);
    const share = mode === 'read' ? 1 : WHOLE;
    return { names: sortedNames(names), share, of: WHOLE, ttlMs: ttlOf(options), waitMs, signal };
  }

  /** All names, or null and none. */
  #take(wanted: Wanted): Promise<Lease | null> {
    const [key] = wanted.names;
    return wanted.names.length === 1 && key !== undefined
      ? this.#takeOne(key, wanted, wanted.waitMs)
      : this.#takeAll(wanted);
  }

  #takeOne(key: string, { share, of, ttlMs, signal }: Wanted, waitMs: number): Promise<Lease | null> {
    return this.#leases.acquire({ key, holder: this.#holder, share, of, ttlMs, waitMs, signal });
  }

  async #takeAll(wanted: Wanted): Promise<Lease | null> {
    const { names, waitMs } = wanted;
    const { clock } = this.#leases.store;
    const untilMs = clock.nowMs() + waitMs;
    await using held = new AsyncDisposableStack();
    const leases: Lease[] = [];
    for (const key of names) {
      const lease = await this.#takeOne(key, wanted, Math.max(0, untilMs - clock.nowMs()));
      if (lease === null) return null;
      leases.push(held.use(lease));
    }
    // One that was lost while another was waited for has a smaller token than who has it now, and the group's is greater.
    for (const lease of leases) lease.assertHeld();
    held.move();
    return new LeaseGroup(leases);
  }
}

function refuse({ names, waitMs }: Wanted): never {
  throw new SpillwayError(
    'LEASE_TAKEN',
    `${names.map((name) => `“${name}”`).join(' and ')} could not be had within ${waitMs} ms: others hold or wait for it.`,
    { retryable: true },
  );
}

async function whileHeld<T>(lease: Lease, work: (held: Held) => T | Promise<T>): Promise<T> {
  await using held = lease;
  const result = await work({ signal: held.signal, token: held.token });
  held.assertHeld();
  return result;
}

function sortedNames(names: string | readonly string[]): readonly string[] {
  const isList: boolean = Array.isArray(names);
  if (typeof names !== 'string' && !isList)
    throw invalid(`What is locked is ${shown(names)}; expected a name, or a list of them.`);
  const all = typeof names === 'string' ? [names] : [...names].sort();
  checkInteger('The number of names', all.length, 1, NAMES_MAX);
  const twice = all.find((name, at) => name === all[at + 1]);
  if (twice !== undefined) throw invalid(`“${twice}” is named twice, and nobody can hold a lock twice.`);
  return all;
}

function ttlOf({ ttl }: { readonly ttl: Duration | number }): number {
  return checkDuration('ttl', ttl, 1, YEAR_MS);
}

function waitOf({ wait = WAIT_DEFAULT }: { readonly wait?: Duration | number }): number {
  return checkDuration('wait', wait, 0, YEAR_MS);
}

/** Locks in a store of `spillway/lease`, which disposing of them leaves open. */
export function createLocks(store: LeaseStore, options: LocksOptions = {}): Locks {
  checkKeys('createLocks', options, ['holder', 'timeout', 'random', 'metrics', 'metricsName', 'showNames']);
  const { holder = `${hostname()}:${process.pid}`, timeout = TIMEOUT_DEFAULT, random } = options;
  const timeoutMs = checkDuration('createLocks: timeout', timeout, 1, 60_000);
  const { metrics, metricsName: nameOf = () => '', showNames = false } = options;
  const witness = metrics === undefined ? null : new LockMetrics({ metrics, store, holder, nameOf, showNames });
  return new StoreLocks(new Leases({ store, timeoutMs, witness, ...(random === undefined ? {} : { random }) }), holder);
}
