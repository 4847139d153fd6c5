/** A real Prometheus scrapes a service that counts with `spillway/observe`, and has what was counted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';

import { createMetrics } from 'spillway/observe';
import { PrometheusServer } from '../servers/prometheus.ts';

test('Prometheus scrapes OpenMetrics: values, odd labels, exact bounds, and the trace of a slow request', async () => {
  const metrics = createMetrics();
  const route = 'odd "route" \\ 😀\n';
  metrics
    .counter({ name: 'shop_requests_total', help: 'R.', labels: ['route'] })
    .bind({ route })
    .add(3);
  const seconds = metrics.histogram({ name: 'shop_seconds', help: 'S.', bounds: [0.25, 1] }).bind();
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  for (const value of [0.125, 0.25, 0.5]) seconds.observe(value);
  seconds.observe(3, traceId);

  const asked: string[] = [];
  const server = createServer((request, response) => {
    const { contentType, body } = metrics.expose(request.headers.accept);
    asked.push(contentType);
    response.setHeader('content-type', contentType);
    pipeline(Readable.from(body), response).catch(() => response.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await using prometheus = await PrometheusServer.start(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    const { health, lastError } = await prometheus.scraped();
    assert.deepEqual([health, lastError], ['up', '']);
    assert.match(asked[0]!, /^application\/openmetrics-text; version=1\.0\.0/);

    const [[labels, value] = []] = await prometheus.query('shop_requests_total');
    assert.deepEqual([labels?.['route'], value], [route, 3]);
    const buckets = await prometheus.query('shop_seconds_bucket');
    const counts = Object.fromEntries(buckets.map(([{ le }, count]) => [le, count]));
    assert.deepEqual(counts, { 0.25: 2, '1.0': 3, '+Inf': 4 });
    assert.deepEqual(
      (await prometheus.query('shop_seconds_sum')).map(([, sum]) => sum),
      [3.875],
    );
    assert.deepEqual(await prometheus.exemplars('shop_seconds_bucket'), [{ trace_id: traceId }]);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
