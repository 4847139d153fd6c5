/**
 * The recent past of one endpoint's traffic: a ring of slots of time over counters that only grow.
 *
 * Whoever evaluates calls `collect` now and then. What was counted since the last call, over all lanes, is added to the slot
 * of now; slots that time has passed are emptied. So the window is one thread's memory, workers write no time, and calling
 * late blurs where in the window a result is but never loses one.
 *
 * Invariant: `#sums` is the sum of all slots, slot number by slot number. Cost: 3.5 kB an endpoint; `collect` is
 * O(lanes × 80), 1 µs or so; reading is O(80) or O(slots × results).
 */
import { cellLanes, sumSlot, type Cell, type Lane } from '../kernel/cells.ts';
import { latencyOf, type Latency } from './latency-buckets.ts';
import { clearRow, LATENCY, readRow, RESULTS, TRAFFIC_SLOTS, type Row } from './traffic.ts';

/** Fine enough that a window moves and does not jump, coarse enough to be small. */
const SLOTS = 10;

/** Of what was seen of an endpoint; plain, so that a test can write one by hand. */
export interface TrafficSummary {
  readonly row: Row;
  /** How often each kind of result came, in the shortest recent time with `resultsMin` of them, or in the whole window. */
  readonly recent: readonly number[];
  /** Of the whole window. */
  readonly latency: Latency;
  /** The same since the last `reset`, however long ago. */
  readonly sinceReset: readonly number[];
}

export interface TrafficWindowOptions {
  readonly cell: Cell;
  /** How far it looks back. */
  readonly windowMs: number;
}

export class TrafficWindow {
  readonly #cell: Cell;
  readonly #lanes: readonly Lane[];
  readonly #slotMs: number;
  readonly #seen = new Float64Array(TRAFFIC_SLOTS);
  readonly #ring = new Uint32Array(SLOTS * TRAFFIC_SLOTS);
  readonly #sums = new Float64Array(TRAFFIC_SLOTS);
  /** Number of the current slot since the clock's origin. */
  #slot: number;
  readonly #atReset = new Float64Array(RESULTS);

  /** Looks at what comes from now on. */
  constructor({ cell, windowMs }: TrafficWindowOptions, nowMs: number) {
    this.#cell = cell;
    this.#lanes = cellLanes(cell, TRAFFIC_SLOTS);
    this.#slotMs = windowMs / SLOTS;
    this.#slot = Math.floor(nowMs / this.#slotMs);
    for (let slot = 0; slot < TRAFFIC_SLOTS; slot++) this.#seen[slot] = sumSlot(this.#lanes, slot);
    this.#atReset.set(this.#seen.subarray(0, RESULTS));
  }

  /** Takes in what was counted since the last call. */
  collect(nowMs: number): void {
    this.#turnTo(Math.floor(nowMs / this.#slotMs));
    const at = this.#offset(this.#slot);
    for (let slot = 0; slot < TRAFFIC_SLOTS; slot++) {
      const total = sumSlot(this.#lanes, slot);
      const count = total - this.#seen[slot]!;
      if (count === 0) continue;
      this.#seen[slot] = total;
      this.#ring[at + slot]! += count;
      this.#sums[slot]! += count;
    }
  }

  summary(resultsMin: number): TrafficSummary {
    return {
      row: readRow(this.#cell),
      recent: this.#recent(resultsMin),
      latency: latencyOf(this.#sums, LATENCY),
      sinceReset: Array.from(this.#atReset, (count, kind) => this.#seen[kind]! - count),
    };
  }

  /** Forgets everything, the row too, up to and with what was counted until now. */
  reset(nowMs: number): void {
    this.collect(nowMs);
    clearRow(this.#cell);
    this.#ring.fill(0);
    this.#sums.fill(0);
    this.#atReset.set(this.#seen.subarray(0, RESULTS));
  }

  /** Time never goes back here: a clock that seems to is taken to stand still. */
  #turnTo(slot: number): void {
    const passed = Math.min(slot - this.#slot, SLOTS);
    for (let turn = 1; turn <= passed; turn++) this.#empty(this.#offset(this.#slot + turn));
    this.#slot = Math.max(slot, this.#slot);
  }

  #empty(at: number): void {
    for (let slot = 0; slot < TRAFFIC_SLOTS; slot++) {
      this.#sums[slot]! -= this.#ring[at + slot]!;
      this.#ring[at + slot] = 0;
    }
  }

  #recent(resultsMin: number): number[] {
    const counts = Array.from<number>({ length: RESULTS }).fill(0);
    let results = 0;
    for (let back = 0; back < SLOTS && results < resultsMin; back++) {
      const at = this.#offset(this.#slot - back);
      for (let kind = 0; kind < RESULTS; kind++) {
        const count = this.#ring[at + kind]!;
        counts[kind]! += count;
        results += count;
      }
    }
    return counts;
  }

  #offset(slot: number): number {
    return (((slot % SLOTS) + SLOTS) % SLOTS) * TRAFFIC_SLOTS;
  }
}
