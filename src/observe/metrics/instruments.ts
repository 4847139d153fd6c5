/**
 * What code counts with: one series, bound once, its place in memory known. An update is a load, an addition and a store; it never
 * throws and never allocates. What is no number, or would take a counter down, is not counted but shown in
 * `spillway_metrics_refused_total`: a request must not fail because of what it is measured by.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Buckets } from '../../kernel/buckets.ts';
import { Arena, createArenaMemory } from './arena.ts';
import { writeExemplar } from './exemplar.ts';
import type { Metric } from './registry.ts';

/** A record of this thread. */
export interface Place {
  readonly arena: Arena;
  /** The index of its first number. */
  readonly slot: number;
  /** Who is told of updates that are refused; not always the arena of the record. */
  readonly told: Arena;
}

export class Counter {
  readonly #numbers: Float64Array;
  readonly #slot: number;
  readonly #told: Arena;

  constructor({ arena, slot, told }: Place) {
    this.#numbers = arena.numbers;
    this.#slot = slot;
    this.#told = told;
  }

  /** @param amount 0 or more @defaultValue 1 */
  add(amount = 1): void {
    if (Number.isFinite(amount) && amount >= 0) this.#numbers[this.#slot]! += amount;
    else this.#told.refuse('value');
  }
}

export class Gauge {
  readonly #numbers: Float64Array;
  readonly #slot: number;
  readonly #told: Arena;

  constructor({ arena, slot, told }: Place) {
    this.#numbers = arena.numbers;
    this.#slot = slot;
    this.#told = told;
  }

  /** What this thread has; what is shown is the sum of what all threads have. */
  set(value: number): void {
    if (Number.isFinite(value)) this.#numbers[this.#slot] = value;
    else this.#told.refuse('value');
  }

  /** @param amount may be below 0 @defaultValue 1 */
  add(amount = 1): void {
    if (Number.isFinite(amount)) this.#numbers[this.#slot]! += amount;
    else this.#told.refuse('value');
  }
}

export class Histogram {
  readonly #place: Place;
  readonly #numbers: Float64Array;
  readonly #slot: number;
  readonly #buckets: Buckets;
  readonly #sumSlot: number;
  readonly #metric: Metric;
  readonly #clock: Clock;

  constructor(place: Place, metric: Metric, clock: Clock) {
    this.#place = place;
    this.#numbers = place.arena.numbers;
    this.#slot = place.slot;
    this.#buckets = metric.buckets!;
    this.#sumSlot = place.slot + metric.buckets!.bounds.length;
    this.#metric = metric;
    this.#clock = clock;
  }

  /**
   * @param value 0 or more, in the unit of the metric's name
   * @param traceId of the trace it belongs to, 32 hexadecimal digits, if that trace is kept
   */
  observe(value: number, traceId?: string): void {
    if (!(Number.isFinite(value) && value >= 0)) {
      this.#place.told.refuse('value');
      return;
    }
    this.#numbers[this.#slot + this.#buckets.bucketOf(value)]! += 1;
    this.#numbers[this.#sumSlot]! += value;
    if (traceId !== undefined) this.#keepTrace(value, traceId);
  }

  #keepTrace(value: number, traceId: string): void {
    const { bounds } = this.#metric.definition;
    const at = bounds.findIndex((bound) => value <= bound);
    const exemplar = { traceId, value, timeS: this.#clock.wallMs() / 1000 };
    writeExemplar(this.#place.arena, this.#sumSlot + 1, at === -1 ? bounds.length : at, exemplar);
  }
}

/** A place that nobody reads, for a series that there is no memory for. */
export function nowhere(metric: Metric, told: Arena): Place {
  const arena = new Arena(createArenaMemory(8 * metric.slots + 256));
  const line = arena.claim({ owner: 1, metric: 0, slots: metric.slots, text: '' });
  return { arena, slot: arena.slotOf(line), told };
}
