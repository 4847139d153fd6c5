/** Telemetry that is pushed, on real sockets: what is taken, what is refused, and who may push. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { seededRandom } from '../../kernel/random.ts';
import { adminBackend } from '../../../test/admin-backend.ts';
import { protocDecode } from '../../../test/observe/protoc.ts';
import { span } from '../../../test/observe/spans.ts';
import { encodeLogs, encodeLogsJson } from '../../observe/otlp/logs.ts';
import { encodeMetrics, encodeMetricsJson } from '../../observe/otlp/metrics.ts';
import { encodeTraces, encodeTracesJson } from '../../observe/otlp/traces.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { MetricBatch } from '../../observe/metrics/collect.ts';
import { createMetrics } from '../../observe/metrics/metrics.ts';
import type { LogRecord } from '../../observe/log/recent.ts';
import type { FoundSeries } from '../control/received-metrics.ts';
import { Telemetry } from '../control/telemetry.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import type { AdminGrant } from '../config/admin-grants.ts';
import type { ApiAnswer } from './answers.ts';
import { answerOtlpTraces } from './otlp-api.ts';
import { AdminServer } from './server.ts';
import type { ExemplarAnswer } from './traces-api.ts';

const protobuf = { 'Content-Type': 'application/x-protobuf' };
const one = span({ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) });

async function serve(t: TestContext, grants: readonly AdminGrant[] = [{ role: 'write', token: null }]) {
  const clock = new ManualClock();
  const telemetry = new Telemetry({
    clock,
    random: seededRandom(1),
    notice: (text) => assert.fail(text),
    families: () => assert.fail(),
  });
  const { whole } = adminBackend({ telemetry });
  const server = new AdminServer(whole, { grants, loopbackName: '127.0.0.1', made: null });
  t.after(() => server.close());
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  const address = `http://127.0.0.1:${'port' in bound ? bound.port : 0}`;
  const push = (body: BodyInit, headers: Record<string, string> = protobuf, path = '/v1/traces'): Promise<Response> =>
    fetch(`${address}${path}`, { method: 'POST', headers, body });
  return { telemetry, push, clock, address };
}

test('protobuf and JSON are taken, packed or not, and answered in kind', async (t) => {
  const { push, telemetry } = await serve(t);
  const gzip = { 'Content-Encoding': 'gzip' };
  const [two, three] = ['c', 'd'].map((digit) => ({ ...one, spanId: digit.repeat(16) })) as [SpanRecord, SpanRecord];
  assert.equal((await push(encodeTraces([one]))).status, 200);
  assert.equal((await push(gzipSync(encodeTraces([two])), { ...protobuf, ...gzip })).status, 200);
  const json = await push(encodeTracesJson([three]), { 'Content-Type': 'application/json; charset=utf-8' });
  assert.equal(json.headers.get('content-type'), 'application/json');
  assert.deepEqual(await json.json(), {});
  assert.equal(telemetry.traces.trace(one.traceId)!.spans.length, 3);
});

test('spans without ids are counted in the answer, and the others kept', async (t) => {
  const { push, telemetry } = await serve(t);
  const text = encodeTracesJson([one, { ...one, spanId: 'x' }]);
  const answer = (await (await push(text, { 'Content-Type': 'application/json' })).json()) as Record<string, unknown>;
  assert.deepEqual((answer['partialSuccess'] as Record<string, unknown>)['rejectedSpans'], '1');
  assert.equal(telemetry.traces.size, 1);
});

test('what is no OTLP, too much, or packed to burst is refused, and nothing of it kept', async (t) => {
  const { push, telemetry } = await serve(t);
  const gzip = { ...protobuf, 'Content-Encoding': 'gzip' };
  const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));
  assert.ok(bomb.length < 2 ** 17);
  const refused: readonly (readonly [BodyInit, Record<string, string>, number])[] = [
    [new Uint8Array([255, 255, 255]), protobuf, 400],
    ['{"resourceSpans": [', { 'Content-Type': 'application/json' }, 400],
    ['a', { 'Content-Type': 'text/plain' }, 415],
    ['a', { ...protobuf, 'Content-Encoding': 'br' }, 415],
    ['no gzip', gzip, 400],
    [bomb, gzip, 413],
    [Buffer.alloc(2 ** 20 + 1), protobuf, 413],
  ];
  for (const [body, headers, status] of refused) assert.equal((await push(body, headers)).status, status);
  assert.equal(telemetry.traces.size, 0);
});

test('a refusal is told as a Status, in the encoding of what was sent', async (t) => {
  const { push } = await serve(t, [{ role: 'push', token: 'p'.repeat(16) }]);
  const may = { Authorization: `Bearer ${'p'.repeat(16)}` };
  const json = { ...may, 'Content-Type': 'application/json' };
  for (const [body, headers, status, said] of [
    [new Uint8Array([255, 255, 255]), { ...protobuf, ...may }, 400, /This is no OTLP/],
    [new Uint8Array(1), protobuf, 401, /token/i],
    [Buffer.alloc(2 ** 20 + 1), { ...protobuf, ...may }, 413, /limit is 1048576 bytes/],
    ['{"resourceSpans": [', json, 400, /This is no OTLP/],
    ['a', { ...json, 'Content-Encoding': 'br' }, 415, /Only gzip/],
  ] as const) {
    const answer = await push(body, headers);
    assert.deepEqual([answer.status, answer.headers.get('content-type')], [status, headers['Content-Type']]);
    const told = Buffer.from(await answer.arrayBuffer());
    if (headers['Content-Type'] === 'application/json') assert.match(JSON.parse(told.toString()).message, said);
    else assert.match(protocDecode('RpcStatus', told), said);
  }
  const byHand = await push('a', { ...may, 'Content-Type': 'text/plain' });
  assert.deepEqual([byHand.status, byHand.headers.get('content-type')], [415, 'application/problem+json']);
});

test('others have their turn while a push is decoded, and while it is kept', { timeout: 60_000 }, async (t) => {
  const { push, telemetry, address, clock } = await serve(t);
  const askAnother = (): Promise<Response> => fetch(`${address}/livez`);
  // Two connections are there before: what is asked then is answered within a few turns.
  await Promise.all([askAnother(), askAnother()]);
  const received = telemetry.received.bind(telemetry);
  const mayTake = telemetry.mayTake.bind(telemetry);
  let parts = 0;
  const answeredAt: number[] = [];
  const ask = (): void => void askAnother().then(() => answeredAt.push(parts));
  telemetry.mayTake = (bytes) => {
    if (bytes > 0) ask();
    return mayTake(bytes);
  };
  telemetry.received = (spans) => {
    received(spans);
    if (parts++ === 0) ask();
  };
  const nowMs = clock.nowMs.bind(clock);
  clock.nowMs = () => {
    clock.stall(5);
    return nowMs();
  };
  const bare = { ...one, name: '', attributes: {}, events: [], links: [] };
  const spans = Array.from({ length: 40_000 }, (_, n) => ({ ...bare, spanId: String(n + 1).padStart(16, '0') }));
  const body = gzipSync(encodeTraces(spans));
  assert.equal((await push(body, { ...protobuf, 'Content-Encoding': 'gzip' })).status, 200);
  assert.equal(parts, 80);
  assert.ok(answeredAt[0] === 0 && answeredAt[1]! < 80, `others were answered after ${answeredAt.join(' and ')} parts`);
});

test('what waits for its turn is bounded, whoever sends it, and there is room again when it is through', async () => {
  const telemetry = new Telemetry({
    clock: new ManualClock(),
    random: seededRandom(1),
    notice: (text) => assert.fail(text),
    families: () => assert.fail(),
  });
  const { whole } = adminBackend({ telemetry });
  const body = Buffer.alloc(2 ** 20);
  const headers = { 'content-type': 'text/plain' };
  const push = (): Promise<ApiAnswer> =>
    answerOtlpTraces(whole, { method: 'POST', names: [], query: new URLSearchParams(), body, headers });
  for (let times = 0; times < 2; times++) {
    const answers = await Promise.all(Array.from({ length: 10 }, push));
    const statuses = answers.map((answer) => answer.kind === 'problem' && answer.problem.status);
    assert.deepEqual(statuses, [...Array.from({ length: 8 }, () => 415), 429, 429]);
  }
});

test('more than there is time for comes back later', async (t) => {
  const { push, telemetry, clock } = await serve(t);
  const large = gzipSync(encodeTraces([{ ...one, attributes: { text: 'x'.repeat(3 * 2 ** 20) } }]));
  const headers = { ...protobuf, 'Content-Encoding': 'gzip' };
  assert.equal((await push(large, headers)).status, 200);
  const refused = await push(large, headers);
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1']);
  assert.equal(telemetry.traces.trace(one.traceId)!.spans.length, 1);
  clock.pass(1000);
  assert.equal((await push(large, headers)).status, 200);
});

test('what was unpacked to be refused has taken its time too', async (t) => {
  const { push, clock } = await serve(t);
  const gzip = { ...protobuf, 'Content-Encoding': 'gzip' };
  const bomb = gzipSync(Buffer.alloc(16 * 2 ** 20));
  const answers = await Promise.all(Array.from({ length: 12 }, () => push(bomb, gzip)));
  const unpacked = answers.filter(({ status }) => status === 413).length;
  assert.ok(unpacked >= 1 && unpacked <= 2, `${unpacked} were unpacked`);
  assert.equal(answers.filter(({ status }) => status === 429).length, 12 - unpacked);
  clock.pass(1000);
  assert.equal((await push(gzipSync(encodeTraces([one])), gzip)).status, 200);
});

test('what was unpacked until it proved broken has taken its time too; what is none at all has not', async (t) => {
  const { push } = await serve(t);
  const gzip = { ...protobuf, 'Content-Encoding': 'gzip' };
  for (let n = 0; n < 20; n++) assert.equal((await push('no gzip', gzip)).status, 400);
  const broken = gzipSync(Buffer.alloc(3 * 2 ** 20));
  broken[broken.length - 8]! ^= 1;
  assert.equal((await push(broken, gzip)).status, 400);
  assert.equal((await push(broken, gzip)).status, 400);
  assert.equal((await push(broken, gzip)).status, 429);
});

test('after what was slow to take, nothing is taken for a while', async (t) => {
  const { push, telemetry, clock } = await serve(t);
  telemetry.took(90);
  assert.equal((await push(encodeTraces([one]))).status, 200);
  telemetry.metrics.add = () => clock.pass(600);
  const series = [{ labels: {}, value: 1 }];
  const metrics = encodeMetrics([{ name: 'a', help: '', type: 'gauge', timeMs: 1, series }], {
    ...{ service: 'jobs', instance: '', resource: {}, startMs: 1 },
  });
  assert.equal((await push(metrics, protobuf, '/v1/metrics')).status, 200);
  assert.equal((await push(encodeTraces([one]))).status, 429);
  clock.pass(2300);
  assert.equal((await push(encodeTraces([one]))).status, 429);
  clock.pass(200);
  assert.equal((await push(encodeTraces([one]))).status, 200);
});

test('a time that is none is refused: it would be shown, and sorted by', async (t) => {
  const { push, telemetry } = await serve(t);
  for (const time of ['1e999', '-1', '1e300']) {
    const text = encodeTracesJson([one]).replace(/"startTimeUnixNano":"\d+"/, `"startTimeUnixNano":${time}`);
    assert.ok(text.includes(time));
    assert.equal((await push(text, { 'Content-Type': 'application/json' })).status, 400, time);
  }
  assert.equal(telemetry.traces.size, 0);
});

test('a token for pushing pushes, and one for reading does not', async (t) => {
  const tokens = { push: 'p'.repeat(16), read: 'r'.repeat(16), write: 'w'.repeat(16) };
  const grants = Object.entries(tokens).map(([role, token]) => ({ role, token }) as AdminGrant);
  const { push } = await serve(t, grants);
  const by = async (token: string): Promise<number> =>
    (await push(encodeTraces([one]), { ...protobuf, Authorization: `Bearer ${token}` })).status;
  assert.deepEqual([await by(tokens.push), await by(tokens.read), await by(tokens.write)], [200, 403, 200]);
  assert.equal((await push(encodeTraces([one]))).status, 401);
  const { push: open } = await serve(t, [...grants, { role: 'push', token: null }]);
  assert.equal((await open(encodeTraces([one]))).status, 200);
});

test('metrics of a service: its last values are told', async (t) => {
  const { push, address } = await serve(t);
  const metrics = createMetrics();
  metrics
    .gauge({ name: 'spillway_seat_term', help: 'T.', labels: ['seat', 'holder'] })
    .bind({ seat: 'cron', holder: 'a' })
    .set(7);
  metrics.counter({ name: 'jobs_total', help: 'J.' }).bind().add(3);
  const batches: MetricBatch[] = [];
  for await (const batch of metrics.collect()) batches.push(batch);
  const source = { service: 'jobs', instance: 'one', resource: {}, startMs: 1, timeMs: 2 };
  assert.equal((await push(encodeMetrics(batches, source), protobuf, '/v1/metrics')).status, 200);
  const json = { 'Content-Type': 'application/json' };
  assert.deepEqual(await (await push(encodeMetricsJson(batches, source), json, '/v1/metrics')).json(), {});
  const { series, more } = (await (await fetch(`${address}/api/received?prefix=spillway_seat_`)).json()) as FoundSeries;
  const [{ atMs, ...rest }, ...others] = series as [FoundSeries['series'][number]];
  assert.deepEqual(rest, {
    ...{ service: 'jobs', instance: 'one', name: 'spillway_seat_term', type: 'gauge', unit: '' },
    ...{ labels: { seat: 'cron', holder: 'a' }, value: 7 },
  });
  assert.ok(Number.isFinite(atMs) && others.length === 0);
  assert.equal(more, 0);
  const all = (await (await fetch(`${address}/api/received`)).json()) as FoundSeries;
  assert.equal(all.series.find(({ type }) => type === 'counter')!.value, 3);
  assert.equal((await push(new Uint8Array([255]), protobuf, '/v1/metrics')).status, 400);
});

test('what is pushed in the name of this gateway is another’s, and is no exemplar of what was counted here', async (t) => {
  const { push, telemetry, address } = await serve(t);
  const service = 'gateway';
  const attributes = { 'http.route': 'all', 'spillway.service': 'shop' };
  assert.equal((await push(encodeTraces([{ ...one, service, attributes }]))).status, 200);
  const line = { level: 'info', message: 'GET all', service, traceId: one.traceId } as const;
  const record: LogRecord = { ...line, timeMs: 1000, spanId: '', correlationId: '', attributes: {} };
  assert.equal((await push(encodeLogs([record]), protobuf, '/v1/logs')).status, 200);
  assert.equal(telemetry.traces.trace(one.traceId)!.spans[0]!.service, 'another gateway');
  assert.equal(telemetry.logs.find({ traceId: one.traceId })[0]!.service, 'another gateway');
  const { exemplars } = (await (await fetch(`${address}/api/exemplars?from=0&to=100000`)).json()) as ExemplarAnswer;
  assert.deepEqual(exemplars, []);
});

test('an exemplar of a service leads to its trace, if that is kept here', async (t) => {
  const { push, address } = await serve(t);
  const metrics = createMetrics();
  const durations = metrics.histogram({
    ...{ name: 'http_server_request_duration_seconds', help: 'D.', labels: ['http_request_method', 'http_route'] },
  });
  const bound = durations.bind({ http_request_method: 'GET', http_route: '/cart' });
  bound.observe(0.25, one.traceId);
  bound.observe(7, 'e'.repeat(32));
  const batches: MetricBatch[] = [];
  for await (const batch of metrics.collect()) batches.push(batch);
  const body = encodeMetrics(batches, { service: 'shop', instance: '', resource: {}, startMs: 1 });
  const found = async (service: string): Promise<unknown> => {
    const query = `service=${service}&from=0&to=${Date.now() + 1e9}`;
    const { exemplars } = (await (await fetch(`${address}/api/exemplars?${query}`)).json()) as ExemplarAnswer;
    return exemplars.map(({ by, durationMs, failed, name, traceId }) => ({ by, durationMs, failed, name, traceId }));
  };
  assert.equal((await push(body, protobuf, '/v1/metrics')).status, 200);
  assert.deepEqual(await found('shop'), [], 'its trace is not here yet');
  assert.equal((await push(encodeTraces([one]))).status, 200);
  const exemplar = { by: 'shop', durationMs: 250, failed: false, name: 'GET /cart', traceId: one.traceId };
  assert.deepEqual(await found('shop'), [exemplar]);
  assert.deepEqual(await found('search'), []);
});

test('points of many metrics, and many of one, are all taken, part for part', async (t) => {
  const { push, telemetry } = await serve(t);
  const parts: number[] = [];
  const add = telemetry.metrics.add.bind(telemetry.metrics);
  telemetry.metrics.add = (records) => {
    parts.push(records.reduce((sum, { points }) => sum + points.length, 0));
    add(records);
  };
  const batch = (name: string, count: number): MetricBatch => {
    const series = Array.from({ length: count }, (_, n) => ({ labels: { n: String(n) }, value: n }));
    return { name, help: '', type: 'gauge', timeMs: 1, series };
  };
  const many = Array.from({ length: 600 }, (_, n) => batch(`many_${n}`, 1));
  const source = { service: 'jobs', instance: '', resource: {}, startMs: 1 };
  const body = encodeMetrics([...many, batch('large', 2500)], source);
  assert.equal((await push(body, protobuf, '/v1/metrics')).status, 200);
  assert.deepEqual(parts, [500, 500, 500, 500, 500, 500, 100]);
  const { series, more } = telemetry.metrics.find('');
  assert.equal(series.length + more, 3100);
});

test('log lines of a service are found by their trace, beside those of the gateway', async (t) => {
  const { push, address, telemetry } = await serve(t);
  const line: LogRecord = {
    ...{ timeMs: 1_700_000_000_000, level: 'warn', message: 'no cart', service: 'shop', traceId: one.traceId },
    ...{ spanId: one.spanId, correlationId: 'c-1', attributes: { cart: 7 } },
  };
  telemetry.traced([{ ...one, service: 'gateway' }]);
  assert.equal((await push(encodeLogs([line]), protobuf, '/v1/logs')).status, 200);
  const json = { 'Content-Type': 'application/json' };
  const other = { ...line, traceId: 'e'.repeat(32) };
  assert.deepEqual(await (await push(encodeLogsJson([other]), json, '/v1/logs')).json(), {});
  const found = await fetch(`${address}/api/logs?traceId=${one.traceId}`);
  const { lines } = (await found.json()) as { readonly lines: readonly LogRecord[] };
  assert.deepEqual(lines[0], line);
  assert.deepEqual(
    lines.map(({ service }) => service),
    ['shop', 'gateway'],
  );
  assert.equal((await push('[]', json, '/v1/logs')).status, 400);
});
