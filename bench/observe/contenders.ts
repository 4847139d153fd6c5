/** The same metrics in three libraries: a counter and a histogram with the labels route and status, of 50,000 series or of one. */
import type { Attributes } from '@opentelemetry/api';
import {
  AggregationTemporality,
  AggregationType,
  MeterProvider,
  MetricReader,
  type ViewOptions,
} from '@opentelemetry/sdk-metrics';
import { Counter, Histogram, Registry } from 'prom-client';
import { createMetrics } from 'spillway/observe';

const SERIES_MAX = 60_000;
const labels = ['route', 'status'] as const;
const texts = { name: 'shop_requests_total', help: 'Requests.' };
const durations = { name: 'shop_request_duration_seconds', help: 'Durations.' };

export interface Contender {
  readonly name: string;
  /** Ways to count in the series of these labels; the first is the one its documentation shows for what is busy. */
  counters(route: string, status: string): Readonly<Record<string, () => void>>;
  histograms(route: string, status: string): Readonly<Record<string, (value: number) => void>>;
  /** Everything that was counted, as the bytes a scraper gets; how many. */
  page(): Promise<number>;
  /** Bytes it has taken outside the heap. */
  bytesOutside(): Promise<number>;
}

function spillway(): Contender {
  const metrics = createMetrics({ memoryBytes: '1gb' });
  const counter = metrics.counter({ ...texts, labels, seriesMax: SERIES_MAX });
  const histogram = metrics.histogram({ ...durations, labels, seriesMax: SERIES_MAX });
  return {
    name: 'spillway/observe',
    counters(route, status) {
      const bound = counter.bind({ route, status });
      return { bound: () => bound.add(), 'bind at each': () => counter.bind({ route, status }).add() };
    },
    histograms(route, status) {
      const bound = histogram.bind({ route, status });
      return {
        bound: (value) => bound.observe(value),
        'bind at each': (value) => histogram.bind({ route, status }).observe(value),
      };
    },
    async page() {
      let length = 0;
      for await (const chunk of metrics.expose().body) length += Buffer.from(chunk).length;
      return length;
    },
    async bytesOutside() {
      let page = '';
      for await (const chunk of metrics.expose().body) page = page.slice(-1000) + chunk;
      return Number(/^spillway_metrics_memory_bytes (\d+)$/m.exec(page)?.[1]);
    },
  };
}

function promClient(): Contender {
  const registers = [new Registry()];
  const counter = new Counter({ ...texts, labelNames: labels, registers });
  const histogram = new Histogram({ ...durations, labelNames: labels, registers });
  return {
    name: 'prom-client',
    counters(route, status) {
      const bound = counter.labels(route, status);
      return { bound: () => bound.inc(), 'labels at each': () => counter.inc({ route, status }) };
    },
    histograms(route, status) {
      const bound = histogram.labels(route, status);
      return {
        bound: (value) => bound.observe(value),
        'labels at each': (value) => histogram.observe({ route, status }, value),
      };
    },
    page: async () => Buffer.from(await registers[0]!.metrics()).length,
    bytesOutside: () => Promise.resolve(0),
  };
}

class CollectingReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }
  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

function openTelemetry(): Contender {
  const reader = new CollectingReader({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  const views: ViewOptions[] = [
    { instrumentName: texts.name, aggregationCardinalityLimit: SERIES_MAX },
    {
      instrumentName: durations.name,
      aggregationCardinalityLimit: SERIES_MAX,
      aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM },
    },
  ];
  const meter = new MeterProvider({ readers: [reader], views }).getMeter('bench');
  const counter = meter.createCounter(texts.name);
  const histogram = meter.createHistogram(durations.name);
  return {
    name: 'OpenTelemetry',
    counters(route, status) {
      const attributes: Attributes = { route, status };
      return { 'attributes kept': () => counter.add(1, attributes) };
    },
    histograms(route, status) {
      const attributes: Attributes = { route, status };
      return { 'attributes kept': (value) => histogram.record(value, attributes) };
    },
    async page() {
      await reader.collect();
      return 0;
    },
    bytesOutside: () => Promise.resolve(0),
  };
}

export const contenders: readonly (() => Contender)[] = [spillway, promClient, openTelemetry];
