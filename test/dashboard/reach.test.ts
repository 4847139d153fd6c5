/** Who cannot use a mouse, see colours, or has a phone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { config, create, origin } from '../gateway-under-test.ts';
import { noFaults, openPage, openToChange } from './page-under-test.ts';

const admin = { address: '127.0.0.1:0' };
const screens = ['Overview', 'Service', 'Balancer', 'Objectives', 'Traces & logs', 'Limits & leaders', 'Config'];

async function gatewayOf(endpoints?: readonly string[]) {
  const own = endpoints ?? [await origin('a'), await origin('b')];
  const services = [{ name: 'shop', endpoints: [...own] }];
  const created = create({ config: { ...config(own[0]!, { admin }), services } });
  await created.gateway.start();
  return { ...created, place: created.gateway.state().admin!.address };
}

async function goTo(page: Page, screen: string): Promise<void> {
  await page.getByRole('navigation').getByRole('link', { name: screen, exact: true }).click();
  await page.locator('h1', { hasText: screen }).waitFor({ state: 'attached' });
  await page.locator('.link.live').waitFor();
  // As it is painted, whatever it still waits for.
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}

/** What is wrong with the page for those who hear it, and texts that stand out too little from their ground (WCAG 2.2, 1.4.3). */
async function unreadable(page: Page): Promise<string[]> {
  return page.evaluate(`(() => {
    const faults = [];
    const seen = (element) => element.checkVisibility() && element.getClientRects().length > 0;
    const nameOf = (element) => (element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? element.textContent).trim();
    for (const element of document.querySelectorAll('a, button, input, select, [role="region"], summary')) {
      if (seen(element) && nameOf(element) === '') faults.push('no name: ' + element.outerHTML.slice(0, 120));
    }
    for (const table of document.querySelectorAll('table')) {
      if (table.closest('[aria-label]') === null) faults.push('a table without a name');
      for (const head of table.querySelectorAll('thead th')) if (!head.hasAttribute('scope')) faults.push('a heading without a scope');
    }
    if (document.querySelectorAll('main').length !== 1 || document.querySelectorAll('h1').length !== 1) faults.push('not one main and one h1');
    if (document.documentElement.lang === '') faults.push('no language');
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const rgba = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => {
      const [x, y, z] = [r, g, b].map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const groundOf = (element) => {
      for (let at = element; at !== null; at = at.parentElement) {
        const color = rgba(getComputedStyle(at).backgroundColor);
        if (color[3] === 255) return color;
      }
      return rgba(getComputedStyle(document.documentElement).backgroundColor);
    };
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const said = new Set();
    while (texts.nextNode()) {
      const element = texts.currentNode.parentElement;
      if (texts.currentNode.data.trim() === '' || !seen(element) || element.closest('svg, .unseen, .skip, :disabled') !== null) continue;
      const [one, other] = [light(rgba(getComputedStyle(element).color)), light(groundOf(element))];
      const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
      if (contrast < 4.5) said.add(contrast.toFixed(2) + ' for ' + element.className + ' ' + texts.currentNode.data.slice(0, 40));
    }
    return [...faults, ...said];
  })()`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`every screen is named, headed and readable in ${colorScheme}`, async () => {
    const { place } = await gatewayOf([await origin('a'), '127.0.0.1:1']);
    const opened = await openPage(place, '', { colorScheme });
    const { page } = opened;
    for (const screen of screens) {
      await goTo(page, screen);
      assert.deepEqual(await unreadable(page), [], screen);
    }
    const dark = await page.evaluate(`getComputedStyle(document.documentElement).backgroundColor`);
    assert.equal(dark, colorScheme === 'dark' ? 'rgb(14, 19, 23)' : 'rgb(244, 246, 248)');
    noFaults(opened);
  });
}

test('light and dark can be chosen, and are remembered', async () => {
  const { place } = await gatewayOf();
  const { page } = await openPage(place, '', { colorScheme: 'light' });
  await page.locator('.link.live').waitFor();
  await page.keyboard.press('t');
  await page.keyboard.press('t');
  const ground = 'getComputedStyle(document.documentElement).backgroundColor';
  assert.equal(await page.evaluate(ground), 'rgb(14, 19, 23)');
  await page.reload();
  assert.equal(await page.evaluate(ground), 'rgb(14, 19, 23)');
});

