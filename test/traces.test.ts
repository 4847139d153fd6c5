/** Traces of a real gateway: from a client through it to a service that pushes its own spans, and back at the admin address. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { decodeTraces, encodeTraces, encodeTracesJson } from '../src/observe/otlp/traces.ts';
import type { SpanRecord } from '../src/observe/trace/span-record.ts';
import type { TraceSummary } from '../src/observe/trace/stored-trace.ts';
import type { ExemplarAnswer } from '../src/gateway/admin/traces-api.ts';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { eventually } from './engine/bench.ts';
import { parseExposition } from './exposition-parser.ts';
import { cleanups, config, create, folder, mortalWorker } from './gateway-under-test.ts';
import { Collector } from './observe/collector.ts';
import { span } from './observe/spans.ts';

/** A server that tells what `traceparent` it got. */
async function teller(seen: string[]): Promise<string> {
  const server = createServer((request, response) => {
    seen.push(String(request.headers['traceparent']));
    response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function start(given: Partial<ConfigInput> = {}, workers = 1) {
  const seen: string[] = [];
  const traced: Partial<ConfigInput> = {
    admin: { address: '127.0.0.1:0' },
    telemetry: { traces: { sample: '100%' } },
    ...given,
  };
  const built = create({ workers, config: config(await teller(seen), traced) });
  await built.gateway.start();
  const admin = `http://${built.gateway.state().admin!.address}`;
  const read = async <T>(path: string): Promise<T> => (await (await fetch(`${admin}${path}`)).json()) as T;
  return { ...built, seen, admin, read };
}

interface Found {
  readonly traces: readonly TraceSummary[];
  readonly more: number;
}
interface Trace {
  readonly spans: readonly SpanRecord[];
}

async function found(read: <T>(path: string) => Promise<T>, query: string, count: number): Promise<Found['traces']> {
  let traces: Found['traces'] = [];
  let asking = false;
  await eventually(`${count} traces ${query}`, () => {
    if (!asking) {
      asking = true;
      void read<Found>(`/api/traces?${query}`).then((answer) => {
        traces = answer.traces;
        asking = false;
      });
    }
    return traces.length >= count;
  });
  assert.equal(traces.length, count);
  return traces;
}

test('a request, and what its service tells of it, are one trace; its line in the log has the same ids', async () => {
  const log = join(folder(), 'access.log');
  const { gateway, get, seen, admin, read } = await start({ accessLog: { target: log } });
  assert.equal(await get(), 'ok');
  const [, traceId = '', parentId = ''] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/.exec(seen[0]!)!;
  const own = span({ traceId, spanId: 'c'.repeat(16), parentId, service: 'cart', name: 'GET /', startMs: Date.now() });
  const pushed = await fetch(`${admin}/v1/traces`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'gzip' },
    body: gzipSync(encodeTraces([own])),
  });
  assert.equal(pushed.status, 200);
  assert.equal(pushed.headers.get('content-type'), 'application/x-protobuf');
  assert.equal((await pushed.arrayBuffer()).byteLength, 0);
  const [summary] = await found(read, 'service=gateway', 1);
  assert.deepEqual(summary!.services.toSorted(), ['cart', 'gateway']);
  assert.deepEqual([summary!.route, summary!.name, summary!.spans], ['all', 'GET all', 3]);
  const { spans } = await read<Trace>(`/api/traces/${traceId}`);
  const [request, attempt] = spans.filter(({ service }) => service === 'gateway');
  assert.equal(attempt!.spanId, parentId);
  assert.equal((await fetch(`${admin}/api/traces/${'9'.repeat(32)}`)).status, 404);
  const text = await (await fetch(`${admin}/metrics`)).text();
  assert.match(text, /^spillway_traces_kept_total 1$/m);
  await gateway.stop();
  const line = JSON.parse(readFileSync(log, 'utf8')) as Record<string, unknown>;
  assert.deepEqual([line['trace_id'], line['span_id']], [traceId, request!.spanId]);
});

test('a bucket of durations in OpenMetrics leads to a trace that can be opened', async () => {
  const { get, admin, read } = await start();
  assert.equal(await get(), 'ok');
  const [{ traceId }] = (await found(read, 'service=gateway', 1)) as [TraceSummary];
  const headers = { Accept: 'application/openmetrics-text; version=1.0.0' };
  const page = await (await fetch(`${admin}/metrics`, { headers })).text();
  const exemplars = parseExposition(page, 'openmetrics')
    .flatMap(({ samples }) => samples)
    .flatMap(({ name, labels, exemplar }) => (exemplar === undefined ? [] : [{ name, labels, exemplar }]));
  assert.equal(exemplars.length, 1);
  const [{ name, labels, exemplar }] = exemplars as [(typeof exemplars)[0]];
  assert.deepEqual(
    [name, labels['route'], exemplar.traceId],
    ['spillway_request_duration_seconds_bucket', 'all', traceId],
  );
  assert.ok(exemplar.value <= Number(labels['le']), `${exemplar.value} is in ${labels['le']}`);
  const { spans } = await read<Trace>(`/api/traces/${exemplar.traceId}`);
  assert.equal(spans[0]!.durationMs / 1000, exemplar.value);
});

test('what is asked for amiss is told, and looked for by status, time and text', async () => {
  const { read, admin } = await start();
  const id = (digit: string) => ({ traceId: digit.repeat(32), spanId: digit.repeat(16) });
  const spans = [
    span({ ...id('1'), status: 'error', statusMessage: 'no cart' }),
    span({ ...id('2'), durationMs: 700 }),
  ];
  const pushed = await fetch(`${admin}/v1/traces`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: encodeTracesJson(spans),
  });
  assert.deepEqual(await pushed.json(), {});
  const ids = async (query: string): Promise<string[]> =>
    (await read<Found>(`/api/traces?${query}`)).traces.map(({ traceId }) => traceId[0]!);
  assert.deepEqual(await ids('status=error'), ['1']);
  assert.deepEqual(await ids('minMs=500&order=slowest'), ['2']);
  assert.deepEqual(await ids('text=NO%20CART&limit=1'), ['1']);
  for (const query of [
    'status=x',
    'order=x',
    'minMs=x',
    'limit=0',
    'limit=1001',
    'serivce=a',
    `text=${'x'.repeat(257)}`,
  ]) {
    assert.equal((await fetch(`${admin}/api/traces?${query}`)).status, 400, query);
  }
});

