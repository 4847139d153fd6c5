/** Many keys at once, for filters whose `has` and `add` are functions of a hash. */
import { type FilterKeys, hashKeys, keyCount } from './filter-key.ts';

/** Keys that are hashed together: the processor goes ahead to the next key while it waits for the memory of one. */
const BATCH = 64;

const hashes = new Int32Array(2 * BATCH);

/** Calls `visit` with each key's hash; says how many keys there are. */
function eachHash(
  keys: FilterKeys,
  seed: Readonly<Int32Array>,
  visit: (high: number, low: number, index: number) => void,
): number {
  const count = keyCount(keys);
  for (let from = 0; from < count; from += BATCH) {
    const to = Math.min(from + BATCH, count);
    hashKeys(keys, from, to, seed, hashes);
    for (let index = from, at = 0; index < to; index++, at += 2) visit(hashes[at]!, hashes[at + 1]!, index);
  }
  return count;
}

/** A byte for each key: 1 if `has` says yes to its hash. */
export function hasEach(
  keys: FilterKeys,
  seed: Readonly<Int32Array>,
  has: (high: number, low: number) => boolean,
): Uint8Array {
  const found = new Uint8Array(keyCount(keys));
  eachHash(keys, seed, (high, low, index) => {
    if (has(high, low)) found[index] = 1;
  });
  return found;
}

/** How often `add` says yes. */
export function addEach(
  keys: FilterKeys,
  seed: Readonly<Int32Array>,
  add: (high: number, low: number) => boolean,
): number {
  let fresh = 0;
  eachHash(keys, seed, (high, low) => {
    if (add(high, low)) fresh++;
  });
  return fresh;
}
