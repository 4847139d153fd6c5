/** The quickstart as a process of its own, on free ports, for what looks at its dashboard in Debian's Chromium. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Browser, chromium } from 'playwright-core';
import { buildDashboard } from './dashboard.ts';
import { serverPath } from './servers.ts';

export interface Quickstart extends AsyncDisposable {
  readonly browser: Browser;
  /** Where the dashboard is: `http://127.0.0.1:9900`. */
  readonly admin: string;
  /** That of its admin API. */
  readonly token: string;
  /** Where a server says which process it is. */
  readonly pid: string;
  /** Of the gateway. */
  readonly process: number;
}

export async function startQuickstart(): Promise<Quickstart> {
  await buildDashboard();
  const root = resolve(import.meta.dirname, '..');
  const start = ['--conditions=spillway-source', join(root, 'examples', 'quickstart', 'start.ts'), '--free-ports'];
  const browser = await chromium.launch({ executablePath: serverPath('chromium'), args: ['--no-sandbox'] });
  const child = spawn(process.execPath, start, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] });
  const end = async (): Promise<void> => {
    await browser.close();
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit');
  };
  let admin = '';
  const lines = createInterface({ input: child.stderr });
  for await (const line of lines) {
    admin ||= /open (http:\/\/127\.0\.0\.1:\d+)\//.exec(line)?.[1] ?? '';
    const pid = /curl -s (127\.0\.0\.1:\d+\/pid)/.exec(line)?.[1];
    if (admin === '' || pid === undefined) continue;
    child.stderr.resume();
    const { madeToken } = (await (await fetch(`${admin}/api/token`)).json()) as { madeToken: { file: string } };
    const token = readFileSync(madeToken.file, 'utf8').trim();
    return { browser, admin, token, pid: `http://${pid}`, process: child.pid!, [Symbol.asyncDispose]: end };
  }
  await end();
  throw new Error('The quickstart ended before it said where it is.');
}
