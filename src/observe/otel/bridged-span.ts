/**
 * A span of ours as OpenTelemetry's API has them. Attributes of its are any lists and whatever people pass; ours are texts, numbers and booleans:
 * a list becomes its JSON, what is none of it is left out.
 */
import { isSpanId, isTraceId, type TraceContext } from '../context/trace-context.ts';
import type { Span } from '../trace/span.ts';
import type { AttributeValue, SpanLink } from '../trace/span-record.ts';
import type { OtelAttributes, OtelLink, OtelSpan, OtelSpanContext, OtelTime, OtelTraceState } from './api.ts';

const STATUS_OK = 1;
const STATUS_ERROR = 2;

export class BridgedSpan implements OtelSpan {
  readonly span: Span;
  readonly #state: OtelTraceState | null;

  constructor(span: Span, state: OtelTraceState | null) {
    this.span = span;
    this.#state = state;
  }

  spanContext(): OtelSpanContext {
    const { traceId, spanId, flags } = this.span;
    return { traceId, spanId, traceFlags: flags, ...(this.#state !== null && { traceState: this.#state }) };
  }

  setAttribute(key: string, value: unknown): this {
    return this.setAttributes({ [key]: value });
  }

  setAttributes(attributes: OtelAttributes): this {
    this.span.setAttributes(toAttributes(attributes));
    return this;
  }

  addEvent(name: string, attributesOrTime?: OtelAttributes | OtelTime, time?: OtelTime): this {
    const [attributes, at] = isTime(attributesOrTime) ? [{}, attributesOrTime] : [attributesOrTime ?? {}, time];
    this.span.addEvent(name, toAttributes(attributes), toClockMs(this.span, at));
    return this;
  }

  addLink(link: OtelLink): this {
    this.span.addLink(toLink(link));
    return this;
  }

  addLinks(links: readonly OtelLink[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  setStatus({ code, message = '' }: { readonly code: number; readonly message?: string }): this {
    if (code === STATUS_OK) this.span.succeed();
    else if (code === STATUS_ERROR) this.span.fail(message);
    return this;
  }

  updateName(name: string): this {
    this.span.rename(name);
    return this;
  }

  end(time?: OtelTime): void {
    this.span.end(toClockMs(this.span, time));
  }

  isRecording(): boolean {
    return this.span.isRecording;
  }

  recordException(exception: unknown, time?: OtelTime): void {
    this.span.recordException(exception, toClockMs(this.span, time));
  }
}

export function toAttributes(attributes: OtelAttributes): Record<string, AttributeValue> {
  const known: Record<string, AttributeValue> = {};
  for (const [key, value] of Object.entries(attributes)) {
    if (isPlain(value)) known[key] = value;
    else if (Array.isArray(value)) known[key] = JSON.stringify(value.filter(isPlain));
  }
  return known;
}

function isPlain(value: unknown): value is AttributeValue {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

export function toLink({ context: { traceId, spanId }, attributes = {} }: OtelLink): SpanLink {
  return { traceId, spanId, attributes: toAttributes(attributes) };
}

/** Of somebody else's span; null if its ids are none, as those of a span that is not traced. */
export function toTraceContext({ traceId, spanId, traceFlags, traceState }: OtelSpanContext): TraceContext | null {
  if (!isTraceId(traceId) || !isSpanId(spanId)) return null;
  return { traceId, spanId, flags: traceFlags, state: traceState?.serialize() ?? '' };
}

function isTime(value: unknown): value is OtelTime {
  return typeof value === 'number' || value instanceof Date || Array.isArray(value);
}

function toClockMs({ local }: Span, time: OtelTime | undefined): number | undefined {
  return time === undefined ? undefined : local.clockMs(wallMsOf(time));
}

/** A number before the beginning of this process is one of `performance.now()`. */
export function wallMsOf(time: OtelTime): number {
  if (time instanceof Date) return time.getTime();
  if (typeof time !== 'number') return time[0] * 1000 + time[1] / 1e6;
  return time < performance.timeOrigin ? performance.timeOrigin + time : time;
}
