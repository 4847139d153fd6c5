/** The screen of objectives before a real gateway that evaluates them: what it says is what `/api/slo` says, and what is missing is said. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dateText, shareText } from '../../src/dashboard/charts/format.ts';
import type { ConfigInput } from '../../src/gateway/config/index.ts';
import type { SloStatus } from '../../src/observe/slo/live/status.ts';
import { runCli } from '../cli-process.ts';
import { authorized } from '../admin-token.ts';
import { cleanups, config, create, folder, origin } from '../gateway-under-test.ts';
import { noFaults, openPage } from './page-under-test.ts';

const plain = (text: string | null): string => (text ?? '').replaceAll('\u00a0', ' ');

/** A shop that fails when it is asked to, and promises 99 %. */
async function shop(given: Partial<ConfigInput> = {}) {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/bad' ? 500 : 200;
    response.end('a');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const file = join(folder(), 'shop.slo.yaml');
  writeFileSync(
    file,
    'service: shop\nslos:\n  - name: availability\n    objective: 99%\n    sli: { availability: {} }\n    policy: { history: 0s }\n  - name: quick\n    objective: 99%\n    sli: { latency: { under: 10s } }\n',
  );
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { gateway, address } = create({
    config: { ...config(endpoint, { admin: { address: '127.0.0.1:0' } }), slos: file, ...given },
  });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  const send = async (path: string, times: number): Promise<void> => {
    for (let at = 0; at < times; at++) await (await fetch(`http://${address()}${path}`)).text();
  };
  const status = async (events: number): Promise<SloStatus> => {
    for (;;) {
      const { slos } = (await (await fetch(`http://${admin}/api/slo`)).json()) as { slos: SloStatus[] };
      const found = slos.find(({ id }) => id === 'shop-availability');
      if (found !== undefined && found.good + found.bad === events) return found;
    }
  };
  return { admin, send, status };
}

test('what is left, how fast it goes and which alerts fire is what the gateway says', async () => {
  const { admin, send, status } = await shop();
  await send('/', 90);
  await send('/bad', 10);
  const { budget, alerts } = await status(100);
  assert.ok(
    alerts.some(({ state }) => state === 'firing'),
    JSON.stringify(alerts),
  );
  const opened = await openPage(admin, '#/slo');
  const { page } = opened;
  // The one with the least left is shown first.
  await page.getByRole('heading', { name: 'shop-availability' }).waitFor();
  const tile = (name: string) =>
    page.locator('.tiles > div', { has: page.getByText(name, { exact: true }) }).locator('b');
  assert.equal(budget.share.toFixed(6), '-9.000000');
  assert.equal(plain(await tile('Budget left').textContent()), '10× spent');
  assert.equal(
    plain(await tile('Failures left').textContent()),
    String(Math.trunc(budget.eventsLeft)).replace('-', '−'),
  );
  assert.equal(plain(await tile('Gone in').textContent()), 'it is gone');
  await page.getByText('The budget is gone: deploys are frozen').waitFor();
  const bars = (await page.locator('.bullets tbody').allTextContents()).map(plain);
  assert.equal(bars.length, 4);
  assert.match(bars[1]!, /^page above 6×6 h10\.0×firing since/);
  const chart = page.getByRole('slider', { name: 'Budget, over time' });
  await chart.waitFor();
  // Now is told, and not the end of what is foreseen.
  await page.waitForFunction(
    ([left]) =>
      (globalThis as never as { document: { querySelector(css: string): { ariaValueText: string } } }).document
        .querySelector('.plot')
        .ariaValueText.replaceAll('\u00a0', ' ')
        .includes(`left ${left}`),
    [plain(shareText(budget.share))],
  );
  await page.getByRole('button', { name: 'shop-quick' }).click();
  await page.getByRole('heading', { name: 'shop-quick' }).waitFor();
  assert.equal(plain(await tile('Budget left').textContent()), '100 %');
  assert.match(page.url(), /id=shop-quick/);
  // From the overview to the one that was pointed at, and not to the worst.
  await page.getByRole('link', { name: 'Overview' }).click();
  await page
    .locator('.budgets')
    .getByRole('link', { name: /shop-quick/ })
    .click();
  await page.getByRole('heading', { name: 'shop-quick' }).waitFor();
  noFaults(opened);
});

test('of a budget of a calendar it is said when it begins anew', async () => {
  const file = join(folder(), 'shop.slo.yaml');
  const source = (count: string): string => `{ metricSource: { type: Spillway, spec: { count: ${count} } } }`;
  writeFileSync(
    file,
    `apiVersion: openslo/v1
kind: SLO
metadata: { name: availability }
spec:
  service: shop
  timeWindow: [{ duration: 1M, calendar: { startTime: 2026-01-01 00:00:00, timeZone: Asia/Kathmandu } }]
  objectives: [{ target: 0.99 }]
  indicator: { spec: { ratioMetric: { bad: ${source('failed')}, total: ${source('all')} } } }
`,
  );
  const { admin, send, status } = await shop({ slos: file });
  await send('/', 5);
  const { period } = await status(5);
  const opened = await openPage(admin, '#/slo?id=shop-availability');
  await opened.page.getByText(`The budget begins anew on ${plain(dateText(period!.toMs))}.`).waitFor();
  await opened.page.getByText(/a total outage could take each month \(Asia\/Kathmandu\)$/).waitFor();
  noFaults(opened);
});

