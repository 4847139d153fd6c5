/**
 * What the dashboard holds while it is left open: the quickstart with its traffic, each screen in a tab of its own, looked at every minute after
 * the browser has collected its garbage; and the resident memory of the gateway beside it.
 *
 * Some minutes are told apart in what the page's script holds (objects, texts, numbers) and the machine code that the browser makes of it: what is run
 * often is compiled anew for minutes, and would look like a page that grows. The gateway is new too, so charts of five minutes fill until the sixth.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { collectGarbage, readPageHeap } from '../../scripts/page-heap.ts';
import { startQuickstart } from '../../scripts/quickstart.ts';

const MINUTES = 10;
const TOLD_APART: readonly number[] = [2, 6, MINUTES];
const screens = ['', 'service', 'balancer', 'slo', 'traces', 'limits', 'config'];
const column = (text: string): string => text.padStart(9);
const mb = (bytes: number): string => column((bytes / 1e6).toFixed(2));

function residentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) * 1024;
}

function print(name: string, cells: readonly string[]): void {
  process.stdout.write(`  ${name.padStart(9)} ${cells.join('')}\n`);
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
  print('minute', [...screens.map((screen) => screen || 'overview'), 'gateway'].map(column));
  for (let minute = 1; minute <= MINUTES; minute++) {
    await sleep(60_000);
    const used: number[] = [];
    for (const cdp of tabs) {
      await collectGarbage(cdp);
      used.push((await cdp.send('Runtime.getHeapUsage')).usedSize);
    }
    print(String(minute), [...used, residentBytes(quickstart.process)].map(mb));
    if (!TOLD_APART.includes(minute)) continue;
    const heaps = [];
    for (const cdp of tabs) heaps.push(await readPageHeap(cdp));
    print(
      'its data',
      heaps.map(({ dataBytes }) => mb(dataBytes)),
    );
    print(
      'its code',
      heaps.map(({ codeBytes }) => mb(codeBytes)),
    );
  }
}
