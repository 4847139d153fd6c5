/** Metrics as `protoc` reads them, field by field; what it wrote is read; and what nobody should send. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createMetrics, type Metrics } from 'spillway/observe';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import type { MetricBatch } from '../../src/observe/metrics/collect.ts';
import type { HistogramValue } from '../../src/observe/otlp/metric-record.ts';
import { decodeMetrics, encodeMetrics, encodeMetricsJson, type MetricsSource } from '../../src/observe/otlp/metrics.ts';
import { protocDecode, protocEncode } from './protoc.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceBytes = String.raw`K\371/5w\263M\246\243\316\222\235\016\016G6`;
const source: MetricsSource = {
  service: 'shop',
  instance: 'host:42',
  resource: { 'deployment.environment.name': 'test' },
  startMs: 1_800_000_000_000,
};

async function batchesOf(metrics: Metrics): Promise<MetricBatch[]> {
  const batches: MetricBatch[] = [];
  for await (const batch of metrics.collect())
    if (!batch.name.startsWith('spillway_metrics_')) batches.push({ ...batch, timeMs: 1_800_000_010_000 });
  return batches;
}

function shop(): Metrics {
  const metrics = createMetrics({ clock: new SimulatedClock() });
  metrics
    .counter({ name: 'shop_requests_total', help: 'R.', labels: ['route'] })
    .bind({ route: '/a "b"' })
    .add(3);
  metrics.gauge({ name: 'shop_in_flight', help: 'In work.' }).bind().set(-0.5);
  const seconds = metrics.histogram({ name: 'shop_seconds', help: 'S.', bounds: [1, 2], range: [0.5, 4] }).bind();
  for (const value of [0.1, 0.5, 1.1, 1.12, 1.5, 4, 5]) seconds.observe(value);
  seconds.observe(1.6, traceId);
  return metrics;
}

test('each field of a metric is where protoc finds it', async () => {
  const bytes = encodeMetrics(await batchesOf(shop()), source);
  const text = protocDecode('MetricsRequest', bytes);
  assert.deepEqual(
    decodeMetrics(bytes),
    decodeMetrics(protocEncode('MetricsRequest', text)),
    'as another writer would',
  );
  const flat = text.replaceAll(/\s+/g, ' ');
  const times = 'start_time_unix_nano: 1800000000000000000 time_unix_nano: 1800000010000000000';
  const parts = [
    'resource { attributes { key: "service.name" value { string_value: "shop" } }',
    'attributes { key: "service.instance.id" value { string_value: "host:42" } }',
    'attributes { key: "deployment.environment.name" value { string_value: "test" } }',
    'scope { name: "spillway" version: "',
    String.raw`metrics { name: "shop_requests_total" description: "R." sum { data_points { ${times} as_double: 3 attributes { key: "route" value { string_value: "/a \"b\"" } } } aggregation_temporality: CUMULATIVE is_monotonic: true } }`,
    `metrics { name: "shop_in_flight" description: "In work." gauge { data_points { ${times} as_double: -0.5 } } }`,
    `metrics { name: "shop_seconds" description: "S." unit: "s" exponential_histogram { data_points { ${times} count: 8 sum: 14.9`,
    // Upper ends: 2^(3/16) twice, 2^(10/16), 2^(11/16), 2^(32/16) and what is above. OTLP counts from lower ends.
    'scale: 4 zero_count: 2 positive { offset: 2 bucket_counts: 2 bucket_counts: 0',
    'bucket_counts: 1 bucket_counts: 1 } exemplars { time_unix_nano: ',
    `as_double: 1.6 trace_id: "${traceBytes}" }`,
    'zero_threshold: 0.5 } aggregation_temporality: CUMULATIVE } }',
  ];
  for (const part of parts) assert.ok(flat.includes(part), `${part} is not in ${flat}`);
});

test('what is sent is received, by protobuf and by JSON', async () => {
  const batches = await batchesOf(shop());
  const { metrics, rejected } = decodeMetrics(encodeMetrics(batches, source));
  assert.equal(rejected, 0);
  const json = encodeMetricsJson(batches, source);
  assert.match(json, /"timeUnixNano":"1800000010000000000".+"aggregationTemporality":2/);
  assert.deepEqual(decodeMetrics(json).metrics, metrics);
  const whose = { service: 'shop', instance: 'host:42' };
  const times = { startMs: source.startMs, timeMs: 1_800_000_010_000 };
  const [requests, inFlight, seconds] = metrics;
  const point = { attributes: { route: '/a "b"' }, ...times, value: 3 };
  assert.deepEqual(requests, {
    ...whose,
    name: 'shop_requests_total',
    unit: '',
    help: 'R.',
    type: 'counter',
    points: [point],
  });
  assert.deepEqual([inFlight?.type, inFlight?.points[0]?.value], ['gauge', -0.5]);
  const { bounds, counts, count, exemplars } = seconds!.points[0]!.value as HistogramValue;
  assert.equal(count, 8);
  assert.deepEqual(
    exemplars.map(({ traceId: id, value }) => [id, value]),
    [[traceId, 1.6]],
  );
  const under = (le: number): number =>
    counts.reduce((sum, one, at) => sum + ((bounds[at] ?? Infinity) <= le ? one : 0), 0);
  assert.deepEqual([under(0.5), under(1), under(2), under(4)], [2, 2, 6, 7]);
  assert.equal(counts.length, bounds.length + 1);
});

test('what others send is read: bounds, integers, sums that go down, resources without a name', () => {
  const request = protocEncode(
    'MetricsRequest',
    `
    resource_metrics { scope_metrics {
      metrics { name: "b" histogram { aggregation_temporality: CUMULATIVE data_points {
        count: 6 sum: 20 explicit_bounds: 1 explicit_bounds: 5 bucket_counts: 1 bucket_counts: 2 bucket_counts: 3 } } }
      metrics { name: "c" histogram { aggregation_temporality: CUMULATIVE data_points { count: 6 sum: 20 } } }
      metrics { name: "d" sum { aggregation_temporality: CUMULATIVE data_points { as_int: -5 attributes { key: "k" value { int_value: 7 } } } } }
      metrics { name: "e" gauge { data_points { as_int: 3 } data_points { flags: 1 } } }
      metrics { name: "f" exponential_histogram { aggregation_temporality: CUMULATIVE data_points {
        scale: -1 zero_count: 1 positive { offset: -1 bucket_counts: 4 bucket_counts: 5 } } } }
    } }`,
  );
  const { metrics, rejected } = decodeMetrics(request);
  assert.equal(rejected, 0);
  const exemplars: never[] = [];
  assert.deepEqual(
    metrics.map(({ name, type, service, points }) => [name, type, service, points.map(({ value }) => value)]),
    [
      ['b', 'histogram', 'unknown_service', [{ count: 6, sum: 20, bounds: [1, 5], counts: [1, 2, 3], exemplars }]],
      ['c', 'histogram', 'unknown_service', [{ count: 6, sum: 20, bounds: [], counts: [6], exemplars }]],
      ['d', 'gauge', 'unknown_service', [-5]],
      ['e', 'gauge', 'unknown_service', [3]],
      // Buckets grow by 4: above 1/4 up to 1, and up to 4.
      [
        'f',
        'histogram',
        'unknown_service',
        [{ count: 10, sum: 0, bounds: [0, 0.25, 1, 4], counts: [1, 0, 4, 5, 0], exemplars }],
      ],
    ],
  );
  assert.deepEqual(metrics[2]?.points[0]?.attributes, { k: 7 });
});

const refused: Readonly<Record<string, string>> = {
  'a delta': 'sum { aggregation_temporality: DELTA data_points { as_double: 1 } }',
  'a histogram of deltas': 'histogram { aggregation_temporality: DELTA data_points { count: 1 } }',
  'no number': 'gauge { data_points { as_double: nan } }',
  'bounds that do not grow':
    'histogram { aggregation_temporality: CUMULATIVE data_points { explicit_bounds: 2 explicit_bounds: 2 bucket_counts: 1 bucket_counts: 1 bucket_counts: 1 } }',
  'more counts than buckets':
    'histogram { aggregation_temporality: CUMULATIVE data_points { explicit_bounds: 2 bucket_counts: 1 bucket_counts: 1 bucket_counts: 1 } }',
  'a scale of nobody':
    'exponential_histogram { aggregation_temporality: CUMULATIVE data_points { scale: 2000000000 } }',
  'buckets without end':
    'exponential_histogram { aggregation_temporality: CUMULATIVE data_points { scale: 0 positive { offset: 2000000 bucket_counts: 1 } } }',
  'values below zero':
    'exponential_histogram { aggregation_temporality: CUMULATIVE data_points { negative { bucket_counts: 1 } } }',
  'five thousand buckets': `exponential_histogram { aggregation_temporality: CUMULATIVE data_points { scale: 20 positive { ${'bucket_counts: 1 '.repeat(5000)} } } }`,
};

for (const [what, data] of Object.entries(refused)) {
  test(`${what} is rejected, and what is beside it is not`, () => {
    const text = `resource_metrics { scope_metrics { metrics { name: "bad" ${data} } metrics { name: "good" gauge { data_points { as_double: 1 } } } } }`;
    const { metrics, rejected } = decodeMetrics(protocEncode('MetricsRequest', text));
    assert.deepEqual([metrics.map(({ name }) => name), rejected], [['good'], 1]);
  });
}

test('a metric without a name is rejected, and names and labels are cut', () => {
  const long = 'x'.repeat(10_000);
  const text = `resource_metrics { scope_metrics {
    metrics { gauge { data_points { as_double: 1 } } }
    metrics { name: "${long}" gauge { data_points { as_double: 1 attributes { key: "${long}" value { string_value: "${long}" } } } } }
  } }`;
  const { metrics, rejected } = decodeMetrics(protocEncode('MetricsRequest', text));
  assert.equal(rejected, 1);
  assert.equal(metrics[0]?.name.length, 256);
  const pairs = Object.entries(metrics[0]?.points[0]?.attributes ?? {});
  assert.deepEqual(
    pairs.map(([key, value]) => [key.length, String(value).length]),
    [[256, 4096]],
  );
});
