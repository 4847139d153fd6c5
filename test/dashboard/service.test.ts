/** The screen of a service before a real gateway with traffic: what it shows is what was counted, and what is slow is found and opened. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { durationText } from '../../src/dashboard/charts/format.ts';
import type { ExemplarAnswer } from '../../src/gateway/admin/traces-api.ts';
import type { SeriesAnswer } from '../../src/gateway/admin/series-answer.ts';
import type { ConfigInput } from '../../src/gateway/config/index.ts';
import { addSparse, quantile } from '../../src/kernel/quantile.ts';
import { createMetrics } from '../../src/observe/index.ts';
import type { MetricBatch } from '../../src/observe/metrics/collect.ts';
import { encodeMetrics } from '../../src/observe/otlp/metrics.ts';
import { encodeTraces } from '../../src/observe/otlp/traces.ts';
import { cleanups, create } from '../gateway-under-test.ts';
import { span } from '../observe/spans.ts';
import { noFaults, openPage } from './page-under-test.ts';
import { pushOtlp } from './push-otlp.ts';

const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

async function server(answer: (path: string) => number): Promise<string> {
  const made = createServer((request, response) => {
    setTimeout(() => response.end('a'), answer(request.url ?? ''));
  });
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    made.close();
    made.closeAllConnections();
  });
  return `127.0.0.1:${(made.address() as AddressInfo).port}`;
}

/** Two services: one answers at once, one takes its time. */
async function shop(given: Partial<ConfigInput> = {}) {
  const config: ConfigInput = {
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [
      { name: 'shop', endpoints: [await server(() => 0)] },
      { name: 'search', endpoints: [await server(() => 250)] },
    ],
    routes: [
      { name: 'find', match: { path: '/find' }, service: 'search' },
      { name: 'site', service: 'shop' },
    ],
    admin: { address: '127.0.0.1:0' },
    telemetry: { traces: { sample: '100%' } },
    ...given,
  };
  const { gateway, address } = create({ config });
  await gateway.start();
  const send = async (path: string, times = 1): Promise<void> => {
    for (let at = 0; at < times; at++) await (await fetch(`http://${address()}${path}`)).text();
  };
  return { admin: gateway.state().admin!.address, send, address: address() };
}

/** Steps are seconds and begin with one of the clock: this waits until that of now is over. */
async function secondsOver(admin: string, count: number): Promise<SeriesAnswer> {
  for (;;) {
    const query = 'name=spillway_request_duration_seconds&merged=true&from=-5m&step=1s';
    const answer = (await (await fetch(`http://${admin}/api/series?${query}`)).json()) as SeriesAnswer;
    const [row] = answer.rows;
    const last = row?.kind === 'histogram' ? row.steps.findLastIndex((step) => step !== null) : -1;
    const counted =
      row?.kind === 'histogram'
        ? row.steps.flatMap((step) => step?.counts ?? []).reduce((sum, one) => sum + one, 0)
        : 0;
    if (counted === count && answer.fromMs + (last + 2) * answer.stepMs < answer.nowMs) return answer;
  }
}

test('percentiles in the table behind the chart are those of /api/series, to the digit', async () => {
  const { admin, send } = await shop();
  await send('/', 30);
  await send('/find', 3);
  const answer = await secondsOver(admin, 33);
  const opened = await openPage(admin, '#/service');
  const { page } = opened;
  const figure = page.locator('figure', { has: page.getByRole('heading', { name: 'Duration' }) });
  await figure.getByRole('button', { name: 'Table' }).click();
  const [row] = answer.rows;
  assert.ok(row?.kind === 'histogram');
  const bounds = row.bounds.map((bound) => (bound ?? Number.POSITIVE_INFINITY) * 1000);
  let compared = 0;
  for (const [at, step] of row.steps.entries()) {
    if (step === null) continue;
    const counts = new Float64Array(bounds.length);
    addSparse(
      counts,
      step.buckets.flatMap((bucket, index) => [bucket, step.counts[index]!]),
    );
    const expected = [0.5, 0.9, 0.99, 0.999].map((share) => plain(durationText(quantile(bounds, counts, share))));
    const time = new Date(answer.fromMs + at * answer.stepMs).toTimeString().slice(0, 8);
    const cells = figure.locator('tr', { has: page.getByRole('rowheader', { name: time, exact: true }) }).locator('td');
    await cells.first().waitFor();
    assert.deepEqual((await cells.allTextContents()).slice(0, 4).map(plain), expected);
    compared++;
  }
  assert.ok(compared > 0);
  noFaults(opened);
});

