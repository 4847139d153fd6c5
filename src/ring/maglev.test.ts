import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMaglev, type MaglevOptions } from './maglev.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `node-${index}`);

test('a node of many that outweighs all others has its share, and each other its slot', () => {
  // Asking every node at each turn takes 10^10 steps here.
  const nodes = names(20_000).map((name, index) => ({ name, weight: index === 7 ? 1e6 : 1 }));
  const shares = createMaglev(nodes, { size: 655_373 }).shares();
  assert.ok(Math.abs(shares[7]! - (655_373 - 19_999) / 655_373) < 1e-6, `${shares[7]}`);
  assert.ok(shares.every((share) => share > 0));
});

test('where the size chosen by itself becomes another, nearly every key moves; with a size of one’s own few do', () => {
  const moved = (options?: MaglevOptions): number => {
    const before = createMaglev(names(655), options);
    const after = before.with(names(656));
    const keys = Array.from({ length: 1000 }, (_, key) => `${key}`);
    return keys.filter((key) => before.get(key) !== after.get(key)).length / keys.length;
  };
  assert.ok(moved() > 0.95);
  assert.ok(moved({ size: 655_373 }) < 0.03);
});

test('a fingerprint has all of its 64 bits from the names as well as from the table', () => {
  // With 32 of them for the names these two, of the first 30,000 tried, were alike.
  const [one, other] = ['n25226', 'n27749'].map((name) => createMaglev([name], { size: 2 }).fingerprint());
  assert.notEqual(one, other);
});