test('all can be done by keys: screens, help, sorting, finding, and a drain that is not meant is left', async () => {
  const { gateway, place } = await gatewayOf();
  const opened = await openToChange(place, '');
  const { page } = opened;
  await page.locator('.link.live').waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  await page.keyboard.press('?');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keys' }).waitFor();
  // A letter that was waited for when it opened is none afterwards.
  await page.keyboard.press('g');
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('c');
  assert.equal(await page.evaluate('location.hash'), '');
  // Nor is one that a dialog came after, or a click, whatever closed it.
  await page.keyboard.press('g');
  await page.evaluate(`document.body.append(Object.assign(document.createElement('dialog'), { id: 'other' }))`);
  await page.evaluate(`document.querySelector('#other').showModal()`);
  await page.evaluate(`document.querySelector('#other').remove()`);
  await page.keyboard.press('c');
  assert.equal(await page.evaluate('location.hash'), '');
  await page.keyboard.press('g');
  await page.mouse.click(2, 2);
  await page.keyboard.press('c');
  assert.equal(await page.evaluate('location.hash'), '');
  await page.keyboard.press('g');
  await page.keyboard.press('b');
  await page.getByRole('region', { name: 'endpoints' }).getByRole('columnheader', { name: 'p99.9' }).waitFor();
  assert.equal(await page.title(), 'Balancer · Spillway');
  // By Tab alone to what sorts, and to what drains.
  const focused = (): Promise<string> =>
    page.evaluate(`document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent`);
  const tabTo = async (name: RegExp): Promise<void> => {
    for (let presses = 0; presses < 80; presses++) {
      await page.keyboard.press('Tab');
      if (name.test(await focused())) return;
    }
    assert.fail(`${name} was not reached`);
  };
  await tabTo(/^Address$/);
  await page.keyboard.press('Enter');
  await page.locator('th[aria-sort="descending"]', { hasText: 'Address' }).waitFor();
  await tabTo(/^Drain /);
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  // The first thing in it does nothing, so that Enter twice is no drain.
  assert.equal(await focused(), 'Leave it');
  // What is behind it stays: no key reaches it, and none opens a second dialog.
  for (const key of ['g', 'c', '?', 't', '/']) await page.keyboard.press(key);
  const behind = `[location.hash.split('?')[0], document.querySelectorAll('dialog').length, document.documentElement.dataset.theme]`;
  assert.deepEqual(await page.evaluate(behind), ['#/balancer', 1, undefined]);
  assert.equal(await focused(), 'Leave it');
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.match(await focused(), /^Drain /);
  assert.ok(gateway.state().services[0]!.endpoints.every(({ drain }) => drain === null));
  noFaults(opened);
});

test('a screen has the focus, its title and its tab in sight before it is painted: keys that are pressed at once are not lost', async () => {
  const { place } = await gatewayOf();
  const opened = await openPage(place, '#/config', { viewport: { width: 390, height: 844 } });
  const { page } = opened;
  await page.locator('.link.live').waitFor();
  // No frame and no timer of the page comes any more.
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + 30_000);
  const seen = page.evaluate(`new Promise((done) => {
    new MutationObserver((_, watching) => {
      if (document.querySelector('h1').textContent !== 'Overview') return;
      watching.disconnect();
      const tab = document.querySelector('nav [aria-current]').getBoundingClientRect();
      done([document.activeElement.id, document.title, tab.left >= 0 && tab.right <= 390]);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  })`);
  await page.evaluate(`location.hash = '#/'`);
  assert.deepEqual(await seen, ['main', 'Overview · Spillway', true]);
  noFaults(opened);
});

test('on a phone nothing is wider than the screen but what scrolls by itself', async () => {
  const { place } = await gatewayOf();
  const { page } = await openPage(place, '', { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  for (const screen of screens) {
    await goTo(page, screen);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390, screen);
  }
});

test('on a phone the tab of the screen that is shown is in sight, and what is new each second is not read out', async () => {
  const { place } = await gatewayOf();
  const opened = await openPage(place, '#/config', { viewport: { width: 390, height: 844 } });
  const { page } = opened;
  for (const screen of ['config', '', 'limits', 'service', 'config']) {
    // By the address: a click would bring the tab into sight itself.
    await page.evaluate(`location.hash = '#/${screen}'`);
    await page.locator(`nav [aria-current][href="#/${screen}"]`).waitFor({ state: 'attached' });
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
    const tab = page.locator('nav [aria-current]');
    const { x, width } = (await tab.boundingBox())!;
    assert.ok(x >= 0 && x + width <= 390, `${screen}: ${x} to ${x + width}`);
  }
  assert.equal(
    await page
      .getByRole('status')
      .filter({ hasText: /\bup\b/ })
      .count(),
    0,
  );
  noFaults(opened);
});
