import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { shownRows, stepInTree, type TreeRow, windowOf } from './tree-rows.ts';

/** A tree in which each row hangs below some row before it. */
const tree = fc.array(fc.nat(), { minLength: 1, maxLength: 40 }).map((numbers): TreeRow[] => {
  const rows: { parent: number; below: number }[] = [];
  let open: number[] = [];
  for (const [at, number] of numbers.entries()) {
    open = open.slice(0, number % (open.length + 1));
    rows.push({ parent: open.at(-1) ?? -1, below: 0 });
    for (const ancestor of open) rows[ancestor]!.below++;
    open.push(at);
  }
  return rows;
});

test('shown are the rows that have no folded one above them, in order', () => {
  fc.assert(
    fc.property(tree, fc.array(fc.nat({ max: 39 })), (rows, folds) => {
      const folded = new Set(folds);
      const hidden = (row: number): boolean => {
        const { parent } = rows[row]!;
        return parent >= 0 && (folded.has(parent) || hidden(parent));
      };
      assert.deepEqual(
        shownRows(rows, folded),
        [...rows.keys()].filter((row) => !hidden(row)),
      );
    }),
  );
});

test('whatever keys are pressed, a shown row is chosen; down and right from the first reach every row, left every root', () => {
  const keys = ['ArrowDown', 'ArrowUp', 'ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End'];
  fc.assert(
    fc.property(tree, fc.array(fc.constantFrom(...keys), { maxLength: 60 }), (rows, pressed) => {
      const folded = new Set<number>();
      let at = 0;
      const press = (key: string): void => {
        const step = stepInTree(key, at, { rows, shown: shownRows(rows, folded), folded })!;
        at = step.to;
        if (step.fold?.folded === true) folded.add(step.fold.row);
        if (step.fold?.folded === false) folded.delete(step.fold.row);
        assert.ok(shownRows(rows, folded).includes(at), `${key} leads to ${at}`);
      };
      for (const key of pressed) press(key);
      press('Home');
      assert.equal(at, 0);
      const seen = new Set([0]);
      for (let turn = 0; turn < 3 * rows.length; turn++) {
        if (folded.has(at)) press('ArrowRight');
        press('ArrowDown');
        seen.add(at);
      }
      assert.equal(seen.size, rows.length);
      for (let turn = 0; turn < 2 * rows.length; turn++) press('ArrowLeft');
      assert.equal(rows[at]!.parent, -1);
    }),
  );
});

test('right opens, then goes in; left closes, then goes out', () => {
  const rows = [{ parent: -1, below: 2 }, { parent: 0, below: 1 }, { parent: 1, below: 0 }]; // prettier-ignore
  const step = (key: string, from: number, ...closed: number[]) => {
    const folded = new Set(closed);
    return stepInTree(key, from, { rows, shown: shownRows(rows, folded), folded });
  };
  assert.deepEqual(step('ArrowRight', 0, 0), { to: 0, fold: { row: 0, folded: false } });
  assert.deepEqual(step('ArrowRight', 0), { to: 1, fold: null });
  assert.deepEqual(step('ArrowRight', 2), { to: 2, fold: null });
  assert.deepEqual(step('ArrowLeft', 1), { to: 1, fold: { row: 1, folded: true } });
  assert.deepEqual(step('ArrowLeft', 1, 1), { to: 0, fold: null });
  assert.equal(step('x', 0), null);
  assert.equal(stepInTree('End', 5, { rows, shown: [0], folded: new Set() }), null);
});

test('all that is on the screen is among the rows that are made, and few more', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 10_000 }),
      fc.nat({ max: 250_000 }),
      fc.integer({ min: 1, max: 2000 }),
      (count, scrollPx, heightPx) => {
        const { from, to } = windowOf(count, { scrollPx, heightPx, rowPx: 22 });
        assert.ok(from >= 0 && to <= count && from <= to);
        assert.ok(to - from <= heightPx / 22 + 18);
        for (let row = 0; row < count; row++) {
          const isSeen = row * 22 < scrollPx + heightPx && (row + 1) * 22 > scrollPx;
          if (isSeen) assert.ok(row >= from && row < to, `${row} of ${from} to ${to}`);
        }
      },
    ),
    { numRuns: 50 },
  );
});
