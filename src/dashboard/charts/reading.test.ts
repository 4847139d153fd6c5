import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  type ChartData, chartRows, type ChartLine, dotAt, marksIn, newestWhole, stepAfterKey, stepAt, stepSentence, stepTimeText,
} from './reading.ts'; // prettier-ignore

const noon = new Date(2026, 2, 1, 12, 0, 0).getTime();
const lines: readonly ChartLine[] = [
  { label: 'p50', color: '--a' },
  { label: 'p99', color: '--b' },
];
const data: ChartData = {
  times: [0, 1, 2, 3].map((step) => noon + step * 10_000),
  stepMs: 10_000,
  columns: [
    [1.2, null, 3, 4],
    [12.3, null, 30, Number.POSITIVE_INFINITY],
  ],
  partial: 3,
};
const marks = [
  { atMs: noon + 20_000, kind: 'config', what: 'Config 3 was put in force.' },
  { atMs: noon + 29_999, kind: 'drain', what: '127.0.0.1:1 drains.' },
  { atMs: noon + 90_000, kind: 'drain', what: 'Later.' },
];
const plain = (text: string): string => text.replaceAll('\u00a0', ' ');
const sentence = (step: number): string => plain(stepSentence(data, step, { unit: 'duration', lines, marks }));

test('a step is told with its values, with what is not known, with what is not over, and with the changes in it', () => {
  assert.equal(sentence(0), '12:00:00: p50 1.20 ms, p99 12.3 ms.');
  assert.equal(sentence(1), '12:00:10: p50 –, p99 –.');
  assert.equal(sentence(2), '12:00:20: p50 3.00 ms, p99 30.0 ms. Config 3 was put in force. 127.0.0.1:1 drains.');
  assert.equal(sentence(3), '12:00:30: p50 4.00 ms, p99 ∞, so far.');
  assert.equal(sentence(4), 'No data yet.');
  assert.deepEqual(marksIn(marks, data, 9), []);
});

test('of the dots of a step one is opened: that failed, or the highest; in the table with those of the steps that have no row', () => {
  const dot = (step: number, value: number, failed = false) => ({
    ...{ atMs: noon + step * 10_000, value, failed },
    ...{ href: `#/traces?id=${step}`, what: `${value} ms` },
  });
  const dots = [dot(0, 3), dot(0.1, 9), dot(0.9, 4), dot(1, 5), dot(2, 8), dot(2.5, 1, true)];
  const of = (step: number, steps?: number) => dotAt({ ...data, dots }, step, steps)?.what;
  assert.deepEqual([of(0), of(1), of(2), of(3), of(4), of(-1)], ['9 ms', '5 ms', '1 ms', undefined, undefined, undefined]);
  assert.deepEqual([of(1, 2), of(3, 3), of(1, 99)], ['9 ms', '1 ms', '9 ms']);
  assert.equal(dotAt(data, 0), null);
  const text = stepSentence({ ...data, dots }, 2, { unit: 'duration', lines, marks: [] });
  assert.equal(plain(text), '12:00:20: p50 3.00 ms, p99 30.0 ms. Enter opens 1 ms.');
  assert.deepEqual(chartRows({ ...data, dots }, 'duration').map((row) => row.dot?.what), [undefined, '1 ms', '5 ms', '9 ms']);
}); // prettier-ignore

test('the table says the same, the newest first', () => {
  const rows = chartRows(data, 'duration').map(({ cells }) => cells.map(plain).join(' | '));
  assert.deepEqual(rows, [
    '12:00:30 (so far) | 4.00 ms | ∞',
    '12:00:20 | 3.00 ms | 30.0 ms',
    '12:00:10 | – | –',
    '12:00:00 | 1.20 ms | 12.3 ms',
  ]);
});

test('a table has at most 120 rows, the newest among them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2000 }), (length) => {
      const times = Array.from({ length }, (_, step) => step * 1000);
      const rows = chartRows({ times, stepMs: 1000, columns: [times], partial: -1 }, 'count');
      assert.ok(rows.length <= 120 && rows.length >= Math.min(length, 60));
      assert.equal(rows[0]?.atMs, times.at(-1));
    }),
  );
});

test('a moment is in the step that holds it, and outside in the nearest', () => {
  const at = (ms: number): number => stepAt(data, noon + ms);
  assert.deepEqual([at(-5), at(0), at(9_999), at(10_000), at(39_999), at(1e9)], [0, 0, 0, 1, 3, 3]);
  assert.equal(stepAt({ ...data, times: [] }, noon), -1);
});

test('the newest that is whole is not the one that is not over', () => {
  assert.equal(newestWhole(data), 2);
  assert.equal(newestWhole({ ...data, partial: -1 }), 3);
  assert.equal(newestWhole({ ...data, partial: -1, present: 1 }), 1);
  assert.equal(newestWhole({ ...data, times: [noon], partial: 0 }), 0);
  assert.equal(newestWhole({ ...data, times: [], partial: -1 }), -1);
});

test('keys lead along the chart and not beyond it; others are not taken', () => {
  const keys = ['ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End'];
  assert.deepEqual(keys.map((key) => stepAfterKey(key, 15, 100)), [14, 16, 5, 25, 0, 99]); // prettier-ignore
  assert.deepEqual(keys.map((key) => stepAfterKey(key, 0, 3)), [0, 1, 0, 2, 0, 2]); // prettier-ignore
  assert.deepEqual([stepAfterKey('a', 1, 3), stepAfterKey('toString', 1, 3), stepAfterKey('End', 0, 0)], [null, null, null]); // prettier-ignore
});

test('a chart longer than a day has the day in its times', () => {
  assert.equal(stepTimeText(data, 1), '12:00:10');
  assert.equal(plain(stepTimeText({ ...data, stepMs: 86_400_000 }, 0)), '2026-03-01 12:00');
});
