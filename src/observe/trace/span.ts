/**
 * A span while it runs: what this process does in one piece of work, from `startSpan` to `end`. It is its own `TraceContext`, so it is what
 * `currentContext().trace` holds.
 *
 * Invariants: after `end` nothing changes any more; no method throws; what it holds is within the bounds of spans. The id of a span is made when
 * it is first looked at: most spans of traces that are not kept never need one.
 */
import { isError } from '../../kernel/errors.ts';
import { partOf, textOf } from '../context/plain-text.ts';
import { isSpanId, isTraceId, newSpanId, type TraceContext } from '../context/trace-context.ts';
import type { WorkContext } from '../context/work-context.ts';
import type { LocalTrace } from './local-trace.ts';
import { BoundAttributes, cutText, EVENTS_MAX, LINKS_MAX, NAME_LENGTH_MAX, TEXT_LENGTH_MAX } from './span-bounds.ts';
import type {
  Attributes,
  AttributeValue,
  SpanEvent,
  SpanKind,
  SpanLink,
  SpanRecord,
  SpanStatus,
} from './span-record.ts';

/** The objects of one with nothing in it; and of an event. */
const SPAN_BYTES = 500;
const EVENT_BYTES = 150;

export interface SpanOptions {
  /** @defaultValue 'internal' */
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
  /** At most 32. */
  readonly links?: readonly SpanLink[];
  /** What it is part of; null begins a trace. @defaultValue `currentContext()` */
  readonly parent?: WorkContext | null;
  /** When it began, on the clock of the traces (`nowMs`). @defaultValue now */
  readonly startMs?: number;
}

/** What a span is begun with, besides its options. */
export interface SpanOrigin {
  readonly trace: LocalTrace;
  readonly parent: TraceContext | null;
  readonly work: WorkContext | null;
  readonly startMs: number;
}

export class Span implements TraceContext, Disposable {
  readonly traceId: string;
  readonly flags: number;
  readonly state: string;
  readonly startMs: number;
  /** What of its trace happens in this process. */
  readonly local: LocalTrace;
  /** Whether no span here is its parent. */
  readonly #isFirst: boolean;
  #parent: Pick<TraceContext, 'spanId'> | null;
  #work: Partial<WorkContext> | null;
  readonly #kind: SpanKind;
  readonly #links: SpanLink[] = [];
  #linksDropped = 0;
  #name: string;
  #id = '';
  #context: WorkContext | null = null;
  #attributes: BoundAttributes | null = null;
  #events: SpanEvent[] | null = null;
  #eventsDropped = 0;
  /** Of events and links. */
  #eventsLength = 0;
  #status: SpanStatus = 'unset';
  #statusMessage = '';
  /** -1 while it runs. */
  #durationMs = -1;

  constructor(name: string, { trace, parent, work, startMs }: SpanOrigin, { kind, attributes, links }: SpanOptions) {
    this.traceId = trace.traceId;
    this.flags = trace.flags;
    this.state = parent?.state ?? '';
    this.startMs = startMs;
    this.local = trace;
    this.#isFirst = !(parent instanceof Span);
    this.#parent = parent;
    this.#work = work;
    this.#name = name;
    this.#kind = isKind(kind) ? kind : 'internal';
    for (const link of listOf(links)) this.addLink(link as SpanLink);
    if (attributes !== undefined) this.setAttributes(attributes);
  }

  /** Whether it is one of ours: never throws, whatever it is. */
  static is(given: unknown): given is Span {
    return typeof given === 'object' && given !== null && #name in given;
  }

