/**
 * What becomes of locks, counted where somebody wants it: as of every lease (lease-metrics.ts), and since when they are held that are held now, in rows:
 * one for each lock as metrics call it, of whoever holds it longest, for that is what somebody asks about; or, where names are shown, for each name. So
 * by itself it has no more series than there are locks in metrics, however many names are locked.
 *
 * Invariant: of the locks of one `createLocks` the `TOLD_MAX` that were granted first have a row, once they are held for `TOLD_AFTER_MS`: so a lock that
 * is had and given back at once costs a place in a map, and is no series. A row is closed when its lock is released or lost, and the next of its name
 * has one with the next look. No label is a lock's token: each time a lock is had it is another, so each would be a new series.
 */
import { type AskOutcome, type LeaseEnd, LeaseMetrics, type LeaseWitness } from '../lease/lease-metrics.ts';
import type { LeaseStore } from '../lease/store.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';
import type { Row, Rows } from '../observe/metrics/rows.ts';

/** What somebody reads; how many are held in all is counted beside. */
const TOLD_MAX = 20;
/** All of five `createLocks`. */
const ROWS_MAX = 100;
const TOLD_AFTER_MS = 1000;

type Label = 'lock' | 'store' | 'name' | 'holder';

interface HeldLock {
  /** As metrics call it. */
  readonly lock: string;
  /** '' if it is not shown. */
  readonly name: string;
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
  /** What has a row: names that are shown, or else locks as metrics call them. */
  readonly #told = new Set<string>();

  constructor(options: LockMetricsOptions) {
    const { metrics, nameOf, store } = options;
    this.#options = options;
    this.#leases = new LeaseMetrics({ metrics, thing: 'lock', store: store.name, nameOf });
    const rows = metrics.rows?.({
      name: 'spillway_lock_held_since_timestamp_seconds',
      help: 'Since when a lock is held that is held now, of those that this process holds longest; of all names of a lock the longest, unless names are shown.',
      labels: ['lock', 'store', 'name', 'holder'],
      rowsMax: ROWS_MAX,
      shown: 'least',
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
      const { showNames, store } = this.#options;
      const [lock, name] = [this.#leases.nameOf(key), showNames ? key : ''];
      const { clock } = store;
      this.#held.set(token, { lock, name, sinceMs: clock.nowMs(), sinceWallMs: clock.wallMs(), row: null });
    }
    this.#leases.granted(key);
  }

  ended(key: string, end: LeaseEnd, heldMs: number, token: bigint): void {
    // First, for a user's own metrics may fail: what is held is not to be wrong because of how long it was.
    const lock = this.#held.get(token);
    this.#held.delete(token);
    if (lock !== undefined && lock.row !== null) {
      this.#told.delete(this.#toldAs(lock));
      lock.row.close();
    }
    this.#leases.ended(key, end, heldMs);
  }

  look(): void {
    const nowMs = this.#options.store.clock.nowMs();
    for (const lock of this.#held.values()) {
      if (this.#told.size === TOLD_MAX || nowMs - lock.sinceMs < TOLD_AFTER_MS) return;
      if (!this.#told.has(this.#toldAs(lock))) this.#tell(lock);
    }
  }

  #tell(held: HeldLock): void {
    const { lock, name, sinceWallMs } = held;
    const { holder, store } = this.#options;
    held.row = this.#rows!.open({ lock, store: store.name, name, holder }, sinceWallMs / 1000);
    if (held.row !== null) this.#told.add(this.#toldAs(held));
  }

  #toldAs({ lock, name }: HeldLock): string {
    return this.#options.showNames ? name : lock;
  }
}
