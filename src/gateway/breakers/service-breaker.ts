/**
 * The breaker of a service, as all workers and the control thread share it: one cell, in which control writes the state and workers what came
 * of their attempts. Control decides (control/breakers.ts); nobody waits for it.
 *
 * - The `STATE` word is a generation and a phase. A worker reads it when an attempt begins, which is the attempt's *pass*, and again when it has
 *   ended: what began in another state counts for nothing.
 * - In a trial the `TRIAL` word has how many permits were taken and what came of them, and changes by compare-and-swap, so that all workers
 *   together let go no more than there are. It has the end of its generation too: a hand that comes while the state changes cannot change the
 *   trial that begins.
 *
 * Invariant: a pass is handed back once, by `end` or `giveBack`. Cost of an attempt while it is closed: a read, a comparison and an addition. 64 B, and 64 B
 * a lane. What it is not: a list of who has a permit. Those of a worker that died are given back by control (`recoverPermits`).
 */
import type { CallCounts } from '../../resilience/breaker-policy.ts';
import type { BreakerPhase } from '../../resilience/breaker-life.ts';
import { type Cell, cellHeader, cellLane, type Lane } from '../../kernel/cells.ts';
import { BREAKER_SLOTS, breakerSlots } from '../slots.ts';
import type { BreakerPlan } from '../snapshot.ts';

const STATE = 0;
const TRIAL = 1;
/** How many calls a trial has: of two configs with the breaker one decides. 0 while nobody has said. */
const CALLS = 2;
/** A float64 in the header: until when it is open. */
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
    return this.#change(state, (word) => (counted(word, TAKEN_AT) < trialCalls ? word + (1 << TAKEN_AT) : null));
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
  Atomics.store(header, STATE, (kept << PHASE_BITS) | phases.indexOf(phase));
}

/** Of this trial, and of those that come. */
export function publishTrialCalls(cell: Cell, calls: number): void {
  Atomics.store(cellHeader(cell), CALLS, calls);
}

export function publishedPhase(cell: Cell): BreakerPhase {
  return phases[Atomics.load(cellHeader(cell), STATE) & PHASE_MASK]!;
}

/** What is known of the trial, and how many permits are out. */
export function readTrial(cell: Cell): CallCounts & { readonly out: number } {
  const word = Atomics.load(cellHeader(cell), TRIAL);
  const calls = counted(word, ENDED_AT);
  return {
    calls,
    failures: counted(word, FAILURES_AT),
    slow: counted(word, SLOW_AT),
    out: counted(word, TAKEN_AT) - calls,
  };
}

/** Gives back the permits that are out: who had them is gone, or takes its time. */
export function recoverPermits(cell: Cell): void {
  const header = cellHeader(cell);
  for (;;) {
    const before = Atomics.load(header, TRIAL);
    const out = counted(before, TAKEN_AT) - counted(before, ENDED_AT);
    if (Atomics.compareExchange(header, TRIAL, before, (before - (out << TAKEN_AT)) | 0) === before) return;
  }
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
