/** Gauges whose series come and go: what is open is shown, what is closed is not, and there are never more than may be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseExposition } from '../../../test/exposition-parser.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import type { Row } from './rows.ts';

/** What a strict reader finds, as `labels value`. */
async function rowsOf(metrics: Metrics, name = 'held'): Promise<string[]> {
  let page = '';
  for await (const chunk of metrics.expose('application/openmetrics-text').body) page += String(chunk);
  const family = parseExposition(page, 'openmetrics').find((one) => one.name === name);
  return (family?.samples ?? []).map(({ labels, value }) => `${Object.values(labels).join(' ')} ${value}`).toSorted();
}

const held = { name: 'held', help: 'H.', labels: ['name'], rowsMax: 3 } as const;

test('what is open is shown with its last value, its place is the next one’s, and a handle that was closed changes nothing', async () => {
  const metrics = createMetrics();
  const rows = metrics.rows(held);
  assert.deepEqual(await rowsOf(metrics), []);
  const [a, b] = [rows.open({ name: 'a' }, 1)!, rows.open({ name: 'b' }, 2)!];
  a.set(5);
  assert.deepEqual(await rowsOf(metrics), ['a 5', 'b 2']);
  a.close();
  assert.deepEqual(await rowsOf(metrics), ['b 2']);
  const c = rows.open({ name: 'c' }, 7)!;
  a.set(9);
  a.close();
  assert.deepEqual(await rowsOf(metrics), ['b 2', 'c 7']);
  for (const row of [b, c]) row.close();
  assert.deepEqual(await rowsOf(metrics), []);
});

test('any opening, setting and closing, by whichever of two that share them: the page is what is open', async () => {
  const step = fc.record({ name: fc.constantFrom('a', 'b', '"\\\n', '😀', ''), act: fc.constantFrom('open', 'set', 'close') });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.constantFrom('greatest', 'least', 'sum'), async (steps, shown) => {
      const metrics = createMetrics({ memoryBytes: '64kb' });
      const options = { ...held, shown };
      const sides = [metrics.rows(options), createMetrics({ shared: metrics.shared }).rows(options)];
      const open: { name: string; value: number; row: Row }[] = [];
      for (const [at, { name, act }] of steps.entries()) {
        const known = open.findLast((one) => one.name === name);
        if (act === 'open') {
          const row = sides[at % 2]!.open({ name }, at + 1);
          assert.equal(row === null, open.length === held.rowsMax);
          if (row !== null) open.push({ name, value: at + 1, row });
        } else if (known !== undefined && act === 'set') {
          known.value = at + 1;
          known.row.set(at + 1);
        } else if (known !== undefined) {
          known.row.close();
          open.splice(open.indexOf(known), 1);
        }
      }
      // Of equal labels one: a page has a series once.
      const one = new Map<string, number>();
      for (const [name, equal] of Map.groupBy(open, (row) => row.name)) {
        const values = equal.map(({ value }) => value);
        const sum = values.reduce((all, value) => all + value, 0);
        one.set(name, { greatest: Math.max(...values), least: Math.min(...values), sum }[shown]);
      }
      assert.deepEqual(await rowsOf(metrics), [...one].map(([name, value]) => `${name} ${value}`).toSorted());
    }),
    { numRuns: 60 },
  );
}); // prettier-ignore

test('labels of any length have room: they are cut, the same way for all of a row', async () => {
  const metrics = createMetrics();
  const labels = ['a', 'b', 'c', 'd'] as const;
  const long = (text: string): string => text.repeat(10_000);
  const row = { a: long('\u0000'), b: long('😀'), c: long('x'), d: 'short' };
  metrics.rows({ name: 'held', help: 'H.', labels, rowsMax: 1 }).open(row, 1);
  const [line = ''] = await rowsOf(metrics);
  assert.match(line, /^\0+… (?:😀)+… x+… short 1$/u);
});

test('a row without a value, without memory, or with a wrong number of rows is refused, and said', async () => {
  const metrics = createMetrics({ memoryBytes: '64kb' });
  const rows = metrics.rows({ ...held, rowsMax: 1000 });
  assert.equal(rows.open({ name: 'a' }, 0), null);
  assert.equal(rows.open({ name: 'a' }, Number.NaN), null);
  const open = [];
  for (let row = rows.open({ name: 'a' }, 1); row !== null; row = rows.open({ name: 'a' }, 1)) open.push(row);
  assert.ok(open.length > 100 && open.length < 128, String(open.length));
  open[0]!.set(-1);
  open[0]!.close();
  assert.notEqual(rows.open({ name: 'b' }, 1), null);
  assert.deepEqual((await rowsOf(metrics, 'spillway_metrics_refused')).toSorted(), ['memory 1', 'series 0', 'value 3']);
  for (const rowsMax of [0, 1001, 1.5]) {
    assert.throws(() => metrics.rows({ ...held, rowsMax }), { code: 'OPTIONS_INVALID' });
  }
  assert.throws(() => metrics.rows({ ...held, shown: 'all' as 'least' }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => metrics.gauge({ ...({ name: 'held', help: 'H.', labels: ['name'] } as const) }), {
    code: 'METRIC_CONFLICT',
  });
});
