/** What Prometheus keeps when it asks for native histograms: all of our buckets, so that its quantiles are as good as ours. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';

import { createMetrics, type Metrics } from 'spillway/observe';
import { seededRandom } from '../../src/kernel/random.ts';
import { PrometheusServer } from '../servers/prometheus.ts';
import { familyTexts, protobufAsked } from './client-families.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';

/** Each family as protoc reads it, on one line. */
async function families(metrics: Metrics): Promise<string[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of metrics.expose(protobufAsked).body) chunks.push(Buffer.from(chunk));
  return familyTexts(Buffer.concat(chunks)).map((text) => text.replaceAll(/\s+/g, ' ').trim());
}

test('each field of a family is where protoc finds it', async () => {
  const metrics = createMetrics();
  const route = 'odd "route" 😀\n';
  metrics
    .counter({ name: 'shop_requests_total', help: 'R.', labels: ['route'], seriesMax: 1 })
    .bind({ route })
    .add(3);
  metrics
    .counter({ name: 'shop_requests_total', help: 'R.', labels: ['route'], seriesMax: 1 })
    .bind({ route: 'b' })
    .add(4);
  metrics.gauge({ name: 'shop_in_flight', help: 'In work.' }).bind().set(-0.5);
  const seconds = metrics.histogram({ name: 'shop_seconds', help: 'S.', bounds: [1, 2], range: [0.5, 4] }).bind();
  for (const value of [0.1, 0.5, 1.01, 1.02, 1.5, 4, 5]) seconds.observe(value);
  seconds.observe(1.6, traceId);

  const [requests = '', inFlight = '', histogram = '', ...own] = await families(metrics);
  assert.match(
    requests,
    /^name: "shop_requests_total" help: "R\." metric \{ label \{ name: "route" value: "odd \\"route\\" .+\\n" \} counter \{ value: 3 \} \} metric \{ label \{ name: "overflow" value: "true" \} counter \{ value: 4 \} \}$/,
  );
  assert.equal(inFlight, 'name: "shop_in_flight" help: "In work." type: GAUGE metric { gauge { value: -0.5 } }');
  // 2^(k/16): 1.01 and 1.02 are in the bucket up to 2^(1/16) = 1.044, 1.5 up to 2^(10/16) = 1.542, 1.6 up to 2^(11/16) = 1.61, 4 up to 2^(32/16).
  const exemplar = `exemplar { label { name: "trace_id" value: "${traceId}" } value: 1.6 timestamp { seconds: `;
  assert.ok(histogram.startsWith('name: "shop_seconds" help: "S." type: HISTOGRAM metric { histogram { '));
  for (const part of [
    'bucket { cumulative_count: 2 upper_bound: 1 }',
    `bucket { cumulative_count: 6 upper_bound: 2 ${exemplar}`,
    'bucket { cumulative_count: 8 upper_bound: inf }',
    'sample_count: 8 sample_sum: 14.7',
    'schema: 4 zero_threshold: 0.5 zero_count: 2 ',
    'positive_span { offset: 1 length: 1 } positive_span { offset: 8 length: 2 } positive_span { offset: 20 length: 2 }',
    'positive_delta: 2 positive_delta: -1 positive_delta: 0 positive_delta: 0 positive_delta: 0 }',
  ]) {
    assert.ok(histogram.includes(part), `${part} is not in ${histogram}`);
  }
  assert.deepEqual(
    own.map((family) => /^name: "(\w+)"/.exec(family)?.[1]),
    ['spillway_metrics_refused_total', 'spillway_metrics_memory_bytes', 'spillway_metrics_memory_limit_bytes'],
  );
});

test('5,000 series in protobuf: the event loop turns on the way', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter({ name: 'c_total', help: 'C.', labels: ['x'], seriesMax: 5000 });
  for (let x = 0; x < 5000; x++) counter.bind({ x }).add();
  let turns = 0;
  let isDone = false;
  const turn = (): void => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const [family = ''] = await families(metrics);
  isDone = true;
  assert.equal(family.match(/counter \{/g)?.length, 5000);
  assert.ok(turns >= Math.floor(5000 / 256), `${turns} turns`);
});

test('Prometheus asks, scrapes, and its quantiles of native histograms are within 4.4 % of the exact ones', async () => {
  const metrics = createMetrics();
  const family = metrics.histogram({ name: 'shop_seconds', help: 'S.', labels: ['route'] });
  const random = seededRandom(7);
  const values: number[] = [];
  for (let at = 0; at < 20_000; at++) {
    const value = 0.002 * (1 - random.unit()) ** -0.7;
    values.push(value);
    family.bind({ route: at % 3 === 0 ? '/a' : '/b' }).observe(value, at === 5000 ? traceId : undefined);
  }
  metrics
    .counter({ name: 'shop_requests_total', help: 'R.', labels: ['route'] })
    .bind({ route: '"\\😀' })
    .add(3);
  const types: string[] = [];
  const server = createServer((request, response) => {
    const { contentType, body } = metrics.expose(request.headers.accept);
    types.push(contentType);
    response.setHeader('content-type', contentType);
    pipeline(Readable.from(body), response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using prometheus = await PrometheusServer.start(address, { features: ['native-histograms'] });
    const { health, lastError } = await prometheus.scraped();
    assert.deepEqual([health, lastError], ['up', '']);
    assert.match(types[0]!, /^application\/vnd\.google\.protobuf/);

    const one = async (query: string): Promise<number> => (await prometheus.query(query))[0]?.[1] ?? Number.NaN;
    assert.equal(await one('histogram_count(sum(shop_seconds))'), 20_000);
    assert.equal(await one('shop_requests_total{route="\\"\\\\😀"}'), 3);
    values.sort((a, b) => a - b);
    for (const q of [0.5, 0.9, 0.99, 0.999]) {
      const exact = values[Math.ceil(q * values.length) - 1]!;
      const theirs = await one(`histogram_quantile(${q}, sum(shop_seconds))`);
      assert.ok(Math.abs(theirs / exact - 1) < 0.044, `p${100 * q}: ${theirs}, exact ${exact}`);
    }
    const sum = values.reduce((all, value) => all + value, 0);
    assert.ok(Math.abs((await one('histogram_sum(sum(shop_seconds))')) / sum - 1) < 1e-9);
    assert.deepEqual(await prometheus.exemplars('shop_seconds'), [{ trace_id: traceId }]);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
