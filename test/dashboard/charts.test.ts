/** Charts in a real browser, under the policy of the real page: that they draw what they are given, can be read without eyes, and let go of all. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { burning, latencies, order, span } from './chart-data.ts';
import { chartHost, show } from './chart-host.ts';

const host = await chartHost();
after(() => host[Symbol.asyncDispose]());

const noon = new Date(2026, 2, 1, 12, 0, 0).getTime();
const plain = (text: string | null): string => (text ?? '').replaceAll('\u00a0', ' ');
const said = async (page: Page, panel: string): Promise<string> =>
  plain(await page.locator(`${panel} .plot`).getAttribute('aria-valuetext'));

/** How many pixels of a canvas are near a colour that the style sheet gives, in a part of its width. */
function pixels(
  page: Page,
  panel: string,
  variable: string,
  [from, to]: readonly [number, number] = [0, 1],
): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector('${panel} canvas');
    const probe = canvas.parentElement.appendChild(document.createElement('i'));
    probe.style.color = 'var(${variable})';
    const wanted = getComputedStyle(probe).color.match(/[\\d.]+/g).map(Number);
    probe.remove();
    const [left, right] = [canvas.width * ${from}, canvas.width * ${to}].map(Math.round);
    const { data } = canvas.getContext('2d').getImageData(left, 0, right - left, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 200 && [0, 1, 2].every((part) => Math.abs(data[at + part] - wanted[part]) < 12)) count++;
    }
    return count;
  })()`);
}

/** Frame after frame, until it is so: the policy of the page forbids what `waitForFunction` does with text. */
async function until(page: Page, expression: string): Promise<void> {
  while ((await page.evaluate(`new Promise((done) => requestAnimationFrame(() => done(${expression})))`)) !== true);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`${colorScheme}: each line has its colour, each change its mark, and what is not known is a gap`, async () => {
    const { page, faults } = await host.open({ colorScheme });
    await show(page, { lines: [latencies(noon, 100).lines] });
    for (const line of ['--line-p50', '--line-p90', '--line-p99', '--line-p999']) {
      const count = await pixels(page, '#lines-0', line);
      assert.ok(count > 100, `${count} pixels of ${line}`);
    }
    // Of 100 steps nothing is known of 30 to 32; the axis takes 62 pixels of 1,150 or so.
    const gap = await page.evaluate(`(() => {
      const { clientWidth } = document.querySelector('.plot');
      const at = (step) => (62 + ((step + 0.5) / 100) * (clientWidth - 76)) / clientWidth;
      return [at(30), at(32)];
    })()`);
    assert.equal(await pixels(page, '#lines-0', '--line-p50', gap as [number, number]), 0);
    assert.ok((await pixels(page, '#lines-0', '--mark')) > 50);
    assert.deepEqual(faults, []);
    await page.close();
  });
}

test('the step that is not over is veiled', async () => {
  const { page } = await host.open();
  const { lines } = latencies(noon, 12);
  const shown = async (partial: number): Promise<number> => {
    await show(page, { lines: [{ ...lines, marks: [], data: { ...lines.data, partial } }] });
    // The last of twelve steps.
    return pixels(page, '#lines-0', '--line-p999', [0.92, 1]);
  };
  const [unfinished, finished] = [await shown(11), await shown(-1)];
  assert.ok(finished > 20 && unfinished < finished / 5, `${unfinished} pixels, and ${finished} when it is over`);
  await page.close();
});

test('colours follow when the system turns dark', async () => {
  const { page, faults } = await host.open({ colorScheme: 'light' });
  const { lines, heat } = latencies(noon, 100);
  await show(page, { lines: [lines], heat });
  const before = await page
    .locator('#heat canvas')
    .evaluate((canvas) => (canvas as never as { toDataURL(): string }).toDataURL());
  await page.emulateMedia({ colorScheme: 'dark' });
  await until(page, `document.querySelector('#heat canvas').toDataURL() !== ${JSON.stringify(before)}`);
  assert.ok((await pixels(page, '#lines-0', '--line-p50')) > 100);
  assert.deepEqual(faults, []);
  await page.close();
});

test('keys walk along a chart, all charts show the same moment, and its values are read out', async () => {
  const { page, faults } = await host.open();
  const { lines, heat } = latencies(noon, 100);
  await show(page, { lines: [lines, { ...lines, title: 'Another' }], heat });
  // Before anybody points the newest whole step is told: the last is not over.
  assert.match(await said(page, '#lines-0'), /^12:16:20: p50 [\d.]+ ms, p90 .*, p99\.9 [^,]*\.$/);
  await page.locator('#lines-0 .plot').focus();
  await page.keyboard.press('End');
  assert.match(await said(page, '#lines-0'), /^12:16:30: .*, so far\.$/);
  await page.keyboard.press('Home');
  for (let pressed = 0; pressed < 6; pressed++) await page.keyboard.press('PageDown');
  for (const panel of ['#lines-0', '#lines-1', '#heat']) {
    assert.match(await said(page, panel), /^12:10:00: .*\. Config 3 was put in force\.$/);
  }
  assert.equal(await page.locator('#lines-1 .marks').textContent(), 'Config 3 was put in force.');
  const column = lines.data.columns[0]![60]!;
  assert.equal(plain(await page.locator('#lines-1 .legend b').first().textContent()), `${column.toPrecision(3)} ms`);
  const crosses =
    await page.evaluate(`[...document.querySelectorAll('.u-cursor-x')].map((line) => line.getBoundingClientRect().x)
    .concat(document.querySelector('.cross').getBoundingClientRect().x)`);
  for (const x of crosses as number[]) assert.ok(Math.abs(x - (crosses as number[])[0]!) < 1.5, `${crosses}`);
  await page.keyboard.press('Escape');
  assert.match(await said(page, '#heat'), /^12:16:20/);
  assert.deepEqual(faults, []);
  await page.close();
});

test('the pointer does the same as the keys', async () => {
  const { page } = await host.open();
  const { lines, heat } = latencies(noon, 100);
  await show(page, { lines: [lines], heat });
  const box = (await page.locator('#heat canvas').boundingBox())!;
  await page.mouse.move(box.x + 62 + ((60 + 0.5) / 100) * (box.width - 76), box.y + 50);
  await page.locator('#lines-0 .plot[aria-valuetext^="12:10:00"]').waitFor();
  const top = (await page.locator('#lines-0 canvas').boundingBox())!;
  await page.mouse.move(top.x + 62 + ((30 + 0.5) / 100) * (top.width - 76), top.y + 50);
  await page.locator('#heat .plot[aria-valuetext^="12:05:00"]').waitFor();
  await page.mouse.move(5, 5);
  await page.locator('#heat .plot[aria-valuetext^="12:16:20"]').waitFor();
  await page.close();
});

test('a chart that goes while it is pointed at lets go of the others', async () => {
  const { page, faults } = await host.open();
  const { lines, heat } = latencies(noon, 100);
  for (const panel of ['#heat', '#lines-1']) {
    await show(page, { lines: [lines, { ...lines, title: 'Another' }], heat });
    const box = (await page.locator(`${panel} canvas`).boundingBox())!;
    await page.mouse.move(box.x + 62 + ((60 + 0.5) / 100) * (box.width - 76), box.y + 50);
    await page.locator('#lines-0 .plot[aria-valuetext^="12:10:00"]').waitFor();
    await show(page, { lines: [lines] });
    await page.locator('#lines-0 .plot[aria-valuetext^="12:16:20"]').waitFor();
  }
  assert.deepEqual(faults, []);
  await page.close();
});

test('dots stand at their moment and value on both charts, stay the same elements under new data, and go when they are gone', async () => {
  const { page, faults } = await host.open();
  const { lines, heat } = latencies(noon, 100);
  const dot = (step: number, value: number, failed = false) =>
    ({ atMs: noon + (step + 0.5) * 10_000, value, href: `#/traces?id=${step}`, what: `GET ${step}`, failed });
  const shown = (...dots: ReturnType<typeof dot>[]) =>
    show(page, { lines: [{ ...lines, data: { ...lines.data, dots } }], heat: { ...heat, dots } });
  // Below and above all lines of the chart, before it, and of no length at all, which is at the lower end.
  await shown(dot(20, 0.02), dot(60, 40_000, true), dot(-5, 10), dot(40, 0));
  for (const panel of ['#lines-0', '#heat']) {
    const links = `[...document.querySelectorAll('${panel} .dots a')].map(({ className, title }) => [title, className])`;
    assert.deepEqual(await page.evaluate(links), [['GET 20', ''], ['GET 60', 'failed'], ['GET 40', '']]);
    await page.locator(`${panel} .dots a.failed`).hover();
    await page.locator(`${panel} .plot[aria-valuetext^="12:10:00"][aria-valuetext*="Enter opens GET 60."]`).waitFor();
  }
  const [plot, low, high, none] = await page.evaluate<{ top: number; middle: number; height: number }[]>(`['.plot', '.dots a', '.dots a.failed', '.dots a:nth-child(3)'].map((one) => {
    const { top, height } = document.querySelector('#lines-0 ' + one).getBoundingClientRect();
    return { top, middle: top + height / 2, height };
  })`);
  const area = { top: plot!.top + 8, height: plot!.height - 8 - 22 };
  // The axis is from 20 µs to 50 s, so that the lower is on it.
  assert.ok(Math.abs(low!.middle - area.top - area.height) < 1.5, JSON.stringify([area, low]));
  const from50s = (Math.log(50_000 / 40_000) / Math.log(50_000 / 0.02)) * area.height;
  assert.ok(Math.abs(high!.middle - area.top - from50s) < 1.5, JSON.stringify([area, high]));
  assert.ok(Math.abs(none!.middle - low!.middle) < 1.5, JSON.stringify([low, none]));
  await page.evaluate(`document.querySelector('#lines-0 .dots a').isSame = true`);
  await shown(dot(20, 0.02), dot(30, 5));
  assert.deepEqual(await page.evaluate(`[...document.querySelectorAll('#lines-0 .dots a')].map(({ title, isSame }) => [title, isSame])`),
    [['GET 20', true], ['GET 30', undefined]]);
  assert.deepEqual(faults, []);
  await page.close();
}); // prettier-ignore

