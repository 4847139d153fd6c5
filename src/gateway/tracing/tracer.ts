/**
 * Which requests are kept as traces. Twice decided: at the head, for a share of the traces that begin here and for whatever a trusted caller
 * has sampled, since services behind must be told; and at *account*, where what failed, was tried again or was slow is kept whatever the head said.
 *
 * The flag that goes out is honest: it is set for what will be kept, and for what the caller keeps. Kept traces leave once a tick, and no more
 * begin in a second than the plan allows; what had no room, there or in memory while nobody reads them, is counted. Of these a quarter is left to
 * what failed or was slow: neither the head, nor a caller that samples, nor requests that are refused for what they are can use it up.
 *
 * Cost: off, a look at a flag. On, for a request that is not kept: a comparison at its head and four at its end, no allocation.
 */
import { copyBytes } from '../../kernel/bytes.ts';
import type { Lane } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { Budget } from '../../observe/trace/sampling.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { ENDED_BROKEN, type Exchange } from '../l7/exchange.ts';
import { processSlots } from '../slots.ts';
import type { TracesPlan } from '../snapshot.ts';
import { type AnsweredRequest, answeredSpan } from './answered-span.ts';
import { exchangeSpans } from './exchange-spans.ts';
import type { RequestTrace } from './request-trace.ts';

/** Why a trace is kept, as its `spillway.kept` says. */
export type Kept = 'sampled' | 'error' | 'retried' | 'slow';

/** Of the traces of a second, those that are not kept because something failed or was slow here. */
const HEAD_SHARE = 0.75;
/** Spans that wait while what was sent is not read: some 10 MB, a third of a second of as many traces as a plan may keep. */
const UNSENT_MAX = 10_000;
/** Spans that are sent together: a worker takes some 2 ms to copy them, and traffic waits for that. */
const BATCH_MAX = 1000;
/** What a client can bring about as often as it likes, and is no failure of what it asks: a coding nobody has, a version, a loop. */
const ASKED_WRONGLY: readonly number[] = [501, 505, 508];

export type SendSpans = (spans: readonly SpanRecord[], taken: () => void) => void;

export interface TracerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The process cell's lane of this worker. */
  readonly lane: Lane;
  /** Now, as read once per event. */
  readonly time: { readonly nowMs: number };
  /** Takes what is kept, and calls `taken` when it has been read: until then it is given no more. */
  readonly send: SendSpans;
}

