/** What the gateway pushes by OTLP is what its page shows, in every field; over reloads, lost workers and a collector that says no. */
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { gatewayMetrics } from '../src/gateway/admin/metrics.ts';
import { metricNames } from '../src/gateway/admin/metric-names.ts';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { bucketOf } from '../src/gateway/durations.ts';
import { ROUTE_SLOTS, routeSlots } from '../src/gateway/slots.ts';
import { cellLane } from '../src/kernel/cells.ts';
import { packageVersion } from '../src/kernel/version.ts';
import { collect, type MetricBatch } from '../src/observe/metrics/collect.ts';
import type { HistogramValue, MetricPoint } from '../src/observe/otlp/metric-record.ts';
import { decodeMetrics, encodeMetrics } from '../src/observe/otlp/metrics.ts';
import { formatMetrics } from '../src/observe/prometheus.ts';
import { parseExposition } from './exposition-parser.ts';
import { cleanups, config, create, mortalWorker, origin } from './gateway-under-test.ts';
import { metricsInput } from './metrics-input.ts';
import { sampleKey } from './observe/client-families.ts';
import { Collector, type Received } from './observe/collector.ts';
import { protocDecode } from './observe/protoc.ts';
import { type ProtoMessage, readProtoText } from './observe/proto-text.ts';

const START_MS = 1_800_000_000_000;
const DURATION = 'spillway_request_duration_seconds';
/** What goes on by itself, so that it is another on the page than it was in the push before. */
const MOVING =
  /^(process_|spillway_(worker_(event_loop|heap|buffer)|otlp_|connections|access_log|listener_(requests|responses|duration)|upstream_idle|upstream_connections))/;

function attributesOf(of: ProtoMessage): Record<string, string> {
  return Object.fromEntries(
    of.all('attributes').map((pair) => [pair.text('key'), pair.all('value')[0]!.text('string_value')]),
  );
}

test('protoc finds in each field what the page shows: every series with its type, help, unit, times and value', async () => {
  const given = metricsInput();
  const lane = cellLane(given.snapshot.routes[0]!.cell, ROUTE_SLOTS, 1);
  for (const ms of [0.01, 3, 4, 7, 90_000, 1e7]) {
    lane[routeSlots.buckets + bucketOf(ms)]! += 1;
    lane[routeSlots.durationSumMs]! += ms;
  }
  lane[routeSlots.responses1xx + 1] = 6;
  const source = { service: 'gateway', instance: 'here:1', resource: {}, startMs: Date.UTC(2026, 0) };
  const batches: MetricBatch[] = [];
  for await (const batch of collect(gatewayMetrics(given), START_MS)) batches.push(batch);
  const request = readProtoText(protocDecode('MetricsRequest', encodeMetrics(batches, source)));
  const [resource] = request.all('resource_metrics');
  assert.deepEqual(attributesOf(resource!.all('resource')[0]!), {
    'service.name': 'gateway',
    'service.instance.id': 'here:1',
  });
  const [scope] = resource!.all('scope_metrics');
  assert.deepEqual(
    [scope!.all('scope')[0]!.text('name'), scope!.all('scope')[0]!.text('version')],
    ['spillway', packageVersion()],
  );
  const text = Array.from(formatMetrics(gatewayMetrics(given), 'prometheus'), (step) => step.text).join('');
  const shown = parseExposition(text, 'prometheus').flatMap(({ samples }) => samples);
  const wanted = new Map(
    shown.flatMap(({ name, labels, value }) =>
      name.endsWith('_bucket') ? [] : [[sampleKey(name, { ...labels }), value] as const],
    ),
  );
  const found = new Map<string, number>();
  for (const metric of scope!.all('metrics')) {
    const name = metric.text('name');
    const { type, help } = metricNames[name as keyof typeof metricNames];
    assert.equal(metric.text('description'), help);
    const unit = /_seconds(_total)?$/.test(name) ? 's' : /_bytes(_total)?$/.test(name) ? 'By' : '';
    assert.equal(metric.text('unit'), unit, name);
    const kind = { counter: 'sum', gauge: 'gauge', histogram: 'exponential_histogram' }[type];
    const [data] = metric.all(kind);
    assert.ok(data !== undefined, `${name} is no ${kind}`);
    if (type !== 'gauge') assert.equal(data.text('aggregation_temporality'), 'CUMULATIVE');
    assert.equal(data.text('is_monotonic'), type === 'counter' ? 'true' : '', name);
    for (const point of data.all('data_points')) {
      const labels = attributesOf(point);
      assert.equal(point.text('time_unix_nano'), `${START_MS}000000`);
      assert.match(point.text('start_time_unix_nano'), /^\d{19}$/);
      if (type !== 'histogram') {
        found.set(sampleKey(name, labels), point.number('as_double'));
        continue;
      }
      const [buckets] = point.all('positive');
      const inBuckets = (buckets?.numbers('bucket_counts') ?? []).reduce((sum, count) => sum + count, 0);
      assert.equal(inBuckets + point.number('zero_count'), point.number('count'));
      assert.equal(point.number('scale'), 4);
      found.set(sampleKey(`${name}_count`, labels), point.number('count'));
      found.set(sampleKey(`${name}_sum`, labels), point.number('sum'));
    }
  }
  assert.ok(found.size > 150, `${found.size} series`);
  assert.deepEqual([...found].toSorted(byText), [...wanted].toSorted(byText));

  const starts = (name: string): number[] =>
    decodeMetrics(encodeMetrics(batches, source))
      .metrics.filter((metric) => metric.name === name)
      .flatMap(({ points }) => points.map(({ startMs }) => startMs));
  assert.deepEqual(starts('spillway_discovery_answers_total'), [Date.UTC(2026, 1)], 'since the source is there');
  assert.deepEqual(starts('spillway_otlp_spans_total'), Array(4).fill(Date.UTC(2026, 2)), 'since the collector is');
  assert.deepEqual(starts('process_cpu_seconds_total'), [Date.UTC(2025, 11)], 'since the process is');
  assert.deepEqual(starts('spillway_reloads_total'), [source.startMs, source.startMs], 'since the gateway is');
});

