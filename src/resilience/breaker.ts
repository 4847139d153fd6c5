/**
 * A circuit breaker: whoever calls something that fails or hangs is told so at once, in place of waiting for it like everybody before.
 *
 * That it is open is an outcome, and so a value, with a reason and when to ask again, as the decisions of limits are. What the call throws is thrown on.
 * It starts no timer and holds nothing of a call that ended: `open` becomes `half-open` with the first call, or the first look at `state`, after
 * its time. What opens and closes it: breaker-policy.ts and breaker-life.ts. It sees the calls of one process.
 *
 * Cost: `npm run bench -- breaker`. What it is not: a timeout. A call that never ends is waited for, and counts once it has ended: give it a signal.
 */
import { abortable } from '../kernel/abort.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { checkFunction, checkKeys } from '../kernel/options.ts';
import { quietly } from '../kernel/quietly.ts';
import { createRandom } from '../kernel/random.ts';
import { BreakerCore, NO_PASS } from './breaker-core.ts';
import type { BreakerPhase, BreakerState } from './breaker-life.ts';
import { BreakerMetrics, type CallResult } from './breaker-metrics.ts';
import {
  type BreakerOptions,
  type BreakerReading,
  type CallVerdict,
  readBreakerPolicy,
  type Settled,
} from './breaker-options.ts';

/** What a call is given. */
export interface BreakerCall {
  /** The caller's; of a call without one, one that nobody aborts. */
  readonly signal: AbortSignal;
}

export interface RunOptions {
  /** Gives up: `run` rejects with its reason at once, and the call counts for nothing, unless the reason is a `TimeoutError`. */
  readonly signal?: AbortSignal;
}

/** A value also when the answer is no. */
export type BreakerOutcome<T> =
  | { readonly allowed: true; readonly value: T }
  | {
      readonly allowed: false;
      /** Its name. */
      readonly breaker: string;
      readonly phase: BreakerPhase;
      /** Why it lets nobody go, in words. */
      readonly reason: string;
      /** Whole milliseconds until asking again may do; `Infinity` if it is isolated. */
      readonly retryAfterMs: number;
    };

export interface Breaker {
  readonly name: string;
  readonly state: BreakerReading;
  /** Calls, or says why not. What the call throws is thrown on. */
  run<T>(call: (given: BreakerCall) => T | PromiseLike<T>, options?: RunOptions): Promise<BreakerOutcome<T>>;
  /** Lets nobody go until `reset`: by hand, as for work on what is called. */
  isolate(reason?: string): void;
  /** Closes it, and forgets everything before. */
  reset(reason?: string): void;
}

/**
 * A breaker. One for each thing that fails by itself: not for all hosts together.
 *
 * @example
 * const breaker = createBreaker({ name: 'prices', slow: { over: '500ms', rate: '80%' } });
 * const outcome = await breaker.run(() => 42);
 * console.log(outcome.allowed ? outcome.value : outcome.retryAfterMs); // 42
 */
export function createBreaker(options: BreakerOptions): Breaker {
  return new RunningBreaker(options);
}

/** The signal of a call that has none is made when it is looked at. */
class Call implements BreakerCall {
  #signal: AbortSignal | undefined;

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal;
  }

  get signal(): AbortSignal {
    return (this.#signal ??= new AbortController().signal);
  }
}

class RunningBreaker implements Breaker {
  readonly name: string;
  readonly #core: BreakerCore;
  readonly #clock: Clock;
  readonly #slowMs: number;
  readonly #options: BreakerOptions;
  readonly #metrics: BreakerMetrics | null;
  /** The state that others were told of. */
  #told: BreakerState;

  constructor(options: BreakerOptions) {
    const policy = readBreakerPolicy(options);
    const { name, metrics, clock = systemClock, random = createRandom() } = options;
    this.name = name;
    this.#options = options;
    this.#clock = clock;
    this.#slowMs = policy.slow?.overMs ?? Number.POSITIVE_INFINITY;
    this.#core = new BreakerCore({ policy, random }, clock.nowMs());
    this.#told = this.#core.state;
    this.#metrics = metrics === undefined ? null : new BreakerMetrics(metrics, name);
  }

