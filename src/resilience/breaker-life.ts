/**
 * The life of a breaker, as a machine that time and results are given to:
 *
 *     closed ── too many calls failed or were slow ──▶ open ── its time is over ──▶ half-open ── the trial passed ──▶ closed
 *                                                       ▲                              │
 *                                                       └──────── the trial failed ────┘
 *     any ── isolate ──▶ isolated ── reset ──▶ closed
 *
 * - Each state has a *generation*, which is never used again. Whoever lets a call go remembers it, and the result of a call that began in
 *   another one is nobody's: a call of before the opening that times out in the trial says nothing about the trial.
 * - It opens for `openMs` at least, and at most up to a bound that doubles with each opening in a row, itself no more than `openMaxMs`; any time
 *   between, so that many processes do not come back together. Once it was closed for `openMaxMs`, it begins at the first again.
 *
 * Invariants: a state is a value that is never changed; `openings` is at least 1 while open or half-open; the random source is drawn from
 * once an opening. O(1). Sources: Nygard, “Release It!”, for the pattern; resilience4j for slow calls and the trial by share.
 * What it is not: who counts trial calls (breaker-trial.ts in one thread), or who may go (breaker-core.ts).
 */
import { backoffMs } from '../kernel/backoff.ts';
import type { Random } from '../kernel/random.ts';
import { type BreakerPolicy, type CallCounts, faultOf, trialVerdict } from './breaker-policy.ts';
import { BreakerWindow } from './breaker-window.ts';

export type BreakerPhase = 'closed' | 'open' | 'half-open' | 'isolated';

export interface BreakerState {
  readonly phase: BreakerPhase;
  /** Counts states. */
  readonly generation: number;
  /** When it began. */
  readonly sinceMs: number;
  /** When a trial may begin; infinite unless it is open. */
  readonly untilMs: number;
  /** Why it is in this state, in words. */
  readonly reason: string;
  /** Openings in a row that are not forgotten. */
  readonly openings: number;
}

export interface BreakerLifeOptions {
  readonly policy: BreakerPolicy;
  readonly random: Random;
}

export class BreakerLife {
  readonly #random: Random;
  #policy: BreakerPolicy;
  #state: BreakerState;
  #window: BreakerWindow;

  constructor({ policy, random }: BreakerLifeOptions, nowMs: number) {
    this.#policy = policy;
    this.#random = random;
    this.#window = new BreakerWindow(policy.windowMs, nowMs);
    this.#state = {
      phase: 'closed',
      generation: 0,
      sinceMs: nowMs,
      untilMs: Number.POSITIVE_INFINITY,
      reason: 'nothing has failed yet',
      openings: 0,
    };
  }

  get state(): BreakerState {
    return this.#state;
  }

  get policy(): BreakerPolicy {
    return this.#policy;
  }

  /** What time alone changes. */
  turn(nowMs: number): void {
    const { phase, untilMs, openings } = this.#state;
    if (phase !== 'open' || nowMs < untilMs) return;
    const reason = `on trial with ${this.#policy.trialCalls} calls`;
    this.#enter('half-open', { reason, openings }, nowMs);
  }

  /** Calls of the state `closed` that ended; `row` is how many have failed by now without a good one between them. */
  count(counts: CallCounts, row: number, nowMs: number): void {
    if (this.#state.phase !== 'closed') return;
    this.#window.add(counts, nowMs);
    const { failuresInRow } = this.#policy;
    if (failuresInRow !== null && row >= failuresInRow) this.#open(`${row} calls in a row failed`, nowMs);
    else {
      const fault = faultOf(this.#window, this.#policy);
      if (fault !== null) this.#open(fault, nowMs);
    }
  }

  /** What is known of the trial so far. */
  judgeTrial(trial: CallCounts, nowMs: number): void {
    if (this.#state.phase !== 'half-open') return;
    const { passed, fault } = trialVerdict(trial, this.#policy);
    if (fault !== null) this.#open(fault, nowMs);
    else if (passed) {
      const good = trial.calls - trial.failures;
      const reason = `${good} of ${trial.calls} trial calls succeeded`;
      this.#enter('closed', { reason, openings: this.#state.openings }, nowMs);
    }
  }

  /** Another generation of the trial: what is out of it counts for nothing any more, what has ended does. */
  renewTrial(): void {
    if (this.#state.phase !== 'half-open') return;
    this.#state = { ...this.#state, generation: this.#state.generation + 1 };
  }

  /** Nobody goes until `reset`. */
  isolate(reason: string, nowMs: number): void {
    this.#enter('isolated', { reason, openings: 0 }, nowMs);
  }

  /** Closed, and everything before is forgotten. */
  reset(reason: string, nowMs: number): void {
    this.#enter('closed', { reason, openings: 0 }, nowMs);
  }

  /** Another policy from now on, in the state that it is in; another window begins empty. */
  change(policy: BreakerPolicy, nowMs: number): void {
    if (policy.windowMs !== this.#policy.windowMs) this.#window = new BreakerWindow(policy.windowMs, nowMs);
    this.#policy = policy;
  }

  #open(reason: string, nowMs: number): void {
    const { phase, sinceMs, openings: before } = this.#state;
    const { openMs, openMaxMs } = this.#policy;
    const isForgotten = phase === 'closed' && nowMs - sinceMs >= openMaxMs;
    const openings = isForgotten ? 1 : before + 1;
    const forMs = backoffMs({ shortestMs: openMs, baseMs: openMs, longestMs: openMaxMs }, openings, this.#random);
    this.#enter('open', { reason, openings, untilMs: nowMs + forMs }, nowMs);
  }

  #enter(
    phase: BreakerPhase,
    { reason, openings, untilMs = Number.POSITIVE_INFINITY }: { reason: string; openings: number; untilMs?: number },
    nowMs: number,
  ): void {
    const generation = this.#state.generation + 1;
    this.#state = { phase, generation, sinceMs: nowMs, untilMs, reason, openings };
    if (phase === 'closed') this.#window = new BreakerWindow(this.#policy.windowMs, nowMs);
  }
}
