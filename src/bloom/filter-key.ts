/**
 * Keys of filters: the one rule by which a key becomes the 64 bits that decide where its bits are.
 *
 * The hash is XXH64 with a 64-bit seed, of the UTF-8 of a string or of bytes as they are: a filter written here is read by
 * any language that has XXH64. A hash of 32 bits would not do, whatever the filter: with a billion keys one in five absent
 * keys shares its hash with a present one.
 *
 * Invariant: the rule is part of the file format. A change here would make every stored filter forget its keys.
 */
import { randomFillSync } from 'node:crypto';
import type { KeyText } from '../kernel/key-bytes.ts';
import { invalid } from '../kernel/options.ts';
import { xxh64Words } from '../kernel/xxh64.ts';

/**
 * A key: text, bytes, or two words of a hash that was taken already, the upper first, as `xxh64(key, 0, words)` writes them.
 * The words are used as they are, whatever the filter's seed.
 */
export type FilterKey = KeyText | Uint32Array;

/** Many keys: a list, or the words of hashes one after another, two a key. */
export type FilterKeys = readonly FilterKey[] | Uint32Array;

/** What the hash starts from, two words, the upper first; `'random'` draws one that nobody can foresee. */
export type SeedOption = readonly [upper: number, lower: number] | 'random';

/** The two words of a key's hash, signed so that nothing is boxed. `out` is theirs until the next call with it. */
export function hashKey(key: FilterKey, seed: Readonly<Int32Array>, out: Int32Array): void {
  if (typeof key === 'string' || key instanceof Uint8Array) {
    xxh64Words(key, seed, out);
  } else if (key instanceof Uint32Array && key.length === 2) {
    out[0] = key[0]!;
    out[1] = key[1]!;
  } else {
    throw invalid(`A key is ${describe(key)}; expected a string, a Uint8Array, or a Uint32Array of two words.`);
  }
}

function describe(key: unknown): string {
  if (key instanceof Uint32Array) return `a Uint32Array of ${key.length} words`;
  return typeof key === 'number' ? `the number ${key}` : `of type ${typeof key}`;
}

/** How many keys there are in what a caller gave. */
export function keyCount(keys: FilterKeys): number {
  // A set has no length and a text has one: taken as a list, the one would be none and the other its letters.
  if (Array.isArray(keys)) return keys.length;
  if (!(keys instanceof Uint32Array)) {
    throw invalid(
      'Many keys are neither an array nor a Uint32Array of hashes; of anything else make an array: [...keys].',
    );
  }
  if (keys.length % 2 === 0) return keys.length / 2;
  throw invalid(`Hashed keys are ${keys.length} words; expected two for each key.`);
}

/** Lays the hashes of `keys[from, to)` into `out`, two words each. */
export function hashKeys(
  keys: FilterKeys,
  from: number,
  to: number,
  seed: Readonly<Int32Array>,
  out: Int32Array,
): void {
  if (keys instanceof Uint32Array) {
    for (let at = 2 * from, to2 = 2 * to, put = 0; at < to2; at++, put++) out[put] = keys[at]!;
    return;
  }
  const words = pair;
  for (let at = from, put = 0; at < to; at++, put += 2) {
    hashKey(keys[at]!, seed, words);
    out[put] = words[0]!;
    out[put + 1] = words[1]!;
  }
}

const pair = new Int32Array(2);

/** The seed as words; without one it is 0, so that filters made anywhere can be merged. */
export function seedWords(seed: SeedOption | undefined): Int32Array {
  if (seed === undefined) return new Int32Array(2);
  if (seed === 'random') return randomFillSync(new Int32Array(2));
  if (Array.isArray(seed) && seed.length === 2 && seed.every((word) => Number.isInteger(word) && word >>> 0 === word)) {
    return Int32Array.from(seed, (word) => word | 0);
  }
  throw invalid(`seed is ${JSON.stringify(seed)}; expected 'random', or two integers from 0 to 4294967295.`);
}
