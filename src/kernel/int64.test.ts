import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { multiplyHigh, productHigh, sumHigh } from './int64.ts';

const word = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 }), fc.constantFrom(0, 1, -1, 0xffff, 2 ** 31));
const wide = (high: number, low: number): bigint => (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
const upper = (value: bigint): number => Number(BigInt.asIntN(32, value >> 32n));

test('the upper words are those of BigInt, for every sign of the words', () => {
  fc.assert(
    fc.property(word, word, word, word, (aHigh, aLow, bHigh, bLow) => {
      const [a, b] = [wide(aHigh, aLow), wide(bHigh, bLow)];
      assert.equal(multiplyHigh(aLow, bLow), upper(BigInt(aLow >>> 0) * BigInt(bLow >>> 0)));
      assert.equal(productHigh(aHigh, aLow, bHigh, bLow), upper(a * b));
      assert.equal(sumHigh(aHigh, aLow, bHigh, bLow), upper(a + b));
    }),
  );
});

test('scaling is exact where doubles are not', () => {
  // Math.floor(hash * blocks / 2 ** 32) is one more in the first, and of another block.
  assert.equal(multiplyHigh(1_093_263_543, 19_531_250), 4_971_586);
  assert.equal(multiplyHigh(3_278_890_181, 19_531_251), 14_910_666);
  assert.equal(multiplyHigh(2_347_712_931, 19_531_253), 10_676_163);
});
