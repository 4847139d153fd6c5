/**
 * A thousand endpoints. What a second's news costs the page is counted and not timed: elements, rows, changes of the document, and calls of
 * functions of the page, as the browser counts them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementsOf, noFaults, openPage } from './page-under-test.ts';
import { ToldGateway } from './told-gateway.ts';

const SECONDS = 5;
/**
 * Of functions, for each endpoint and second: those to remember it, to tell its share, to sort it by an address or to find a word in it are 40 to 130.
 * To read each second of its two minutes again would be 240 more, each of its columns 45.
 */
const CALLS_MAX: Readonly<Record<string, number>> = {
  '#/balancer': 100,
  '#/balancer?e.sort=address-down': 100,
  '#/balancer?e.find=10.99': 160,
  '#/': 70,
};

interface Drawn {
  readonly elements: number;
  readonly rows: number;
  /** Of a second. */
  readonly changes: number;
  readonly calls: number;
}

/** What the page makes of some seconds, in each of which every endpoint is told anew. */
async function drawnOf(endpoints: number, hash: string): Promise<Drawn> {
  const told = await ToldGateway.of(endpoints);
  const opened = await openPage(told.address, hash);
  const { page } = opened;
  await page.locator('.link.live').waitFor();
  const tell = async (): Promise<void> => {
    await told.tell(1);
    await page.locator('.facts', { hasText: `config ${told.sent} ` }).waitFor();
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
  };
  // Shares of traffic, and lines of two minutes, take some seconds.
  for (let second = 0; second < 3; second++) await tell();
  await page.evaluate(`window.changes = 0;
    new MutationObserver((all) => (window.changes += all.length)).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });`);
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Profiler.enable');
  await cdp.send('Profiler.startPreciseCoverage', { callCount: true, detailed: false });
  await cdp.send('Profiler.takePreciseCoverage');
  for (let second = 0; second < SECONDS; second++) await tell();
  const { result } = await cdp.send('Profiler.takePreciseCoverage');
  const own = result.filter(({ url }) => url.includes('/assets/')).flatMap(({ functions }) => functions);
  const calls = own.reduce((sum, { ranges }) => sum + (ranges[0]?.count ?? 0), 0);
  const changes = Number(await page.evaluate('window.changes'));
  const rows = await page.locator('tbody tr:not(.gap)').count();
  const drawn = { elements: await elementsOf(page), rows, changes: changes / SECONDS, calls: calls / SECONDS };
  noFaults(opened);
  await page.close();
  return drawn;
}

for (const [hash, callsMax] of Object.entries(CALLS_MAX)) {
  test(`of a thousand endpoints as much is drawn each second as of a hundred, at ${hash}`, async (t) => {
    const [hundred, thousand] = [await drawnOf(100, hash), await drawnOf(1000, hash)];
    const calls = (thousand.calls - hundred.calls) / 900;
    t.diagnostic(`${Math.round(calls)} calls for an endpoint and second; ${JSON.stringify(thousand)}`);
    assert.ok(calls < callsMax, `${calls}`);
    assert.equal(thousand.rows, hundred.rows);
    assert.equal(thousand.elements, hundred.elements);
    assert.ok(
      thousand.changes > 0 && thousand.changes <= hundred.changes + 5,
      `${thousand.changes}, ${hundred.changes}`,
    );
  });
}