test('a budget that is gone is said to be, also while too little is known to freeze anything', async () => {
  const { admin, send, status } = await shop();
  await send('/bad', 9);
  await status(9);
  const opened = await openPage(admin, '#/slo?id=shop-availability');
  const text = 'The budget is gone; deploys are not frozen yet, because too little is known of the window.';
  await opened.page.getByText(text).waitFor();
  await opened.page.getByRole('button', { name: 'shop-quick' }).click();
  await opened.page
    .getByText(/^It is not known yet whether deploys may go on: .* of its window is known, and it takes 1h\.$/)
    .waitFor();
  noFaults(opened);
});

test('planned work stands in the ledger, as text', async () => {
  const { admin, send, status } = await shop();
  await send('/', 5);
  await status(5);
  const text = '<img src=x onerror="window.wasHurt = 1"> new disks';
  const [from, to] = [3_600_000, 7_200_000].map((ms) => new Date(Date.now() + ms).toISOString());
  const body = JSON.stringify({ kind: 'maintenance', slo: 'shop-availability', from, to, text, by: 'ann' });
  const response = await fetch(`http://${admin}/api/slo/notes`, {
    method: 'POST',
    headers: await authorized(admin),
    body,
  });
  assert.equal(response.status, 200, await response.text());
  const opened = await openPage(admin, '#/slo?id=shop-availability');
  const { page } = opened;
  await page.getByText('Nothing has spent this budget.').waitFor();
  const line = plain(await page.getByRole('list', { name: 'Planned maintenance' }).getByRole('listitem').textContent());
  assert.match(line, /^Maintenance [\d-]+ [\d:]+, 1 h: <img src=x .* new disks \(ann\)$/);
  assert.equal(await page.evaluate('window.wasHurt'), undefined);
  noFaults(opened);
});

test('on a phone nothing is wider than the screen', async () => {
  const { admin, send, status } = await shop();
  await send('/', 5);
  await status(5);
  const opened = await openPage(admin, '#/slo', {
    viewport: { width: 390, height: 844 },
    colorScheme: 'dark',
    hasTouch: true,
  });
  await opened.page.getByRole('slider', { name: 'Budget, over time' }).waitFor();
  assert.equal(await opened.page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
  // Of five requests 99.9 % leave room for less than one failure, and not for none.
  await opened.page.locator('.tiles > div', { hasText: 'Failures left' }).locator('b', { hasText: /^<.1$/ }).waitFor();
  const lefts = await opened.page.evaluate(
    `[...document.querySelectorAll('td .link')].map((button) => button.getBoundingClientRect().left)`,
  );
  assert.equal(new Set(lefts as number[]).size, 1, `${lefts}`);
  noFaults(opened);
});

test('while what was kept is read it says so, and not that there are no objectives; nor may anything be deployed', async () => {
  const data = folder();
  // A file that somebody is still writing, as far as whoever reads it can tell.
  const slow = join(data, `10s-${Date.now()}-000000.series`);
  execFileSync('mkfifo', [slow]);
  const { admin, status } = await shop({ data });
  const ended = (): void => closeSync(openSync(slow, 'r+'));
  cleanups.push(ended);
  const asked = await fetch(`http://${admin}/api/slo`);
  assert.deepEqual(await asked.json(), { slos: [], waiting: 'reading' });
  assert.equal((await fetch(`http://${admin}/api/slo/gate`)).status, 503);
  const opened = await openPage(admin, '#/slo');
  const { page } = opened;
  await page.getByText('The gateway is reading what it has kept of its objectives').waitFor();
  await page.goto(`http://${admin}/#/`);
  await page.locator('section', { hasText: 'Error budgets' }).getByText('is reading what it has kept').waitFor();
  const told = await runCli(['slo', 'status', '--admin', admin]);
  assert.deepEqual([told.code, told.err.replaceAll(/\s+/g, ' ')], [1, 'The gateway has evaluated none of its objectives yet: it is reading what it has kept of them. Ask again in a few seconds. ']);
  ended();
  await status(0);
  await page.getByRole('link', { name: /shop-availability/ }).waitFor();
  noFaults(opened);
}); // prettier-ignore

test('without objectives it says how to have some', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address, '#/slo');
  await opened.page.getByText('This gateway has no objectives.').waitFor();
  assert.match((await opened.page.locator('pre').textContent())!, /^slos: \.\/shop\.slo\.yaml/);
  noFaults(opened);
});
