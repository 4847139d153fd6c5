/**
 * The breaker of a service, as all workers and the control thread share it: one cell, in which control writes the state and workers what came
 * of their attempts. Control decides (control/breakers.ts); nobody waits for it.
 *
 * - The `STATE` word is a generation and a phase. A worker reads it when an attempt begins, which is the attempt's *pass*, and again when it has
 *   ended: what began in another state counts for nothing.
 * - While it is closed the `ROW` word has how many attempts have failed since a good one. A row that is full stays so until control has seen it.
 * - In a trial the `TRIAL` word has how many permits were taken and what came of them, and changes by compare-and-swap, so that all workers
 *   together let go no more than there are. It has the end of its generation too: a hand that comes while the state changes cannot change the
 *   trial that begins.
 *
 * Invariant: a pass is handed back once, by `end` or `giveBack`. Cost of an attempt while it is closed: a read, a comparison and an addition. 64 B, and 64 B
 * a lane. What it is not: a list of who has a permit. Of a trial in which nothing was taken and nothing ended for long, all that are out are
 * of dead workers or of attempts that take that long: control begins another generation of it without them (`renewTrial`), in which their passes
 * are worth nothing.
 */
import type { BreakerPolicy, CallCounts } from '../../resilience/breaker-policy.ts';
import type { BreakerPhase } from '../../resilience/breaker-life.ts';
import { type Cell, cellHeader, cellLane, type Lane } from '../../kernel/cells.ts';
import { BREAKER_SLOTS, breakerSlots } from '../slots.ts';
import type { BreakerPlan } from '../snapshot.ts';

const STATE = 0;
const TRIAL = 1;
/** How many calls a trial has: of two configs with the breaker one decides. 0 while nobody has said. */
const CALLS = 2;
/** Failures in a row. */
const ROW = 3;
/** How many of them open it, as `CALLS`; 0: no row does. */
const ROW_MAX = 6;
/** How often a permit was taken, of all trials. */
const TAKES = 7;
/** A float64, the words 4 and 5 in the header: until when it is open. */
const UNTIL_AT = 16;

const phases = ['closed', 'open', 'half-open', 'isolated'] as const satisfies readonly BreakerPhase[];
const CLOSED = 0;
const HALF_OPEN = 2;
const PHASE_BITS = 2;
const PHASE_MASK = 2 ** PHASE_BITS - 1;
/** It is compared with the word it came from, so it must fit: 29 bits, of which a state a second uses up 17 years. */
const GENERATION_MASK = 2 ** 29 - 1;

/** Of the `TRIAL` word: four counts of 7 bits, and the last 4 bits of the generation. */
const COUNT_BITS = 7;
const COUNT_MASK = 2 ** COUNT_BITS - 1;
const [SLOW_AT, FAILURES_AT, ENDED_AT, TAKEN_AT, TAG_AT] = [0, 1, 2, 3, 4].map((at) => at * COUNT_BITS) as [
  number,
  number,
  number,
  number,
  number,
];
const TAG_MASK = 15;
/** What fits a count. */
export const TRIAL_CALLS_MAX = 100;

/** No row need be longer. */
export const FAILURES_IN_ROW_MAX = 1_000_000;

/** No attempt may begin. */
export const NO_PASS = -1;

/** What control publishes. */
export interface PublishedState {
  readonly phase: BreakerPhase;
  readonly generation: number;
  readonly untilMs: number;
}

/** One worker's hand in it. */
export class ServiceBreaker {
  readonly plan: BreakerPlan;
  readonly #header: Int32Array;
  readonly #until: Float64Array;
  readonly #lane: Lane;
  readonly #slowMs: number;

  constructor(plan: BreakerPlan, lane: number) {
    this.plan = plan;
    this.#header = cellHeader(plan.cell);
    this.#until = untilOf(plan.cell);
    this.#lane = cellLane(plan.cell, BREAKER_SLOTS, lane);
    this.#slowMs = plan.policy.slow?.overMs ?? Number.POSITIVE_INFINITY;
  }