test('two dots that lead to one trace are two, however often they are drawn, and both go', async () => {
  const { page, faults } = await host.open();
  const { lines, heat } = latencies(noon, 100);
  const dot = (step: number, value: number) =>
    ({ atMs: noon + (step + 0.5) * 10_000, value, href: '#/traces?id=1', what: `GET ${step}`, failed: false });
  const shown = async (...dots: ReturnType<typeof dot>[]): Promise<unknown> => {
    await show(page, { lines: [{ ...lines, data: { ...lines.data, dots } }], heat: { ...heat, dots } });
    return page.evaluate(
      `['#lines-0', '#heat'].map((panel) => [...document.querySelectorAll(panel + ' .dots a')].map(({ title }) => title))`,
    );
  };
  for (let drawn = 0; drawn < 3; drawn++) {
    const both = ['GET 20', 'GET 60'];
    assert.deepEqual(await shown(dot(20, 5), dot(60, 50)), [both, both]);
  }
  assert.deepEqual(await shown(), [[], []]);
  assert.deepEqual(faults, []);
  await page.close();
}); // prettier-ignore

test('behind each chart is a table of the same numbers', async () => {
  const { page, faults } = await host.open();
  const { lines, heat } = latencies(noon, 100);
  await show(page, { lines: [lines], heat });
  for (const panel of ['#lines-0', '#heat']) {
    await page.locator(`${panel} button`).click();
    const rows = page.locator(`${panel} tbody tr`);
    assert.equal(await rows.count(), 100);
    assert.match(plain(await rows.first().locator('th').textContent()), /^12:16:30 \(so far\)$/);
  }
  const cells = await page.locator('#lines-0 tbody tr').nth(39).locator('td').allTextContents();
  await page.locator('#lines-0 button').click();
  await page.locator('#lines-0 .plot').focus();
  await page.keyboard.press('Home');
  for (let pressed = 0; pressed < 6; pressed++) await page.keyboard.press('PageDown');
  const values = await page.locator('#lines-0 .legend b').allTextContents();
  assert.deepEqual(values, cells);
  const counted = await page.locator('#heat tbody tr').nth(39).locator('td').allTextContents();
  assert.equal(
    counted.reduce((sum, cell) => sum + Number(cell), 0),
    300,
  );
  assert.deepEqual(faults, []);
  await page.close();
});

