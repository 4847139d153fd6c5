/** The dashboard of the quickstart, as whoever opens it after `npm start` meets it: something is alive on every screen. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { EventStream } from '../../src/dashboard/event-stream.ts';
import { applyChange, type LiveChange, type LiveState, rowsOf } from '../../src/gateway/admin/live-model.ts';
import type { Watch, WatchNews } from '../../src/gateway/admin/watch-model.ts';
import { CliProcess } from '../../test/cli-process.ts';
import { noFaults, openPage } from '../../test/dashboard/page-under-test.ts';

const start = fileURLToPath(new URL('start.ts', import.meta.url));

/** What is seen on each, and is there only if something happens. */
const alive: Readonly<Record<string, (page: Page) => Promise<unknown>>> = {
  '#/': (page) => page.locator('svg.map path.well').nth(4).waitFor({ state: 'attached' }),
  '#/service': (page) => page.locator('canvas').first().waitFor(),
  '#/balancer': (page) =>
    page
      .getByRole('row', { name: /shop.*\d\/s.*ms/ })
      .nth(2)
      .waitFor(),
  '#/slo': (page) => page.getByText('shop-availability').first().waitFor(),
  '#/traces': (page) => page.getByText('GET api').first().waitFor(),
  '#/limits': async (page) => {
    await page.getByRole('row', { name: /^127\.0\.0\.1 reports \d/ }).waitFor();
    await page.getByRole('row', { name: /^daily-report server \d+ \d+ .* 3$/ }).waitFor();
    await page.getByRole('row', { name: /^mails shop (?:full|≤) / }).waitFor();
    await page
      .getByRole('row', { name: /^shelf:\d server \d+ / })
      .first()
      .waitFor();
  },
  '#/config': (page) => page.getByRole('row', { name: /^1 in force/ }).waitFor(),
};

async function quickstart() {
  const process_ = new CliProcess([start, '--free-ports'], { executable: process.execPath });
  await process_.printed(/open http:\/\/127\.0\.0\.1:\d+\//);
  const address = /open http:\/\/(127\.0\.0\.1:\d+)\//.exec(process_.err)?.[1];
  assert.ok(address !== undefined, process_.err);
  return { process: process_, address };
}

/** In seconds as the gateway tells them: whatever else this machine does, and however late a browser is. */
const SECONDS_MAX = 5;

/** What a page is told on each screen beside the state. */
const watched: Readonly<Record<string, string>> = {
  service: '/api/series?name=spillway_request_duration_seconds&merged=true&from=-300s&step=1s',
  slo: '/api/slo',
  traces: '/api/traces',
  limits: '/api/series?name=spillway_limit_filled_total&from=-60s&step=10s',
  leaders: '/api/received?prefix=spillway_seat_term',
};

interface Told {
  readonly state: LiveState;
  /** Of what is watched, as it was told last. */
  readonly text: Readonly<Record<string, string>>;
}

/** When a screen has what it shows. */
const has: Readonly<Record<string, (told: Told) => boolean>> = {
  overview: ({ state: { tables } }) => rowsOf(tables.routes).filter(({ requests }) => requests > 0).length === 3,
  service: ({ text }) => /"counts":\[\d/.test(text['service']!),
  balancer: ({ state: { tables } }) =>
    tables.endpoints.p99Ms.length === 3 && tables.endpoints.p99Ms.every((ms) => ms !== null),
  slo: ({ text }) => text['slo']!.includes('shop-availability'),
  traces: ({ text }) => text['traces']!.includes('GET api'),
  limits: ({ state: { tables }, text }) =>
    tables.limits.allowed.some((count) => count > 0) && /"limit":"reports"/.test(text['limits']!),
  refused: ({ state: { tables } }) => tables.refused.key.includes('127.0.0.1'),
  leaders: ({ text }) => (text['leaders']!.match(/daily-report/g) ?? []).length === 3 && /"value":[1-9]/.test(text['leaders']!),
  config: ({ state: { tables } }) => tables.versions.version.includes(1),
}; // prettier-ignore

test(`every screen has what it shows within ${SECONDS_MAX} seconds of the gateway`, async (t) => {
  const { address, process: running } = await quickstart();
  await using _running = running;
  const names = Object.keys(watched);
  const over = new AbortController();
  const response = await fetch(`http://${address}/api/live`, { signal: over.signal });
  const watches = names.map((name, id): Watch => ({ id, paths: [watched[name]!], everyS: 1 }));
  await fetch(`http://${address}/api/live/${response.headers.get('Spillway-Stream')}`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ watches }),
  });
  const events = new EventStream();
  const text: Record<string, string> = Object.fromEntries(names.map((name) => [name, '']));
  const first = new Map<string, number>();
  let state: LiveState | null = null;
  let seconds = 0;
  reading: for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    for (const { data, event } of events.add(piece)) {
      if (event === 'whole') state = JSON.parse(data) as LiveState;
      else if (event === 'change') {
        state = applyChange(state!, JSON.parse(data) as LiveChange);
        seconds += 1;
      } else {
        const news = JSON.parse(data) as WatchNews;
        text[names[news.id]!] = data;
      }
      for (const [screen, isThere] of Object.entries(has)) {
        if (!first.has(screen) && isThere({ state: state!, text })) first.set(screen, seconds);
      }
      if (first.size === Object.keys(has).length || seconds > SECONDS_MAX) break reading;
    }
  }
  over.abort();
  t.diagnostic(JSON.stringify(Object.fromEntries(first)));
  const late = Object.keys(has).filter((screen) => !((first.get(screen) ?? Infinity) <= SECONDS_MAX));
  assert.deepEqual(late, []);
  running.child.kill('SIGTERM');
  assert.equal((await running.exit).code, 0);
});

test('something is alive on every screen, and a server that is killed is said to be out', async () => {
  const { address, process: running } = await quickstart();
  await using _running = running;
  const opened = await openPage(address);
  for (const [hash, seen] of Object.entries(alive)) {
    await opened.page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    await seen(opened.page);
  }
  // One that is killed while somebody looks is named.
  const [, server = ''] = /curl -s (127\.0\.0\.1:\d+)\/pid/.exec(running.err) ?? [];
  await opened.page.evaluate(`location.hash = '#/'`);
  process.kill(Number(await (await fetch(`http://${server}/pid`)).text()), 'SIGKILL');
  await opened.page.locator('.problems').getByText(`${server} of shop is `).waitFor();
  noFaults(opened);
  running.child.kill('SIGTERM');
  assert.equal((await running.exit).code, 0);
});
