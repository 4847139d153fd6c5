/** The gateway's page of metrics in protobuf says what its text says, to `protoc` and to Prometheus, and has all that is counted of durations. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { serverPath } from '../scripts/servers.ts';
import { AdminServer } from '../src/gateway/admin/server.ts';
import { gatewayMetrics, type MetricsInput } from '../src/gateway/admin/metrics.ts';
import { bucketOf } from '../src/gateway/durations.ts';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { ENDPOINT_SLOTS, endpointSlots, ROUTE_SLOTS, routeSlots } from '../src/gateway/slots.ts';
import { cellLane } from '../src/kernel/cells.ts';
import { seededRandom } from '../src/kernel/random.ts';
import { pageOf } from '../src/observe/exposition.ts';
import { contentTypes, type PageFormat } from '../src/observe/prometheus.ts';
import { adminBackend } from './admin-backend.ts';
import { parseExposition } from './exposition-parser.ts';
import { cleanups, config, create, origin } from './gateway-under-test.ts';
import { metricsInput } from './metrics-input.ts';
import { type ClientHistogram, protobufAsked, readClientPage, sampleKey } from './observe/client-families.ts';
import { readInPython } from './observe/python-reader.ts';
import { PrometheusServer } from './servers/prometheus.ts';

/** Of what is read from the middle of a bucket, 2.2 %; Prometheus may read anywhere in it. */
const BUCKET_WIDTH = 2 ** (1 / 16) - 1;
const VALUES = 20_000;

/** Heavy of tail, some of it below and above what buckets tell apart; counted by two workers. In ms, sorted. */
function busyInput(): { readonly given: MetricsInput; readonly valuesMs: readonly number[] } {
  const given = metricsInput();
  const random = seededRandom(11);
  const valuesMs = Array.from({ length: VALUES }, () => 2 * (1 - random.unit()) ** -0.7);
  valuesMs.push(0.01, 0.05, 250, 1000, 1e7);
  const [route] = given.snapshot.routes;
  for (const [at, ms] of valuesMs.entries()) {
    const lane = cellLane(route!.cell, ROUTE_SLOTS, 1 + (at % 2));
    lane[routeSlots.buckets + bucketOf(ms)]! += 1;
    lane[routeSlots.durationSumMs]! += ms;
    lane[routeSlots.responses1xx + 1]! += 1;
  }
  cellLane(given.snapshot.services[0]!.endpoints[1]!.cell, ENDPOINT_SLOTS, 2)[endpointSlots.bytesSent] = 2 ** 53;
  return { given, valuesMs: valuesMs.toSorted((a, b) => a - b) };
}

async function pageIn(given: MetricsInput, format: PageFormat): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of pageOf(gatewayMetrics(given), format)) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function byKey(text: string): Map<string, number> {
  const samples = parseExposition(text, 'prometheus').flatMap((family) => family.samples);
  return new Map(samples.map(({ name, labels, value }) => [sampleKey(name, { ...labels }), value]));
}

test('protobuf and text have the same series with the same values; the finer buckets hold each duration where it belongs', async () => {
  const { given, valuesMs } = busyInput();
  const page = readClientPage(await pageIn(given, 'protobuf'));
  const text = byKey((await pageIn(given, 'prometheus')).toString());
  assert.ok(text.size > 200, `${text.size} series`);
  assert.deepEqual([...page.samples.keys()].toSorted(), [...text.keys()].toSorted());
  for (const [key, value] of text) assert.equal(page.samples.get(key), value, key);

  const [all, trial] = page.histograms.get('spillway_request_duration_seconds')!;
  assert.deepEqual(trial?.labels, { route: 'trial', service: '' });
  assert.deepEqual([trial?.count, trial?.native.size], [0, 0]);
  assert.deepEqual([all?.count, all?.schema], [VALUES + 5, 4]);
  assert.equal(all?.zeroCount, valuesMs.filter((ms) => ms / 1000 <= 2 ** -14).length);
  assert.equal(all?.native.get(12 * 16 + 1), 1, 'what is beyond is in the bucket after the last');
  let counted = all.zeroCount + 1;
  for (const [index, count] of all.native) {
    const [lower, upper] = [2 ** ((index - 1) / 16), 2 ** (index / 16)];
    if (index > 12 * 16) continue;
    assert.equal(count, valuesMs.filter((ms) => ms / 1000 > lower && ms / 1000 <= upper).length, `bucket ${index}`);
    counted += count;
  }
  assert.equal(counted, VALUES + 5);
});

