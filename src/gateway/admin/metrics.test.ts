import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseExposition } from '../../../test/exposition-parser.ts';
import { metricsInput } from '../../../test/metrics-input.ts';
import { span } from '../../../test/observe/spans.ts';
import { cellHeader, cellLane } from '../../kernel/cells.ts';
import { systemClock } from '../../kernel/clock.ts';
import { atOnce } from '../../kernel/steps.ts';
import { inChunks, LINES_MAX } from '../../observe/page.ts';
import {
  formatMetrics,
  type HistogramSample,
  type MetricFamily,
  type MetricFormat,
  type Sample,
} from '../../observe/prometheus.ts';
import { protobufPage } from '../../observe/protobuf-page.ts';
import { latencyBoundsMs } from '../../observe/slo/latency-bounds.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { NamedEndpoints } from '../control/named-endpoints.ts';
import { bucketOf, durationBuckets } from '../durations.ts';
import {
  ENDPOINT_SLOTS,
  endpointSlots,
  HEALTH,
  HEALTH_DOWN,
  LISTENER_SLOTS,
  listenerSlots,
  PROCESS_SLOTS,
  processSlots,
  refusalNumber,
  ARM_SLOTS,
  armSlots,
  ROUTE_SLOTS,
  routeSlots,
} from '../slots.ts';
import { routeExemplars } from '../tracing/route-exemplars.ts';
import { endpointBoundsMs } from './duration-buckets.ts';
import { metricNames } from './metric-names.ts';
import { gatewayMetrics, type MetricsInput } from './metrics.ts';

/** Each has some 56 series. */
const ROUTES = 1000;

const samplesOf = ({ samples }: MetricFamily): (Sample | HistogramSample)[] =>
  [...samples].filter((sample) => sample !== null);

function textOf(families: Iterable<MetricFamily>, format: MetricFormat): string {
  return Array.from(formatMetrics(families, format), ({ text }) => text).join('');
}

function read(given: MetricsInput) {
  const text = textOf(gatewayMetrics(given), 'prometheus');
  const samples = parseExposition(text, 'prometheus').flatMap((family) => family.samples);
  return (name: string, labels: Record<string, string> = {}): number | undefined =>
    samples.find(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    )?.value;
}

test('both formats are accepted by a strict reader, every family shows its declared labels and is there', () => {
  const encrypted = metricsInput();
  const listeners = encrypted.snapshot.listeners.map((listener) => ({ ...listener, tls: {} as never }));
  const families = () =>
    gatewayMetrics({ ...encrypted, snapshot: { ...encrypted.snapshot, listeners } }).map((family) => ({
      ...family,
      samples: samplesOf(family),
    })) as MetricFamily[];
  for (const format of ['prometheus', 'openmetrics'] as const) parseExposition(textOf(families(), format), format);
  assert.deepEqual(
    families().map(({ name }) => name),
    Object.keys(metricNames),
  );
  for (const family of families()) {
    const { name } = family;
    assert.ok(samplesOf(family).length > 0, `${name} has no sample`);
    const { labels } = metricNames[name as keyof typeof metricNames];
    for (const sample of samplesOf(family)) assert.deepEqual(Object.keys(sample.labels), [...labels], name);
  }
});

test('nothing there may be thousands of is read before a reader comes to it', () => {
  const given = metricsInput();
  let reads = 0;
  const counted = <Item>(items: Iterable<Item>) => ({
    *[Symbol.iterator]() {
      for (const item of items) {
        reads += 1;
        yield item;
      }
    },
  });
  const limits = given.snapshot.limits.map((limit) => ({
    ...limit,
    get cell() {
      reads += 1;
      return limit.cell;
    },
  }));
  const families = gatewayMetrics({
    ...given,
    snapshot: { ...given.snapshot, limits },
    discovery: counted(given.discovery),
    breakers: counted(given.breakers),
  });
  assert.equal(reads, 0);
  const shown = families.flatMap((family) => (samplesOf(family).length > 0 ? [family.name] : []));
  assert.ok(reads > 0);
  const has = gatewayMetrics(given).flatMap((family) => (samplesOf(family).length > 0 ? [family.name] : []));
  assert.deepEqual(shown, has);
});

