/** The page in a browser that has more to do than to show it: many tabs, answers that do not come, storage that is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { config, create, origin } from '../gateway-under-test.ts';
import { noFaults, openPage, openToChange } from './page-under-test.ts';

const admin = { address: '127.0.0.1:0' };

/** As the browser does when another tab is chosen; a browser without windows shows all of them. */
async function show(page: Page, isShown: boolean): Promise<void> {
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${!isShown}, configurable: true })`);
  await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
}

test('tabs that are hidden keep no connection from the one that is looked at, and go on when they are', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin }) });
  await gateway.start();
  const { address } = gateway.state().admin!;
  const opened = await openPage(address);
  const tabs: Page[] = [opened.page];
  // A browser has six connections to a place: the seventh tab would wait for ever.
  for (let number = 1; number < 7; number++) {
    await tabs.at(-1)!.locator('.link.live').waitFor();
    await show(tabs.at(-1)!, false);
    await tabs.at(-1)!.locator('.link.connecting').waitFor();
    const page = await opened.page.context().newPage();
    await page.goto(`http://${address}/`);
    tabs.push(page);
  }
  await tabs.at(-1)!.locator('.link.live').waitFor();
  await show(opened.page, true);
  await opened.page.locator('.link.live').waitFor();
  assert.equal(await opened.page.getByRole('alert').count(), 0);
  noFaults(opened);
});

test('an answer that cannot be given is said while the older one is shown, until one can', async () => {
  const { gateway, address } = create({ config: config(await origin('a'), { admin }) });
  await gateway.start();
  await (await fetch(`http://${address()}/`)).text();
  const opened = await openPage(gateway.state().admin!.address, '#/service');
  const { page } = opened;
  await page.getByRole('heading', { name: 'Rate' }).waitFor();
  const nameless = (text: string | null): string => (text ?? '').replaceAll('?name=', '?nom=');
  await page.route('**/api/live/*', (route) => route.continue({ postData: nameless(route.request().postData()) }));
  // A stream that begins anew is told again what is watched.
  const anew = async (): Promise<void> => {
    await show(page, false);
    await show(page, true);
  };
  await anew();
  const alert = page.getByRole('alert');
  await alert.getByText(/Not all of this is new. name is missing; .* Trying again./).waitFor();
  await page.getByRole('heading', { name: 'Rate' }).waitFor();
  await page.unroute('**/api/live/*');
  await anew();
  await alert.waitFor({ state: 'detached' });
  noFaults(opened);
});

test('a change whose answer does not come is given up, and said to be perhaps done', async () => {
  const endpoints = [await origin('a'), await origin('b')];
  const services = [{ name: 'shop', endpoints }];
  const { gateway } = create({ config: { ...config(endpoints[0]!, { admin }), services } });
  await gateway.start();
  const opened = await openToChange(gateway.state().admin!.address, '#/balancer');
  const { page } = opened;
  await page.clock.install();
  const done = Promise.withResolvers<void>();
  // It is done, and the page is not told.
  await page.route('**/api/drain', (route) => route.fetch().then(() => done.resolve(), done.reject));
  await page.getByRole('button', { name: `Drain ${endpoints[0]} of shop` }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Drain', exact: true }).click();
  await done.promise;
  assert.equal(await dialog.getByRole('button', { name: 'Drain', exact: true }).isDisabled(), true);
  await page.clock.fastForward(20_000);
  await dialog.getByText('The gateway took more than 20 s to answer.').waitFor();
  await dialog.getByText('It may have been done all the same: look again.').waitFor();
  await dialog.getByRole('button', { name: 'Close' }).click();
  await page.getByText('drained', { exact: true }).waitFor();
  noFaults(opened);
});

test('a browser that keeps nothing for a site shows the page, asks for the token and changes its colours', async () => {
  const token = 'a-token-of-some-length';
  const { gateway } = create({ config: config(await origin('a'), { admin: { ...admin, token } }) });
  await gateway.start();
  const opened = await openPage(gateway.state().admin!.address);
  const { page } = opened;
  await page.addInitScript(`for (const name of ['localStorage', 'sessionStorage'])
    Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });`);
  await page.reload();
  await page.getByLabel('Token of the admin API').fill(token);
  await page.keyboard.press('Enter');
  await page.locator('.link.live').waitFor();
  await page.getByRole('button', { name: 'auto' }).click();
  await page.getByRole('button', { name: 'light' }).click();
  assert.equal(await page.evaluate('document.documentElement.dataset.theme'), 'dark');
  noFaults(opened);
});