test('a request that was counted has an exemplar while its trace is kept; what is asked amiss is told', async () => {
  const { address, read, admin } = await start();
  const began = Date.now();
  await (await fetch(`http://${address()}/`)).text();
  const [{ traceId } = assert.fail()] = await found(read, '', 1);
  const { exemplars } = await read<ExemplarAnswer>('/api/exemplars?from=-1h&step=1m');
  assert.equal(exemplars.length, 1);
  const [{ atMs, durationMs, ...rest } = assert.fail()] = exemplars;
  const { spans } = await read<Trace>(`/api/traces/${traceId}`);
  const { name, spanId } = spans.find(({ kind }) => kind === 'server')!;
  assert.deepEqual(rest, { traceId, spanId, name, by: 'gateway', failed: false });
  assert.ok(atMs >= began && durationMs > 0, `${atMs} ${durationMs}`);
  assert.deepEqual((await read<ExemplarAnswer>('/api/exemplars?service=nobody')).exemplars, []);
  assert.deepEqual((await read<ExemplarAnswer>(`/api/exemplars?to=${began - 1000}&from=0`)).exemplars, []);
  for (const query of ['serivce=a', 'from=soon', 'to=x', 'step=1ms', 'step=x']) {
    assert.equal((await fetch(`${admin}/api/exemplars?${query}`)).status, 400, query);
  }
});

