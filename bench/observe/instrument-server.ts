/**
 * A server of `node:http` for `instrument.ts`: bare, instrumented by us, or by OpenTelemetry's http instrumentation with a batch processor whose exporter
 * throws away. It tells its parent its port, and the CPU time it has taken whenever it is asked.
 */
import type http from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { instrument } from 'spillway/observe/instrument';

const [, , contender = 'bare', share = '0'] = process.argv;
const sample = Number(share);

async function prepare(): Promise<void> {
  if (contender === 'spillway') instrument({ service: 'bench', sample, spans: { add: () => undefined } });
  if (contender !== 'opentelemetry') return;
  const { HttpInstrumentation } = await import('@opentelemetry/instrumentation-http');
  const { AsyncLocalStorageContextManager } = await import('@opentelemetry/context-async-hooks');
  const { BasicTracerProvider, BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } =
    await import('@opentelemetry/sdk-trace-base');
  const { MeterProvider, PeriodicExportingMetricReader, AggregationTemporality } =
    await import('@opentelemetry/sdk-metrics');
  const { context } = await import('@opentelemetry/api');
  const done = (_: unknown, result: (outcome: { code: number }) => void): void => result({ code: 0 });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const spans = { export: done, shutdown: () => Promise.resolve() };
  const tracerProvider = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sample) }),
    spanProcessors: [new BatchSpanProcessor(spans)],
  });
  const metrics = {
    export: done,
    shutdown: () => Promise.resolve(),
    forceFlush: () => Promise.resolve(),
    selectAggregationTemporality: () => AggregationTemporality.CUMULATIVE,
  };
  const meterProvider = new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 5000 })],
  });
  const instrumentation = new HttpInstrumentation();
  instrumentation.setTracerProvider(tracerProvider);
  instrumentation.setMeterProvider(meterProvider);
  instrumentation.enable();
}

await prepare();
// After that: OpenTelemetry's instrumentation replaces what is required from then on.
const { createServer } = createRequire(import.meta.url)('node:http') as typeof http;
const server = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1', () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send!({ cpuUs: user + system });
});
