/** The cells of a heat map hold what was counted, where it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Buckets, exponentialBounds } from '../../kernel/buckets.ts';
import { heatAxis, heatBands, heatCells, type SparseStep } from './heat-cells.ts';
import { logPosition, logTicks } from './log-axis.ts';

const { bounds } = new Buckets([...exponentialBounds(0.05, 60_000, 3), 200]);

const steps = fc.array(
  fc.option(
    fc
      .array(fc.tuple(fc.integer({ min: 0, max: bounds.length - 1 }), fc.integer({ min: 1, max: 1e6 })), {
        maxLength: 20,
      })
      .map((pairs) => pairs.flat()),
    { freq: 5 },
  ),
  { maxLength: 10 },
);

const total = (list: readonly SparseStep[]): number =>
  list.reduce((sum, step) => sum + (step ?? []).reduce((part, value, at) => part + (at % 2) * value, 0), 0);

test('all that was counted is in the cells, in its own step, between the edges of its bucket', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 80 }), (list, rows) => {
      const axis = heatAxis(bounds, list);
      if (axis === null) return assert.equal(total(list), 0);
      const { cells, most } = heatCells(bounds, list, axis, rows);
      assert.ok(Math.abs(cells.reduce((sum, count) => sum + count, 0) / total(list) - 1) < 1e-9);
      assert.equal(most, Math.max(...cells));
      for (const [column, step] of list.entries()) {
        const filled = [...cells.subarray(column * rows, (column + 1) * rows).entries()].filter(
          ([, count]) => count > 0,
        );
        if (step === null || step.length === 0) {
          assert.equal(filled.length, 0);
          continue;
        }
        const holding = step.filter((_, at) => at % 2 === 0);
        for (const [row] of filled) {
          // A row must touch a bucket that holds something.
          const touches = holding.some((bucket) => {
            const low = logPosition(axis, bounds[bucket - 1] ?? axis.min) * rows;
            const high = logPosition(axis, bounds[bucket]!) * rows;
            return row + 1 >= low - 1e-6 && row <= high + 1e-6;
          });
          assert.ok(touches, `row ${row} of ${rows}`);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test('an axis holds all buckets that hold something, begins and ends at 1, 2 or 5, and has its ends as ticks', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const axis = heatAxis(bounds, list);
      if (axis === null) return;
      const ticks = logTicks(axis);
      assert.ok(Math.abs(ticks[0]! / axis.min - 1) < 1e-6, `${ticks[0]} for ${axis.min}`);
      assert.ok(Math.abs(ticks.at(-1)! / axis.max - 1) < 1e-6, `${ticks.at(-1)} for ${axis.max}`);
      assert.ok(axis.max / axis.min >= 9.99 && ticks.length >= 4);
      assert.deepEqual([logPosition(axis, axis.min), logPosition(axis, axis.max)], [0, 1]);
      for (const step of list) {
        for (const bucket of (step ?? []).filter((_, at) => at % 2 === 0)) {
          if (Number.isFinite(bounds[bucket])) assert.ok(bounds[bucket]! <= axis.max * 1.001);
          if (bucket > 0) assert.ok(bounds[bucket - 1]! >= axis.min * 0.999);
        }
      }
    }),
  );
});

test('a bucket within a row is in it whole, one across two rows is divided by how far it reaches into each', () => {
  const axis = { min: 1, max: 100 };
  const cells = (ends: readonly number[], step: SparseStep): number[] => [
    ...heatCells([...ends, Number.POSITIVE_INFINITY], [null, step], axis, 2).cells,
  ];
  assert.deepEqual(cells([2, 4], [1, 8]), [0, 0, 8, 0]);
  assert.deepEqual(cells([2, 20, 40], [2, 8]), [0, 0, 0, 8]);
  const across = cells([10 / 4, 10 * 2], [1, 9]).map((count) => Math.round(count));
  assert.deepEqual(across, [0, 0, 6, 3]);
});

test('the table holds the same: all that was counted, each in the band of its bucket', () => {
  fc.assert(
    fc.property(steps, (list) => {
      const axis = heatAxis(bounds, list);
      if (axis === null) return;
      const ticks = logTicks(axis);
      const bands = heatBands(bounds, list, ticks);
      for (const [column, step] of list.entries()) {
        const told = bands.map((band) => band[column]);
        if (step === null) assert.ok(told.every((count) => count === null));
        else
          assert.equal(
            told.reduce<number>((sum, count) => sum + count!, 0),
            total([step]),
          );
      }
    }),
  );
  const ends = [2, 4, 8, 16, Number.POSITIVE_INFINITY];
  assert.deepEqual(heatBands(ends, [[1, 3, 2, 5, 4, 7], null], [2, 5, 10]), [[0, null], [3, null], [12, null]]); // prettier-ignore
});

test('what names no bucket, or counts nothing, is left out', () => {
  const list = [[9999, 5, -1, 5, 0.5, 5, 3, Number.NaN, 4, -2, 3]];
  assert.equal(heatAxis(bounds, list), null);
  const { cells, most } = heatCells(bounds, list, { min: 1, max: 100 }, 4);
  assert.deepEqual([...cells, most], [0, 0, 0, 0, 0]);
});
