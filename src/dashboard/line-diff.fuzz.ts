import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type DiffLine, diffLines } from './line-diff.ts';

const lines = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 40 });
const textOf = (diff: readonly DiffLine[], kinds: readonly DiffLine['kind'][]): string[] =>
  diff.filter(({ kind }) => kinds.includes(kind)).map(({ text }) => text);

/** How many lines two texts have in common, in order: by the table that everybody knows. */
function commonLength(one: readonly string[], other: readonly string[]): number {
  const table = Array.from({ length: one.length + 1 }, () => new Array<number>(other.length + 1).fill(0));
  for (let x = 1; x <= one.length; x++) {
    for (let y = 1; y <= other.length; y++) {
      table[x]![y] =
        one[x - 1] === other[y - 1] ? table[x - 1]![y - 1]! + 1 : Math.max(table[x - 1]![y]!, table[x]![y - 1]!);
    }
  }
  return table[one.length]![other.length]!;
}

test('what went and what stayed is the one text, what came and what stayed the other, and no shorter way is there', () => {
  fc.assert(
    fc.property(lines, lines, (before, after) => {
      const diff = diffLines(before, after);
      assert.deepEqual(textOf(diff, ['same', 'gone']), before);
      assert.deepEqual(textOf(diff, ['same', 'new']), after);
      assert.equal(textOf(diff, ['same']).length, commonLength(before, after));
    }),
  );
});

test('texts with nothing in common are told apart at once, however long', () => {
  const before = ['first', ...Array.from({ length: 5000 }, (_, at) => `a${at}`), 'last'];
  const after = ['first', ...Array.from({ length: 5000 }, (_, at) => `b${at}`), 'last'];
  const diff = diffLines(before, after);
  assert.deepEqual(textOf(diff, ['same', 'gone']), before);
  assert.deepEqual(textOf(diff, ['same', 'new']), after);
  assert.deepEqual(textOf(diff, ['same']), ['first', 'last']);
});
