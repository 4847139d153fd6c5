/** The dashboard of the quickstart, as whoever opens it after `npm start` meets it: something is alive on every screen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { CliProcess } from '../../test/cli-process.ts';
import { noFaults, openPage } from '../../test/dashboard/page-under-test.ts';

const start = fileURLToPath(new URL('start.ts', import.meta.url));

/** What is seen on each, and is there only if something happens. */
const alive: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  '#/': (page) => page.locator('svg.map path.well').nth(4).waitFor({ state: 'attached' }),
  '#/service': (page) => page.locator('canvas').first().waitFor(),
  '#/balancer': (page) =>
    page
      .getByRole('row', { name: /shop.*\d\/s.*ms/ })
      .nth(2)
      .waitFor(),
  '#/slo': (page) => page.getByText('shop-availability').first().waitFor(),
  '#/traces': (page) => page.getByText('GET api').first().waitFor(),
  '#/limits': async (page) => {
    await page.getByRole('row', { name: /^127\.0\.0\.1 reports \d/ }).waitFor();
    await page.getByRole('row', { name: /^daily-report server \d+ \d+ .* 3$/ }).waitFor();
  },
  '#/config': (page) => page.getByRole('row', { name: /^1 in force/ }).waitFor(),
};

test('something is alive on every screen, and a server that is killed is said to be out', async (t) => {
  await using quickstart = new CliProcess([start, '--free-ports'], { executable: process.execPath });
  await quickstart.printed(/open http:\/\/127\.0\.0\.1:\d+\//);
  const address = /open http:\/\/(127\.0\.0\.1:\d+)\//.exec(quickstart.err)?.[1];
  assert.ok(address !== undefined, quickstart.err);
  const printedMs = performance.now();
  const opened = await openPage(address);
  for (const [hash, seen] of Object.entries(alive)) {
    await opened.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await seen(opened.page);
  }
  t.diagnostic(`on the last of them ${Math.round(performance.now() - printedMs)} ms after the address was printed`);
  // One that is killed while somebody looks is named.
  const [, server = ''] = /curl -s (127\.0\.0\.1:\d+)\/pid/.exec(quickstart.err) ?? [];
  await opened.page.evaluate(`location.hash = '#/'`);
  process.kill(Number(await (await fetch(`http://${server}/pid`)).text()), 'SIGKILL');
  await opened.page.locator('.problems').getByText(`${server} of shop is `).waitFor();
  noFaults(opened);
  quickstart.child.kill('SIGTERM');
  assert.equal((await quickstart.exit).code, 0);
});