test('the heat map is darker by day where more is, and empty where nothing is known', async () => {
  const { page } = await host.open({ colorScheme: 'light' });
  await show(page, { heat: latencies(noon, 100).heat });
  const seen = await page.evaluate<number[]>(`(() => {
    const canvas = document.querySelector('#heat canvas');
    const context = canvas.getContext('2d');
    const width = canvas.width - 76;
    return Array.from({ length: 100 }, (_, step) => {
      const x = Math.round(62 + ((step + 0.5) / 100) * width);
      const { data } = context.getImageData(x, 8, 1, canvas.height - 30);
      let darkest = 255;
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 0) darkest = Math.min(darkest, data[at]);
      return darkest;
    });
  })()`);
  assert.deepEqual(seen.slice(30, 33), [255, 255, 255]);
  assert.ok(
    seen.slice(0, 30).every((red) => red < 60),
    `${seen}`,
  );
  await page.close();
});

test('ten thousand spans: only those on the screen are in the page, and keys reach the last', async () => {
  const { page, faults } = await host.open();
  const spans = Array.from({ length: 10_000 }, (_, at) =>
    span({ spanId: `${at}`, parentId: at === 0 ? null : `${Math.floor((at - 1) / 3)}`, name: `work ${at}`, startMs: 1e12 + at, durationMs: 10_000 - at }),
  ); // prettier-ignore
  await show(page, { spans });
  const grid = page.getByRole('treegrid');
  assert.equal(await grid.getAttribute('aria-rowcount'), '10000');
  assert.ok((await page.locator('.row').count()) < 80);
  await grid.focus();
  await page.keyboard.press('End');
  await page.locator('.row.chosen').waitFor();
  const last = await page.locator('.row.chosen').getAttribute('aria-rowindex');
  assert.equal(last, '10000');
  assert.ok((await page.locator('.row').count()) < 80);
  await page.keyboard.press('Home');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await grid.getAttribute('aria-rowcount'), '1');
  assert.match((await page.locator('.row.chosen').textContent())!, /\+9999/);
  assert.deepEqual(faults, []);
  await page.close();
});

