/**
 * What becomes of locks, counted where somebody wants it: as of every lease (lease-metrics.ts), and which are held now, in rows: those that are held
 * longest, for they are what somebody asks about.
 *
 * Invariant: of the locks of one `createLocks` the `TOLD_MAX` that were granted first have a row, once they are held for `TOLD_AFTER_MS`: so a lock that
 * is had and given back at once costs a place in a map, and is no series. A row is closed when its lock is released or lost.
 */
import { hashDigits, createHashSecret, halfSipHash } from '../kernel/half-sip-hash.ts';
import { createRandom } from '../kernel/random.ts';
import { type AskOutcome, type LeaseEnd, LeaseMetrics, type LeaseWitness } from '../lease/lease-metrics.ts';
import type { LeaseStore } from '../lease/store.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import type { Row, Rows } from '../observe/metrics/rows.ts';

/** What somebody reads; how many are held in all is counted beside. */
const TOLD_MAX = 20;
/** All of five `createLocks`. */
const ROWS_MAX = 100;
const TOLD_AFTER_MS = 1000;

type Label = 'lock' | 'store' | 'name' | 'holder' | 'token';

interface HeldLock {
  readonly key: string;
  readonly sinceMs: number;
  readonly sinceWallMs: number;
  row: Row | null;
}

export interface LockMetricsOptions {
  readonly metrics: MetricsSink;
  readonly store: LeaseStore;
  readonly holder: string;
  readonly nameOf: (key: string) => string;
  readonly showNames: boolean;
}

export class LockMetrics implements LeaseWitness {
  readonly #options: LockMetricsOptions;
  readonly #leases: LeaseMetrics;
  readonly #rows: Rows<Label> | null;
  /** By token, in the order of being granted. */
  readonly #held = new Map<bigint, HeldLock>();
  readonly #secret = createHashSecret(createRandom());

  constructor(options: LockMetricsOptions) {
    const { metrics, nameOf, store } = options;
    this.#options = options;
    this.#leases = new LeaseMetrics({ metrics, thing: 'lock', store: store.name, nameOf });
    const rows = metrics.rows?.({
      name: 'spillway_lock_held_since_timestamp_seconds',
      help: 'Since when a lock is held that is held now, of those that this process holds longest; its name as a hash unless names are shown.',
      labels: ['lock', 'store', 'name', 'holder', 'token'],
      rowsMax: ROWS_MAX,
    });
    this.#rows = rows ?? null;
  }

  asked(key: string): void {
    this.#leases.asked(key);
  }

  answered(key: string, outcome: AskOutcome, tookMs: number): void {
    this.#leases.answered(key, outcome, tookMs);
  }

  granted(key: string, token: bigint): void {
    if (this.#rows !== null) {
      const { clock } = this.#options.store;
      this.#held.set(token, { key, sinceMs: clock.nowMs(), sinceWallMs: clock.wallMs(), row: null });
    }
    this.#leases.granted(key);
  }

  ended(key: string, end: LeaseEnd, heldMs: number, token: bigint): void {
    // First, for a user's own metrics may fail: what is held is not to be wrong because of how long it was.
    this.#held.get(token)?.row?.close();
    this.#held.delete(token);
    this.#leases.ended(key, end, heldMs);
  }

  look(): void {
    const nowMs = this.#options.store.clock.nowMs();
    let told = 0;
    for (const [token, lock] of this.#held) {
      if (told === TOLD_MAX || nowMs - lock.sinceMs < TOLD_AFTER_MS) return;
      lock.row ??= this.#tell(lock, token);
      told += 1;
    }
  }

  #tell({ key, sinceWallMs }: HeldLock, token: bigint): Row | null {
    const { holder, showNames, store } = this.#options;
    const name = showNames ? key : this.#hashOf(key);
    const labels = { lock: this.#leases.nameOf(key), store: store.name, name, holder, token: String(token) };
    return this.#rows!.open(labels, sinceWallMs / 1000);
  }

  #hashOf(key: string): string {
    const hash = new Int32Array(2);
    halfSipHash(key, this.#secret, hash);
    return hashDigits(hash[0]!, hash[1]!);
  }
}