test('a worker that dies takes with it the traces of a tick at most, and the next keeps on', async () => {
  const worker = mortalWorker(1);
  const seen: string[] = [];
  const built = create({
    workers: 1,
    workerEntry: worker.entry,
    config: config(await teller(seen), {
      admin: { address: '127.0.0.1:0' },
      telemetry: { traces: { sample: '100%' } },
    }),
  });
  await built.gateway.start();
  const admin = `http://${built.gateway.state().admin!.address}`;
  const read = async <T>(path: string): Promise<T> => (await (await fetch(`${admin}${path}`)).json()) as T;
  assert.equal(await built.get(), 'ok');
  await found(read, '', 1);
  const replaced = built.next('worker-replaced');
  worker.kill();
  await replaced;
  assert.equal(await built.get(), 'ok');
  await found(read, '', 2);
});

test('a reload turns traces on and off for the requests that follow', async () => {
  const { gateway, get, seen, read } = await start({ telemetry: {} });
  assert.equal(await get(), 'ok');
  assert.match(seen[0]!, /-01$/);
  assert.deepEqual((await read<Found>('/api/traces')).traces, []);
  const endpoint = gateway.state().services[0]!.endpoints[0]!.address;
  const outcome = await gateway.reload({
    config: config(endpoint, {
      admin: { address: '127.0.0.1:0' },
      telemetry: { traces: { sample: '0%', slow: '1h' } },
    }),
  });
  assert.equal(outcome.kind, 'applied');
  assert.equal(await get(), 'ok');
  assert.match(seen[1]!, /-00$/);
});

test('a collector gets what is kept, with fields that prove who sends and are shown nowhere', async () => {
  await using collector = await Collector.start();
  const secret = 'Basic a-secret-of-some-length';
  const otlp = { endpoint: collector.endpoint, headers: [{ name: 'Authorization', secret }] };
  const { get, seen } = await start({ telemetry: { traces: { sample: '100%' }, otlp } });
  assert.equal(await get(), 'ok');
  await collector.requests(1);
  const [{ path, headers, body }] = collector.received as [(typeof collector.received)[0]];
  assert.deepEqual([path, headers.authorization], ['/v1/traces', secret]);
  const { spans } = decodeTraces(body);
  assert.deepEqual(
    spans.map(({ kind, service }) => [kind, service]),
    [
      ['server', 'gateway'],
      ['client', 'gateway'],
    ],
  );
  assert.ok(seen[0]!.includes(spans[0]!.traceId));
});

test('a collector that is away is told once and counted, and traffic goes on; a reload names another', async () => {
  const gone = await Collector.start();
  const { endpoint } = gone;
  await gone[Symbol.asyncDispose]();
  const headers = [{ name: 'x-key', secret: 'not-to-be-seen-by-anybody' }];
  const traces = { sample: '100%' } as const;
  const { gateway, get, read, admin, next } = await start({ telemetry: { traces, otlp: { endpoint, headers } } });
  const told = next('notice');
  for (let n = 0; n < 3; n++) assert.equal(await get(), 'ok');
  await found(read, '', 3);
  await using collector = await Collector.start();
  const address = gateway.state().services[0]!.endpoints[0]!.address;
  const outcome = await gateway.reload({
    config: config(address, {
      admin: { address: '127.0.0.1:0' },
      telemetry: { traces, otlp: { endpoint: collector.endpoint } },
    }),
  });
  assert.ok(outcome.kind === 'applied' && outcome.changes.some((line) => line.includes('collector')));
  assert.ok(outcome.changes.includes('telemetry: headers changed'));
  assert.equal(await get(), 'ok');
  await collector.requests(1);
  assert.equal(collector.received[0]!.headers['x-key'], undefined);
  await told;
  const text = await (await fetch(`${admin}/metrics`)).text();
  assert.match(text, /^spillway_otlp_spans_total\{outcome="sent"\} \d+$/m);
  for (const version of [1, 2]) {
    assert.ok(!JSON.stringify(await read(`/api/config/${version}`)).includes('not-to-be-seen'));
  }
  assert.ok(!JSON.stringify(gateway.state()).includes('not-to-be-seen'));
});
