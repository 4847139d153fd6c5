/**
 * `npm run screenshots`: the pictures of the dashboard in docs/images, taken of the quickstart as it runs, in Debian's Chromium. A server
 * is killed meanwhile, so that there is something wrong to be seen. Takes about two minutes; look at what it made before it is committed.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { startQuickstart } from './quickstart.ts';

const target = resolve(import.meta.dirname, '..', 'docs', 'images');
/** Enough for two minutes of numbers: a page that was just opened has drawn nothing yet. */
const WARM_MS = 75_000;
/** Until checks have found it and a few seconds have been counted. */
const OUTAGE_MS = 6_000;

/** The slowest trace beside an ordinary one. */
async function compare(page: Page): Promise<void> {
  await page.locator('td a').first().click();
  await page.locator('.peers a').first().click();
  await page.getByText('The other way round').waitFor();
}

/** Another weight is in force, and a third on trial. */
async function change(admin: string, token: string): Promise<void> {
  const { file } = (await (await fetch(`${admin}/api/state`)).json()) as { readonly file: string };
  const text = readFileSync(file, 'utf8');
  const apply = async (weight: number, trial: object): Promise<void> => {
    const changed = join(dirname(file), `weight-${weight}.yaml`);
    writeFileSync(changed, text.replace('weight: 1 }', `weight: ${weight} }`));
    const body = JSON.stringify({ file: changed, ...trial });
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${admin}/api/apply`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(await answer.text());
  };
  await apply(2, {});
  await apply(3, { canary: '20%', watch: '30m' });
}

const laptop = { width: 1280, height: 800 };
const phone = { width: 390, height: 844 };

interface Shot {
  readonly name: string;
  readonly hash: string;
  readonly scheme: 'light' | 'dark';
  /** @defaultValue that of a small laptop */
  readonly viewport?: typeof laptop;
  /** What is done on the page before. */
  readonly act?: (page: Page) => Promise<void>;
}

/** The screens of the README and the guide. */
const shots: readonly Shot[] = [
  { name: 'overview', hash: '#/', scheme: 'light' },
  { name: 'service', hash: '#/service', scheme: 'dark' },
  { name: 'balancer', hash: '#/balancer', scheme: 'light' },
  { name: 'objectives', hash: '#/slo', scheme: 'dark' },
  { name: 'traces', hash: '#/traces', scheme: 'light' },
  { name: 'compare', hash: '#/traces?order=slowest&status=ok', scheme: 'dark', act: compare },
  { name: 'limits', hash: '#/limits', scheme: 'dark' },
  { name: 'config', hash: '#/config', scheme: 'light' },
  { name: 'phone', hash: '#/', scheme: 'dark', viewport: phone },
  { name: 'phone-service', hash: '#/service', scheme: 'light', viewport: phone },
];

mkdirSync(target, { recursive: true });
await using quickstart = await startQuickstart();
const { admin, browser, pid, token } = quickstart;
const pages = await Promise.all(
  shots.map(async ({ hash, scheme, viewport = laptop }) => {
    const page = await browser.newPage({ viewport, colorScheme: scheme });
    await page.goto(`${admin}/#token=${token}${hash.slice(1)}`);
    return page;
  }),
);
await sleep(WARM_MS);
await change(admin, token);
process.kill(Number(await (await fetch(pid)).text()));
await sleep(OUTAGE_MS);
for (const [at, { name, act, viewport = laptop }] of shots.entries()) {
  await act?.(pages[at]!);
  // Up to where there is something.
  const bottom = Number(
    await pages[at]!.evaluate(`document.querySelector('main').lastElementChild.getBoundingClientRect().bottom`),
  );
  const clip = { x: 0, y: 0, width: viewport.width, height: Math.min(viewport.height, Math.ceil(bottom) + 16) };
  await pages[at]!.screenshot({ path: resolve(target, `dashboard-${name}.png`), clip });
  console.log(`docs/images/dashboard-${name}.png`);
}
