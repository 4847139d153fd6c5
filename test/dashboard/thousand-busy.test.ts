/** A thousand endpoints with traffic: what is in view is drawn, and what is not can be sorted, found and scrolled to. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { cleanups, config, create } from '../gateway-under-test.ts';
import { elementsOf, noFaults, openPage } from './page-under-test.ts';

/** What is in view, and what scrolling meets. */
const ROWS_MAX = 50;

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
