/**
 * A breaker in one thread: who may go, and what follows from how it went. Time is given to it; it waits for nothing and starts nothing.
 *
 * Whoever may go has a *pass*, a number that says in which state the call began and, of a trial, with which permit. It is handed back once,
 * by `end` or by `giveBack`; a pass of another state is worth nothing then. Whoever keeps one for ever costs a trial `trialMs` and
 * nothing else.
 *
 * Invariant: in a trial no more than `trialCalls` are let go, but for those that were given back. Cost: no allocation while it is
 * closed; `breaker.bench.ts`.
 */
import { BreakerLife, type BreakerLifeOptions, type BreakerState } from './breaker-life.ts';
import { BreakerTrial } from './breaker-trial.ts';

/** No call may go. */
export const NO_PASS = -1;

/** Permits in a trial; a place is this part of a pass. 1,000 trial calls are no trial. */
export const TRIAL_CALLS_MAX = 1000;
const PLACES = 1024;

const ONE = {
  good: { calls: 1, failures: 0, slow: 0 },
  slow: { calls: 1, failures: 0, slow: 1 },
  failed: { calls: 1, failures: 1, slow: 0 },
  failedSlowly: { calls: 1, failures: 1, slow: 1 },
} as const;

export class BreakerCore {
  readonly #life: BreakerLife;
  readonly #slowMs: number;
  #trial: BreakerTrial | null = null;
  /** Failures without a good call between them, in the state `closed`. */
  #row = 0;

  constructor(options: BreakerLifeOptions, nowMs: number) {
    this.#life = new BreakerLife(options, nowMs);
    this.#slowMs = options.policy.slow?.overMs ?? Number.POSITIVE_INFINITY;
  }

  get state(): BreakerState {
    return this.#life.state;
  }

  /** The pass of a call that may go, or `NO_PASS`. */
  begin(nowMs: number): number {
    const { phase, generation } = this.#life.state;
    if (phase === 'closed') return generation * PLACES;
    this.turn(nowMs);
    const state = this.#life.state;
    if (state.phase !== 'half-open') return NO_PASS;
    const { trialCalls, trialMs } = this.#life.policy;
    this.#trial ??= new BreakerTrial({ calls: trialCalls, lastMs: trialMs });
    const place = this.#trial.take(nowMs);
    return place < 0 ? NO_PASS : state.generation * PLACES + place;
  }

  /** The call has ended; it took `tookMs`. */
  end(pass: number, failed: boolean, tookMs: number, nowMs: number): void {
    this.turn(nowMs);
    const { phase, generation } = this.#life.state;
    if (Math.floor(pass / PLACES) !== generation) return;
    const isSlow = tookMs >= this.#slowMs;
    if (phase === 'half-open') {
      if (this.#trial?.end(pass % PLACES, failed, isSlow) === true) this.#judgeTrial(nowMs);
      return;
    }
    this.#row = failed ? this.#row + 1 : 0;
    const counts = failed ? (isSlow ? ONE.failedSlowly : ONE.failed) : isSlow ? ONE.slow : ONE.good;
    this.#life.count(counts, this.#row, nowMs);
    if (this.#life.state.generation !== generation) this.#row = 0;
  }

  /** The call says nothing: its caller gave up, or its outcome is to be ignored. Its permit is somebody else's. */
  giveBack(pass: number): void {
    if (Math.floor(pass / PLACES) === this.#life.state.generation) this.#trial?.giveBack(pass % PLACES);
  }

  /** What time alone changes. */
  turn(nowMs: number): void {
    this.#life.turn(nowMs);
    if (this.#trial?.expire(nowMs) === true) this.#judgeTrial(nowMs);
  }

  /** How long until asking again may do; 0 if it may now, infinite if nobody knows. */
  retryAfterMs(nowMs: number): number {
    const { phase, untilMs } = this.#life.state;
    if (phase === 'open') return Math.max(0, untilMs - nowMs);
    if (phase === 'half-open') {
      if (this.#trial?.isFull !== true) return 0;
      return Math.max(0, Math.min(this.#life.policy.openMs, this.#trial.nextMs - nowMs));
    }
    return phase === 'isolated' ? Number.POSITIVE_INFINITY : 0;
  }

  isolate(reason: string, nowMs: number): void {
    this.#forget();
    this.#life.isolate(reason, nowMs);
  }

  reset(reason: string, nowMs: number): void {
    this.#forget();
    this.#life.reset(reason, nowMs);
  }

  #forget(): void {
    this.#trial = null;
    this.#row = 0;
  }

  #judgeTrial(nowMs: number): void {
    this.#life.judgeTrial(this.#trial!, nowMs);
    if (this.#life.state.phase !== 'half-open') this.#trial = null;
  }
}
