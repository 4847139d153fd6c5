/**
 * Spans to OTLP and back, in protobuf and in JSON.
 *
 * Invariants: what comes out of decoding is a `SpanRecord` within the bounds of spans, whatever was sent; a span without ids is none and counted
 * as rejected; what is no OTLP at all throws `OTLP_INVALID`. Times are exact to 0.25 µs, what a double holds of milliseconds.
 * Of a resource that is received only `service.name` is kept. Cost: O(bytes), some microseconds a span (`npm run bench -- observe`).
 */
import { packageVersion } from '../../kernel/version.ts';
import { isSpanId, isTraceId } from '../context/trace-context.ts';
import { parseTracestate } from '../context/trace-state.ts';
import {
  BoundAttributes,
  cutText,
  EVENTS_MAX,
  LINKS_MAX,
  NAME_LENGTH_MAX,
  TEXT_LENGTH_MAX,
} from '../trace/span-bounds.ts';
import type { Attributes, SpanEvent, SpanKind, SpanLink, SpanRecord, SpanStatus } from '../trace/span-record.ts';
import { fromAnyValue, type KeyValue, toKeyValues } from './attribute-messages.ts';
import { atOnce, STEP, type Steps } from '../../kernel/steps.ts';
import { type OtlpEvent, type OtlpLink, type OtlpSpan, tracesRequest, type TracesRequest } from './trace-messages.ts';

export interface DecodedTraces {
  readonly spans: SpanRecord[];
  /** Spans that were none. */
  readonly rejected: number;
}

/** By their number on the wire. */
const kinds: readonly (SpanKind | undefined)[] = [undefined, 'internal', 'server', 'client', 'producer', 'consumer'];
const statuses: readonly SpanStatus[] = ['unset', 'ok', 'error'];

/** `resource` is said of all of them, beside `service.name`. */
export function encodeTraces(spans: readonly SpanRecord[], resource: Attributes = {}): Uint8Array<ArrayBuffer> {
  return tracesRequest.encode(requestOf(spans, resource));
}

export function encodeTracesJson(spans: readonly SpanRecord[], resource: Attributes = {}): string {
  return JSON.stringify(tracesRequest.toJson(requestOf(spans, resource)));
}

/** Of protobuf, or of JSON, which is a text. */
export function decodeTraces(encoded: Uint8Array | string): DecodedTraces {
  return atOnce(decodingTraces(encoded));
}

/** The same, in steps. */
export function* decodingTraces(encoded: Uint8Array | string): Steps<DecodedTraces> {
  return yield* spansOf(yield* tracesRequest.decoding(encoded));
}

function requestOf(spans: readonly SpanRecord[], resource: Attributes): TracesRequest {
  const scope = { name: 'spillway', version: packageVersion() };
  return {
    resourceSpans: Array.from(
      Map.groupBy(spans, (span) => span.service),
      ([service, ofService]) => ({
        resource: { attributes: toKeyValues({ 'service.name': service, ...resource }) },
        scopeSpans: [{ scope, spans: ofService.map(toOtlp) }],
      }),
    ),
  };
}

function toOtlp(span: SpanRecord): OtlpSpan {
  const { state, parentId, attributes, events, links, dropped, status, statusMessage } = span;
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(state !== '' && { traceState: state }),
    ...(parentId !== null && { parentSpanId: parentId }),
    name: span.name,
    kind: kinds.indexOf(span.kind),
    startTimeUnixNano: span.startMs,
    endTimeUnixNano: span.startMs + span.durationMs,
    attributes: toKeyValues(attributes),
    ...(dropped.attributes > 0 && { droppedAttributesCount: dropped.attributes }),
    events: events.map((event) => ({
      timeUnixNano: event.timeMs,
      name: event.name,
      attributes: toKeyValues(event.attributes),
    })),
    ...(dropped.events > 0 && { droppedEventsCount: dropped.events }),
    links: links.map((link) => ({ ...link, attributes: toKeyValues(link.attributes) })),
    ...(dropped.links > 0 && { droppedLinksCount: dropped.links }),
    ...(status !== 'unset' && {
      status: { ...(statusMessage !== '' && { message: statusMessage }), code: statuses.indexOf(status) },
    }),
  };
}

function* spansOf(request: TracesRequest): Steps<DecodedTraces> {
  const spans: SpanRecord[] = [];
  let rejected = 0;
  for (const { resource, scopeSpans = [] } of request.resourceSpans ?? []) {
    const named = resource?.attributes?.find(({ key }) => key === 'service.name');
    const name = cutText(String(fromAnyValue(named?.value)), NAME_LENGTH_MAX);
    const service = name === '' ? 'unknown_service' : name;
    for (const span of scopeSpans.flatMap((scope) => scope.spans ?? [])) {
      if (isTraceId(span.traceId) && isSpanId(span.spanId)) {
        spans.push(fromOtlp(span, span.traceId, span.spanId, service));
        if (spans.length % STEP === 0) yield;
      } else rejected += 1;
    }
  }
  return { spans, rejected };
}

function fromOtlp(span: OtlpSpan, traceId: string, spanId: string, service: string): SpanRecord {
  const { parentSpanId, startTimeUnixNano: start = 0, endTimeUnixNano: end = 0, events = [], links = [] } = span;
  const { attributes, dropped } = attributesOf(span.attributes);
  const kept = links.filter((link) => isTraceId(link.traceId) && isSpanId(link.spanId)).slice(0, LINKS_MAX);
  return {
    traceId,
    spanId,
    parentId: isSpanId(parentSpanId) ? parentSpanId : null,
    state: parseTracestate(span.traceState ?? ''),
    name: cutText(span.name ?? '', NAME_LENGTH_MAX),
    kind: kinds[span.kind ?? 0] ?? 'internal',
    startMs: start,
    durationMs: Math.max(0, end - start),
    status: statuses[span.status?.code ?? 0] ?? 'unset',
    statusMessage: cutText(span.status?.message ?? '', TEXT_LENGTH_MAX),
    service,
    attributes,
    events: events.slice(0, EVENTS_MAX).map(fromOtlpEvent),
    links: kept.map(fromOtlpLink),
    dropped: {
      attributes: dropped + countOf(span.droppedAttributesCount),
      events: Math.max(0, events.length - EVENTS_MAX) + countOf(span.droppedEventsCount),
      links: links.length - kept.length + countOf(span.droppedLinksCount),
    },
  };
}

function fromOtlpEvent({ timeUnixNano = 0, name = '', attributes }: OtlpEvent): SpanEvent {
  return {
    timeMs: timeUnixNano,
    name: cutText(name, NAME_LENGTH_MAX),
    attributes: attributesOf(attributes).attributes,
  };
}

function fromOtlpLink({ traceId = '', spanId = '', attributes }: OtlpLink): SpanLink {
  return { traceId, spanId, attributes: attributesOf(attributes).attributes };
}

function attributesOf(pairs: readonly KeyValue[] = []): { readonly attributes: Attributes; readonly dropped: number } {
  const bound = new BoundAttributes();
  for (const { key = '', value } of pairs) bound.set(key, fromAnyValue(value));
  return { attributes: bound.values, dropped: bound.dropped };
}

/** 32 bits, as on the wire. */
function countOf(given = 0): number {
  return Math.min(2 ** 32 - 1, Math.max(0, given));
}
