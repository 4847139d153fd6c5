/**
 * `npm run screenshots`: the pictures of the dashboard in docs/images, taken of the quickstart as it runs, in Debian's Chromium. A server
 * is killed meanwhile, so that there is something wrong to be seen. Takes about two minutes; look at what it made before it is committed.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium, type Page } from 'playwright-core';
import { buildDashboard } from './dashboard.ts';
import { serverPath } from './servers.ts';

const root = resolve(import.meta.dirname, '..');
const target = join(root, 'docs', 'images');
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

interface Shot {
  readonly name: string;
  readonly hash: string;
  readonly scheme: 'light' | 'dark';
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
];

await buildDashboard();
mkdirSync(target, { recursive: true });
const start = ['--conditions=spillway-source', join(root, 'examples', 'quickstart', 'start.ts'), '--free-ports'];
const quickstart = spawn(process.execPath, start, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
const browser = await chromium.launch({ executablePath: serverPath('chromium'), args: ['--no-sandbox'] });
try {
  const { admin, pid } = await addresses();
  const viewport = { width: 1280, height: 800 };
  const pages = await Promise.all(
    shots.map(async ({ hash, scheme }) => {
      const page = await browser.newPage({ viewport, colorScheme: scheme });
      await page.goto(`${admin}/${hash}`);
      return page;
    }),
  );
  await sleep(WARM_MS);
  process.kill(Number(await (await fetch(pid)).text()));
  await sleep(OUTAGE_MS);
  for (const [at, { name, act }] of shots.entries()) {
    await act?.(pages[at]!);
    // Up to where there is something.
    const bottom = Number(
      await pages[at]!.evaluate(`document.querySelector('main').lastElementChild.getBoundingClientRect().bottom`),
    );
    const clip = { x: 0, y: 0, width: viewport.width, height: Math.min(viewport.height, Math.ceil(bottom) + 16) };
    await pages[at]!.screenshot({ path: join(target, `dashboard-${name}.png`), clip });
    console.log(`docs/images/dashboard-${name}.png`);
  }
} finally {
  await browser.close();
  quickstart.kill('SIGTERM');
  await once(quickstart, 'exit');
}

/** Of the dashboard, and where a server says what to kill. */
async function addresses(): Promise<{ readonly admin: string; readonly pid: string }> {
  let admin = '';
  for await (const line of createInterface({ input: quickstart.stderr })) {
    admin ||= /open (http:\/\/127\.0\.0\.1:\d+)\//.exec(line)?.[1] ?? '';
    const pid = /curl -s (127\.0\.0\.1:\d+\/pid)/.exec(line)?.[1];
    if (admin !== '' && pid !== undefined) return { admin, pid: `http://${pid}` };
  }
  throw new Error('The quickstart ended before it said where it is.');
}