function byText(one: readonly [string, number], other: readonly [string, number]): number {
  return one[0] < other[0] ? -1 : 1;
}

const secret = 'Basic a-secret-of-some-length';

async function start(collector: Collector, given: Partial<ConfigInput> = {}, worker?: URL) {
  const at = await origin('a');
  const telemetry = {
    otlp: {
      endpoint: collector.endpoint,
      headers: [{ name: 'Authorization', secret }],
      metrics: { every: '1s' as const },
    },
  };
  const of = (more: Partial<ConfigInput> = {}): ConfigInput =>
    config(at, { admin: { address: '127.0.0.1:0' }, telemetry, ...given, ...more });
  const built = create({ workers: 2, config: of(), ...(worker !== undefined && { workerEntry: worker }) });
  await built.gateway.start();
  cleanups.push(() => built.gateway.stop());
  const page = async (): Promise<string> =>
    (await fetch(`http://${built.gateway.state().admin!.address}/metrics`)).text();
  return { ...built, of, page };
}

function pointsOf({ body }: Received, name: string): MetricPoint[] {
  return decodeMetrics(body).metrics.flatMap((metric) => (metric.name === name ? metric.points : []));
}

/** The points of a metric in the newest request that has it. */
function latest({ received }: Collector, name: string): readonly MetricPoint[] {
  return received.map((one) => pointsOf(one, name)).findLast((points) => points.length > 0) ?? [];
}

/** When requests have come in which it is so. */
async function until(collector: Collector, isSo: () => boolean): Promise<void> {
  while (!isSo()) await collector.requests(collector.received.length + 1);
}

const ofRoute = (points: readonly MetricPoint[], route: string): MetricPoint | undefined =>
  points.find(({ attributes }) => attributes['route'] === route);
const countOf = (point: MetricPoint | undefined): number => (point?.value as HistogramValue | undefined)?.count ?? 0;

test('a running gateway pushes what it shows, with fields that prove who sends, and once more when it ends', async () => {
  await using collector = await Collector.start();
  const { gateway, get, page } = await start(collector);
  for (let n = 0; n < 4; n++) assert.equal(await get(), 'a');
  await until(collector, () => countOf(ofRoute(latest(collector, DURATION), 'all')) === 4);
  // What was read before the last of them was counted is read again.
  const rounds = (): number =>
    collector.received.filter((one) => pointsOf(one, 'process_cpu_seconds_total').length > 0).length;
  const enough = rounds() + 2;
  await until(collector, () => rounds() >= enough);
  assert.ok(!(await page()).includes(secret));
  const metrics = collector.received.flatMap(({ path, headers, body }) => {
    assert.deepEqual([path, headers.authorization], ['/v1/metrics', secret]);
    const { metrics: records, rejected } = decodeMetrics(body);
    assert.equal(rejected, 0);
    return records;
  });
  const whose = new Set(metrics.map(({ service, instance }) => `${service} ${instance}`));
  assert.deepEqual([...whose], [`gateway ${hostname()}:${process.pid}`]);
  // Of each series the newest.
  const pushed = new Map(
    metrics.flatMap(({ name, points }) =>
      points.map(({ attributes, value }) => [sampleKey(name, attributes as Record<string, string>), value] as const),
    ),
  );
  const shown = parseExposition(await page(), 'prometheus').flatMap(({ samples }) => samples);
  let compared = 0;
  for (const { name, labels, value } of shown) {
    if (MOVING.test(name) || /_(bucket|sum)$/.test(name)) continue;
    const found = pushed.get(sampleKey(name.replace(/_count$/, ''), { ...labels }));
    assert.equal(typeof found === 'object' ? found.count : found, value, `${name} ${JSON.stringify(labels)}`);
    compared += 1;
  }
  assert.ok(compared > 60, `${compared} series`);
  // What was counted since the last push goes when the gateway ends.
  assert.equal(await get(), 'a');
  await gateway.stop();
  assert.equal(countOf(ofRoute(latest(collector, DURATION), 'all')), 5);
});