test('endpoints that are not named are one series in each family, with the label of the overflow in place of theirs', () => {
  const given = metricsInput(0);
  for (const [at, { cell }] of given.snapshot.services[0]!.endpoints.entries()) {
    const lane = cellLane(cell, ENDPOINT_SLOTS, 1);
    lane[endpointSlots.responses2xx] = 10 + at;
    lane[endpointSlots.durationSumMs] = 500;
    lane[endpointSlots.buckets + bucketOf(30)] = 1 + at;
  }
  // They are added up before the page is made.
  const named = new NamedEndpoints(given.healthChanges, systemClock);
  const summed = { ...given, endpoints: atOnce(named.read(given.snapshot, 0)) };
  const families = gatewayMetrics(summed);
  for (const family of families) {
    const { name } = family;
    const { labels } = metricNames[name as keyof typeof metricNames];
    if (!(labels as readonly string[]).includes('endpoint')) continue;
    const expected = labels.map((label) => (label === 'endpoint' ? 'overflow' : label));
    for (const sample of samplesOf(family)) {
      assert.deepEqual(Object.keys(sample.labels), expected, name);
      assert.deepEqual([sample.labels['service'], sample.labels['overflow']], ['shop', 'true']);
    }
  }
  const value = read(summed);
  const others = { service: 'shop', overflow: 'true' };
  assert.equal(value('spillway_endpoint_requests_total', { ...others, code_class: '2xx' }), 21);
  assert.equal(value('spillway_upstream_duration_seconds_count', others), 3);
  assert.equal(value('spillway_upstream_duration_seconds_sum', others), 1);
  assert.equal(value('spillway_upstream_duration_seconds_bucket', { ...others, le: '0.025' }), 0);
  assert.equal(value('spillway_upstream_duration_seconds_bucket', { ...others, le: '0.05' }), 3);
  assert.equal(value('spillway_endpoint_health_changes_total', { ...others, to: 'down', cause: 'status' }), 2);
  assert.equal(value('spillway_endpoint_up', others), 1);
  assert.equal(value('spillway_service_endpoints', { service: 'shop' }), 2);
});

