/**
 * What of one trace happens in this process: from the first span, which has no parent here, to its end. Only then is known whether it failed
 * or was slow, so what has ended waits until the trace is decided, and goes out together.
 *
 * Invariant: it is decided once. Spans that end afterwards follow what was decided.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { Span } from './span.ts';

export type Verdict = 'sampled' | 'error' | 'slow' | 'dropped';

/** Whoever decides, and takes what is kept. */
export interface TraceHome {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  /** A span of a trace that is not decided has ended. */
  grew(trace: LocalTrace, span: Span): void;
  keep(spans: readonly Span[]): void;
}

export class LocalTrace {
  readonly traceId: string;
  readonly flags: number;
  /** When it began to be known here; its first span may say of itself that it began at another time. */
  readonly sinceMs: number;
  readonly home: TraceHome;
  readonly #wallOffsetMs: number;
  #ended: Span[] = [];
  #failed = false;
  #bytes = 0;
  #verdict: Verdict | null;

  constructor(
    home: TraceHome,
    trace: Pick<LocalTrace, 'traceId' | 'flags' | 'sinceMs' | 'verdict'>,
    wallOffsetMs: number,
  ) {
    this.traceId = trace.traceId;
    this.flags = trace.flags;
    this.sinceMs = trace.sinceMs;
    this.home = home;
    this.#wallOffsetMs = wallOffsetMs;
    this.#verdict = trace.verdict;
  }

  get service(): string {
    return this.home.service;
  }

  get clock(): Clock {
    return this.home.clock;
  }

  get random(): Random {
    return this.home.random;
  }

  /** The time of day of a moment of the clock; within a trace, nobody who sets the time changes an order or a length. */
  wallMs(nowMs: number): number {
    return nowMs + this.#wallOffsetMs;
  }

  /** The moment of a time of day. */
  clockMs(wallMs: number): number {
    return wallMs - this.#wallOffsetMs;
  }

  /** Null until it is decided. */
  get verdict(): Verdict | null {
    return this.#verdict;
  }

  get isRecording(): boolean {
    return this.#verdict !== 'dropped';
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** Of what waits. */
  get bytes(): number {
    return this.#bytes;
  }

  ended(span: Span): void {
    if (this.#verdict === 'dropped') return;
    if (this.#verdict !== null) {
      this.home.keep([span]);
      return;
    }
    this.#ended.push(span);
    this.#bytes += span.bytes;
    this.#failed ||= span.failed;
    this.home.grew(this, span);
  }

  decide(verdict: Verdict): void {
    const ended = this.#ended;
    this.#verdict = verdict;
    this.#ended = [];
    this.#bytes = 0;
    if (verdict !== 'dropped' && ended.length > 0) this.home.keep(ended);
  }
}