test('names from the wire are text; the failed span says so, and the late clock is set right', async () => {
  const { page, faults } = await host.open();
  await show(page, { spans: order });
  const texts = await page.locator('.row .name').allTextContents();
  assert.equal(texts.length, order.length);
  assert.ok(
    texts.some((text) => text.includes('<img src=x onerror=alert(1)>')),
    texts.join('\n'),
  );
  assert.equal(await page.locator('img').count(), 0);
  assert.match(texts[1]!, /attempt 127\.0\.0\.1:9001 failed/);
  const bars = await page
    .locator('.row .bar')
    .evaluateAll((all) => all.map((bar) => parseFloat((bar as never as { style: { left: string } }).style.left)));
  assert.ok(
    bars.every((left) => left >= 0 && left < 100),
    `${bars}`,
  );
  assert.equal(bars[0], 0);
  assert.deepEqual(faults, []);
  await page.close();
});

test('on a phone nothing is wider than the screen', async () => {
  const { page, faults } = await host.open({ viewport: { width: 390, height: 844 }, hasTouch: true });
  const { lines, heat } = latencies(noon, 100);
  await show(page, { lines: [lines], heat, spans: order, slo: burning() });
  assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
  assert.deepEqual(faults, []);
  await page.close();
});

test('a chart follows the width of its place', async () => {
  const { page } = await host.open();
  await show(page, { lines: [latencies(noon, 100).lines], heat: latencies(noon, 100).heat });
  await page.setViewportSize({ width: 700, height: 800 });
  const fits = `[...document.querySelectorAll('canvas')].every(({ clientWidth, closest }) => clientWidth <= 700 && clientWidth > 500)`;
  await until(page, fits);
  await page.close();
});

test('the bars of an objective are a table, and burn rates stand beside them', async () => {
  const { page } = await host.open();
  await show(page, { slo: burning() });
  const rows = (await page.locator('#slo tr').allTextContents()).map(plain);
  assert.match(rows[1]!, /^page above 14\.4×1 h20\.1×firing since /);
  assert.match(rows[3]!, /^page above 6×6 h4\.20×building up/);
  assert.match(rows[7]!, /^ticket above 1×3 dno traffic/);
  await page.close();
});

test('a hundred updates leave nothing behind', async () => {
  const { page, faults } = await host.open();
  const frames = Array.from({ length: 20 }, (_, at) => latencies(noon + at * 10_000, 120, at + 1));
  const measure = (): Promise<{ heap: number; nodes: number }> =>
    page.evaluate(`(() => {
      for (let turn = 0; turn < 5; turn++) gc();
      return { heap: performance.memory.usedJSHeapSize, nodes: document.querySelectorAll('*').length };
    })()`);
  const play = async (turns: number): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) {
      const { lines, heat } = frames[turn % frames.length]!;
      await show(page, { lines: [lines], heat, spans: order });
    }
    // Gone, and here again: what a chart held is let go of.
    await show(page, {});
    await show(page, { lines: [frames[0]!.lines], heat: frames[0]!.heat, spans: order });
  };
  await play(25);
  const before = await measure();
  await play(100);
  const now = await measure();
  assert.equal(now.nodes, before.nodes);
  assert.ok(now.heap < before.heap + 2_000_000, `${before.heap} B, then ${now.heap} B`);
  assert.deepEqual(faults, []);
  await page.close();
});

test('the axis of a trace has five marks, and one if it took no time', async () => {
  const { page, faults } = await host.open();
  const marks = async (durationMs: number): Promise<string[]> => {
    await show(page, { spans: [span({ spanId: '1'.repeat(16), durationMs })] });
    return (await page.locator('.ruler i').allTextContents()).map(plain);
  };
  assert.deepEqual(await marks(8), ['0', '2.00 ms', '4.00 ms', '6.00 ms', '8.00 ms']);
  assert.deepEqual(await marks(0), ['0']);
  assert.deepEqual(faults, []);
});