test('traces and metrics go to collectors of their own, with the fields that each asks for', async () => {
  await using both = await Collector.start();
  await using tempo = await Collector.start();
  await using mimir = await Collector.start();
  const telemetry = {
    traces: { sample: '100%' as const },
    otlp: {
      endpoint: both.endpoint,
      headers: [{ name: 'Authorization', secret }],
      traces: { endpoint: `${tempo.endpoint}/in/traces` },
      metrics: { every: '1s' as const, endpoint: `${mimir.endpoint}/in`, headers: [{ name: 'X-Tenant', secret: 'shop' }] },
    },
  };
  const { gateway, get } = await start(both, { telemetry });
  assert.equal(await get(), 'a');
  await until(mimir, () => countOf(ofRoute(latest(mimir, DURATION), 'all')) === 1);
  await gateway.stop();
  const said = ({ received }: Collector): string[] => [
    ...new Set(received.map(({ path, headers }) => `${path} ${headers.authorization} ${headers['x-tenant']}`)),
  ];
  assert.deepEqual(said(tempo), [`/in/traces ${secret} undefined`]);
  assert.deepEqual(said(mimir), ['/in undefined shop']);
  assert.deepEqual(said(both), []);
}); // prettier-ignore

test('counts go on from their start over reloads and lost workers; a route that comes again counts from then', async () => {
  await using collector = await Collector.start();
  const worker = mortalWorker(1);
  const { gateway, get, next, of } = await start(collector, {}, worker.entry);
  await get();
  await until(collector, () => countOf(ofRoute(latest(collector, DURATION), 'all')) === 1);
  const { startMs } = ofRoute(latest(collector, DURATION), 'all')!;
  const replaced = next('worker-replaced');
  worker.kill();
  await replaced;
  const routes = [
    { name: 'all', service: 'shop' },
    { name: 'more', match: { path: '/more' }, service: 'shop' },
  ];
  const address = (): string => gateway.state().listeners[0]!.address;
  const more = async (): Promise<void> => void (await (await fetch(`http://${address()}/more`)).text());
  const reload = async (changed: Partial<ConfigInput>): Promise<void> =>
    assert.equal((await gateway.reload({ config: of(changed) })).kind, 'applied');
  await reload({ routes });
  for (let n = 0; n < 3; n++) await more();
  await until(collector, () => countOf(ofRoute(latest(collector, DURATION), 'more')) === 3);
  const before = ofRoute(latest(collector, DURATION), 'more')!;
  const all = ofRoute(latest(collector, DURATION), 'all')!;
  assert.deepEqual([all.startMs, countOf(all)], [startMs, 1]);
  assert.ok(before.startMs > startMs, 'since it is there');
  await reload({});
  await until(collector, () => ofRoute(latest(collector, DURATION), 'more') === undefined);
  await reload({ routes });
  await more();
  await until(collector, () => countOf(ofRoute(latest(collector, DURATION), 'more')) === 1);
  const again = ofRoute(latest(collector, DURATION), 'more')!;
  assert.ok(again.startMs > before.timeMs, `${again.startMs} is after ${before.timeMs}`);
});

test('a collector that says no is told once and counted, traffic goes on and so do pushes; a reload ends them', async () => {
  await using collector = await Collector.start();
  collector.answers.push({ status: 400, body: 'not this' });
  const { gateway, get, seen, of, page } = await start(collector);
  assert.equal(await get(), 'a');
  // The second goes when the first has been answered.
  await collector.requests(2);
  const notices = seen.flatMap((event) => (event.kind === 'notice' ? [event.message] : []));
  assert.match(
    notices.join('\n'),
    /The collector at http:\/\/127\.0\.0\.1:\d+\/v1\/metrics did not get \d+: it answered 400: not this\./,
  );
  await collector.requests(3);
  const failed = Number(/^spillway_otlp_points_total\{outcome="failed"\} (\d+)$/m.exec(await page())?.[1]);
  const sent = Number(/^spillway_otlp_points_total\{outcome="sent"\} (\d+)$/m.exec(await page())?.[1]);
  assert.ok(failed > 50 && sent > 50, `${failed} failed, ${sent} sent`);
  assert.match(await page(), /^spillway_otlp_pushes_skipped_total \d+$/m);
  const outcome = await gateway.reload({ config: of({ telemetry: { otlp: { endpoint: collector.endpoint } } }) });
  assert.ok(outcome.kind === 'applied');
  assert.ok(outcome.changes.includes('gateway: metricsEvery 1000 → none'), outcome.changes.join());
  const text = await page();
  assert.doesNotMatch(text, /^spillway_otlp_points_total/m);
  assert.match(text, /^spillway_otlp_spans_total\{outcome="sent"\} 0$/m);
});