  get state(): BreakerReading {
    const nowMs = this.#clock.nowMs();
    this.#core.turn(nowMs);
    this.#tell();
    return this.#reading(nowMs);
  }

  async run<T>(call: (given: BreakerCall) => T | PromiseLike<T>, options: RunOptions = {}): Promise<BreakerOutcome<T>> {
    checkFunction('run: the call', call);
    checkKeys('run', options, ['signal']);
    const { signal } = options;
    signal?.throwIfAborted();
    const startMs = this.#clock.nowMs();
    const pass = this.#core.begin(startMs);
    const refusal = pass === NO_PASS ? this.#refuse(startMs) : null;
    this.#tell();
    if (refusal !== null) return refusal;
    let value: T;
    try {
      const running = call(new Call(signal));
      value = await (signal === undefined ? running : abortable(Promise.resolve(running), signal));
    } catch (error) {
      this.#ended(pass, startMs, isGivenUp(signal) ? 'ignored' : this.#verdictOf({ error }, 'failed'));
      throw error;
    }
    this.#ended(pass, startMs, this.#options.judge === undefined ? 'good' : this.#verdictOf({ value }, 'good'));
    return { allowed: true, value };
  }

  isolate(reason = 'by hand'): void {
    this.#core.isolate(reason, this.#clock.nowMs());
    this.#tell();
  }

  reset(reason = 'by hand'): void {
    this.#core.reset(reason, this.#clock.nowMs());
    this.#tell();
  }

  #ended(pass: number, startMs: number, verdict: CallVerdict): void {
    const nowMs = this.#clock.nowMs();
    const tookMs = nowMs - startMs;
    if (verdict === 'ignored') this.#core.giveBack(pass);
    else this.#core.end(pass, verdict === 'failed', tookMs, nowMs);
    this.#tell();
    if (this.#metrics === null) return;
    const result: CallResult = verdict === 'good' && tookMs >= this.#slowMs ? 'slow' : verdict;
    this.#metrics.ended(result, tookMs);
  }

  #verdictOf(settled: Settled, usual: CallVerdict): CallVerdict {
    let verdict = usual;
    quietly(() => (verdict = this.#options.judge?.(settled) ?? usual));
    return verdict;
  }

  #refuse(nowMs: number): BreakerOutcome<never> {
    const { phase, reason, retryAfterMs } = this.#reading(nowMs);
    this.#metrics?.refused();
    const { name: breaker } = this;
    quietly(() => this.#options.traces?.current?.addEvent('breaker refused', { breaker, phase, reason }));
    return { allowed: false, breaker, phase, reason, retryAfterMs };
  }

  #reading(nowMs: number): BreakerReading {
    const { phase, reason, sinceMs, openings } = this.#core.state;
    const wallMs = Math.round(this.#clock.wallMs() - (nowMs - sinceMs));
    return { phase, reason, sinceMs: wallMs, retryAfterMs: Math.ceil(this.#core.retryAfterMs(nowMs)), openings };
  }

  /** Tells of the state, if another was told of last. */
  #tell(): void {
    const { state } = this.#core;
    if (state === this.#told) return;
    const before = this.#told.phase;
    this.#told = state;
    const { phase, reason } = state;
    if (phase === before) return;
    this.#metrics?.changed(phase);
    const { traces, onChange } = this.#options;
    quietly(() => traces?.current?.addEvent('breaker', { breaker: this.name, from: before, to: phase, reason }));
    quietly(() => onChange?.(this.#reading(this.#clock.nowMs()), before));
  }
}

/** Who lets a deadline of its own pass has waited for the other side; who gives up for another reason has not. */
function isGivenUp(signal: AbortSignal | undefined): boolean {
  if (signal?.aborted !== true) return false;
  const reason: unknown = signal.reason;
  return !(reason instanceof DOMException && reason.name === 'TimeoutError');
}