test('a slow server is in the list of the slowest, and its trace opens as a waterfall', async () => {
  const { admin, send } = await shop();
  await send('/', 5);
  await send('/find', 2);
  const opened = await openPage(admin, '#/service');
  const { page } = opened;
  const slowest = page.locator('section', { has: page.getByRole('heading', { name: 'Slowest recent requests' }) });
  await slowest.getByRole('link', { name: 'GET find' }).first().click();
  const grid = page.getByRole('treegrid');
  await grid.getByText('GET find').waitFor();
  await page.getByText('Critical path:').waitFor();
  // By keys alone: to the attempt below, whose details are shown.
  await grid.focus();
  await page.keyboard.press('ArrowDown');
  await page.locator('.row.chosen[aria-level="2"]').waitFor();
  assert.match(page.url(), /span=[0-9a-f]{16}/);
  await page.locator('.span-details').getByText('client', { exact: true }).waitFor();
  noFaults(opened);
});

test('a dot on a chart of latencies is a trace: where it was counted, by click, by key and in the table', async () => {
  const { admin, send } = await shop();
  await send('/', 5);
  await send('/find');
  await secondsOver(admin, 6);
  const { exemplars } = (await (await fetch(`http://${admin}/api/exemplars?service=search`)).json()) as ExemplarAnswer;
  assert.equal(exemplars.length, 1);
  const [{ durationMs, traceId } = assert.fail()] = exemplars;
  const opened = await openPage(admin, '#/service?service=search');
  const { page } = opened;
  const chart = (title: string) => page.locator('figure', { has: page.getByRole('heading', { name: title }) });
  const dot = chart('Duration').locator('.dots a');
  await dot.waitFor();
  assert.equal(plain((await dot.getAttribute('title'))!), plain(`GET find, ${durationText(durationMs)}`));
  assert.equal(await chart('Where answers fall').locator('.dots a').count(), 1);
  // In a bucket of the answers that were counted.
  const [row] = (await secondsOver(admin, 6)).rows;
  assert.ok(row?.kind === 'histogram');
  const buckets = new Set(row.steps.flatMap((step) => step?.buckets ?? []));
  const isIn = (bucket: number) =>
    durationMs / 1000 <= (row.bounds[bucket] ?? Infinity) && durationMs / 1000 > (row.bounds[bucket - 1] ?? 0);
  assert.ok([...buckets].some(isIn), `${durationMs}`);

  const plot = chart('Duration').locator('.plot');
  await chart('Duration').getByRole('button', { name: 'Table' }).click();
  const link = chart('Duration').getByRole('link', { name: /^GET find/ });
  assert.match((await link.getAttribute('href'))!, new RegExp(`id=${traceId}`));
  await chart('Duration').getByRole('button', { name: 'Chart' }).click();
  await plot.focus();
  await page.keyboard.press('End');
  while (!(await plot.getAttribute('aria-valuetext'))!.includes('Enter opens GET find')) await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('Enter');
  await page.getByRole('treegrid').getByText('GET find').waitFor();
  assert.match(page.url(), new RegExp(`id=${traceId}`));

  await page.goBack();
  await dot.click();
  await page.getByRole('treegrid').getByText('GET find').waitFor();
  noFaults(opened);
}); // prettier-ignore

