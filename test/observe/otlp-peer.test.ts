/** Spans of OpenTelemetry's own SDK, in its own bytes and JSON, are read as it meant them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api';
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { BasicTracerProvider, InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'; // prettier-ignore
import { decodeTraces } from '../../src/observe/otlp/traces.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';

function spansOfPeer(): ReadableSpan[] {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = provider.getTracer('peer', '1.0.0');
  const other = {
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    spanId: '53995c3f42cd8ad8',
    traceFlags: TraceFlags.SAMPLED,
  };
  const span = tracer.startSpan('GET /cart/{id}', {
    kind: SpanKind.CLIENT,
    startTime: [1_800_000_000, 500_000],
    attributes: { text: 'ä€', whole: -7, part: 0.25, yes: true, list: ['a', 'b'] },
    links: [{ context: other, attributes: { why: 'batch' } }],
  });
  span.addEvent('retry', { attempt: 2 }, [1_800_000_001, 0]);
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'closed' });
  span.end([1_800_000_002, 0]);
  return exporter.getFinishedSpans();
}

const [peer] = spansOfPeer() as [ReadableSpan];
const expected: SpanRecord = {
  traceId: peer.spanContext().traceId,
  spanId: peer.spanContext().spanId,
  parentId: null,
  state: '',
  name: 'GET /cart/{id}',
  kind: 'client',
  startMs: 1_800_000_000_000.5,
  durationMs: 1999.5,
  status: 'error',
  statusMessage: 'closed',
  service: String(peer.resource.attributes['service.name']),
  attributes: { text: 'ä€', whole: -7, part: 0.25, yes: true, list: '["a","b"]' },
  events: [{ timeMs: 1_800_000_001_000, name: 'retry', attributes: { attempt: 2 } }],
  links: [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '53995c3f42cd8ad8', attributes: { why: 'batch' } }],
  dropped: { attributes: 0, events: 0, links: 0 },
};

test('from protobuf', () => {
  assert.deepEqual(decodeTraces(ProtobufTraceSerializer.serializeRequest([peer])!), { spans: [expected], rejected: 0 });
});

test('from JSON', () => {
  const text = Buffer.from(JsonTraceSerializer.serializeRequest([peer])!).toString();
  assert.deepEqual(decodeTraces(text), { spans: [expected], rejected: 0 });
});
