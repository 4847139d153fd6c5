/**
 * A page that is left open does not grow. A real page with a real feed, told thousands of seconds of news at once: what its script holds afterwards,
 * measured after the browser has collected its garbage, is what it held before.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type PageHeap, readPageHeap } from '../../scripts/page-heap.ts';
import { createMetrics } from '../../src/observe/index.ts';
import type { MetricBatch } from '../../src/observe/metrics/collect.ts';
import { encodeMetrics } from '../../src/observe/otlp/metrics.ts';
import { folder } from '../gateway-under-test.ts';
import { noFaults, openPage, type PageUnderTest } from './page-under-test.ts';
import { pushOtlp } from './push-otlp.ts';
import { ToldGateway } from './told-gateway.ts';

/** Ten minutes are 600 seconds of news; this is more than an hour of a hundred endpoints. */
const SECONDS = 4000;
const ENDPOINTS = 100;
/** Forty bytes a second, which is less than the smallest thing that is kept of each; what is under way just then is a third of it. */
const NEWS_GROWTH_BYTES_MAX = 150_000;
/** A chart is told each second, and is drawn by the page's own clock, which is told to go on. */
const CHART_SECONDS = 150;
/** Answers that are under way just then; those of each second kept would be ten millions. */
const CHART_GROWTH_BYTES_MAX = 250_000;
/** Of the other screens, whose lists are as long as before; each answer to what limits watch kept would be 39,000. */
const OTHERS_GROWTH_BYTES_MAX = 25_000;
/** All that is drawn of five minutes; with the answers that it was made of it is 390,000. */
const CHART_FILL_BYTES_MAX = 350_000;

function grewLessThan(bytesMax: number, before: PageHeap, after: PageHeap): void {
  assert.ok(before.dataBytes > 1_000_000, `${before.dataBytes} B were held`);
  const grown = after.dataBytes - before.dataBytes;
  assert.ok(grown < bytesMax, `${before.dataBytes} B before, ${grown} B more after`);
}

test(`a page holds no more after ${SECONDS} seconds of news`, async () => {
  const told = await ToldGateway.of(ENDPOINTS);
  const opened = await openPage(told.address, '#/balancer');
  const { page } = opened;
  await page.locator('tbody tr').nth(5).waitFor();
  const cdp = await page.context().newCDPSession(page);
  /** The page shows the version of the config, which counts up with each second: so it has read them all. */
  const read = async (seconds: number): Promise<void> => {
    // The last by itself: of many that come at once, the text is held until the next.
    for (const each of [seconds - 1, 1]) {
      await told.tell(each);
      await page.locator('.facts', { hasText: `config ${told.sent} ` }).waitFor();
    }
  };
  await read(500);
  const before = await readPageHeap(cdp);
  await read(SECONDS);
  grewLessThan(NEWS_GROWTH_BYTES_MAX, before, await readPageHeap(cdp));
  noFaults(opened);
});

interface Shown {
  readonly opened: PageUnderTest;
  /** A second after the other, each asked for and drawn. */
  readonly read: (seconds: number) => Promise<void>;
  readonly heap: () => Promise<PageHeap>;
}

/** A screen, of a gateway that has sampled so many seconds; `between` two of them something happens. */
async function shownOf(
  told: ToldGateway,
  { sampled, screen, between }: { sampled: number; screen: string; between?: () => Promise<unknown> },
): Promise<Shown> {
  told.sample(sampled);
  const opened = await openPage(told.address);
  const { page } = opened;
  await page.clock.install({ time: told.wallMs });
  await page.goto(`http://${told.address}/?anew#/${screen}`);
  await page.locator('.link.live').waitFor();
  const cdp = await page.context().newCDPSession(page);
  const read = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await between?.();
      await told.tell(1);
      await page.clock.runFor(1000);
      await page.locator('.facts', { hasText: `config ${told.sent} ` }).waitFor();
    }
    // What was told last is drawn.
    for (let times = 0; times < 3; times++) await page.clock.runFor(100);
  };
  await read(30);
  return { opened, read, heap: () => readPageHeap(cdp) };
}

