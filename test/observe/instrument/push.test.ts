/** What an instrumented service sends: to a collector whose every request is decoded, and to the admin address of a gateway. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http';
import { test } from 'node:test';

import type { SeenRequest } from 'spillway/observe/instrument';
import { decodeTraces } from '../../../src/observe/otlp/traces.ts';
import { decodeLogs } from '../../../src/observe/otlp/logs.ts';
import { decodeMetrics } from '../../../src/observe/otlp/metrics.ts';
import { Collector } from '../collector.ts';
import { serve, Watched } from './instrumented.ts';

/** The collector is in this process too. */
function isOfCollector({ url = '' }: SeenRequest): boolean {
  return url.startsWith('/v1/');
}

test('metrics and kept spans are sent, cumulative, of this instance; and sending is no part of them', async () => {
  await using collector = await Collector.start();
  const watched = new Watched({ otlp: collector.endpoint, instance: 'here:1', ignore: isOfCollector });
  await using other = await serve((_, response) => void response.end('a'));
  await (await fetch(other.url)).text();
  await watched.ended('server', 1);
  // The first round is sent by itself.
  while (!collector.received.some(({ path }) => path === '/v1/metrics'))
    await collector.requests(collector.received.length + 1);
  await (await fetch(other.url)).text();
  await watched[Symbol.asyncDispose]();

  const bodies = (path: string): Buffer[] =>
    collector.received.filter((one) => one.path === path).map(({ body }) => body);
  const metrics = bodies('/v1/metrics').flatMap((body) => {
    const { metrics: records, rejected } = decodeMetrics(body);
    assert.equal(rejected, 0);
    return records;
  });
  const served = metrics.filter(({ name }) => name === 'http_server_request_duration_seconds');
  assert.ok(
    served.every(
      ({ service, instance, unit, type }) => `${service} ${instance} ${unit} ${type}` === 'shop here:1 s histogram',
    ),
  );
  const counts = served.map(({ points: [point] }) => (typeof point?.value === 'object' ? point.value.count : 0));
  assert.equal(counts.at(-1), 2);
  assert.ok(
    counts[0]! <= 2 && counts.toSorted((a, b) => a - b).every((count, at) => count === counts[at]),
    String(counts),
  );
  const calls = metrics.filter(({ name }) => name === 'http_client_request_duration_seconds').at(-1);
  assert.deepEqual(
    calls?.points.map(({ attributes }) => attributes['server_port']),
    [String(other.port)],
  );

  const spans = bodies('/v1/traces').flatMap((body) => decodeTraces(body).spans);
  assert.deepEqual(spans.map(({ kind }) => kind).toSorted(), ['client', 'client', 'server', 'server']);
  const [client, server] = [spans.find(({ kind }) => kind === 'client'), spans.find(({ kind }) => kind === 'server')];
  assert.ok(
    spans.some(({ spanId }) => spanId === server?.parentId),
    'one trace from caller to server',
  );
  assert.equal(client?.service, 'shop');
});

test('sending is no part of what is traced, whatever it calls itself and by whatever it is sent', async () => {
  await using collector = await Collector.start();
  const byHttp: typeof fetch = async (url, { method, headers, body } = {}) => {
    const outgoing = request(url as URL, { method: method!, headers: headers as OutgoingHttpHeaders });
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    answer.resume();
    return new Response(null, { status: answer.statusCode! });
  };
  for (const [how, named] of [
    [fetch, { 'User-Agent': 'shop/1' }],
    [byHttp, {}],
  ] as const) {
    const seen = collector.received.length;
    const otlp = { endpoint: collector.endpoint, headers: named, fetch: how, every: 0 };
    const watched = new Watched({ otlp, instance: 'here:1', ignore: isOfCollector });
    watched.telemetry.traces.withSpan('work', () => undefined);
    // What is sent of the first would be a span, and be sent.
    while (!collector.received.slice(seen).some(({ path }) => path === '/v1/traces'))
      await collector.requests(collector.received.length + 1);
    await watched[Symbol.asyncDispose]();
    const received = collector.received.slice(seen);
    const spans = received.filter(({ path }) => path === '/v1/traces').flatMap(({ body }) => decodeTraces(body).spans);
    assert.deepEqual([spans.map(({ name }) => name), await watched.counts('http_client_request_duration_seconds')], [['work'], []]); // prettier-ignore
    if (how === fetch) assert.ok(received.every(({ headers }) => headers['user-agent'] === 'shop/1'));
  }
});

test('a line that is written for a request has its ids at the collector, and so has what went wrong; secrets stay here', async () => {
  await using collector = await Collector.start();
  const watched = new Watched({
    otlp: collector.endpoint,
    ignore: isOfCollector,
    logs: { target: '/dev/null', redact: ['card'] },
  });
  const log = watched.telemetry.logs.logger();
  await using other = await serve((incoming, response) => {
    log.info('order taken', { orderId: 7, card: '4111' });
    response.writeHead(incoming.url === '/broken' ? 500 : 200).end();
  });
  for (const path of ['/a', '/broken']) {
    await (await fetch(`${other.url}${path}`, { headers: { 'x-request-id': `id${path}` } })).text();
  }
  const spans = await watched.ended('server', 2);
  await watched[Symbol.asyncDispose]();
  const bodies = collector.received.filter(({ path }) => path === '/v1/logs').map(({ body }) => body);
  const logs = bodies.flatMap((body) => decodeLogs(body).logs);
  assert.deepEqual(
    logs.map(({ level, message, correlationId, service }) => `${service} ${level} ${message} ${correlationId}`),
    ['shop info order taken id/a', 'shop info order taken id/broken', 'shop error request failed id/broken'],
  );
  assert.deepEqual(
    logs.map(({ traceId, spanId }) => `${traceId} ${spanId}`),
    [spans[0], spans[1], spans[1]].map((span) => `${span?.traceId} ${span?.spanId}`),
  );
  assert.equal(logs[0]?.attributes['orderId'], 7);
  assert.equal(logs[2]?.attributes['status'], 500);
  assert.doesNotMatch(JSON.stringify(logs), /4111/);
});

test('a collector that is away holds up neither the service nor its end', async () => {
  const collector = await Collector.start();
  const { endpoint } = collector;
  await collector[Symbol.asyncDispose]();
  const watched = new Watched({ otlp: { endpoint, retry: 0, timeout: 200 } });
  await using other = await serve((_, response) => void response.end('a'));
  assert.equal(await (await fetch(other.url)).text(), 'a');
  await watched[Symbol.asyncDispose]();
});