test('promtool and the parser of Prometheus in Python find nothing to say against the page', async () => {
  const { given } = busyInput();
  const text = (await pageIn(given, 'prometheus')).toString();
  const promtool = (input: string) =>
    spawnSync(serverPath('prometheus'), ['check', 'metrics'], { input, encoding: 'utf8' });
  const { status, stdout, stderr } = promtool(text);
  assert.deepEqual([status, stdout, stderr], [0, '', '']);
  assert.equal(promtool(text.replace(/^# HELP spillway_tunnels.*\n/m, '')).status, 3);

  const open = (await pageIn(given, 'openmetrics')).toString();
  const read = readInPython(open);
  assert.equal(read.status, 0, read.stderr);
  const families = JSON.parse(read.stdout) as [name: string, type: string, help: string, samples: unknown[]][];
  const ours = parseExposition(open, 'openmetrics').map(({ name, type, samples }) => [name, type, samples.length]);
  assert.deepEqual(
    families.map(([name, type, , samples]) => [name, type, samples.length]),
    ours,
  );
  assert.notEqual(readInPython(open.replace('# EOF\n', '')).status, 0);
});

test('a Prometheus that keeps native histograms and one that reads text have the same of it, and the finer quantiles', async () => {
  const { given, valuesMs } = busyInput();
  const admin = new AdminServer(
    adminBackend({ metrics: async (exemplars) => gatewayMetrics(given, exemplars) }).whole,
    {
      grants: [{ role: 'write', token: null }],
      loopbackName: '127.0.0.1',
      made: null,
    },
  );
  cleanups.push(() => admin.close());
  const bound = await admin.listen({ host: '127.0.0.1', port: 0 });
  const address = 'port' in bound ? `127.0.0.1:${bound.port}` : assert.fail();
  await using native = await PrometheusServer.start(address, { features: ['native-histograms'] });
  await using text = await PrometheusServer.start(address);
  for (const prometheus of [native, text]) {
    const { health, lastError } = await prometheus.scraped();
    assert.deepEqual([health, lastError], ['up', '']);
  }
  const one = async (of: PrometheusServer, query: string): Promise<number> =>
    (await of.query(query))[0]?.[1] ?? Number.NaN;
  const numbers = '{__name__=~"(spillway|process)_.+",__name__!~".+_(bucket|count|sum)|.+_duration_seconds"}';
  const all = async (of: PrometheusServer): Promise<string[]> =>
    (await of.query(numbers)).map(([labels, value]) => `${sampleKey('', labels)} ${value}`).toSorted();
  const ofText = await all(text);
  assert.ok(ofText.length > 100, `${ofText.length} series`);
  assert.deepEqual(await all(native), ofText);

  const name = 'spillway_request_duration_seconds';
  const ofRoute = `${name}{route="all"}`;
  assert.equal(await one(native, `histogram_count(${ofRoute})`), VALUES + 5);
  assert.equal(await one(native, `histogram_count(${ofRoute})`), await one(text, `${name}_count{route="all"}`));
  assert.equal(await one(native, `histogram_sum(${ofRoute})`), await one(text, `${name}_sum{route="all"}`));
  // What reads bounds must have both kept, as the guide says.
  assert.deepEqual(await native.query(`{__name__=~"${name}_(bucket|count|sum)"}`), []);
  const bounds = (await text.query(`${name}_bucket{route="all"}`)).map(([{ le }]) => Number(le?.replace('+Inf', 'Infinity'))).toSorted((a, b) => a - b); // prettier-ignore
  assert.equal(bounds.length, 39);
  for (const q of [0.5, 0.9, 0.99, 0.999]) {
    const exact = valuesMs[Math.ceil(q * valuesMs.length) - 1]! / 1000;
    const finer = await one(native, `histogram_quantile(${q}, sum(${ofRoute}))`);
    assert.ok(Math.abs(finer / exact - 1) <= BUCKET_WIDTH, `p${100 * q}: ${finer}, exact ${exact}`);
    const coarse = await one(text, `histogram_quantile(${q}, sum by (le) (${name}_bucket{route="all"}))`);
    // The text knows between which bounds it is, and not where.
    const above = bounds.findIndex((bound) => exact <= bound);
    const [from, to] = [bounds[above - 1] ?? 0, bounds[above]!];
    for (const found of [coarse, finer]) {
      const isWithin = found > from * (1 - BUCKET_WIDTH) && found <= to * (1 + BUCKET_WIDTH);
      assert.ok(isWithin, `p${100 * q}: ${found} is not from ${from} to ${to}`);
    }
  }
});

test('of more endpoints than are named the others of a service are one: no sum lacks any, over reloads, to Prometheus and to who reads protobuf', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const at = await Promise.all(names.map((name) => origin(name)));
  const of = (endpoints: readonly string[], room: number): ConfigInput =>
    config(at[0]!, {
      admin: { address: '127.0.0.1:0' },
      services: [{ name: 'shop', endpoints: [...endpoints], balance: 'round-robin' }],
      telemetry: { metrics: { endpoints: room } },
    });
  const { gateway, get } = create({ workers: 1, config: of(at, 2) });
  await gateway.start();
  const answers: string[] = [];
  for (let n = 0; n < 20; n++) answers.push(await get());
  const url = `http://${gateway.state().admin!.address}/metrics`;
  const name = 'spillway_endpoint_requests_total';
  const read = async (headers: Record<string, string> = {}): Promise<Map<string, number>> => {
    const answer = await fetch(url, { headers });
    const text = await answer.text();
    const samples = parseExposition(text, 'prometheus').flatMap((family) => family.samples);
    const shown = samples.filter((one) => one.name === name && one.labels['code_class'] === '2xx');
    return new Map(shown.map(({ labels, value }) => [labels['endpoint'] ?? `overflow=${labels['overflow']}`, value]));
  };
  const counted = (...which: string[]): number => answers.filter((answer) => which.includes(answer)).length;
  // An answer is counted once it has been sent.
  let first = await read();
  while ([...first.values()].reduce((sum, count) => sum + count, 0) < answers.length) first = await read();
  assert.deepEqual(
    [...first],
    [
      [at[0], counted('a')],
      [at[1], counted('b')],
      ['overflow=true', counted('c', 'd', 'e')],
    ],
  );
  const page = readClientPage(
    Buffer.from(await (await fetch(url, { headers: { Accept: protobufAsked } })).arrayBuffer()),
  );
  const others = page.histograms
    .get('spillway_upstream_duration_seconds')!
    .find(({ labels }) => labels['overflow'] === 'true');
  assert.equal(others?.count, counted('c', 'd', 'e'));

  await using prometheus = await PrometheusServer.start(new URL(url).host);
  await prometheus.scraped();
  assert.deepEqual(await prometheus.query(`sum by (service) (${name})`), [[{ service: 'shop' }, 20]]);
  assert.deepEqual(await prometheus.query(`min by (service) (spillway_endpoint_up)`), [[{ service: 'shop' }, 1]]);

  // One of the others goes: what it counted stays with them. Then one that is named does, and the next has its room.
  assert.equal((await gateway.reload({ config: of(at.slice(0, 4), 2) })).kind, 'applied');
  assert.equal((await read()).get('overflow=true'), counted('c', 'd', 'e'));
  assert.equal((await gateway.reload({ config: of(at.slice(1, 4), 2) })).kind, 'applied');
  assert.deepEqual(
    [...(await read())],
    [
      [at[1], counted('b')],
      [at[2], counted('c')],
      ['overflow=true', counted('c', 'd', 'e')],
    ],
  );
  // There is more room: it is used at once.
  assert.equal((await gateway.reload({ config: of(at.slice(1, 4), 3) })).kind, 'applied');
  assert.deepEqual([...(await read()).keys()], [at[1], at[2], at[3], 'overflow=true']);
});

test('a running gateway answers who asks for protobuf with it: what was counted, and the traces that are kept', async () => {
  const { gateway, get } = create({
    workers: 2,
    config: config(await origin('a'), { admin: { address: '127.0.0.1:0' }, telemetry: { traces: { sample: '100%' } } }),
  });
  await gateway.start();
  for (let n = 0; n < 5; n++) await get();
  const url = `http://${gateway.state().admin!.address}/metrics`;
  // Traces come from the workers a tick after the answer.
  let all: ClientHistogram | undefined;
  while (all?.count !== 5 || all.exemplars.length === 0) {
    const answer = await fetch(url, { headers: { Accept: protobufAsked } });
    assert.equal(answer.headers.get('content-type'), contentTypes.protobuf);
    const page = readClientPage(Buffer.from(await answer.arrayBuffer()));
    [all] = page.histograms.get('spillway_request_duration_seconds') ?? [];
  }
  assert.deepEqual(all.labels, { route: 'all', service: 'shop' });
  assert.equal(
    [...all.native.values()].reduce((sum, count) => sum + count, all.zeroCount),
    5,
  );
  for (const traceId of all.exemplars) {
    const answer = await fetch(`${url.replace('/metrics', '/api/traces/')}${traceId}`);
    assert.equal(answer.status, 200);
  }
});
