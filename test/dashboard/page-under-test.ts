/**
 * The dashboard in a real browser: Debian's Chromium before a real gateway. Whatever a page does that it should not (an error, a line
 * on its console, a violation of its Content-Security-Policy) is kept, and each test says that there was none.
 */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { serverPath } from '../../scripts/servers.ts';
import { tokenOf } from '../admin-token.ts';
import { cleanups } from '../gateway-under-test.ts';

let browser: Promise<Browser> | null = null;
after(async () => (await browser)?.close());

export interface PageUnderTest {
  readonly page: Page;
  /** What it should not have done. */
  readonly faults: string[];
}

/** `address` is that of the admin API. */
export async function openPage(
  address: string,
  hash = '',
  options: BrowserContextOptions = {},
): Promise<PageUnderTest> {
  browser ??= chromium.launch({ executablePath: serverPath('chromium'), args: ['--no-sandbox'] });
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 800 }, ...options });
  cleanups.push(() => context.close());
  // Only to end a hang: a busy machine may take its time.
  context.setDefaultTimeout(100_000);
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('pageerror', (error) => faults.push(String(error)));
  // A gateway that ends is no fault of the page, and the browser says so on its console by itself.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource|net::ERR_/.test(message.text()))
      faults.push(message.text());
  });
  await page.goto(`http://${address}/${hash}`);
  return { page, faults };
}

/** As by the link that `spillway up` prints: with the token that the gateway made. */
export async function openToChange(address: string, hash: string): Promise<PageUnderTest> {
  return openPage(address, `#token=${await tokenOf(address)}${hash.slice(1)}`);
}

/** How much a page holds. */
export async function elementsOf(page: Page): Promise<number> {
  return Number(await page.evaluate(`document.querySelectorAll('*').length`));
}

export function noFaults({ faults }: PageUnderTest): void {
  assert.deepEqual(faults, []);
}
