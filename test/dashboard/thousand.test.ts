/**
 * A thousand endpoints. What a second's news costs the page is counted and not timed: elements, rows, changes of the document, and calls of
 * functions of the page, as the browser counts them.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { cleanups, config, create } from '../gateway-under-test.ts';
import { noFaults, openPage } from './page-under-test.ts';
import { ToldGateway } from './told-gateway.ts';

const SECONDS = 5;
/** What is in view, and what scrolling meets. */
const ROWS_MAX = 50;
/**
 * Of functions, for each endpoint and second: those to remember it, to tell its share, to sort it by an address or to find a word in it are 40 to 130.
 * To read each second of its two minutes again would be 240 more, each of its columns 45.
 */
const CALLS_MAX: Readonly<Record<string, number>> = {
  '#/balancer': 100,
  '#/balancer?e.sort=address-down': 100,
  '#/balancer?e.find=10.99': 160,
  '#/': 70,
};

interface Drawn {
  readonly elements: number;
  readonly rows: number;
  /** Of a second. */
  readonly changes: number;
  readonly calls: number;
}

async function elementsOf(page: Page): Promise<number> {
  return Number(await page.evaluate(`document.querySelectorAll('*').length`));
}

/** What the page makes of some seconds, in each of which every endpoint is told anew. */
async function drawnOf(endpoints: number, hash: string): Promise<Drawn> {
  const told = await ToldGateway.of(endpoints);
  const opened = await openPage(told.address, hash);
  const { page } = opened;
  await page.locator('.link.live').waitFor();
  const tell = async (): Promise<void> => {
    await told.tell(1);
    await page.locator('.facts', { hasText: `config ${told.sent} ` }).waitFor();
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  };
  // Shares of traffic, and lines of two minutes, take some seconds.
  for (let second = 0; second < 3; second++) await tell();
  await page.evaluate(`window.changes = 0;
    new MutationObserver((all) => (window.changes += all.length)).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });`);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Profiler.enable');
  await cdp.send('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await cdp.send('Profiler.takePreciseCoverage');
  for (let second = 0; second < SECONDS; second++) await tell();
  const { result } = await cdp.send('Profiler.takePreciseCoverage');
  const own = result.filter(({ url }) => url.includes('/assets/')).flatMap(({ functions }) => functions);
  const calls = own.reduce((sum, { ranges }) => sum + (ranges[0]?.count ?? 0), 0);
  const changes = Number(await page.evaluate('window.changes'));
  const rows = await page.locator('tbody tr:not(.gap)').count();
  const drawn = { elements: await elementsOf(page), rows, changes: changes / SECONDS, calls: calls / SECONDS };
  noFaults(opened);
  await page.close();
  return drawn;
}

for (const [hash, callsMax] of Object.entries(CALLS_MAX)) {
  test(`of a thousand endpoints as much is drawn each second as of a hundred, at ${hash}`, async (t) => {
    const [hundred, thousand] = [await drawnOf(100, hash), await drawnOf(1000, hash)];
    const calls = (thousand.calls - hundred.calls) / 900;
    t.diagnostic(`${Math.round(calls)} calls for an endpoint and second; ${JSON.stringify(thousand)}`);
    assert.ok(calls < callsMax, `${calls}`);
    assert.equal(thousand.rows, hundred.rows);
    assert.equal(thousand.elements, hundred.elements);
    assert.ok(
      thousand.changes > 0 && thousand.changes <= hundred.changes + 5,
      `${thousand.changes}, ${hundred.changes}`,
    );
  });
}

test('of a thousand endpoints with traffic only those in view are drawn; all can be sorted, found and scrolled to', async () => {
  // One server at a thousand addresses of this machine, with traffic.
  const server = createServer((_request, response) => void response.end('a'));
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const endpoints = Array.from({ length: 1000 }, (_, at) => `127.99.${Math.floor(at / 250)}.${at % 250}:${port}`);
  const services = [{ name: 'shop', endpoints }];
  const { address, gateway } = create({ config: { ...config('', { admin: { address: '127.0.0.1:0' } }), services } });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address, '#/balancer');
  const { page } = opened;
  const ending = new AbortController();
  let answered = 0;
  const clients = Array.from({ length: 8 }, async () => {
    for (; !ending.signal.aborted; answered++) await (await fetch(`http://${address()}/`)).text();
  });
  const rows = page.getByRole('region', { name: 'endpoints' }).locator('tbody tr:not(.gap)');
  await rows.first().waitFor();
  // More of them have had some than are in view.
  while (answered < 2 * ROWS_MAX) await page.evaluate('new Promise((done) => requestAnimationFrame(done))');
  const elements = await elementsOf(page);
  await page.getByRole('button', { name: 'p99', exact: true }).last().click();
  await page.locator('th[aria-sort=descending]').waitFor();
  assert.ok((await rows.count()) <= ROWS_MAX);
  await page.evaluate(`document.querySelector('.scroll.window').scrollTo(0, 1e6)`);
  await page.getByRole('cell', { name: `127.99.3.249:${port}`, exact: true }).waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('127.99.2.17:');
  await page.getByText('1 of 1000').waitFor();
  assert.equal(await rows.count(), 1);
  await page.evaluate(`location.hash = '#/'`);
  await page.locator('svg.map text', { hasText: '995 more' }).waitFor();
  await page.evaluate(`location.hash = '#/balancer'`);
  await rows.nth(1).waitFor();
  // It holds as much of a page as before, though all of it was told anew each second: but for what a share that is known by now is drawn with.
  const after = await elementsOf(page);
  assert.ok(after <= elements + 5 * ROWS_MAX, `${elements} elements before, ${after} after`);
  ending.abort();
  await Promise.all(clients);
  noFaults(opened);
});
