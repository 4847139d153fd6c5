/** What comes from outside is text on every screen: names, paths, fields and reasons that would be script if a page took them for markup. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createMetrics } from '../../src/observe/index.ts';
import type { MetricBatch } from '../../src/observe/metrics/collect.ts';
import { encodeMetrics } from '../../src/observe/otlp/metrics.ts';
import { cleanups, config, create } from '../gateway-under-test.ts';
import { noFaults, openPage } from './page-under-test.ts';
import { pushOtlp } from './push-otlp.ts';

const admin = { address: '127.0.0.1:0' };
const attacks = [
  '<img src=x onerror=window.wasRun=1>',
  '"><script>window.wasRun=1</script>',
  'javascript:window.wasRun=1',
  '\u2028${window.wasRun=1}',
];

/** As a service tells who leads and what it locks, under any name. */
async function pushNames(address: string): Promise<void> {
  const metrics = createMetrics();
  const gauge = (name: string, labels: Record<string, string>): void =>
    metrics
      .gauge({ name, help: 'N.', labels: Object.keys(labels) })
      .bind(labels)
      .set(1);
  gauge('spillway_seat_term', { seat: attacks[0]!, holder: attacks[1]! });
  gauge('spillway_lock_held', { lock: attacks[0]!, store: attacks[1]! });
  const batches: MetricBatch[] = [];
  for await (const batch of metrics.collect()) batches.push(batch);
  const source = { service: attacks[0]!, instance: attacks[1]!, resource: {}, startMs: 1 };
  await pushOtlp(address, '/v1/metrics', encodeMetrics(batches, source));
}

test('nothing that is sent, answered or configured is run by the page', async () => {
  // It answers its checks with markup where a reason may be taken from.
  const server = createServer((_request, response) => {
    response.writeHead(500, '<img src=x onerror=window.wasRun=1>', { 'X-Reason': attacks[0]! });
    response.end(attacks[1]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const algorithm = { type: 'token-bucket', capacity: 1, refillPerSecond: 0.001 } as const;
  const { gateway } = create({
    config: {
      ...config(address, { admin }),
      services: [
        {
          name: 'shop',
          endpoints: [address],
          health: { active: { path: '/', interval: '100ms', timeout: '100ms', unhealthyAfter: 1 } },
        },
      ],
      routes: [
        {
          name: 'all',
          service: 'shop',
          limits: { requests: ['per-key'] },
          requestHeaders: { set: { 'X-Attack': attacks[0]! } },
        },
      ],
      limits: [{ name: 'per-key', algorithm, key: 'header:X-Api-Key', showKeys: true }],
      telemetry: { traces: { sample: '100%' } },
    },
  });
  await gateway.start();
  const origin = `http://${gateway.state().listeners[0]!.address}`;
  for (const attack of attacks) {
    const headers = { 'X-Api-Key': attack.replaceAll(/[^ -~]/g, '?'), 'User-Agent': attack.replaceAll(/[^ -~]/g, '?') };
    for (let times = 0; times < 3; times++) {
      await (await fetch(`${origin}/${encodeURIComponent(attack)}`, { headers })).text();
    }
  }
  await pushNames(gateway.state().admin!.address);
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  await page.evaluate(`document.addEventListener('securitypolicyviolation', () => (window.wasViolated = 1))`);
  for (const hash of [
    '#/',
    '#/balancer',
    '#/service',
    '#/slo',
    '#/traces',
    '#/limits',
    '#/config',
    `#/${encodeURIComponent(attacks[0]!)}`,
    `#/balancer?e.find=${encodeURIComponent(attacks[1]!)}&e.sort=constructor-down&service=__proto__`,
  ]) {
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await page.locator('h1').waitFor({ state: 'attached' });
    if (hash === '#/limits') {
      for (const label of ['keys that are refused most', 'seats and who leads', 'locks'])
        await page.getByLabel(label, { exact: true }).getByRole('row', { name: attacks[0]! }).waitFor();
    }
    if (hash === '#/traces') {
      await page.locator('td a').first().click();
      await page.getByRole('treegrid').waitFor();
    }
    // As the browser has painted it, and everything that paints may have loaded.
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    assert.equal(await page.locator('main img, main script').count(), 0, hash);
  }
  assert.deepEqual(await page.evaluate('[window.wasRun, window.wasViolated]'), [undefined, undefined]);
  noFaults(opened);
});
