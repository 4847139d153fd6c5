/** Ranges against the set of all numbers that they stand for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Sequences } from './sequences.ts';

const range = fc.tuple(fc.nat(60), fc.nat(8)).map(([from, length]) => [from, from + length] as const);

test('ranges hold what was added, in as few as there can be', () => {
  fc.assert(
    fc.property(fc.array(range), fc.array(range), (given, asked) => {
      const [sequences, all] = [new Sequences(), new Set<number>()];
      for (const [from, to] of given) {
        sequences.add(from, to);
        for (let number = from; number <= to; number++) all.add(number);
        assert.equal(sequences.last, Math.max(...all));
        for (const [low, high] of asked) {
          const isIn = [...all].some((each) => each >= low && each <= high);
          assert.equal(sequences.overlaps(low, high), isIn);
        }
      }
      const taken = sequences.take();
      const held = taken.flatMap(([from, to]) => Array.from({ length: to - from + 1 }, (_, at) => from + at));
      assert.deepEqual(
        held,
        [...all].toSorted((one, other) => one - other),
      );
      assert.ok(taken.every(([from], at) => at === 0 || from > taken[at - 1]![1] + 1));
      assert.deepEqual([sequences.take(), sequences.last], [[], 0]);
    }),
  );
});
