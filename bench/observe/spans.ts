/**
 * What a span costs, beside OpenTelemetry's SDK: two attributes, alone in its trace or the child of another through the context. And a batch of
 * spans as OTLP, beside its encoder. Nobody gets the spans: what is measured is what the work that is traced pays.
 */
import * as api from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { createTraces, type SpanRecord, type Traces, type TracesOptions } from 'spillway/observe';
import { decodeTraces, encodeTraces } from '../../src/observe/otlp/traces.ts';
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 7;
const SPANS = 100_000;
const BATCH = 512;
const BATCHES = 40;

const attributes = { 'http.route': '/cart/{id}', 'http.response.status_code': 200 };

interface Case {
  readonly name: string;
  readonly operations: number;
  readonly run: () => void;
}

const nowhere: SpanProcessor = {
  onStart: () => undefined,
  onEnd: () => undefined,
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

function ours(name: string, options: Partial<TracesOptions>): Case[] {
  const traces = createTraces({ service: 'shop', to: { add: () => undefined }, ...options });
  return [
    { name: `span   spillway/observe, ${name}`, operations: SPANS, run: () => startMany(traces) },
    { name: `nested spillway/observe, ${name}`, operations: SPANS, run: () => nestMany(traces) },
  ];
}

function startMany(traces: Traces): void {
  for (let at = 0; at < SPANS; at++) traces.startSpan('GET /cart/{id}', { kind: 'server', attributes }).end();
}

/** Half of them are the parents. */
function nestMany(traces: Traces): void {
  for (let at = 0; at < SPANS / 2; at++) {
    traces.withSpan('GET /cart/{id}', { kind: 'server', attributes }, () => {
      traces.startSpan('SELECT', { kind: 'client', attributes }).end();
    });
  }
}

function theirs(name: string, sampler: Sampler): Case[] {
  const tracer = new BasicTracerProvider({ sampler, spanProcessors: [nowhere] }).getTracer('bench');
  return [
    {
      name: `span   OpenTelemetry, ${name}`,
      operations: SPANS,
      run: () => {
        for (let at = 0; at < SPANS; at++) {
          tracer.startSpan('GET /cart/{id}', { kind: api.SpanKind.SERVER, attributes }, api.ROOT_CONTEXT).end();
        }
      },
    },
    {
      // Its context is handed on by hand: a context manager would come on top.
      name: `nested OpenTelemetry, ${name}`,
      operations: SPANS,
      run: () => {
        for (let at = 0; at < SPANS / 2; at++) {
          const root = tracer.startSpan('GET /cart/{id}', { kind: api.SpanKind.SERVER, attributes }, api.ROOT_CONTEXT);
          const context = api.trace.setSpan(api.ROOT_CONTEXT, root);
          tracer.startSpan('SELECT', { kind: api.SpanKind.CLIENT, attributes }, context).end();
          root.end();
        }
      },
    },
  ];
}

function encoders(): Case[] {
  const records: SpanRecord[] = [];
  const traces = createTraces({ service: 'shop', to: { add: (spans) => void records.push(...spans) }, sample: 1 });
  const exporter = new InMemorySpanExporter();
  const tracer = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).getTracer('bench');
  for (let at = 0; at < BATCH; at++) {
    const ten = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`attribute.${n}`, `value ${at}`]));
    traces.startSpan('GET /cart/{id}', { kind: 'server', attributes: ten }).end();
    tracer.startSpan('GET /cart/{id}', { kind: api.SpanKind.SERVER, attributes: ten }).end();
  }
  const spans: ReadableSpan[] = exporter.getFinishedSpans();
  const bytes = encodeTraces(records);
  const many = (run: () => unknown) => (): void => {
    for (let at = 0; at < BATCHES; at++) run();
  };
  const operations = BATCH * BATCHES;
  return [
    { name: 'encode spillway/observe, 10 attributes', operations, run: many(() => encodeTraces(records)) },
    { name: 'encode OpenTelemetry, 10 attributes', operations, run: many(() => ProtobufTraceSerializer.serializeRequest(spans)) }, // prettier-ignore
    { name: 'decode spillway/observe, 10 attributes', operations, run: many(() => decodeTraces(bytes)) },
  ];
}

export function spansPart(): void {
  const cases = [
    ...ours('kept', { sample: 1 }),
    ...ours('dropped by the tail', { sample: 0 }),
    ...ours('dropped by the head', { sample: 0, tail: false }),
    ...theirs('recorded', new AlwaysOnSampler()),
    ...theirs('not sampled', new AlwaysOffSampler()),
    ...encoders(),
  ];
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, operations, run } of cases) {
      const before = cpuNs();
      run();
      best.set(name, Math.min(best.get(name) ?? Infinity, (cpuNs() - before) / operations));
    }
  }
  process.stdout.write('\nCPU time of one span\n');
  for (const [name, ns] of [...best].toSorted(([a], [b]) => a.slice(0, 6).localeCompare(b.slice(0, 6)))) {
    process.stdout.write(`  ${name.padEnd(48)} ${ns.toFixed(0).padStart(7)} ns\n`);
  }
}
