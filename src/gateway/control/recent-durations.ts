/**
 * Durations of the last minute, where the cells count since the start of the process: for whoever looks at what is, not at what was.
 *
 * Of each cell two readings are kept, at least half a minute apart, and the older one is taken away from what it holds now. So the time
 * that is told of is between half a minute and a minute; before there are two, it is all since the start, and so it is again after
 * nobody looked for a minute. Cost: 7.2 kB a cell while somebody looks, and three passes over its buckets for each reading.
 */
import type { Cell } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import { HistogramReading } from '../../observe/metrics/reading.ts';
import { BUCKETS, durationBuckets } from '../durations.ts';
import { type DurationSlots, readDurations } from './read-durations.ts';

const HALF_MS = 30_000;

interface Kept {
  /** Of the turn before; null if nobody looked in it. */
  readonly older: HistogramReading | null;
  readonly newer: HistogramReading;
  /** In which `newer` was taken. */
  readonly turn: number;
}

export class RecentDurations {
  readonly #clock: Clock;
  /** Goes with its cell, which goes with what it is about. */
  readonly #kept = new WeakMap<Cell, Kept>();
  /** Of half a minute or more, one after the other for all cells; one is left out after nobody looked for a minute. */
  #turn = 0;
  #turnMs = Number.NEGATIVE_INFINITY;
  #isRecent = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether what was read last is of the last minute; if not, it is since the start of the process. */
  get isRecent(): boolean {
    return this.#isRecent;
  }

  /** As `readDurations`, of the last minute alone. */
  read(cells: readonly Cell[], laneSlots: number, slots: DurationSlots): HistogramReading {
    this.#nextTurn();
    const counts = new Float64Array(BUCKETS);
    let sumMs = 0;
    for (const cell of cells) {
      const now = readDurations([cell], laneSlots, slots);
      const before = this.#before(cell, now);
      sumMs += now.sum - (before?.sum ?? 0);
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        // A lane that was cleared meanwhile has less than before.
        counts[bucket]! += Math.max(0, now.counts[bucket]! - (before?.counts[bucket] ?? 0));
      }
    }
    return new HistogramReading(durationBuckets.bounds, counts, Math.max(0, sumMs));
  }

  #before(cell: Cell, now: HistogramReading): HistogramReading | null {
    const kept = this.#kept.get(cell);
    if (kept?.turn === this.#turn) return kept.older;
    const older = kept?.turn === this.#turn - 1 ? kept.newer : null;
    this.#kept.set(cell, { older, newer: now, turn: this.#turn });
    return older;
  }

  #nextTurn(): void {
    const nowMs = this.#clock.nowMs();
    const ageMs = nowMs - this.#turnMs;
    if (ageMs < HALF_MS) return;
    this.#isRecent = ageMs < 2 * HALF_MS;
    this.#turn += this.#isRecent ? 1 : 2;
    this.#turnMs = nowMs;
  }
}