  get spanId(): string {
    if (this.#id === '') this.#id = newSpanId(this.local.random);
    return this.#id;
  }

  /** To run in what belongs to it: `runInContext(span.context, …)`. */
  get context(): WorkContext {
    return (this.#context ??= this.#contextFrom(this.#work));
  }

  #contextFrom(work: Partial<WorkContext> | null): WorkContext {
    try {
      const correlationId = work?.correlationId ?? this.traceId;
      return { ...work, trace: this, correlationId, baggage: work?.baggage ?? new Map() };
    } catch {
      // Of what does not let itself be looked at, nothing.
      return this.#contextFrom(null);
    }
  }

  /** False once it has ended, or if whatever it is told is not kept. */
  get isRecording(): boolean {
    return this.#durationMs === -1 && this.local.isRecording;
  }

  /** Milliseconds; -1 while it runs. */
  get durationMs(): number {
    return this.#durationMs;
  }

  get failed(): boolean {
    return this.#status === 'error';
  }

  setAttribute(key: string, value: AttributeValue): this {
    if (this.isRecording) (this.#attributes ??= new BoundAttributes()).set(key, value);
    return this;
  }

  setAttributes(attributes: Attributes): this {
    if (this.isRecording) (this.#attributes ??= new BoundAttributes()).setAll(attributes);
    return this;
  }

  /** @param atMs when, on the clock of the traces. @defaultValue now */
  addEvent(name: string, attributes: Attributes = {}, atMs?: number): this {
    if (!this.isRecording) return this;
    this.#events ??= [];
    if (this.#events.length === EVENTS_MAX) {
      this.#eventsDropped += 1;
      return this;
    }
    const bound = new BoundAttributes().setAll(attributes);
    const timeMs = this.local.wallMs(this.#momentOf(atMs));
    this.#events.push({ timeMs, name: cutText(textOf(name), NAME_LENGTH_MAX), attributes: bound.values });
    this.#eventsLength += EVENT_BYTES + bound.length;
    return this;
  }

  addLink(link: SpanLink): this {
    if (!this.isRecording) return this;
    const [traceId, spanId, attributes] = ['traceId', 'spanId', 'attributes'].map((name) => partOf(link, name));
    if (this.#links.length === LINKS_MAX || !isTraceId(traceId) || !isSpanId(spanId)) {
      this.#linksDropped += 1;
      return this;
    }
    const bound = new BoundAttributes().setAll(attributes as Attributes);
    this.#links.push({ traceId, spanId, attributes: bound.values });
    this.#eventsLength += EVENT_BYTES + bound.length;
    return this;
  }

  /** The route is known later than the request. */
  rename(name: string): this {
    if (this.isRecording) this.#name = name;
    return this;
  }

  /** An error that did not fail it: type, message and stack as an event. */
  recordException(error: unknown, atMs?: number): this {
    const { name, message, stack } = partsOf(error);
    const attributes = { 'exception.type': name, 'exception.message': message, 'exception.stacktrace': stack };
    return this.addEvent('exception', attributes, atMs);
  }

  /** It went wrong: the trace is kept whole. An error is recorded, too. */
  fail(why: unknown = ''): this {
    if (this.#durationMs !== -1) return this;
    if (isError(why)) this.recordException(why);
    this.#status = 'error';
    this.#statusMessage = partsOf(why).message;
    return this;
  }

  /** It went well, whatever was said before. */
  succeed(): this {
    if (this.#durationMs === -1) {
      this.#status = 'ok';
      this.#statusMessage = '';
    }
    return this;
  }

  /** @param endMs when, on the clock of the traces. @defaultValue now */
  end(endMs?: number): void {
    if (this.#durationMs !== -1) return;
    this.#durationMs = Math.max(0, this.#momentOf(endMs) - this.startMs);
    this.#letGo();
    this.local.ended(this);
  }

  /** Now, if what is given is no moment. */
  #momentOf(givenMs: number | undefined): number {
    return Number.isFinite(givenMs) ? givenMs! : this.local.clock.nowMs();
  }

  /** Of its parents: what begins again within itself, for ever, would else keep all that came before. */
  #letGo(): void {
    if (this.#parent !== null) this.#parent = this.local.isRecording ? { spanId: this.#parent.spanId } : null;
    if (this.#work !== null) this.#work = { ...copyOf(this.#work), trace: null, carried: undefined };
    this.#context = null;
  }

  [Symbol.dispose](): void {
    this.end();
  }

  /** Memory that it takes, near enough to bound many. */
  get bytes(): number {
    return SPAN_BYTES + 2 * (this.#attributes?.length ?? 0) + this.#eventsLength;
  }

  /** What it was, once it has ended. */
  record(): SpanRecord {
    return {
      traceId: this.traceId,
      spanId: this.spanId,
      parentId: this.#parent?.spanId ?? null,
      state: this.state,
      name: cutText(textOf(this.#name), NAME_LENGTH_MAX),
      kind: this.#kind,
      startMs: this.local.wallMs(this.startMs),
      durationMs: this.#durationMs,
      status: this.#status,
      statusMessage: cutText(this.#statusMessage, TEXT_LENGTH_MAX),
      service: this.local.service,
      attributes: this.#kept(),
      events: this.#events ?? [],
      links: this.#links,
      dropped: {
        attributes: this.#attributes?.dropped ?? 0,
        events: this.#eventsDropped,
        links: this.#linksDropped,
      },
    };
  }

  /** The first span of a trace that the head would not have kept says why it is here. */
  #kept(): Attributes {
    const { verdict } = this.local;
    const values = this.#attributes?.values ?? {};
    if (!this.#isFirst || (verdict !== 'error' && verdict !== 'slow')) return values;
    return { ...values, 'spillway.kept': verdict };
  }
}

const kinds: readonly unknown[] = ['internal', 'server', 'client', 'producer', 'consumer'] satisfies SpanKind[];

function isKind(kind: unknown): kind is SpanKind {
  return kinds.includes(kind);
}

/** Nothing of what does not let itself be looked at. */
function copyOf(work: Partial<WorkContext> | null): Partial<WorkContext> {
  try {
    return { ...work };
  } catch {
    return {};
  }
}

function listOf(given: unknown): readonly unknown[] {
  try {
    return Array.isArray(given) ? [...(given as readonly unknown[])] : [];
  } catch {
    return [];
  }
}

/** Whatever somebody throws. */
function partsOf(error: unknown): { readonly name: string; readonly message: string; readonly stack: string } {
  const isPlain = typeof error !== 'object' && typeof error !== 'function';
  if (isPlain || error === null) return { name: typeof error, message: String(error), stack: '' };
  const [name = 'Error', message, stack] = ['name', 'message', 'stack'].map((part) => partOf(error, part));
  return { name: textOf(name), message: textOf(message), stack: textOf(stack) };
}
