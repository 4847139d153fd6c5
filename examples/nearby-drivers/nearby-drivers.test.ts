/** The example as a user meets it: the page in a real browser, on a desk and on a phone, by day and by night. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { chromium, type Page } from 'playwright-core';
import { serverPath } from '../../scripts/servers.ts';
import { startNearbyDrivers } from './server.ts';

const city = await startNearbyDrivers();
after(() => city[Symbol.asyncDispose]());
const browser = await chromium.launch({ executablePath: serverPath('chromium'), args: ['--no-sandbox'] });
after(() => browser.close());

const shots = process.env['SCREENSHOTS'];

/** How many pixels of the canvas have each of some colours, counting what is near as the same. */
function colorsOf(page: Page): Promise<{ drawn: number; found: number; cell: number }> {
  return page.evaluate(() => {
    // WHY as text: this runs in the page, whose types are not those of Node.
    const script = `
      const canvas = document.getElementById('map');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const css = getComputedStyle(document.documentElement);
      const rgb = (name) => css.getPropertyValue(name).match(/[0-9a-f]{2}/gi).slice(0, 3).map((hex) => parseInt(hex, 16));
      const near = (at, color) => color.every((value, part) => Math.abs(data[at + part] - value) < 12);
      const [ground, found, cell] = [rgb('--ground'), rgb('--found'), rgb('--cell')];
      const counts = { drawn: 0, found: 0, cell: 0 };
      for (let at = 0; at < data.length; at += 4) {
        if (!near(at, ground)) counts.drawn++;
        if (near(at, found)) counts.found++;
        if (near(at, cell)) counts.cell++;
      }
      return counts;`;
    // oxlint-disable-next-line typescript/no-implied-eval
    return new Function(script)() as { drawn: number; found: number; cell: number };
  });
}

const screens = {
  'a desk by day': { viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  'a desk by night': { viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  'a phone by day': { viewport: { width: 390, height: 844 }, colorScheme: 'light', hasTouch: true },
} as const;

for (const [name, screen] of Object.entries(screens)) {
  test(`on ${name} the map is drawn, and all four answer alike`, async () => {
    const page = await browser.newPage(screen);
    // Only to end a hang: a busy machine may take its time.
    page.setDefaultTimeout(100_000);
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
    await page.goto(city.url);
    await page.waitForSelector('body[data-drawn]');
    assert.equal(await page.textContent('#drivers'), '100,000');
    const before = await colorsOf(page);
    assert.ok(before.drawn > 10_000, `${before.drawn} pixels of drivers`);
    assert.equal(before.found, 0);

    for (const [question, found] of [
      ['k=20', /^20$/],
      ['radius=300', /^\d+$/],
      ['radius=1000', /^\d{3,}$/],
    ] as const) {
      await page.locator(`[value="${question}"]`).check({ force: true });
      const answer = page.waitForResponse((response) => response.url().includes(question));
      if ('hasTouch' in screen) await page.touchscreen.tap(180, 250);
      else await page.mouse.move(500, 420);
      const { alike, answers } = (await (await answer).json()) as { alike: boolean; answers: { count: number }[] };
      assert.equal(alike, true);
      // The page shows it a moment after its browser has it.
      const counts = answers.map(({ count }) => String(count));
      await page.waitForFunction(
        `[...document.querySelectorAll('#answers td:nth-child(2)')].map(({ textContent }) => textContent).join() === '${counts}'`,
      );
      await page.waitForSelector('#verdict.alike');
      assert.equal(counts.length, 4);
      assert.equal(new Set(counts).size, 1);
      assert.match(counts[0]!, found);
      const drawn = Number(await page.getAttribute('body', 'data-drawn'));
      await page.waitForFunction(`Number(document.body.dataset.drawn) > ${drawn}`);
    }
    if (shots !== undefined) await page.screenshot({ path: `${shots}/${name.replaceAll(' ', '-')}.png` });
    const { found, cell } = await colorsOf(page);
    assert.ok(found > 200, `${found} pixels of those found`);
    assert.ok(cell > 20, `${cell} pixels of cells`);
    // Nothing is wider than the screen.
    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
    assert.deepEqual(faults, []);
    await page.close();
  });
}

test('fifty questions while the city moves: the four answer alike each time', async () => {
  for (let asked = 0; asked < 50; asked++) {
    const lat = 52.4 + ((asked * 7919) % 1000) / 4000;
    const lon = 13.2 + ((asked * 104_729) % 1000) / 2500;
    const how = ['k=1', 'k=20', 'k=100', 'radius=50', 'radius=700'][asked % 5];
    const answer = (await (await fetch(`${city.url}near?lat=${lat}&lon=${lon}&${how}`)).json()) as { alike: boolean };
    assert.equal(answer.alike, true, `${lat} ${lon} ${how}`);
  }
});

test('what is no question is refused', async () => {
  for (const query of ['', 'lat=91&lon=0&k=1', 'lat=52&lon=13&k=0', 'lat=52&lon=13&radius=99999', 'lat=x&lon=13&k=1']) {
    assert.equal((await fetch(`${city.url}near?${query}`)).status, 400, query);
  }
  assert.equal((await fetch(`${city.url}constructor`)).status, 404);
});

test('whatever is asked for, the server lives', async () => {
  for (const path of [
    '//',
    '/near?lat=91&lon=0&k=1',
    '/near?lat=%',
    '/near?lat=90&lon=180&radius=3000',
    '*',
    '/%00',
    '/toString',
  ]) {
    const socket = connect(Number(new URL(city.url).port), '127.0.0.1');
    socket.write(`GET ${path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n`);
    assert.match(await text(socket), /^HTTP\/1\.1 (400|404|500) /, path);
  }
});
