/**
 * Traces of this process: spans that belong together, and which of them are kept. The head decides when a trace begins (a share by trace id, or
 * as the caller has decided); the tail when it ends: what failed or was slow is kept whole, though the head said no.
 *
 * Invariants: traces that wait for their decision are bounded in number, bytes and time, and whatever is not kept is counted; nothing here
 * throws into the work that is traced. Cost: a span of a trace that is not kept below a microsecond (`npm run bench -- observe`).
 */
import { type Clock, systemClock, type Timer } from '../../kernel/clock.ts';
import { checkDuration, checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import { createRandom, type Random } from '../../kernel/random.ts';
import { partOf } from '../context/plain-text.ts';
import { newTraceId, RANDOM, SAMPLED, type TraceContext, traceContextOf } from '../context/trace-context.ts';
import { currentContext, outsideOfAny, runInContext } from '../context/work-context.ts';
import { LocalTrace, type TraceHome, type Verdict } from './local-trace.ts';
import { Budget, isInShare } from './sampling.ts';
import { Span, type SpanOptions } from './span.ts';
import type { SpanRecord } from './span-record.ts';

/** What takes spans that are kept: a store, an exporter, your own. It must not throw. */
export interface SpanSink {
  add(spans: readonly SpanRecord[]): void;
}

export interface TracesOptions {
  /** Whose spans they are: `service.name`. */
  readonly service: string;
  /** Where spans go that are kept. */
  readonly to: SpanSink | readonly SpanSink[];
  /** The share of traces that begin here and are kept whatever happens, from 0 to 1. A caller's decision stands. @defaultValue 0.1 */
  readonly sample?: number;
  /** A trace that fails, or whose first span here takes as long as `slow`, is kept too. Costs memory until it has ended. @defaultValue true */
  readonly tail?: boolean;
  /** As `'500ms'` or in milliseconds. @defaultValue '1s' */
  readonly slow?: string | number;
  /** Of the failed and slow ones, at most so many a second. @defaultValue 50 */
  readonly tailPerSecond?: number;
  /** After this a trace is decided by what is known of it, also if it has not ended. @defaultValue '60s' */
  readonly patience?: string | number;
  /** Traces that may wait for their decision; of more, the oldest is decided. @defaultValue 10000 */
  readonly undecidedMax?: number;
  /** Bytes that may wait. @defaultValue 16 MiB */
  readonly undecidedBytes?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

const names = ['service', 'to', 'sample', 'tail', 'slow', 'tailPerSecond', 'patience', 'undecidedMax', 'undecidedBytes', 'clock', 'random']; // prettier-ignore
const SWEEP_MS = 1000;
/** How far the offset of the time of day may be off before it is believed that somebody set it. `wallMs` is whole milliseconds. */
const OFFSET_MS = 2;

/** How traces ended, in numbers since the start. */
export type TraceCounts = Readonly<Record<Verdict | 'overBudget' | 'cutShort' | 'spansKept' | 'sinkErrors', number>>;

export class Traces implements TraceHome, Disposable {
  readonly service: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly #sinks: readonly SpanSink[];
  readonly #sample: number;
  readonly #tail: boolean;
  readonly #slowMs: number;
  readonly #patienceMs: number;
  readonly #undecidedMax: number;
  readonly #undecidedBytes: number;
  readonly #budget: Budget;
  /** In the order of their beginning. */
  readonly #undecided = new Map<LocalTrace, Span>();
  readonly #counts = { sampled: 0, error: 0, slow: 0, dropped: 0, overBudget: 0, cutShort: 0, spansKept: 0, sinkErrors: 0 }; // prettier-ignore
  #bytes = 0;
  #offsetMs = -Infinity;
  #sweeper: Timer | null = null;

  constructor(options: TracesOptions) {
    checkKeys('createTraces', options, names);
    const { service, to, sample = 0.1, tail = true, clock = systemClock, random = createRandom() } = options;
    if (typeof service !== 'string' || service === '')
      throw invalid('createTraces: service is missing; expected a name.');
    if (!(sample >= 0 && sample <= 1)) throw invalid(`createTraces: sample is ${sample}; expected from 0 to 1.`);
    this.service = service;
    this.clock = clock;
    this.random = random;
    this.#sinks = Array.isArray(to) ? (to as readonly SpanSink[]) : [to as SpanSink];
    this.#sample = sample;
    this.#tail = tail;
    this.#slowMs = checkDuration('createTraces: slow', options.slow ?? '1s', 0, 86_400_000);
    this.#patienceMs = checkDuration('createTraces: patience', options.patience ?? '60s', 1, 86_400_000);
    this.#undecidedMax = checkInteger('createTraces: undecidedMax', options.undecidedMax ?? 10_000, 1, 1e6);
    this.#undecidedBytes = checkInteger('createTraces: undecidedBytes', options.undecidedBytes ?? 2 ** 24, 1, 2 ** 32);
    this.#budget = new Budget(
      checkInteger('createTraces: tailPerSecond', options.tailPerSecond ?? 50, 0, 1e6),
      clock.nowMs(),
    );
  }

  /** The span that runs here, if there is one of ours. */
  get current(): Span | null {
    const trace = partOf(currentContext(), 'trace');
    return Span.is(trace) ? trace : null;
  }

  get counts(): TraceCounts {
    return { ...this.#counts };
  }

  /** Traces that wait for their decision, and what they hold. */
  get undecided(): { readonly traces: number; readonly bytes: number } {
    return { traces: this.#undecided.size, bytes: this.#bytes };
  }

  /** Whoever starts it ends it: `using span = traces.startSpan('…')`. To be the parent of others, run them in `span.context`. */
  startSpan(name: string, options: SpanOptions = {}): Span {
    const work = options.parent === undefined ? currentContext() : options.parent;
    const given = partOf(work, 'trace');
    const startMs = Number.isFinite(options.startMs) ? options.startMs! : this.clock.nowMs();
    if (Span.is(given) && given.local.home === this) {
      return new Span(name, { trace: given.local, parent: given, work, startMs }, options);
    }
    const parent = traceContextOf(given);
    const trace = this.#begin(parent);
    const root = new Span(name, { trace, parent, work, startMs }, options);
    if (trace.verdict === null) this.#wait(trace, root);
    return root;
  }

  /** Runs it within a span, which ends when it does; what it throws or rejects with is the span's failure, and is thrown on. */
  withSpan<T>(name: string, run: (span: Span) => T): T;
  withSpan<T>(name: string, options: SpanOptions, run: (span: Span) => T): T;
  withSpan<T>(name: string, given: SpanOptions | ((span: Span) => T), then?: (span: Span) => T): T {
    const [options, run] = typeof given === 'function' ? [{}, given] : [given, then!];
    const span = this.startSpan(name, options);
    const failed = (error: unknown): never => {
      span.fail(error).end();
      throw error;
    };
    let result: T;
    try {
      result = runInContext(span.context, () => run(span));
    } catch (error) {
      return failed(error);
    }
    if (!(result instanceof Promise)) {
      span.end();
      return result;
    }
    const ended = (value: unknown): unknown => {
      span.end();
      return value;
    };
    return result.then(ended, failed) as T;
  }

  /** The moment of a time of day. */
  clockMs(wallMs: number): number {
    return wallMs - this.#wallOffset();
  }

  /** For work that nobody has given one. */
  newCorrelationId(): string {
    return newTraceId(this.random);
  }

  /** Decides what still waits by what is known of it. Spans that end later are still kept, if their trace is. */
  flush(): void {
    for (const trace of this.#undecided.keys()) this.#decide(trace, false);
  }

  [Symbol.dispose](): void {
    this.flush();
  }

  grew(trace: LocalTrace, span: Span): void {
    this.#bytes += span.bytes;
    if (this.#undecided.get(trace) === span) this.#decide(trace, true);
    else while (this.#bytes > this.#undecidedBytes) this.#decideOldest();
  }

  keep(spans: readonly Span[]): void {
    const records = spans.map((span) => span.record());
    this.#counts.spansKept += records.length;
    for (const sink of this.#sinks) {
      try {
        sink.add(records);
      } catch {
        // WHY nothing is said: the work that is traced has no part in it, and there is nobody else here; it is counted.
        this.#counts.sinkErrors += 1;
      }
    }
  }

  #begin(parent: TraceContext | null): LocalTrace {
    const traceId = parent?.traceId ?? newTraceId(this.random);
    const isSampled = parent === null ? isInShare(traceId, this.#sample) : (parent.flags & SAMPLED) !== 0;
    const flags = (parent === null ? RANDOM : parent.flags & RANDOM) | (isSampled ? SAMPLED : 0);
    const verdict = isSampled || this.#tail ? null : 'dropped';
    if (verdict !== null) this.#counts.dropped += 1;
    return new LocalTrace(this, { traceId, flags, sinceMs: this.clock.nowMs(), verdict }, this.#wallOffset());
  }

  /** From the clock to the time of day. Of whole milliseconds the greatest difference is the nearest. */
  #wallOffset(): number {
    const offsetMs = this.clock.wallMs() - this.clock.nowMs();
    if (offsetMs > this.#offsetMs || offsetMs < this.#offsetMs - OFFSET_MS) this.#offsetMs = offsetMs;
    return this.#offsetMs;
  }

  #wait(trace: LocalTrace, root: Span): void {
    this.#undecided.set(trace, root);
    this.#sweeper ??= outsideOfAny(() => this.clock.every(SWEEP_MS, () => this.#sweep()));
    if (this.#undecided.size > this.#undecidedMax) this.#decideOldest();
  }

  #sweep(): void {
    const beforeMs = this.clock.nowMs() - this.#patienceMs;
    for (const trace of this.#undecided.keys()) {
      if (trace.sinceMs > beforeMs) break;
      this.#decide(trace, false);
    }
    if (this.#undecided.size > 0) return;
    this.#sweeper?.clear();
    this.#sweeper = null;
  }

  #decideOldest(): void {
    for (const trace of this.#undecided.keys()) {
      this.#decide(trace, false);
      return;
    }
  }

  #decide(trace: LocalTrace, hasEnded: boolean): void {
    const root = this.#undecided.get(trace)!;
    this.#undecided.delete(trace);
    this.#bytes -= trace.bytes;
    if (!hasEnded) this.#counts.cutShort += 1;
    const durationMs = hasEnded ? root.durationMs : this.clock.nowMs() - root.startMs;
    const verdict = this.#verdictOn(trace, root, durationMs);
    this.#counts[verdict] += 1;
    trace.decide(verdict);
  }

  #verdictOn(trace: LocalTrace, root: Span, durationMs: number): Verdict {
    if ((root.flags & SAMPLED) !== 0) return 'sampled';
    const why = trace.failed ? 'error' : durationMs >= this.#slowMs ? 'slow' : 'dropped';
    if (why === 'dropped' || this.#budget.take(this.clock.nowMs())) return why;
    this.#counts.overBudget += 1;
    return 'dropped';
  }
}

/**
 * Traces of a service.
 *
 * @example
 * const store = createTraceStore();
 * const traces = createTraces({ service: 'shop', to: store, sample: 1 });
 * traces.withSpan('buy', (span) => span.setAttribute('items', 3));
 * console.log(store.find().traces[0]?.name); // buy
 */
export function createTraces(options: TracesOptions): Traces {
  return new Traces(options);
}
