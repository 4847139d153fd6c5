/** Spans on their way to a collector on a real socket: all of it, again, in part, too late, and never. Pauses are simulated. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { seededRandom } from '../../src/kernel/random.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { currentContext, runInContext } from '../../src/observe/context/work-context.ts';
import { createOtlpExporter, type OtlpExporter, type OtlpExporterOptions } from '../../src/observe/otlp/exporter.ts';
import { decodeTraces } from '../../src/observe/otlp/traces.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';
import { createTraces } from '../../src/observe/trace/traces.ts';
import { Collector, type CollectorAnswer } from './collector.ts';
import { protocDecode, protocEncode } from './protoc.ts';

/** Says what somebody waits for. */
class WatchedClock extends SimulatedClock {
  readonly delaysMs: number[] = [];

  override after(delayMs: number, run: () => void): ReturnType<SimulatedClock['after']> {
    this.delaysMs.push(delayMs);
    return super.after(delayMs, run);
  }
}

const clockOf = (): WatchedClock => new WatchedClock(1_800_000_000_000);

function exporterOf(
  collector: { readonly endpoint: string },
  options: Partial<OtlpExporterOptions> = {},
): OtlpExporter {
  return createOtlpExporter({ endpoint: collector.endpoint, random: seededRandom(1), ...options });
}

function spans(count: number, padding = 0): SpanRecord[] {
  const made: SpanRecord[] = [];
  const to = { add: (records: readonly SpanRecord[]) => void made.push(...records) };
  const traces = createTraces({ service: 'shop', to, sample: 1, random: seededRandom(2), clock: clockOf() });
  for (let at = 0; at < count; at += 1)
    traces.startSpan(`span ${at}`, { attributes: { padding: 'x'.repeat(padding) } }).end();
  return made;
}

