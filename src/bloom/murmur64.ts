/**
 * MurmurHash64A, by Austin Appleby (2008, public domain): what RedisBloom hashes keys with. Two of them for a key, the second seeded by the
 * first, as the module takes them; a stored filter of its means nothing without exactly these.
 *
 * Cost: a product of 64 bits for each four bytes, twice; no allocation. Not for tables whose keys strangers choose: the seed is public.
 */
import { productHigh } from '../kernel/int64.ts';
import { type KeyText, keyView, layKey } from '../kernel/key-bytes.ts';

const M_HIGH = 0xc6a4a793 | 0;
const M_LOW = 0x5bd1e995 | 0;

/** The hash of the bytes in `view`, its words at `out[at]`, the upper first. */
function hashView(
  view: DataView,
  length: number,
  [seedHigh, seedLow]: readonly [number, number],
  out: Int32Array,
  at: number,
): void {
  let high = seedHigh ^ productHigh(0, length, M_HIGH, M_LOW);
  let low = seedLow ^ Math.imul(length, M_LOW);
  const whole = length - (length % 8);
  for (let byte = 0; byte < whole; byte += 8) {
    let wordLow = view.getInt32(byte, true);
    let word = productHigh(view.getInt32(byte + 4, true), wordLow, M_HIGH, M_LOW);
    wordLow = Math.imul(wordLow, M_LOW);
    // A shift by 47 is by 15, of the upper word to the lower.
    wordLow ^= word >>> 15;
    word = productHigh(word, wordLow, M_HIGH, M_LOW);
    high ^= word;
    low ^= Math.imul(wordLow, M_LOW);
    high = productHigh(high, low, M_HIGH, M_LOW);
    low = Math.imul(low, M_LOW);
  }
  if (whole < length) {
    for (let byte = whole; byte < length; byte++) {
      const shift = 8 * (byte - whole);
      if (shift < 32) low ^= view.getUint8(byte) << shift;
      else high ^= view.getUint8(byte) << (shift - 32);
    }
    high = productHigh(high, low, M_HIGH, M_LOW);
    low = Math.imul(low, M_LOW);
  }
  low ^= high >>> 15;
  high = productHigh(high, low, M_HIGH, M_LOW);
  low = Math.imul(low, M_LOW);
  out[at] = high;
  out[at + 1] = low ^ (high >>> 15);
}

/** Both hashes of a key, two words each, the upper first. */
export function murmurPair(key: KeyText, out: Int32Array): void {
  const length = layKey(key);
  const view = keyView();
  hashView(view, length, [M_HIGH, M_LOW], out, 0);
  hashView(view, length, [out[0]!, out[1]!], out, 2);
}