/** The charts of a service. */
async function chartsOf(told: ToldGateway, sampled: number): Promise<Shown> {
  const shown = await shownOf(told, { sampled, screen: 'service' });
  await shown.opened.page.getByRole('slider', { name: 'Duration, over time' }).waitFor();
  return shown;
}

test(`charts that were full when they were opened hold no more after ${CHART_SECONDS} seconds`, async () => {
  const told = await ToldGateway.of(2);
  // More than the five minutes that are shown.
  const { heap, opened, read } = await chartsOf(told, 400);
  const before = await heap();
  const toldBefore = told.told;
  await read(CHART_SECONDS);
  assert.ok(told.told - toldBefore > CHART_SECONDS, `${told.told - toldBefore} answers`);
  grewLessThan(CHART_GROWTH_BYTES_MAX, before, await heap());
  noFaults(opened);
});

test('charts of a gateway that has just begun fill with five minutes, and hold no more than these', async (t) => {
  const told = await ToldGateway.of(2);
  const { heap, opened, read } = await chartsOf(told, 0);
  const young = await heap();
  told.sample(300);
  await read(10);
  const full = await heap();
  t.diagnostic(`five minutes are ${full.dataBytes - young.dataBytes} B`);
  grewLessThan(CHART_FILL_BYTES_MAX, young, full);
  told.sample(600);
  await read(10);
  grewLessThan(CHART_GROWTH_BYTES_MAX, full, await heap());
  noFaults(opened);
});

/** What each of the others shows of what happens meanwhile. */
const others: Readonly<Record<string, string>> = {
  '': '.panel a[href*="shop-availability"]',
  slo: 'text=shop-availability',
  traces: 'td a',
  limits: 'text=daily-report',
  config: 'text=in force',
};

for (const [screen, seen] of Object.entries(others)) {
  test(`#/${screen} holds no more after ${CHART_SECONDS} seconds in each of which it is told something else`, async (t) => {
    const slos = join(folder(), 'shop.slo.yaml');
    writeFileSync(slos, 'service: shop\nslos: [{ name: availability, objective: 99%, sli: { availability: {} } }]\n');
    const told = await ToldGateway.of(1, {
      slos,
      limits: [{ name: 'one', algorithm: { type: 'token-bucket', capacity: 1, refillPerSecond: 1 } }],
      routes: [{ name: 'all', service: 'shop', limits: { requests: ['one'] } }],
      telemetry: { traces: { sample: '100%' } },
    });
    const metrics = createMetrics();
    const term = metrics
      .gauge({ name: 'spillway_seat_term', help: 'T.', labels: ['seat', 'holder'] })
      .bind({ seat: 'daily-report', holder: 'host-1' });
    let second = 0;
    const between = async (): Promise<void> => {
      await (await fetch(`http://${told.real.web}/`)).text();
      term.set(++second);
      const batches: MetricBatch[] = [];
      for await (const batch of metrics.collect()) batches.push(batch);
      const whose = { service: 'shop', instance: '', resource: {}, startMs: 1 };
      await pushOtlp(told.real.admin, '/v1/metrics', encodeMetrics(batches, whose));
    };
    // As many as any list has.
    for (let times = 0; times < 120; times++) await between();
    const { heap, opened, read } = await shownOf(told, { sampled: 400, screen, between });
    await opened.page.locator(seen).first().waitFor();
    const before = await heap();
    const toldBefore = told.told;
    await read(CHART_SECONDS);
    const after = await heap();
    t.diagnostic(`${after.dataBytes - before.dataBytes} B more after ${told.told - toldBefore} answers`);
    // Objectives have a chart, which grows as it fills.
    grewLessThan(screen === 'slo' ? CHART_GROWTH_BYTES_MAX : OTHERS_GROWTH_BYTES_MAX, before, after);
    noFaults(opened);
  });
}
