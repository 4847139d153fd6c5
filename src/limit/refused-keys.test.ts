import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRandom } from '../kernel/random.ts';
import { createRefusedKeys, RefusedKeys, topRefusedKeys } from './refused-keys.ts';

const LANES = 3;

test('however many keys come: whoever has more than a sixteenth is told, with a count that is right to `over`', () => {
  const keys = fc.array(fc.tuple(fc.integer({ min: 1, max: LANES - 1 }), fc.integer({ min: 0, max: 40 })), {
    maxLength: 400,
  });
  fc.assert(
    fc.property(keys, (refusals) => {
      const memory = createRefusedKeys(LANES, createRandom());
      const lanes = Array.from({ length: LANES }, (_, lane) => new RefusedKeys(memory, lane));
      const truth = new Map<string, number>();
      for (const [lane, id] of refusals) {
        // Some are refused far more often than others.
        const key = `key ${Math.min(id, id % 7 === 0 ? id : 3)}`;
        lanes[lane]!.count(key, true);
        truth.set(key, (truth.get(key) ?? 0) + 1);
      }
      const told = topRefusedKeys(memory, 100);
      assert.ok(told.length <= 16 * LANES);
      for (const { key, refused, over } of told) {
        const true_ = truth.get(key) ?? 0;
        assert.ok(
          refused >= true_ - sumElsewhere(refusals.length) && refused - over <= true_,
          `${key}: ${refused} ± ${over}, ${true_}`,
        );
      }
      for (const [key, count] of truth) {
        if (count > (refusals.length / 16) * (LANES - 1))
          assert.ok(
            told.some((each) => each.key === key),
            key,
          );
      }
    }),
  );
});

/** What a lane may have forgotten of a key that another still has: no more than its least. */
function sumElsewhere(refusals: number): number {
  return refusals / 16;
}

test('keys are told as a hash that only this process makes, unless they may be shown', () => {
  const memory = createRefusedKeys(1, createRandom());
  const lane = new RefusedKeys(memory, 0);
  lane.count('192.0.2.1', false);
  lane.count('192.0.2.1', false);
  lane.count('192.0.2.2', true);
  const [first, second] = topRefusedKeys(memory, 10);
  assert.match(first!.key, /^[0-9a-f]{16}$/);
  assert.equal(first!.refused, 2);
  assert.deepEqual(second, { key: '192.0.2.2', refused: 1, over: 0 });
  assert.equal(topRefusedKeys(memory, 1).length, 1);
  const other = createRefusedKeys(1, createRandom());
  new RefusedKeys(other, 0).count('192.0.2.1', false);
  assert.notEqual(topRefusedKeys(other, 1)[0]!.key, first!.key);
});
