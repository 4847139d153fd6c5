import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { timeSpans } from '../series.ts';
import { timeTicks } from './time-ticks.ts';

const at = (hour: number, minute: number, second = 0): number => new Date(2026, 2, 1, hour, minute, second).getTime();

test('ticks are round moments, within the range, evenly apart and no more than there is room for', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: at(0, 0), max: at(0, 0) + 1e9 }),
      fc.integer({ min: 1000, max: 40 * 86_400_000 }),
      fc.integer({ min: 50, max: 3000 }),
      (from, length, width) => {
        const ticks = timeTicks(from, from + length, width);
        assert.ok(ticks.length <= Math.max(1, width / 56) + 1, `${ticks.length} in ${width} px`);
        assert.ok(length < 2000 || width < 200 || ticks.length >= 1);
        // Half a label, or the room beside the chart.
        const px = ticks.map(({ atMs }) => ((atMs - from) / length) * width);
        assert.ok(ticks.length <= 2 || (px[0]! >= 24 && px.at(-1)! <= width - 12), `${px} of ${width}`);
        for (const [index, { atMs, text }] of ticks.entries()) {
          assert.ok(atMs >= from && atMs <= from + length);
          assert.equal(atMs % 1000, 0);
          assert.match(text, /^\d\d[:-]\d\d(:\d\d)?$/);
          if (index > 1) assert.equal(atMs - ticks[index - 1]!.atMs, ticks[1]!.atMs - ticks[0]!.atMs);
        }
      },
    ),
  );
});

test('there is one where the round step is longer than the range, and no label of three is cut', () => {
  const from = Date.UTC(2026, 2, 8) + 1;
  assert.ok(timeTicks(from, from + 20 * 86_400_000 + 1, 200).length >= 1);
  assert.deepEqual(
    timeTicks(at(12, 0), at(12, 4), 150).map(({ text }) => text),
    ['12:02'],
  );
});

test('of what the dashboard charts there are two moments at least, also on a phone', () => {
  const lengths = timeSpans.map(({ spanMs }) => spanMs);
  const width = fc.integer({ min: 240, max: 1200 });
  fc.assert(
    fc.property(fc.constantFrom(...lengths), fc.integer({ min: 0, max: 4e8 }), width, (length, after, px) => {
      const from = at(0, 0) + after;
      assert.ok(timeTicks(from, from + length, px).length >= 2);
    }),
    { numRuns: 1000 },
  );
});

const texts = (from: number, to: number, width: number): string[] => timeTicks(from, to, width).map(({ text }) => text);

test('a label says what tells it from its neighbours', () => {
  assert.deepEqual(texts(at(12, 0, 3), at(12, 0, 33), 300), ['12:00:10', '12:00:20', '12:00:30']);
  assert.deepEqual(texts(at(12, 1), at(13, 1), 400), ['12:15', '12:30', '12:45']);
  assert.deepEqual(texts(at(22, 0), at(22, 0) + 8 * 3_600_000, 400), ['03-02', '02:00', '04:00']);
  assert.deepEqual(texts(at(1, 0), at(1, 0) + 3 * 86_400_000, 300), ['03-02', '03-03']);
});