  /** Also a plain read, as that of an endpoint's health: one that is late is as good as a request that came earlier. */
  get isClosed(): boolean {
    return (this.#header[STATE]! & PHASE_MASK) === CLOSED;
  }

  /** The pass of an attempt that may begin, or `NO_PASS`. */
  ask(): number {
    const state = this.#header[STATE]!;
    const phase = state & PHASE_MASK;
    if (phase === CLOSED) return state;
    if (phase === HALF_OPEN && this.#takePermit(state)) return state;
    this.#count(breakerSlots.refused);
    return NO_PASS;
  }

  /** What came of the attempt, which took `tookMs`. */
  end(pass: number, failed: boolean, tookMs: number): void {
    const isSlow = tookMs >= this.#slowMs;
    if (Atomics.load(this.#header, STATE) !== pass) this.#count(breakerSlots.ignored);
    else {
      // Before it is in the trial: control takes what is counted then for what was before.
      const slots = breakerSlots;
      this.#count(failed ? (isSlow ? slots.failedSlowly : slots.failed) : isSlow ? slots.slow : slots.good);
      if ((pass & PHASE_MASK) === HALF_OPEN) this.#endPermit(pass, failed, isSlow);
      else if (this.#header[ROW_MAX] !== 0) this.#endInRow(failed);
    }
  }

  /** The attempt says nothing of the service. */
  giveBack(pass: number): void {
    this.#count(breakerSlots.ignored);
    // By the state and not by its tag alone, which a trial of sixteen generations later has again.
    if ((pass & PHASE_MASK) !== HALF_OPEN || Atomics.load(this.#header, STATE) !== pass) return;
    this.#change(pass, (word) => (counted(word, TAKEN_AT) > counted(word, ENDED_AT) ? word - (1 << TAKEN_AT) : null));
  }

  /** For who is refused, in whole seconds. */
  retryAfterS(nowMs: number): number {
    return Math.max(1, Math.ceil((this.#until[0]! - nowMs) / 1000));
  }

  #takePermit(state: number): boolean {
    const trialCalls = Atomics.load(this.#header, CALLS) || this.plan.policy.trialCalls;
    if (!this.#change(state, (word) => (counted(word, TAKEN_AT) < trialCalls ? word + (1 << TAKEN_AT) : null)))
      return false;
    Atomics.add(this.#header, TAKES, 1);
    return true;
  }

  #endInRow(failed: boolean): void {
    const header = this.#header;
    for (;;) {
      const before = Atomics.load(header, ROW);
      if (before >= header[ROW_MAX]! || (!failed && before === 0)) return;
      if (Atomics.compareExchange(header, ROW, before, failed ? before + 1 : 0) === before) return;
    }
  }

  #endPermit(pass: number, failed: boolean, slow: boolean): void {
    const more = (1 << ENDED_AT) + (failed ? 1 << FAILURES_AT : 0) + (slow ? 1 << SLOW_AT : 0);
    this.#change(pass, (word) => (counted(word, TAKEN_AT) > counted(word, ENDED_AT) ? word + more : null));
  }

  /** False if the trial is not that of the state, or `next` makes nothing of it. */
  #change(state: number, next: (word: number) => number | null): boolean {
    const header = this.#header;
    for (;;) {
      const before = Atomics.load(header, TRIAL);
      if (before >>> TAG_AT !== tagOf(state >>> PHASE_BITS)) return false;
      const after = next(before);
      if (after === null) return false;
      if (Atomics.compareExchange(header, TRIAL, before, after | 0) === before) return true;
    }
  }

  #count(slot: number): void {
    this.#lane[slot]!++;
  }
}

/** Has all workers go by another state from now on. */
export function publishBreaker(cell: Cell, { phase, generation, untilMs }: PublishedState): void {
  const header = cellHeader(cell);
  const kept = generation & GENERATION_MASK;
  untilOf(cell)[0] = untilMs;
  if (phase === 'half-open') Atomics.store(header, TRIAL, tagOf(kept) << TAG_AT);
  Atomics.store(header, ROW, 0);
  Atomics.store(header, STATE, (kept << PHASE_BITS) | phases.indexOf(phase));
}

/** By what it goes from now on, whatever else a worker's own config says: calls of a trial, failures in a row. */
export function publishPolicy(cell: Cell, { trialCalls, failuresInRow }: BreakerPolicy): void {
  const header = cellHeader(cell);
  Atomics.store(header, CALLS, trialCalls);
  // What has come since a row was last counted is not in it.
  if (Atomics.load(header, ROW_MAX) === 0) Atomics.store(header, ROW, 0);
  Atomics.store(header, ROW_MAX, failuresInRow ?? 0);
}

/** How many attempts have failed since a good one; 0 unless it is closed and goes by that. */
export function readRow(cell: Cell): number {
  return Atomics.load(cellHeader(cell), ROW);
}

export function publishedPhase(cell: Cell): BreakerPhase {
  return phases[Atomics.load(cellHeader(cell), STATE) & PHASE_MASK]!;
}

export interface Trial extends CallCounts {
  /** Permits that are out. */
  readonly out: number;
  /** Grows with each permit that is taken. */
  readonly takes: number;
}

/** What is known of the trial. */
export function readTrial(cell: Cell): Trial {
  const takes = Atomics.load(cellHeader(cell), TAKES);
  const word = Atomics.load(cellHeader(cell), TRIAL);
  const calls = counted(word, ENDED_AT);
  return {
    calls,
    failures: counted(word, FAILURES_AT),
    slow: counted(word, SLOW_AT),
    out: counted(word, TAKEN_AT) - calls,
    takes,
  };
}

/** Another generation of the trial, with what is known of it and all of its other permits: those that are out are worth nothing any more. */
export function renewTrial(cell: Cell, generation: number): void {
  const header = cellHeader(cell);
  const kept = generation & GENERATION_MASK;
  for (;;) {
    const before = Atomics.load(header, TRIAL);
    const ended = counted(before, ENDED_AT);
    const results = before & ((1 << TAKEN_AT) - 1);
    const after = (tagOf(kept) << TAG_AT) | (ended << TAKEN_AT) | results;
    if (Atomics.compareExchange(header, TRIAL, before, after) === before) break;
  }
  Atomics.store(header, STATE, (kept << PHASE_BITS) | HALF_OPEN);
}

function counted(word: number, at: number): number {
  return (word >>> at) & COUNT_MASK;
}

function tagOf(generation: number): number {
  return generation & TAG_MASK;
}

function untilOf(cell: Cell): Float64Array {
  return new Float64Array(cell, UNTIL_AT, 1);
}
