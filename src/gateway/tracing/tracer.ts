/**
 * Which requests are kept as traces. Twice decided: at the head, for a share of the traces that begin here and for whatever a trusted caller
 * has sampled, since services behind must be told; and at *account*, where what failed, was tried again or was slow is kept whatever the head said.
 *
 * The flag that goes out is honest: it is set for what will be kept, and for what the caller keeps. Kept traces leave once a tick, and no more
 * begin in a second than the plan allows; what had no room is counted. Of these a quarter is left to what failed or was slow.
 *
 * Cost: off, a look at a flag. On, for a request that is not kept: a comparison at its head and four at its end, no allocation.
 */
import { copyBytes } from '../../kernel/bytes.ts';
import type { Lane } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { ENDED_BROKEN, type Exchange } from '../l7/exchange.ts';
import { processSlots } from '../slots.ts';
import type { TracesPlan } from '../snapshot.ts';
import { type AnsweredRequest, answeredSpan } from './answered-span.ts';
import { exchangeSpans } from './exchange-spans.ts';
import type { RequestTrace } from './request-trace.ts';

/** Why a trace is kept, as its `spillway.kept` says. */
export type Kept = 'sampled' | 'error' | 'retried' | 'slow';

const SECOND_MS = 1000;
/** Of the traces of a second, those that may be promised at the head. */
const HEAD_SHARE = 0.75;

export interface TracerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The process cell's lane of this worker. */
  readonly lane: Lane;
  /** Now, as read once per event. */
  readonly time: { readonly nowMs: number };
  /** Takes what is kept, once a tick. */
  readonly send: (spans: readonly SpanRecord[]) => void;
}

export class Tracer {
  readonly #options: TracerOptions;
  #plan: TracesPlan | null = null;
  #spans: SpanRecord[] = [];
  #secondEndsMs = 0;
  #begun = 0;

  constructor(options: TracerOptions) {
    this.#options = options;
  }

  get on(): boolean {
    return this.#plan !== null;
  }

  apply(plan: TracesPlan | null): void {
    this.#plan = plan;
  }

  /** Hands on what was kept since. */
  tick(): void {
    if (this.#spans.length === 0) return;
    const spans = this.#spans;
    this.#spans = [];
    this.#options.send(spans);
  }

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
    if (kept === null || (!(trace.isSampled && !trace.hasParent) && !this.#hasRoom(plan))) return;
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
    if (!(isSampled && parent === null) && !this.#hasRoom(plan)) return null;
    const span = answeredSpan(request, {
      random,
      nowMs: time.nowMs,
      wallMs: clock.wallMs(),
      kept: isError ? 'error' : 'sampled',
    });
    this.#keep([span]);
    return span;
  }

  #keep(spans: readonly SpanRecord[]): void {
    this.#count(processSlots.tracesKept);
    this.#spans.push(...spans);
  }

  /** By the last word of the trace id, so that all who sample by it agree. */
  #isChosen(low: number, { sample, perSecond }: TracesPlan): boolean {
    if (sample === 0 || low >>> 0 >= sample * 2 ** 32) return false;
    return this.#take(perSecond * HEAD_SHARE);
  }

  #hasRoom({ perSecond }: TracesPlan): boolean {
    if (this.#take(perSecond)) return true;
    this.#count(processSlots.tracesDropped);
    return false;
  }

  #take(most: number): boolean {
    const { nowMs } = this.#options.time;
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + SECOND_MS;
      this.#begun = 0;
    }
    if (this.#begun >= most) return false;
    this.#begun++;
    return true;
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
