import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRandom, seededRandom } from './random.ts';

test('the same seed gives the same numbers, another seed others', () => {
  const draw = (seed: number): number[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 50 }, () => random.int32());
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(1), draw(2 ** 32 + 1));
});

test('generators made by the system differ', () => {
  assert.notEqual(createRandom().int32(), createRandom().int32());
});

test('every bit is set half of the time and unit() fills [0, 1) evenly', () => {
  const random = seededRandom(42);
  const draws = 20_000;
  const bits = new Array<number>(32).fill(0);
  const tenths = new Array<number>(10).fill(0);
  for (let draw = 0; draw < draws; draw += 1) {
    const word = random.int32();
    for (let bit = 0; bit < 32; bit += 1) bits[bit]! += (word >>> bit) & 1;
    tenths[Math.floor(random.unit() * 10)]! += 1;
  }
  // Five standard deviations of a fair coin and a fair die; the seed is fixed, so this cannot flicker.
  for (const count of bits) assert.ok(Math.abs(count - draws / 2) < 5 * Math.sqrt(draws / 4), String(bits));
  for (const count of tenths) assert.ok(Math.abs(count - draws / 10) < 5 * Math.sqrt(draws * 0.09), String(tenths));
});