test('counters of all workers are summed, per route, endpoint and reason', () => {
  const given = metricsInput();
  const route = given.snapshot.routes[0]!;
  const endpoint = given.snapshot.services[0]!.endpoints[1]!;
  for (const lane of [1, 2]) {
    cellLane(route.cell, ROUTE_SLOTS, lane)[routeSlots.responses5xx] = 10 * lane;
    cellLane(route.cell, ROUTE_SLOTS, lane)[routeSlots.durationSumMs] = 500;
    cellLane(route.cell, ROUTE_SLOTS, lane)[routeSlots.buckets + bucketOf(7)] = lane;
    cellLane(endpoint.cell, ENDPOINT_SLOTS, lane)[endpointSlots.connects] = lane;
    cellLane(endpoint.cell, ENDPOINT_SLOTS, lane)[endpointSlots.durationSumMs] = 250;
    cellLane(endpoint.cell, ENDPOINT_SLOTS, lane)[endpointSlots.buckets + bucketOf(300)] = lane;
    cellLane(route.cell, ROUTE_SLOTS, lane)[routeSlots.limited] = lane;
    cellLane(given.snapshot.listeners[0]!.cell, LISTENER_SLOTS, lane)[listenerSlots.responses4xx] = 3 * lane;
    cellLane(given.snapshot.listeners[0]!.cell, LISTENER_SLOTS, lane)[listenerSlots.buckets + bucketOf(30)] = lane;
    cellLane(given.snapshot.cell, PROCESS_SLOTS, lane)[processSlots.refusals + refusalNumber('no_route')] = 4;
    cellLane(given.snapshot.cell, PROCESS_SLOTS, lane)[processSlots.loopLagMs] = 20 * lane;
  }
  const value = read(given);
  const route5xx = { route: 'all', service: 'shop', code_class: '5xx' };
  assert.equal(value('spillway_requests_total', route5xx), 30);
  assert.equal(value('spillway_requests_limited_total', { route: 'all', service: 'shop' }), 3);
  assert.equal(value('spillway_request_duration_seconds_sum'), 1);
  assert.equal(value('spillway_request_duration_seconds_count'), 3);
  assert.equal(value('spillway_request_duration_seconds_bucket', { le: '0.005' }), 0);
  assert.equal(value('spillway_request_duration_seconds_bucket', { le: '0.01' }), 3);
  assert.equal(value('spillway_listener_responses_total', { listener: 'web', code_class: '4xx' }), 9);
  assert.equal(value('spillway_listener_responses_total', { listener: 'web', code_class: '5xx' }), 0);
  assert.equal(value('spillway_listener_duration_seconds_count', { listener: 'web' }), 3);
  assert.equal(value('spillway_listener_duration_seconds_bucket', { listener: 'web', le: '0.025' }), 0);
  assert.equal(value('spillway_listener_duration_seconds_bucket', { listener: 'web', le: '0.04' }), 3);
  assert.equal(value('spillway_upstream_connects_total', { endpoint: '127.0.0.1:9001' }), 0);
  assert.equal(value('spillway_upstream_connects_total', { endpoint: '127.0.0.1:9002' }), 3);
  assert.equal(value('spillway_upstream_duration_seconds_sum', { endpoint: '127.0.0.1:9002' }), 0.5);
  const upstream = (le: string) =>
    value('spillway_upstream_duration_seconds_bucket', { endpoint: '127.0.0.1:9002', le });
  assert.deepEqual(['0.25', '0.5', '+Inf'].map(upstream), [0, 3, 3]);
  assert.equal(value('spillway_upstream_duration_seconds_count', { endpoint: '127.0.0.1:9001' }), 0);
  assert.equal(value('spillway_refusals_total', { reason: 'no_route', code: '404' }), 8);
  assert.equal(value('spillway_worker_event_loop_lag_seconds', { worker: '2' }), 0.04);
  assert.equal(value('spillway_worker_restarts_total', { worker: '2' }), 2);
  assert.equal(value('spillway_reloads_total', { outcome: 'applied' }), 2);
  assert.equal(value('spillway_reload_last_successful'), 0);
  assert.equal(value('process_start_time_seconds'), Date.UTC(2026, 0, 1) / 1000);
});

test('a bucket leads to the newest request in it whose trace is kept, in OpenMetrics', () => {
  const given = metricsInput();
  const route = cellLane(given.snapshot.routes[0]!.cell, ROUTE_SLOTS, 1);
  for (const ms of [3, 4, 7, 90_000]) route[routeSlots.buckets + bucketOf(ms)]! += 1;
  const traced = (digit: string, durationMs: number, startMs: number, changes: Partial<SpanRecord> = {}): SpanRecord =>
    span({
      ...{ traceId: digit.repeat(32), spanId: digit.repeat(16), service: 'gateway', startMs, durationMs },
      ...{ attributes: { 'http.route': 'all', 'spillway.service': 'shop' }, ...changes },
    });
  const exemplars = routeExemplars([
    traced('2', 4, 2000),
    traced('1', 3, 1000),
    traced('3', 7, 1000),
    traced('4', 90_000, 1000),
    // Of a route that has been there before; nobody's; of a route that answers by itself; told by a service.
    traced('5', 20_000, 3000),
    traced('6', 3, 5000, { attributes: { 'http.route': 'gone', 'spillway.service': 'shop' } }),
    traced('7', 3, 5000, { attributes: { 'http.route': 'all' } }),
    traced('8', 3, 5000, { service: 'shop' }),
    traced('9', 3, 5000, { kind: 'client' }),
  ]);
  const shown = (format: MetricFormat): unknown[] =>
    parseExposition(textOf(gatewayMetrics(given, exemplars), format), format)
      .flatMap((family) => family.samples)
      .flatMap(({ exemplar, labels }) =>
        exemplar === undefined ? [] : [{ le: Number(labels['le']?.replace('+Inf', 'Infinity')), ...exemplar }],
      );
  assert.deepEqual(shown('openmetrics'), [
    { le: 0.005, traceId: '2'.repeat(32), value: 0.004, timeS: 2.004 },
    { le: 0.01, traceId: '3'.repeat(32), value: 0.007, timeS: 1.007 },
    { le: Infinity, traceId: '4'.repeat(32), value: 90, timeS: 91 },
  ]);
  assert.deepEqual(shown('prometheus'), []);
});

