import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFilter, filterFromBytes, type LayoutName, layouts, openFilter } from './bloom-filter.ts';

const names = Object.keys(layouts) as LayoutName[];

/** Hashes that no two calls give twice: what counts here is the filter, not the hash of text. */
function hashes(from: number, count: number): Uint32Array {
  const words = new Uint32Array(2 * count);
  for (let at = 0; at < count; at++) {
    let high = Math.imul(from + at, 0x9e3779b1);
    high = Math.imul(high ^ (high >>> 15), 0x85ebca77);
    high = Math.imul(high ^ (high >>> 13), 0xc2b2ae3d);
    let low = Math.imul(high ^ (from + at), 0x27d4eb2f);
    low = Math.imul(low ^ (low >>> 15), 0x165667b1);
    words[2 * at] = high ^ (high >>> 16);
    words[2 * at + 1] = low ^ (low >>> 13);
  }
  return words;
}

for (const layout of names) {
  test(`${layout}: every key that was added is found, and absent keys at the predicted rate`, () => {
    for (const rate of [0.05, 0.01, 0.001]) {
      const filter = createFilter({ capacity: 200_000, falsePositiveRate: rate, layout });
      const keys = hashes(0, 200_000);
      filter.addMany(keys);
      assert.ok(!filter.hasMany(keys).includes(0));
      const absent = 1_000_000;
      const yes = filter.hasMany(hashes(1_000_000_000, absent)).reduce((sum, one) => sum + one, 0);
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
  filter.addMany(hashes(0, 20_000));
  const { overCapacity, count, falsePositiveRate } = filter.report();
  assert.ok(overCapacity && Math.abs(count - 20_000) < 800, `${count}`);
  assert.ok(falsePositiveRate.now > 5 * falsePositiveRate.atCapacity);
  assert.ok(!filter.hasMany(hashes(0, 20_000)).includes(0));
});

test('a filter is opened from its bytes and from its memory', () => {
  const filter = createFilter({ capacity: 100, seed: 'random', shared: true });
  assert.equal(filter.add('a'), true);
  assert.equal(filter.add('a'), false);
  assert.ok(filterFromBytes(filter.toBytes()).has('a'));
  assert.ok(openFilter(filter.memory).has(new TextEncoder().encode('a')));
});
