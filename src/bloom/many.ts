/**
 * Many keys at once, for whatever is asked by hashes: of a batch first all are hashed, then all that they need is read, then each is
 * answered.
 *
 * In a filter larger than the cache nearly all of a lookup is a wait for memory. A processor waits for some twenty reads at once if they are
 * near each other in the program; between two lookups lies more than it looks ahead. So the places are computed before, and read in a
 * loop that does nothing else.
 *
 * Cost: `npm run bench -- bloom --only speed`; an answer is a byte a key.
 */
import { type FilterKeys, hashKeys, keyCount } from './filter-key.ts';
import { type Bits, PLACES_MAX } from './layout.ts';

/** Four times as many reads as a core has under way at once; what they bring is a quarter of the nearest cache. */
const BATCH = 64;

const hashes = new Int32Array(2 * BATCH);
const places = new Int32Array(PLACES_MAX * BATCH);
/** What was read ahead, all of it together, so that no compiler leaves the reading out. */
const read = new Int32Array(1);

/** Where to read ahead. */
export type Ahead = Pick<Bits, 'words' | 'places'>;

/** Hashes the batch of keys from `from` on and reads ahead for them; says how many they are. */
function fetch(
  keys: FilterKeys,
  from: number,
  count: number,
  seed: Readonly<Int32Array>,
  ahead: Ahead | undefined,
): number {
  const size = Math.min(BATCH, count - from);
  hashKeys(keys, from, from + size, seed, hashes);
  if (ahead === undefined) return size;
  const { words } = ahead;
  let all = 0;
  for (let at = 0, to = ahead.places(hashes, size, places); at < to; at++) all |= words[places[at]!]!;
  read[0] = all;
  return size;
}

/** A byte for each key: 1 if `bits` has its hash. */
export function hasEach(
  keys: FilterKeys,
  seed: Readonly<Int32Array>,
  bits: Pick<Bits, 'has'>,
  ahead?: Ahead,
): Uint8Array {
  const count = keyCount(keys);
  const found = new Uint8Array(count);
  for (let from = 0; from < count; from += BATCH) {
    const size = fetch(keys, from, count, seed, ahead);
    for (let at = 0; at < size; at++) if (bits.has(hashes[2 * at]!, hashes[2 * at + 1]!)) found[from + at] = 1;
  }
  return found;
}

/** Adds the hash of each key to `bits`; how many of them were new. */
export function addEach(keys: FilterKeys, seed: Readonly<Int32Array>, bits: Pick<Bits, 'add'>, ahead?: Ahead): number {
  const count = keyCount(keys);
  let fresh = 0;
  for (let from = 0; from < count; from += BATCH) {
    const size = fetch(keys, from, count, seed, ahead);
    for (let at = 0; at < size; at++) if (bits.add(hashes[2 * at]!, hashes[2 * at + 1]!)) fresh++;
  }
  return fresh;
}