test('what is shown of an endpoint is counted exactly', () => {
  for (const boundMs of endpointBoundsMs)
    assert.ok(durationBuckets.bounds.includes(boundMs), `${boundMs} ms is no bound`);
});

test('each arm of a split is told apart, and what was mirrored', () => {
  const given = metricsInput();
  const { cell, shaping } = given.snapshot.routes[1]!;
  const canary = shaping!.split!.arms[1]!;
  cellLane(canary.cell, ARM_SLOTS, 1)[armSlots.responses5xx] = 3;
  cellLane(canary.cell, ARM_SLOTS, 2)[armSlots.durationSumMs] = 1500;
  for (const lane of [1, 2]) cellLane(canary.cell, ARM_SLOTS, lane)[armSlots.buckets + bucketOf(750)] = lane;
  cellLane(cell, ROUTE_SLOTS, 1)[routeSlots.mirrorFailures] = 4;
  const value = read(given);
  const labels = { route: 'trial', service: 'shop' };
  assert.equal(value('spillway_arm_requests_total', { ...labels, arm: 'canary', code_class: '5xx' }), 3);
  assert.equal(value('spillway_arm_requests_total', { ...labels, arm: 'shop', code_class: '5xx' }), 0);
  assert.equal(value('spillway_arm_duration_seconds_sum', { ...labels, arm: 'canary' }), 1.5);
  const arm = (name: string, le: string) => value('spillway_arm_duration_seconds_bucket', { ...labels, arm: name, le });
  assert.deepEqual([arm('canary', '0.6'), arm('canary', '0.75'), arm('shop', '+Inf')], [0, 3, 0]);
  assert.equal(value('spillway_mirrored_failures_total', labels), 4);
  assert.equal(value('spillway_requests_total', { route: 'trial', service: '' }), 0, 'no one service');
});

test('an endpoint is shown as down only when checks took it out', () => {
  const given = metricsInput();
  Atomics.store(cellHeader(given.snapshot.services[0]!.endpoints[0]!.cell), HEALTH, HEALTH_DOWN);
  const value = read(given);
  assert.equal(value('spillway_endpoint_up', { endpoint: '127.0.0.1:9001' }), 0);
  assert.equal(value('spillway_endpoint_up', { endpoint: '127.0.0.1:9002' }), 1);
});

test('changes of health are counted by what an endpoint became and why', () => {
  const value = read(metricsInput());
  const labels = { service: 'shop', endpoint: '127.0.0.1:9001' };
  const changed = (more: Record<string, string>) =>
    value('spillway_endpoint_health_changes_total', { ...labels, ...more });
  assert.equal(changed({ to: 'down', cause: 'status' }), 2);
  assert.equal(changed({ to: 'up', cause: 'check' }), 1);
  assert.equal(changed({ to: 'ejected' }), undefined);
});

test('of objectives what is left, how fast it goes and what fires; a window without events is absent', () => {
  const value = read(metricsInput());
  assert.equal(value('spillway_slo_error_budget_remaining_ratio', { slo: 'shop-up' }), -0.25);
  assert.equal(value('spillway_slo_burn_rate', { slo: 'shop-up', window: '5m' }), 20);
  assert.equal(value('spillway_slo_burn_rate', { slo: 'shop-up', window: '1h' }), undefined);
  assert.equal(value('spillway_slo_alert_firing', { slo: 'shop-up', severity: 'page', burn: '14.4' }), 1);
});

