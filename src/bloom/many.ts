/** Many keys at once, for whatever is asked by hashes. */
import { type FilterKeys, hashKeys, keyCount } from './filter-key.ts';
import type { Bits } from './layout.ts';

/** Keys that are hashed, then fetched, then tested together: as many waits for memory as a core has at once, a few times. */
const BATCH = 64;

/** The hashes of a batch, and a word that keeps what was read ahead, so that no compiler leaves the reading out. */
const hashes = new Int32Array(2 * BATCH + 1);

type Touch = Partial<Pick<Bits, 'touch'>>;

/** Hashes the batch of keys from `from` on, then reads ahead what can be: the processor waits for all of it at once. Says how many they are. */
function fetch(keys: FilterKeys, from: number, count: number, seed: Readonly<Int32Array>, bits: Touch): number {
  const size = Math.min(BATCH, count - from);
  hashKeys(keys, from, from + size, seed, hashes);
  if (bits.touch !== undefined) {
    let touched = 0;
    for (let at = 0; at < size; at++) touched |= bits.touch(hashes[2 * at]!, hashes[2 * at + 1]!);
    hashes[2 * BATCH] = touched;
  }
  return size;
}

/** A byte for each key: 1 if `bits` has its hash. */
export function hasEach(keys: FilterKeys, seed: Readonly<Int32Array>, bits: Pick<Bits, 'has'> & Touch): Uint8Array {
  const count = keyCount(keys);
  const found = new Uint8Array(count);
  for (let from = 0; from < count; from += BATCH) {
    const size = fetch(keys, from, count, seed, bits);
    for (let at = 0; at < size; at++) if (bits.has(hashes[2 * at]!, hashes[2 * at + 1]!)) found[from + at] = 1;
  }
  return found;
}

/** Adds the hash of each key to `bits`; how many of them were new. */
export function addEach(keys: FilterKeys, seed: Readonly<Int32Array>, bits: Pick<Bits, 'add'> & Touch): number {
  const count = keyCount(keys);
  let fresh = 0;
  for (let from = 0; from < count; from += BATCH) {
    const size = fetch(keys, from, count, seed, bits);
    for (let at = 0; at < size; at++) if (bits.add(hashes[2 * at]!, hashes[2 * at + 1]!)) fresh++;
  }
  return fresh;
}
