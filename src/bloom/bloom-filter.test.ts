import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../kernel/random.ts';
import { createFilter, type LayoutName, layouts, openFilter } from './bloom-filter.ts';

const names = Object.keys(layouts) as LayoutName[];

/** Hashes drawn by lot: what counts here is the filter, not the hash of text. */
function hashes(seed: number, count: number): Uint32Array {
  const random = seededRandom(seed);
  return Uint32Array.from({ length: 2 * count }, () => random.int32());
}

for (const layout of names) {
  test(`${layout}: every key that was added is found, and absent keys at the predicted rate`, () => {
    for (const rate of [0.05, 0.01, 0.001]) {
      const filter = createFilter({ capacity: 200_000, falsePositiveRate: rate, layout });
      const keys = hashes(1, 200_000);
      filter.addMany(keys);
      assert.ok(!filter.hasMany(keys).includes(0));
      const absent = 1_000_000;
      const yes = filter.hasMany(hashes(2, absent)).reduce((sum, one) => sum + one, 0);
      const { falsePositiveRate, overCapacity, count } = filter.report();
      const { now, atCapacity } = falsePositiveRate;
      const sigma = Math.sqrt(rate / absent);
      assert.ok(atCapacity <= rate && atCapacity > rate * 0.98);
      assert.equal(overCapacity, false, `${count}`);
      assert.ok(Math.abs(yes / absent - now) < 5 * sigma, `${yes / absent} measured, ${now} predicted`);
    }
  });
}

test('more keys than it was made for are taken, and the report says so', () => {
  const filter = createFilter({ capacity: 10_000 });
  filter.addMany(hashes(1, 20_000));
  const { overCapacity, count, falsePositiveRate } = filter.report();
  assert.ok(overCapacity && Math.abs(count - 20_000) < 800, `${count}`);
  assert.ok(falsePositiveRate.now > 5 * falsePositiveRate.atCapacity);
  assert.ok(!filter.hasMany(hashes(1, 20_000)).includes(0));
});

test('a filter is opened from its bytes and from its memory', () => {
  const filter = createFilter({ capacity: 100, seed: 'random', shared: true });
  assert.equal(filter.add('a'), true);
  assert.equal(filter.add('a'), false);
  assert.ok(openFilter(filter.toBytes()).has('a'));
  assert.ok(openFilter(filter.memory).has(new TextEncoder().encode('a')));
});
