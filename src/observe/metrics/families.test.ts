/** A page of many series: in bits, whole, and right by tools that are not ours. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { parseExposition } from '../../../test/exposition-parser.ts';
import { readInPython } from '../../../test/observe/python-reader.ts';
import { serverPath } from '../../../scripts/servers.ts';
import { systemClock } from '../../kernel/clock.ts';
import { Arena, createArenaMemory } from './arena.ts';
import { defineMetric } from './definition.ts';
import { pageOf } from '../exposition.ts';
import { showing } from './families.ts';
import { Histogram } from './instruments.ts';
import { LINES_MAX } from '../page.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { Registry } from './registry.ts';

const openmetrics = 'application/openmetrics-text';
const SERIES = 50_000;
/** What one histogram has: buckets, +Inf, sum and count. */
const LINES_OF_ONE = 17;
const LINES_OF_OWN = 16;

async function chunksOf(metrics: Metrics, accept?: string): Promise<string[]> {
  const chunks: string[] = [];
  for await (const chunk of metrics.expose(accept).body) chunks.push(String(chunk));
  return chunks;
}

function busyShop(): Metrics {
  const metrics = createMetrics();
  const requests = metrics.counter({
    name: 'shop_requests_total',
    help: 'Requests answered.',
    labels: ['route', 'code'],
  });
  const seconds = metrics.histogram({
    name: 'shop_request_duration_seconds',
    help: 'From "first" byte\nto last.',
    labels: ['route'],
  });
  for (const route of ['/', '/cart', 'odd "route"\\\n', '😀', 'x'.repeat(10_000)]) {
    requests.bind({ route, code: 200 }).add(3);
    const series = seconds.bind({ route });
    for (let ms = 1; ms < 5000; ms *= 2) series.observe(ms / 1000, '4bf92f3577b34da6a3ce929d0e0e4736');
  }
  metrics.gauge({ name: 'shop_in_flight', help: 'Requests in work.' }).bind().set(-0.5);
  return metrics;
}

test('50,000 series come in bits of a bounded size, after each of which the event loop turns', async () => {
  const metrics = createMetrics({ memoryBytes: '1gb' });
  // Counted in a memory that the exposing side has not looked at: it learns them on the way.
  const other = createMetrics({ shared: metrics.shared });
  const counter = other.counter({ name: 'c_total', help: 'C.', labels: ['x'], seriesMax: SERIES });
  const histogram = other.histogram({ name: 'h', help: 'H.', labels: ['x'], seriesMax: SERIES });
  for (let x = 0; x < SERIES - 1000; x++) counter.bind({ x }).add();
  for (let x = 0; x < 1000; x++) histogram.bind({ x }).observe(x);

  let turns = 0;
  let page: string | null = '';
  const turn = (): void => {
    turns += 1;
    if (page !== null) setImmediate(turn);
  };
  setImmediate(turn);
  let chunks = 0;
  let widest = 0;
  for await (const chunk of metrics.expose().body) {
    page += chunk;
    chunks += 1;
    widest = Math.max(widest, chunk.split('\n').length - 1);
  }
  const samples = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  page = null;
  assert.ok(widest < LINES_MAX + LINES_OF_ONE + LINES_OF_OWN, `${widest} lines in one chunk`);
  // Learning a record is work too, about that of a line, though it makes no text.
  const bits = Math.floor((samples.length + SERIES) / (LINES_MAX + LINES_OF_ONE));
  assert.ok(turns >= bits, `${turns} turns for ${chunks} chunks, of ${bits} bits of work`);
  assert.equal(samples.length, SERIES - 1000 + 1000 * LINES_OF_ONE + 5);
});

test('series and metrics that appear while a page is made do not break it', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'c_total', help: 'C.', labels: ['x'], seriesMax: 10_000 });
  for (let x = 0; x < 1000; x++) counter.bind({ x }).add();
  let page = '';
  let next = 1000;
  for await (const chunk of metrics.expose(openmetrics).body) {
    page += String(chunk);
    if (next >= 3000) continue;
    for (const end = next + 100; next < end; next++) counter.bind({ x: next }).add();
    metrics
      .gauge({ name: `g${next}`, help: 'G.' })
      .bind()
      .set(1);
  }
  const families = parseExposition(page, 'openmetrics');
  assert.ok(families.find(({ name }) => name === 'c')!.samples.length >= 1000);
});

test('of the traces that threads keep for a bucket the newest is shown', async () => {
  const arena = new Arena(createArenaMemory(64 * 1024));
  const kept = [10, 30, 20];
  for (const [thread, timeS] of kept.entries()) {
    const registry = new Registry(arena, thread);
    const metric = registry.define(defineMetric('histogram', { name: 'h', help: 'H.', bounds: [1] }));
    const place = { arena, slot: arena.slotOf(registry.bind(metric, '[]')), told: arena };
    const clock = { ...systemClock, wallMs: () => 1000 * timeS };
    new Histogram(place, metric, clock).observe(0.5, `${timeS}`.padStart(32, '0'));
  }
  let page = '';
  const asked = new Registry(arena, kept.length);
  for await (const chunk of showing(asked, (families) => pageOf(families, 'openmetrics'))) page += String(chunk);
  assert.match(page, /^h_bucket\{le="1\.0"\} 3 # \{trace_id="0{30}30"\} 0\.5 30$/m);
});

test('promtool finds nothing to say against the page', async () => {
  const input = (await chunksOf(busyShop())).join('');
  const { status, stdout, stderr } = spawnSync(serverPath('prometheus'), ['check', 'metrics'], {
    input,
    encoding: 'utf8',
  });
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
  const worse = input.replace(/^# HELP shop_in_flight.*\n/m, '');
  assert.equal(spawnSync(serverPath('prometheus'), ['check', 'metrics'], { input: worse }).status, 3);
});

test('the parser of Prometheus in Python, which is strict, reads the OpenMetrics page, and the same from it as ours', async () => {
  const input = (await chunksOf(busyShop(), openmetrics)).join('');
  const { status, stdout, stderr } = readInPython(input);
  assert.equal(status, 0, stderr);
  const ours = parseExposition(input, 'openmetrics').map(({ name, type, help, samples }) => [
    name,
    type,
    help.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign)),
    samples.map(({ name, labels, value, exemplar }) => [
      name,
      labels,
      value,
      exemplar === undefined ? null : [{ trace_id: exemplar.traceId }, exemplar.value],
    ]),
  ]);
  assert.deepEqual(JSON.parse(stdout), ours);
  assert.notEqual(readInPython(input.replace('# EOF\n', '')).status, 0);
});
