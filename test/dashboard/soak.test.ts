/**
 * A page that is left open does not grow. A real page with a real feed, told thousands of seconds of news at once: what it holds
 * afterwards, measured after the browser has collected its garbage, is what it held before.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { CDPSession } from 'playwright-core';
import type { LiveChange, LiveState } from '../../src/gateway/admin/live-model.ts';
import { cleanups, config, create, origin } from '../gateway-under-test.ts';
import { openPage } from './page-under-test.ts';

/** Ten minutes are 600 seconds of news; this is more than an hour of a hundred endpoints. */
const SECONDS = 4000;
const ENDPOINTS = 100;
/** What a browser's own caches vary by; an hour of news kept would be more than ten times that. */
const GROWTH_BYTES_MAX = 3 * 2 ** 20;

/** The first whole state of a gateway, as its feed tells it. */
async function wholeOf(address: string): Promise<LiveState> {
  const stop = new AbortController();
  const response = await fetch(`http://${address}/api/live`, { signal: stop.signal });
  let text = '';
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes('\n\n')) break;
  }
  stop.abort();
  return JSON.parse(/^event: whole\ndata: (.*)\n\n/.exec(text)![1]!) as LiveState;
}

/** Every endpoint has had requests, one has become slow, and now and then something is wrong. */
function news(whole: LiveState, second: number): LiveChange {
  const at = whole.tables.endpoints.address.map((_, row) => row);
  const counts = at.map((row) => second * (row + 1));
  const problem = {
    severity: 'warning',
    what: `Wrong since second ${second}.`,
    link: '#/config',
    since: null,
  } as const;
  return {
    atMs: whole.atMs + second * 1000,
    gateway: { ...whole.gateway, configVersion: second },
    problems: second % 10 === 0 ? [problem] : [],
    tables: {
      endpoints: { columns: { requests: [at, counts], s2xx: [at, counts], p99Ms: [[second % at.length], [second]] } },
    },
  };
}

async function heldBytes(cdp: CDPSession): Promise<number> {
  // Twice: what the first finds dead may have held more.
  for (let times = 0; times < 2; times++) await cdp.send('HeapProfiler.collectGarbage');
  const { usedSize } = await cdp.send('Runtime.getHeapUsage');
  return usedSize;
}

test(`a page holds no more after ${SECONDS} seconds of news`, async () => {
  const endpoints = [await origin('a'), ...Array.from({ length: ENDPOINTS - 1 }, (_, at) => `10.99.0.${at}:80`)];
  const { gateway } = create({
    config: { ...config('', { admin: { address: '127.0.0.1:0' } }), services: [{ name: 'shop', endpoints }] },
  });
  await gateway.start();
  const whole = await wholeOf(gateway.state().admin!.address);

  // The same page and the same news, by a server that does not wait a second between two.
  const home = new URL('../../dist/dashboard/', import.meta.url);
  const files = new Map(
    readdirSync(new URL('assets/', home)).map((name) => [`/assets/${name}`, new URL(`assets/${name}`, home)]),
  );
  files.set('/', new URL('index.html', home));
  let sent = 0;
  let tell: (seconds: number) => Promise<void> = async () => {};
  const server = createServer((request, response) => {
    const [path = ''] = (request.url ?? '').split('?');
    const file = files.get(path);
    if (file !== undefined) {
      const type = path.endsWith('.js')
        ? 'text/javascript'
        : path.endsWith('.css')
          ? 'text/css'
          : path === '/'
            ? 'text/html'
            : 'image/svg+xml';
      response.writeHead(200, { 'Content-Type': type }).end(readFileSync(file));
      return;
    }
    if (path !== '/api/live') {
      response.writeHead(404, { 'Content-Type': 'application/problem+json' }).end('{"detail":"not here"}');
      return;
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Spillway-Role': 'read' });
    response.write(`event: whole\ndata: ${JSON.stringify(whole)}\n\n`);
    tell = async (seconds) => {
      for (let second = 0; second < seconds; second++) {
        if (!response.write(`event: change\ndata: ${JSON.stringify(news(whole, ++sent))}\n\n`))
          await once(response, 'drain');
      }
    };
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });

  const { page } = await openPage(`127.0.0.1:${(server.address() as AddressInfo).port}`, '#/balancer');
  await page.locator('tbody tr').nth(5).waitFor();
  const cdp = await page.context().newCDPSession(page);
  /** The page shows the version of the config, which counts up with each second: so it has read them all. */
  const read = async (seconds: number): Promise<void> => {
    await tell(seconds);
    await page.locator('.facts', { hasText: `config ${sent} ` }).waitFor();
  };
  await read(500);
  const before = await heldBytes(cdp);
  await read(SECONDS);
  const after = await heldBytes(cdp);
  assert.ok(before > 1_000_000, `${before} B were held`);
  assert.ok(after - before < GROWTH_BYTES_MAX, `${before} B before, ${after} B after`);
});