export class Tracer {
  readonly #options: TracerOptions;
  #plan: TracesPlan | null = null;
  #budget = new Budget(0, 0);
  #spans: SpanRecord[] = [];
  #isSending = false;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  get on(): boolean {
    return this.#plan !== null;
  }

  apply(plan: TracesPlan | null): void {
    this.#plan = plan;
    this.#budget = new Budget(plan?.perSecond ?? 0, this.#options.time.nowMs);
  }

  /** Hands on what was kept since, if what was handed on before has been read. */
  tick(): void {
    if (!this.#isSending && this.#spans.length > 0) this.#sendSome();
  }

  /** Hands on what was kept since, in any case. */
  end(): void {
    while (this.#spans.length > 0) this.#sendSome();
  }

  #sendSome(): void {
    const spans = this.#spans.splice(0, BATCH_MAX);
    this.#isSending = true;
    this.#options.send(spans, this.#taken);
  }

  readonly #taken = (): void => {
    this.#isSending = false;
    if (this.#spans.length >= BATCH_MAX) this.#sendSome();
  };

  // — At the head

  /** A trace begins here, whose id begins at `start` and ends in the random word `low`; its span has been drawn. */
  begin(trace: RequestTrace, low: number, out: Uint8Array, start: number): void {
    if (this.#plan === null) return;
    trace.isTraced = true;
    trace.isSampled = this.#isChosen(low, this.#plan);
    trace.writeFlag(out, start);
    trace.writeAttempt(1, out, start);
  }

  /** The trace of a trusted caller goes on: its id, which begins at `bytes[from]`, is written at `start`. */
  // WHY five parameters: the hot path; an options object would be made for each request.
  join(trace: RequestTrace, bytes: Uint8Array, from: number, out: Uint8Array, start: number): void {
    copyBytes(bytes, from, from + 32, out, start);
    trace.draw(this.#options.random, out, start);
    trace.join(bytes, from);
    trace.isTraced = true;
    trace.writeFlag(out, start);
    trace.writeAttempt(1, out, start);
  }

  /** Another attempt is made: it is the parent of what its endpoint does. */
  tellAttempt({ client: { forwarding }, retained }: Exchange, number: number): void {
    if (retained !== null && forwarding.trace.isTraced)
      forwarding.trace.writeAttempt(number, retained, forwarding.traceIdStart);
  }

  // — At account

  /** An exchange has ended. */
  exchange(exchange: Exchange, nowMs: number): void {
    const plan = this.#plan;
    const { trace } = exchange.client.forwarding;
    if (plan === null || !trace.isTraced || exchange.retained === null) return;
    const kept = whyKept(exchange, trace, nowMs - exchange.startMs, plan);
    // What the head promised has had its place since.
    const isPromised = trace.isSampled && !trace.hasParent;
    if (kept === null || (!isPromised && !this.#hasRoom(kept === 'sampled' ? HEAD_SHARE : 1))) return;
    this.#keep(exchangeSpans(exchange, { nowMs, wallMs: this.#options.clock.wallMs(), kept }));
  }

  /** The gateway has answered by itself. Returns the ids if it is kept, for the log. */
  answered(request: AnsweredRequest): SpanRecord | null {
    const plan = this.#plan;
    if (plan === null) return null;
    const { clock, random, time } = this.#options;
    const { parent } = request;
    const isError = request.status >= 500;
    const isSampled = parent === null ? this.#isChosen(random.int32(), plan) : parent.isSampled;
    if (!isSampled && !isError) return null;
    const isPromised = isSampled && parent === null;
    const share = isError && !ASKED_WRONGLY.includes(request.status) ? 1 : HEAD_SHARE;
    if (!isPromised && !this.#hasRoom(share)) return null;
    const span = answeredSpan(request, {
      random,
      nowMs: time.nowMs,
      wallMs: clock.wallMs(),
      kept: isError ? 'error' : 'sampled',
    });
    return this.#keep([span]) ? span : null;
  }

  #keep(spans: readonly SpanRecord[]): boolean {
    const hasRoom = this.#spans.length + spans.length <= UNSENT_MAX;
    this.#count(hasRoom ? processSlots.tracesKept : processSlots.tracesDropped);
    if (hasRoom) this.#spans.push(...spans);
    return hasRoom;
  }

  /** By the last word of the trace id, so that all who sample by it agree. */
  #isChosen(low: number, { sample }: TracesPlan): boolean {
    if (sample === 0 || low >>> 0 >= sample * 2 ** 32) return false;
    return this.#budget.take(this.#options.time.nowMs, HEAD_SHARE);
  }

  /** `share`: of the budget, that must not be used up. */
  #hasRoom(share: number): boolean {
    if (this.#budget.take(this.#options.time.nowMs, share)) return true;
    this.#count(processSlots.tracesDropped);
    return false;
  }

  #count(slot: number): void {
    const { lane } = this.#options;
    lane[slot] = (lane[slot] ?? 0) + 1;
  }
}

function whyKept(
  { status, ending, attempts }: Exchange,
  { isSampled }: RequestTrace,
  totalMs: number,
  { slowMs }: TracesPlan,
): Kept | null {
  if (status >= 500 || ending === ENDED_BROKEN) return 'error';
  if (attempts > 1) return 'retried';
  if (totalMs >= slowMs) return 'slow';
  return isSampled ? 'sampled' : null;
}
