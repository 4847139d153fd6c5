/**
 * What is kept of one trace: its spans by id, and what a list of traces shows of it.
 *
 * Invariant: at most 2,000 spans, and none twice: whoever sends again what may have been lost does no harm. Cost of a summary: O(spans).
 */
import type { AttributeValue, Attributes, SpanRecord } from './span-record.ts';

/** More is a loop, or somebody who counts requests by spans. */
const SPANS_MAX = 2000;
const SPAN_BYTES = 600;
const ITEM_BYTES = 120;
const ATTRIBUTE_BYTES = 40;

export interface TraceSummary {
  readonly traceId: string;
  /** Of the first span; `services` are all. */
  readonly service: string;
  readonly name: string;
  /** `http.route` of the first span that has one. */
  readonly route: string | null;
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: 'ok' | 'error';
  readonly spans: number;
  readonly errors: number;
  readonly services: readonly string[];
  /** Why: the head took it, or it failed or was slow though the head did not. */
  readonly kept: 'sampled' | 'error' | 'slow';
}

export class StoredTrace {
  readonly traceId: string;
  readonly #spans = new Map<string, SpanRecord>();
  /** The one without a parent; else the earliest. */
  #first: SpanRecord | null = null;
  errors = 0;
  bytes = 0;
  /** Spans for which there was no room. */
  dropped = 0;

  constructor(traceId: string) {
    this.traceId = traceId;
  }

  get size(): number {
    return this.#spans.size;
  }

  get startMs(): number {
    return this.#first?.startMs ?? 0;
  }

  get durationMs(): number {
    return this.#first?.durationMs ?? 0;
  }

  add(span: SpanRecord, bytesMax: number): void {
    if (this.#spans.has(span.spanId)) return;
    const bytes = spanBytes(span);
    if (this.#spans.size === SPANS_MAX || this.bytes + bytes > bytesMax) {
      this.dropped += 1;
      return;
    }
    this.#spans.set(span.spanId, span);
    this.bytes += bytes;
    if (span.status === 'error') this.errors += 1;
    if (this.#first === null || isBefore(span, this.#first)) this.#first = span;
  }

  /** In the order of their beginning. */
  spans(): SpanRecord[] {
    return [...this.#spans.values()].toSorted((a, b) => a.startMs - b.startMs);
  }

  values(): Iterable<SpanRecord> {
    return this.#spans.values();
  }

  some(test: (span: SpanRecord) => boolean): boolean {
    for (const span of this.#spans.values()) if (test(span)) return true;
    return false;
  }

  summary(): TraceSummary {
    const first = this.#first!;
    const spans = this.spans();
    const route = spans.find(({ attributes }) => typeof attributes['http.route'] === 'string')?.attributes[
      'http.route'
    ];
    const kept = spans.map(({ attributes }) => attributes['spillway.kept']).find(isReason);
    return {
      traceId: this.traceId,
      service: first.service,
      name: first.name,
      route: route === undefined ? null : String(route),
      startMs: first.startMs,
      durationMs: first.durationMs,
      status: this.errors > 0 ? 'error' : 'ok',
      spans: spans.length,
      errors: this.errors,
      // It began where the first did, whatever the clocks of others say.
      services: [...new Set([first, ...spans].map(({ service }) => service))],
      kept: kept ?? 'sampled',
    };
  }
}

function isBefore(a: SpanRecord, b: SpanRecord): boolean {
  if ((a.parentId === null) !== (b.parentId === null)) return a.parentId === null;
  return a.startMs < b.startMs;
}

function isReason(value: AttributeValue | undefined): value is 'error' | 'slow' {
  return value === 'error' || value === 'slow';
}

/** Near enough to bound many: V8 has no scales, and texts are most of it. */
export function spanBytes({ attributes, events, links, name, state, statusMessage }: SpanRecord): number {
  let bytes = SPAN_BYTES + name.length + state.length + 2 * statusMessage.length + attributesBytes(attributes);
  for (const event of events) bytes += ITEM_BYTES + event.name.length + attributesBytes(event.attributes);
  for (const link of links) bytes += ITEM_BYTES + attributesBytes(link.attributes);
  return bytes;
}

function attributesBytes(attributes: Attributes): number {
  let bytes = 0;
  for (const key of Object.keys(attributes)) {
    const value = attributes[key];
    // Two bytes a character: what a text takes that is not all Latin.
    // Names are mostly the same few, and short; others count as they are.
    bytes += Math.max(ATTRIBUTE_BYTES, 2 * key.length) + (typeof value === 'string' ? 2 * value.length : 8);
  }
  return bytes;
}