/** Lets the sockets have their turn until something is so. A test that waits in vain is ended by the runner. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await turn();
}

test('protoc reads every field that arrives; the request says what it is', async () => {
  await using collector = await Collector.start();
  const exporter = exporterOf(collector, {
    headers: { authorization: 'Bearer x' },
    resource: { 'service.version': '1.2' },
  });
  const sent = spans(20);
  exporter.add(sent);
  await exporter.close();
  const [{ path, headers, body }] = collector.received as [(typeof collector.received)[0]];
  assert.equal(path, '/v1/traces');
  assert.equal(headers['content-type'], 'application/x-protobuf');
  assert.equal(headers['content-encoding'], 'gzip');
  assert.equal(headers['authorization'], 'Bearer x');
  assert.ok(headers['user-agent']?.startsWith('spillway-otlp/'));
  const text = protocDecode('TracesRequest', body);
  assert.match(text, /key: "service.version"\s+value \{\s+string_value: "1.2"/);
  assert.deepEqual(protocEncode('TracesRequest', text), body);
  assert.deepEqual(decodeTraces(body).spans, sent);
  assert.deepEqual(exporter.counts, { sent: 20, rejected: 0, dropped: 0, failed: 0 });
});

test('as JSON, uncompressed, in batches, below a path', async () => {
  await using collector = await Collector.start();
  const exporter = exporterOf(
    { endpoint: `${collector.endpoint}/otlp` },
    { encoding: 'json', gzip: false, batchMax: 8 },
  );
  const sent = spans(20);
  exporter.add(sent);
  await exporter.flush();
  assert.deepEqual(collector.received.map(({ path }) => path), new Array(3).fill('/otlp/v1/traces')); // prettier-ignore
  assert.equal(collector.received[0]?.headers['content-type'], 'application/json');
  assert.equal(collector.received[0]?.headers['content-encoding'], undefined);
  assert.deepEqual(collector.received.flatMap(({ body }) => decodeTraces(body.toString()).spans), sent); // prettier-ignore
  await exporter.close();
});

test('what is added waits for others, and a full batch for nobody', async () => {
  await using collector = await Collector.start();
  const clock = clockOf();
  const exporter = exporterOf(collector, { clock, every: '5s', batchMax: 4 });
  exporter.add(spans(1));
  exporter.add(spans(1));
  assert.equal(clock.timers, 1);
  clock.pass(5000);
  await collector.requests(1);
  await exporter.flush();
  exporter.add(spans(4));
  await collector.requests(2);
  await exporter.flush();
  assert.deepEqual(collector.received.map(({ body }) => decodeTraces(body).spans.length), [2, 4]); // prettier-ignore
  assert.equal(clock.timers, 0);
});

for (const status of [429, 502, 503, 504]) {
  test(`${status} is tried again after what Retry-After says`, async () => {
    await using collector = await Collector.start();
    collector.answers.push({ status, headers: { 'retry-after': '7' } });
    const clock = clockOf();
    const exporter = exporterOf(collector, { clock });
    exporter.add(spans(1));
    const flushed = exporter.flush();
    await collector.requests(1);
    await until(() => clock.delaysMs.includes(7000));
    clock.pass(6999);
    await turn();
    assert.equal(collector.received.length, 1);
    clock.pass(1);
    await flushed;
    assert.equal(collector.received.length, 2);
    assert.equal(exporter.counts.sent, 1);
  });
}

test('a collector that is away is tried with growing pauses, and given up in time; one sentence says so', async () => {
  const collector = await Collector.start();
  const { endpoint } = collector;
  await collector[Symbol.asyncDispose]();
  const clock = clockOf();
  const problems: string[] = [];
  const exporter = exporterOf({ endpoint }, { clock, retry: '20s', onProblem: (message) => problems.push(message) });
  for (let round = 0; round < 2; round += 1) {
    exporter.add(spans(3));
    let isOver = false;
    const flushed = exporter.flush().then(() => (isOver = true));
    const startMs = clock.nowMs();
    while (!isOver) {
      await turn();
      clock.pass(50);
    }
    await flushed;
    assert.ok(clock.nowMs() - startMs < 60_000, `gave up after ${clock.nowMs() - startMs} ms`);
  }
  assert.deepEqual(exporter.counts, { sent: 0, rejected: 0, dropped: 0, failed: 6 });
  assert.equal(problems.length, 1);
  assert.match(
    problems[0]!,
    /^The collector at http:\/\/127\.0\.0\.1:\d+\/v1\/traces did not get 3: connect ECONNREFUSED/,
  );
});

test('what a collector will never take is not sent again', async () => {
  await using collector = await Collector.start();
  collector.answers.push({ status: 400, body: 'no such\u0007 tenant' }, { status: 302, headers: { location: '/' } });
  const problems: string[] = [];
  const exporter = exporterOf(collector, { onProblem: (message) => problems.push(message) });
  for (let at = 0; at < 3; at += 1) {
    exporter.add(spans(1));
    await exporter.flush();
  }
  assert.deepEqual([collector.received.length, exporter.counts.failed, exporter.counts.sent], [3, 2, 1]);
  assert.match(problems[0]!, /did not get 1: it answered 400: no such tenant\.$/);
  assert.equal(problems.length, 1);
});

for (const [contentType, body] of [
  ['application/x-protobuf', protocEncode('RpcStatus', 'code: 3 message: "no such tenant"')],
  ['application/json; charset=utf-8', '{"code":3,"message":"no such tenant"}'],
  ['application/json', 'no such tenant'],
  ['application/json', 'null'],
] as const) {
  test(`why it refuses is read from ${contentType} of ${body.length} bytes`, async () => {
    await using collector = await Collector.start();
    collector.answers.push({ status: 400, headers: { 'content-type': contentType }, body });
    const problems: string[] = [];
    const exporter = exporterOf(collector, { onProblem: (message) => problems.push(message) });
    exporter.add(spans(1));
    await exporter.flush();
    assert.match(problems[0]!, /: it answered 400: (?:no such tenant|null)\.$/);
  });
}

test('what it takes in part is counted so', async () => {
  await using collector = await Collector.start();
  const body = protocEncode('TracesResponse', 'partial_success { rejected_spans: 2 error_message: "too old" }');
  const json = JSON.stringify({ partialSuccess: { rejectedSpans: '3', errorMessage: 'too new' } });
  collector.answers.push(
    { body },
    { headers: { 'content-type': 'application/json' }, body: json },
    { body: 'nonsense' },
  );
  const problems: string[] = [];
  const exporter = exporterOf(collector, { onProblem: (message) => problems.push(message) });
  for (let at = 0; at < 3; at += 1) {
    exporter.add(spans(5));
    await exporter.flush();
  }
  assert.deepEqual(exporter.counts, { sent: 10, rejected: 5, dropped: 0, failed: 0 });
  assert.match(problems[0]!, /took 3 of 5: too old/);
});

test('what it says of a part is a number and a line of a log, whatever it sends', async () => {
  await using collector = await Collector.start();
  const errorMessage = `too\u001b[2J\nnew ${'x'.repeat(10_000)}`;
  const answers = ['many', {}, -3, 0.5, 2].map((rejectedSpans) => ({
    partialSuccess: { rejectedSpans, errorMessage },
  }));
  const headers = { 'content-type': 'application/json' };
  collector.answers.push(...answers.map((answer) => ({ headers, body: JSON.stringify(answer) })));
  const problems: string[] = [];
  const exporter = exporterOf(collector, { onProblem: (message) => problems.push(message) });
  for (const _ of answers) {
    exporter.add(spans(5));
    await exporter.flush();
  }
  assert.deepEqual(exporter.counts, { sent: 23, rejected: 2, dropped: 0, failed: 0 });
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /took 3 of 5: too \[2J new x{1,190}\.$/);
});

test('what waits has a bound, and what comes beyond is counted', async () => {
  await using collector = await Collector.start();
  collector.answers.push(null);
  const exporter = exporterOf(collector, { queueBytes: 100_000, batchMax: 1 });
  exporter.add(spans(100, 2000));
  await collector.requests(1);
  exporter.add(spans(100, 2000));
  const { dropped } = exporter.counts;
  assert.ok(dropped > 170 && dropped < 190, `${dropped} of 200`);
  await exporter.close(0);
  assert.deepEqual(exporter.counts, { sent: 0, rejected: 0, dropped: 199, failed: 1 });
});

test('batches are bounded in bytes too', async () => {
  await using collector = await Collector.start();
  const exporter = exporterOf(collector, { queueBytes: 2 ** 26 });
  exporter.add(spans(300, 4096).map((span) => ({ ...span, attributes: { a: 'x'.repeat(20_000) } })));
  await exporter.close();
  assert.ok(collector.received.length >= 5);
  for (const { body } of collector.received) assert.ok(body.length < 2 ** 21, `${body.length} bytes`);
  assert.equal(exporter.counts.sent, 300);
});

test('close sends what waits, but waits no longer than it is told to; afterwards nothing is taken', async () => {
  await using collector = await Collector.start();
  collector.answers.push({}, null);
  const clock = clockOf();
  const exporter = exporterOf(collector, { clock, batchMax: 2 });
  exporter.add(spans(5));
  const closed = exporter.close('3s');
  await collector.requests(2);
  clock.pass(3000);
  await closed;
  await exporter.close();
  exporter.add(spans(1));
  assert.deepEqual(exporter.counts, { sent: 2, rejected: 0, dropped: 2, failed: 2 });
  assert.equal(clock.timers, 0);
});

test('a request that is not answered ends at its time, and is tried again', async () => {
  await using collector = await Collector.start();
  collector.answers.push(null);
  const clock = clockOf();
  const exporter = exporterOf(collector, { clock, timeout: '2s' });
  exporter.add(spans(1));
  const flushed = exporter.flush();
  await collector.requests(1);
  clock.pass(2000);
  await until(() => {
    clock.pass(100);
    return collector.received.length === 2;
  });
  await flushed;
  assert.equal(exporter.counts.sent, 1);
});

test('what was sent as a header is in no log: of an answer that has a part of it nothing is shown, however it is written', async () => {
  await using collector = await Collector.start();
  const token = 'tok-9f86d081884c7d659a2feaa0c55ad015';
  const headers = { authorization: `Bearer ${token}`, 'x-tenant': 'acme-7' };
  const json = { 'content-type': 'application/json' };
  const told = async (answer: CollectorAnswer, sent: Record<string, string> = headers): Promise<string> => {
    const problems: string[] = [];
    collector.answers.push(answer);
    const exporter = exporterOf(collector, { headers: sent, onProblem: (message) => problems.push(message) });
    exporter.add(spans(1));
    await exporter.flush();
    return problems.join().replace(/^.*?(?:answered|took) /, '');
  };
  const hidden = '; what it says of it has a part of a header’s value and is not shown.';
  assert.equal(await told({ status: 401, body: 'invalid bearer token' }), '401: invalid bearer token.');
  for (const body of [
    `no such key: Bearer ${token}`,
    'tenant ACME-7 is unknown',
    `key ${token.slice(8, 13)}… is unknown`,
    `key=${encodeURIComponent(encodeURIComponent(`"${token}"`))}`,
    Array.from(token, (character) => `%${character.charCodeAt(0).toString(16)}`).join(''),
    `got ${Buffer.from(`key:${token}`).toString('base64')}`,
  ]) {
    assert.equal(await told({ status: 403, body }), `403${hidden}`, body);
  }
  const cut = 'x'.repeat(197);
  assert.equal(await told({ status: 400, body: `${cut}${token}` }), `400: ${cut}tok.`, 'three of it at most');
  assert.equal(await told({ status: 400, headers: json, body: JSON.stringify({ message: `“${token}”` }) }), `400${hidden}`);
  const partialSuccess = { rejectedSpans: '1', errorMessage: `not for ${token}` };
  assert.equal(await told({ status: 200, headers: json, body: JSON.stringify({ partialSuccess }) }), `0 of 1${hidden}`);
  const short = '500; what it says of it is not shown, where a header has a value of a few characters.';
  assert.equal(await told({ status: 500, body: 'no key a' }, { 'x-part': 'a' }), short);
}); // prettier-ignore

test('each signal may have a collector of its own, at an address to which nothing is added, with headers of its own', async () => {
  await using collector = await Collector.start();
  const { endpoint } = collector;
  const exporter = createOtlpExporter({
    endpoint: `${endpoint}/all`,
    headers: { 'x-key': 'of-all' },
    traces: { endpoint: `${endpoint}/tempo/v1/traces`, headers: { Authorization: 'Bearer of-traces' } },
    metrics: { endpoint: `${endpoint}/mimir/push` },
  });
  exporter.add(spans(1));
  for (const path of ['v1/metrics', 'v1/logs']) {
    const signal = { path, encode: () => new Uint8Array(1), bytesOf: () => 1 };
    exporter.channel<number>(signal).add([1]);
  }
  await exporter.flush();
  const sent = collector.received.map(({ path, headers }) => [path, headers['x-key'], headers.authorization].join(' '));
  assert.deepEqual(sent.toSorted(), [
    '/all/v1/logs of-all ',
    '/mimir/push of-all ',
    '/tempo/v1/traces  Bearer of-traces',
  ]);
  await exporter.close();
  const wrong =
    (metrics: object): (() => void) =>
    () =>
      void createOtlpExporter({ endpoint, metrics: metrics as { endpoint: string } });
  assert.throws(wrong({ endpoint: 'x' }), { message: /metrics\.endpoint is “x”; expected an address/ });
  assert.throws(wrong({ endpoint, header: {} }), { message: /header/ });
  assert.throws(wrong({ endpoint, headers: { 'a b': 'c' } }), { message: /headers has a name or a value at “a b”/ });
});

test('a request to the collector is nobody’s work, whoever was the first to add something', async () => {
  await using collector = await Collector.start();
  const contexts: unknown[] = [];
  const exporter = exporterOf(collector, {
    fetch: (...request) => {
      contexts.push(currentContext());
      return fetch(...request);
    },
  });
  await runInContext({ trace: null, correlationId: 'a', baggage: new Map() }, async () => {
    exporter.add(spans(1));
    await exporter.flush();
  });
  assert.deepEqual(contexts, [null]);
});

test('options that mean nothing are refused', () => {
  for (const [endpoint, message] of [
    ['collector', /expected an address/],
    ['ftp://x', /expected an address/],
    ['http://x/v1/traces', /without \/v1\/traces/],
    ['http://a:b@x', /in headers/],
    ['http://x?key=1', /query/],
    ['http://x/#a', /fragment/],
  ] as const) {
    assert.throws(() => createOtlpExporter({ endpoint }), { code: 'OPTIONS_INVALID', message });
  }
  assert.throws(() => createOtlpExporter({ endpoint: 'http://x', encoding: 'xml' as never }), { message: /encoding/ });
  for (const authorization of ['secret\nx', 'secret\u0000', 'secret\u20ac']) {
    const message = 'createOtlpExporter: headers has a name or a value at “authorization” that no field can have.';
    assert.throws(() => createOtlpExporter({ endpoint: 'http://x', headers: { authorization } }), { message });
  }
  createOtlpExporter({ endpoint: 'http://x', headers: { authorization: 'secret\n' } });
});
