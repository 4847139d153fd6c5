import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { WinnerTree } from './winner-tree.ts';

const key = fc.oneof(fc.nat(9), fc.constant(Number.POSITIVE_INFINITY));

test('the first is always the lowest index of the smallest key, whatever changes', () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 20 }), fc.array(fc.tuple(fc.nat(19), key)), (given, changes) => {
      const keys = [...given];
      const tree = new WinnerTree(Float64Array.from(given));
      const naive = (): number => {
        const smallest = Math.min(...keys);
        return smallest === Number.POSITIVE_INFINITY ? -1 : keys.indexOf(smallest);
      };
      assert.equal(tree.first(), naive());
      for (const [at, changed] of changes.filter(([index]) => index < keys.length)) {
        keys[at] = changed;
        tree.set(at, changed);
        assert.equal(tree.first(), naive());
        assert.equal(tree.key(at), changed);
      }
    }),
  );
});
