/** Charts in a real browser, under the rules that the gateway serves its pages with, and with data of the test's own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { serverPath } from '../../scripts/servers.ts';
import type { Shown } from './chart-page.ts';

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";
const page = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Charts</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/page.css"></head><body><div id="app"></div><script type="module" src="/page.js"></script></body></html>`;

export interface ChartHost extends AsyncDisposable {
  readonly browser: Browser;
  /** `faults` are errors of the page, and what its policy refused. */
  open(options?: BrowserContextOptions): Promise<{ readonly page: Page; readonly faults: readonly string[] }>;
}

export async function chartHost(): Promise<ChartHost> {
  const file = (path: string): string => new URL(path, import.meta.url).pathname;
  const { outputFiles } = await build({
    entryPoints: { page: file('chart-page.ts'), style: file('../../src/dashboard/main.css') },
    bundle: true,
    write: false,
    outdir: 'out',
    format: 'esm',
    logLevel: 'error',
  });
  const text = (end: string): string => outputFiles.find(({ path }) => path.endsWith(end))!.text;
  const answers: Readonly<Record<string, readonly [type: string, body: string]>> = {
    '/': ['text/html', page],
    '/page.js': ['text/javascript', text('page.js')],
    '/page.css': ['text/css', text('style.css')],
  };
  const server = createServer((request, response) => {
    const [type, body] = answers[request.url ?? ''] ?? ['text/plain', ''];
    response.writeHead(200, { 'Content-Type': `${type}; charset=utf-8`, 'Content-Security-Policy': policy });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await chromium.launch({
    executablePath: serverPath('chromium'),
    args: ['--no-sandbox', '--js-flags=--expose-gc'],
  });
  return {
    browser,
    async open(options = {}) {
      const opened = await browser.newPage({ viewport: { width: 1200, height: 900 }, ...options });
      const faults: string[] = [];
      opened.on('pageerror', (error) => faults.push(String(error)));
      opened.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await opened.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      return { page: opened, faults };
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Shows something and waits until it has been drawn. */
export async function show(page: Page, shown: Shown): Promise<void> {
  const script = `(shown) => new Promise((done) => {
    window.show(JSON.parse(shown));
    requestAnimationFrame(() => requestAnimationFrame(done));
  })`;
  await page.evaluate(`(${script})(${JSON.stringify(JSON.stringify(shown, infinities))})`);
}

/** JSON has no infinity: it is what is greater than all numbers. */
function infinities(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? 1e308 : ArrayBuffer.isView(value) ? [...(value as Float64Array)] : value;
}
