/**
 * MurmurHash3_x64_128: the 128-bit hash of Guava's and many other Bloom filters, as four 32-bit words without BigInt.
 *
 * Source: A. Appleby, SMHasher, MurmurHash3.cpp (public domain). SMHasher's verification word holds (murmur3.test.ts).
 * Cost: no allocation. It is here to read and write what others hash with it; our own keys are hashed by XXH64.
 */
import { multiplyHigh, productHigh, sumHigh } from './int64.ts';
import { keyView, type KeyText, layKey } from './key-bytes.ts';

const C1_HIGH = 0x87c37b91 | 0;
const C1_LOW = 0x114253d5 | 0;
const C2_HIGH = 0x4cf5ad43 | 0;
const C2_LOW = 0x2745937f | 0;

/** Two 64-bit halves, upper word first. */
const halves = new Int32Array(4);
const block = new DataView(new ArrayBuffer(16));

/** `half ^= rotate(lane × a, bits) × b`: how eight bytes are taken in. */
function take(at: number, high: number, low: number, bits: number): void {
  const [aHigh, aLow, bHigh, bLow] = at === 0 ? [C1_HIGH, C1_LOW, C2_HIGH, C2_LOW] : [C2_HIGH, C2_LOW, C1_HIGH, C1_LOW];
  const mixedHigh = productHigh(high, low, aHigh, aLow);
  const mixedLow = Math.imul(low, aLow);
  // From 32 bits on the words change places; a shift counts modulo 32.
  const [high0, low0] = bits < 32 ? [mixedHigh, mixedLow] : [mixedLow, mixedHigh];
  const turnedHigh = (high0 << bits) | (low0 >>> -bits);
  const turnedLow = (low0 << bits) | (high0 >>> -bits);
  halves[at]! ^= productHigh(turnedHigh, turnedLow, bHigh, bLow);
  halves[at + 1]! ^= Math.imul(turnedLow, bLow);
}

/** `half = (rotate(half, bits) + other) × 5 + constant`: between blocks. */
function stir(at: number, bits: number, constant: number): void {
  const turnedHigh = (halves[at]! << bits) | (halves[at + 1]! >>> (32 - bits));
  const turnedLow = (halves[at + 1]! << bits) | (halves[at]! >>> (32 - bits));
  const low = (turnedLow + halves[3 - at]!) | 0;
  const high = sumHigh(turnedHigh, turnedLow, halves[2 - at]!, halves[3 - at]!);
  const fiveHigh = (multiplyHigh(low, 5) + Math.imul(high, 5)) | 0;
  halves[at] = sumHigh(fiveHigh, Math.imul(low, 5), 0, constant);
  halves[at + 1] = Math.imul(low, 5) + constant;
}

function addHalf(to: number, from: number): void {
  halves[to] = sumHigh(halves[to]!, halves[to + 1]!, halves[from]!, halves[from + 1]!);
  halves[to + 1]! += halves[from + 1]!;
}

/** The finaliser fmix64. Shifting right by 33 leaves one word, shifted by 1. */
function avalanche(at: number): void {
  let high = halves[at]!;
  let low = halves[at + 1]! ^ (high >>> 1);
  high = productHigh(high, low, 0xff51afd7, 0xed558ccd);
  low = Math.imul(low, 0xed558ccd);
  low ^= high >>> 1;
  high = productHigh(high, low, 0xc4ceb9fe, 0x1a85ec53);
  low = Math.imul(low, 0x1a85ec53);
  halves[at] = high;
  halves[at + 1] = low ^ (high >>> 1);
}

/**
 * MurmurHash3_x64_128 of a key into four words: the upper and lower word of the first half, then of the second. The seed is
 * 32 bits wide.
 */
export function murmur3(key: KeyText, out: Int32Array | Uint32Array, seed = 0): void {
  const length = layKey(key);
  const view = keyView();
  halves[0] = halves[2] = 0;
  halves[1] = halves[3] = seed;
  const end = length & -16;
  for (let at = 0; at < end; at += 16) {
    take(0, view.getInt32(at + 4, true), view.getInt32(at, true), 31);
    stir(0, 27, 0x52dce729);
    take(2, view.getInt32(at + 12, true), view.getInt32(at + 8, true), 33);
    stir(2, 31, 0x38495ab5);
  }
  for (let at = 0; at < 16; at++) block.setUint8(at, end + at < length ? view.getUint8(end + at) : 0);
  // Zero taken in is zero: a part that is not there changes nothing.
  take(2, block.getInt32(12, true), block.getInt32(8, true), 33);
  take(0, block.getInt32(4, true), block.getInt32(0, true), 31);
  halves[1] ^= length;
  halves[3] ^= length;
  addHalf(0, 2);
  addHalf(2, 0);
  avalanche(0);
  avalanche(2);
  addHalf(0, 2);
  addHalf(2, 0);
  out.set(halves);
}
