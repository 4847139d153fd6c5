/**
 * Spans as OTLP has them: `ExportTraceServiceRequest` and what is in it.
 *
 * Source: opentelemetry-proto 1.x, trace.proto and trace_service.proto, by field numbers. Fields stand in the order of their numbers, as other
 * writers have them. Times are milliseconds here, nanoseconds on the wire.
 */
import { type KeyValue, keyValue, type Resource, resource, scope } from './attribute-messages.ts';
import { MessageType } from './message-type.ts';

export interface OtlpEvent {
  readonly timeUnixNano?: number;
  readonly name?: string;
  readonly attributes?: readonly KeyValue[];
}

export interface OtlpLink {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly attributes?: readonly KeyValue[];
}

export interface OtlpSpan {
  readonly traceId?: string;
  readonly spanId?: string;
  readonly traceState?: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  readonly kind?: number;
  readonly startTimeUnixNano?: number;
  readonly endTimeUnixNano?: number;
  readonly attributes?: readonly KeyValue[];
  readonly droppedAttributesCount?: number;
  readonly events?: readonly OtlpEvent[];
  readonly droppedEventsCount?: number;
  readonly links?: readonly OtlpLink[];
  readonly droppedLinksCount?: number;
  readonly status?: { readonly message?: string; readonly code?: number };
}

export interface TracesRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: Resource;
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

const event = new MessageType({
  timeUnixNano: [1, 'nanoseconds'],
  name: [2, 'string'],
  attributes: [3, () => keyValue, 'repeated'],
  droppedAttributesCount: [4, 'uint32'],
});
const link = new MessageType({
  traceId: [1, 'id'],
  spanId: [2, 'id'],
  traceState: [3, 'string'],
  attributes: [4, () => keyValue, 'repeated'],
  droppedAttributesCount: [5, 'uint32'],
  flags: [6, 'fixed32'],
});
const status = new MessageType({ message: [2, 'string'], code: [3, 'int32'] });
const span = new MessageType({
  traceId: [1, 'id'],
  spanId: [2, 'id'],
  traceState: [3, 'string'],
  parentSpanId: [4, 'id'],
  name: [5, 'string'],
  kind: [6, 'int32'],
  startTimeUnixNano: [7, 'nanoseconds'],
  endTimeUnixNano: [8, 'nanoseconds'],
  attributes: [9, () => keyValue, 'repeated'],
  droppedAttributesCount: [10, 'uint32'],
  events: [11, () => event, 'repeated'],
  droppedEventsCount: [12, 'uint32'],
  links: [13, () => link, 'repeated'],
  droppedLinksCount: [14, 'uint32'],
  status: [15, () => status],
  flags: [16, 'fixed32'],
});
const scopeSpans = new MessageType({
  scope: [1, () => scope],
  spans: [2, () => span, 'repeated'],
  schemaUrl: [3, 'string'],
});
const resourceSpans = new MessageType({
  resource: [1, () => resource],
  scopeSpans: [2, () => scopeSpans, 'repeated'],
  schemaUrl: [3, 'string'],
});
export const tracesRequest = new MessageType<TracesRequest>({ resourceSpans: [1, () => resourceSpans, 'repeated'] });
