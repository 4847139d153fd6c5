/**
 * What the dashboard holds while it is left open: the quickstart with its traffic, each screen in a tab of its own, looked at every minute after
 * the browser has collected its garbage; and the resident memory of the gateway beside it.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { startQuickstart } from '../../scripts/quickstart.ts';

const MINUTES = 10;
const screens = ['', 'service', 'balancer', 'slo', 'traces', 'limits', 'config'];
const mb = (bytes: number): string => (bytes / 1e6).toFixed(2).padStart(9);

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

export async function leftOpenPart(): Promise<void> {
  await using quickstart = await startQuickstart();
  const tabs = await Promise.all(
    screens.map(async (screen) => {
      const page = await quickstart.browser.newPage({ viewport: { width: 1280, height: 800 } });
      await page.goto(`${quickstart.admin}/#/${screen}`);
      return page.context().newCDPSession(page);
    }),
  );
  process.stdout.write(`\nThe dashboard left open: MB of JavaScript a screen, and of the gateway's process\n`);
  process.stdout.write(
    `  minute ${[...screens.map((screen) => screen || 'overview'), 'gateway'].map((name) => name.padStart(9)).join('')}\n`,
  );
  for (let minute = 1; minute <= MINUTES; minute++) {
    await sleep(60_000);
    let line = '';
    for (const cdp of tabs) {
      // Twice: what the first finds dead may have held more.
      for (let times = 0; times < 2; times++) await cdp.send('HeapProfiler.collectGarbage');
      line += mb((await cdp.send('Runtime.getHeapUsage')).usedSize);
    }
    process.stdout.write(`  ${String(minute).padStart(6)} ${line}${mb(residentBytes(quickstart.process))}\n`);
  }
}