test('a dot may be told by a service, of a request that the gateway has no trace of', async () => {
  const { admin, send } = await shop({ telemetry: {} });
  await send('/', 5);
  await secondsOver(admin, 5);
  const traceId = 'c'.repeat(32);
  await pushOtlp(admin, '/v1/traces', encodeTraces([span({ traceId, spanId: 'd'.repeat(16), name: 'GET /cart' })]));
  // Of two services, one of which the gateway does not know.
  for (const service of ['shop', 'cron']) {
    const metrics = createMetrics();
    metrics
      .histogram({ name: 'http_server_request_duration_seconds', help: 'D.', labels: ['http_request_method'] })
      .bind({ http_request_method: 'GET' })
      .observe(0.102, traceId);
    const batches: MetricBatch[] = [];
    for await (const batch of metrics.collect()) batches.push(batch);
    await pushOtlp(admin, '/v1/metrics', encodeMetrics(batches, { service, instance: '', resource: {}, startMs: 1 }));
  }
  const opened = await openPage(admin, '#/service');
  const { page } = opened;
  const dot = page.locator('figure', { has: page.getByRole('heading', { name: 'Duration' }) }).locator('.dots a');
  await dot.waitFor();
  assert.equal(plain((await dot.getAttribute('title'))!), 'GET, 102 ms as shop counted it');
  await dot.click();
  await page.getByRole('treegrid').getByText('GET /cart').waitFor();
  noFaults(opened);
});

test('of one service only what is its own', async () => {
  const { admin, send } = await shop();
  await send('/', 4);
  await send('/find');
  await secondsOver(admin, 5);
  const opened = await openPage(admin, '#/service?service=search');
  const { page } = opened;
  const routes = page.locator('section', { has: page.getByRole('heading', { name: 'Top routes' }) });
  await routes.getByRole('cell', { name: 'find', exact: true }).waitFor();
  assert.equal(await routes.locator('tbody tr').count(), 1);
  const slowest = page.locator('section', { has: page.getByRole('heading', { name: 'Slowest recent requests' }) });
  await slowest.getByRole('link', { name: 'GET find' }).waitFor();
  assert.equal(await slowest.locator('tbody tr').count(), 1);
  noFaults(opened);
});

test('before the first request it says how to send one', async () => {
  const { admin, address } = await shop();
  const opened = await openPage(admin, '#/service');
  const { page } = opened;
  await page.getByText('No request was answered in the last 5 min.').waitFor();
  assert.equal(await page.locator('.empty code').textContent(), `curl http://${address}/`);
  await page.getByText('No trace is kept that fits.').waitFor();
  noFaults(opened);
});

test('on a phone nothing is wider than the screen', async () => {
  const { admin, send } = await shop();
  await send('/', 5);
  await send('/find');
  await secondsOver(admin, 6);
  const opened = await openPage(admin, '#/service', { viewport: { width: 390, height: 844 }, hasTouch: true });
  const { page } = opened;
  await page.getByRole('heading', { name: 'Top routes' }).waitFor();
  await page.getByRole('slider', { name: 'Duration, over time' }).waitFor();
  assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
  noFaults(opened);
});

test('of more rows than are told it is said how many there are, and no share is made of some of the answers', async () => {
  const many = Array.from({ length: 1002 }, (_, at) => at);
  const routes = many.map((at) => ({ name: `r${at}`, match: { path: `/${at}` }, service: 'shop' }));
  const { admin, address } = await shop({ routes });
  const sending = many.values();
  const send = async (): Promise<void> => {
    for (const at of sending) await (await fetch(`http://${address}/${at}`)).text();
  };
  await Promise.all(Array.from({ length: 8 }, send));
  const opened = await openPage(admin, '#/service');
  const { page } = opened;
  await page
    .getByText(/; the 1,000 that answered last of 1,002$/)
    .first()
    .waitFor();
  await page
    .getByRole('row', { name: /^r\d+ shop \S+\/s – / })
    .first()
    .waitFor();
  noFaults(opened);
});
