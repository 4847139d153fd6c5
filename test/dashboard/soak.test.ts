/**
 * A page that is left open does not grow. A real page with a real feed, told thousands of seconds of news at once: what its script holds afterwards,
 * measured after the browser has collected its garbage, is what it held before.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { CDPSession } from 'playwright-core';
import { readPageHeap } from '../../scripts/page-heap.ts';
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

function grewLessThan(bytesMax: number, before: number, after: number): void {
  assert.ok(before > 1_000_000, `${before} B were held`);
  const grown = after - before;
  assert.ok(grown < bytesMax, `${before} B before, ${grown} B more after`);
}

/** The least of some readings with a second of news between them: an answer that is under way just then is in one of them, what is kept is in each. */
async function heldBytes(cdp: CDPSession, read: (seconds: number) => Promise<void>): Promise<number> {
  let least = (await readPageHeap(cdp)).dataBytes;
  for (let times = 0; times < 2; times++) {
    await read(1);
    least = Math.min(least, (await readPageHeap(cdp)).dataBytes);
  }
  return least;
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
      if (each > 0) await told.tell(each);
      await page.locator('.facts', { hasText: `config ${told.sent} ` }).waitFor();
    }
  };
  await read(500);
  const before = await heldBytes(cdp, read);
  await read(SECONDS);
  grewLessThan(NEWS_GROWTH_BYTES_MAX, before, await heldBytes(cdp, read));
  noFaults(opened);
});

interface Shown {
  readonly opened: PageUnderTest;
  /** A second after the other, each asked for and drawn. */
  readonly read: (seconds: number) => Promise<void>;
  readonly held: () => Promise<number>;
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
  return { opened, read, held: () => heldBytes(cdp, read) };
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
  const { held, opened, read } = await chartsOf(told, 400);
  const before = await held();
  const toldBefore = told.told;
  await read(CHART_SECONDS);
  assert.ok(told.told - toldBefore > CHART_SECONDS, `${told.told - toldBefore} answers`);
  grewLessThan(CHART_GROWTH_BYTES_MAX, before, await held());
  noFaults(opened);
});

test('charts of a gateway that has just begun fill with five minutes, and hold no more than these', async (t) => {
  const told = await ToldGateway.of(2);
  const { held, opened, read } = await chartsOf(told, 0);
  const young = await held();
  told.sample(300);
  await read(10);
  const full = await held();
  t.diagnostic(`five minutes are ${full - young} B`);
  grewLessThan(CHART_FILL_BYTES_MAX, young, full);
  told.sample(600);
  await read(10);
  grewLessThan(CHART_GROWTH_BYTES_MAX, full, await held());
  noFaults(opened);
});

/** What each of the others shows of what happens meanwhile, and by how much it may grow. */
const others: Readonly<Record<string, { readonly seen: string; readonly growthBytesMax: number }>> = {
  '': { seen: '.panel a[href*="shop-availability"]', growthBytesMax: OTHERS_GROWTH_BYTES_MAX },
  // Has a chart, which grows as it fills.
  slo: { seen: 'text=shop-availability', growthBytesMax: CHART_GROWTH_BYTES_MAX },
  // One answer has 20,000, and two may be under way; each of the hundred kept would be two millions.
  traces: { seen: 'td a', growthBytesMax: 100_000 },
  limits: { seen: 'text=daily-report', growthBytesMax: OTHERS_GROWTH_BYTES_MAX },
  config: { seen: 'text=in force', growthBytesMax: OTHERS_GROWTH_BYTES_MAX },
};

for (const [screen, { seen, growthBytesMax }] of Object.entries(others)) {
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
    const { held, opened, read } = await shownOf(told, { sampled: 400, screen, between });
    await opened.page.locator(seen).first().waitFor();
    const before = await held();
    const toldBefore = told.told;
    await read(CHART_SECONDS);
    const after = await held();
    t.diagnostic(`${after - before} B more after ${told.told - toldBefore} answers`);
    grewLessThan(growthBytesMax, before, after);
    noFaults(opened);
  });
}