test('docs/metrics.md lists exactly these series', () => {
  const page = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const [ofGateway = ''] = page.split('\n# ');
  const rows = ofGateway.split('\n').filter((line) => line.startsWith('| `'));
  const expected = Object.entries(metricNames).map(([name, { type, labels, help }]) => {
    const shown = labels.map((label) => `\`${label}\``).join(', ');
    return `| \`${name}\` | ${type} | ${shown} | ${help} |`;
  });
  assert.deepEqual(rows, expected);
});

test('where endpoints come from, and how their sources do', () => {
  const value = read(metricsInput());
  const source = { service: 'shop', source: 'api' };
  assert.equal(value('spillway_service_endpoints', { service: 'shop', source: 'config' }), 2);
  assert.equal(value('spillway_discovery_answers_total', source), 2);
  assert.equal(value('spillway_discovery_failures_total', source), 3);
  assert.equal(value('spillway_discovery_age_seconds', source), 1.5);
  assert.equal(value('spillway_discovery_failing', source), 1);
});

/** The families of a gateway with many routes. */
function manyRoutes(): MetricFamily[] {
  const given = metricsInput();
  const [route] = given.snapshot.routes;
  const routes = Array.from({ length: ROUTES }, (_, number) => ({ ...route!, name: `route ${number}` }));
  return gatewayMetrics({ ...given, snapshot: { ...given.snapshot, routes } });
}

/** The chunks of a page, and how often the event loop turned while it was made. */
async function turnsOf<Chunk>(page: AsyncIterable<Chunk>): Promise<{ chunks: Chunk[]; turns: number }> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  const chunks: Chunk[] = [];
  for await (const chunk of page) chunks.push(chunk);
  isOver = true;
  return { chunks, turns };
}

test('what a route counts is of one moment, though a flood grows while the page is made', () => {
  const given = metricsInput();
  const lanes = given.snapshot.routes.map(({ cell }) => cellLane(cell, ROUTE_SLOTS, 1));
  let text = '';
  for (const step of formatMetrics(gatewayMetrics(given), 'prometheus')) {
    text += step.text;
    for (const lane of lanes) for (const slot of ['responses4xx', 'limited'] as const) lane[routeSlots[slot]]! += 1000;
  }
  const samples = parseExposition(text, 'prometheus').flatMap((family) => family.samples);
  const values = (name: string, isWanted: (labels: Record<string, string>) => boolean = () => true): number[] =>
    samples.filter((sample) => sample.name === name && isWanted(sample.labels)).map(({ value }) => value);
  const asked = values('spillway_requests_total', ({ code_class }) => code_class === '4xx');
  assert.ok(asked.length === lanes.length && asked.at(-1)! > 0, `the last route was asked ${asked.at(-1)} times`);
  assert.deepEqual(values('spillway_requests_limited_total'), asked);
});

test('the page of a large gateway comes in bits of a bounded size, after each of which the event loop turns', async () => {
  const { chunks, turns } = await turnsOf(inChunks(formatMetrics(manyRoutes(), 'openmetrics')));
  const widest = Math.max(...chunks.map((chunk) => chunk.split('\n').length - 1));
  const samples = parseExposition(chunks.join(''), 'openmetrics').flatMap((family) => family.samples);
  assert.ok(samples.length > 50_000, `${samples.length} series`);
  assert.ok(widest < LINES_MAX + latencyBoundsMs.length + 6, `${widest} lines in one chunk`);
  assert.ok(turns >= chunks.length - 1, `${turns} turns of ${chunks.length} chunks`);
});

test('the same in protobuf: the event loop turns while a family is made', async () => {
  const { chunks, turns } = await turnsOf(protobufPage(manyRoutes()));
  const bytes = Buffer.concat(chunks).length;
  assert.ok(bytes > ROUTES * 500, `${bytes} bytes`);
  // A turn is 16 histograms, or 256 of what has one number, of which a route has 13.
  const least = Math.floor(ROUTES / 16 + (13 * ROUTES) / 256);
  assert.ok(turns >= least, `${turns} turns, at least ${least}`);
});
