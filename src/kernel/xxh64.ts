/**
 * XXH64: a fast 64-bit hash for keys, the same in every language and for good, as two 32-bit words without BigInt.
 *
 * Source: xxHash specification 0.1.1 (Y. Collet). The published check values and SMHasher's verification word hold
 * (hashes.test.ts).
 * Cost: no allocation of its own (key-bytes.ts); about 30 ns for a key of 12 characters (`npm run bench -- ring`). Products of
 * 64 bits are left to WebAssembly (xxh64.wat), which has them as one instruction: in JavaScript, on halves, it took 65 ns. It reads
 * the characters of a short text too: what kind of string it is, it looks up once, and `charCodeAt` in JavaScript for each.
 *
 * Not for secrets, and without a secret seed not against people who choose their keys so that they collide.
 */
import {
  checkKey,
  keyMemory,
  type KeyText,
  keyView,
  layBytes,
  layText,
  LOOP_CHARACTERS,
  SHORT_BYTES,
} from './key-bytes.ts';
import { Instance, Module } from './webassembly.ts';
import { xxh64Code } from './xxh64-code.ts';

interface Exports {
  hash(length: number, seedHigh: number, seedLow: number): void;
  /** 0 if the text is longer or not ASCII, and so is not hashed. */
  text(text: string, lengthMax: number, seedHigh: number, seedLow: number): number;
  start(seedHigh: number, seedLow: number): void;
  stripes(end: number): void;
  finish(at: number, end: number, length: number): void;
}

/** For an engine that has no such builtins, or was told to do without; one that has them does not look at these. */
const jsString = {
  length: (text: string): number => text.length,
  charCodeAt: (text: string, at: number): number => text.charCodeAt(at),
};
const { exports } = new Instance(new Module(Buffer.from(xxh64Code, 'base64'), { builtins: ['js-string'] }), {
  'wasm:js-string': jsString,
  key: { memory: keyMemory },
});
const code = exports as Exports;

/** The result of the last call: lower word, upper word. */
const digest = new Int32Array(keyMemory.buffer, 65_528, 2);
const window = new Uint8Array(keyMemory.buffer, 0, SHORT_BYTES);

function hash(key: KeyText, seedHigh: number, seedLow: number): void {
  if (typeof key === 'string' && code.text(key, LOOP_CHARACTERS, seedHigh, seedLow) !== 0) return;
  const length = typeof key === 'string' ? layText(key) : layBytes(key);
  if (length <= SHORT_BYTES) code.hash(length, seedHigh, seedLow);
  else hashLong(keyView(), length, seedHigh, seedLow);
}

/** A key that does not fit goes through the memory piece by piece. */
function hashLong(view: DataView, length: number, seedHigh: number, seedLow: number): void {
  code.start(seedHigh, seedLow);
  for (let at = 0; ; at += SHORT_BYTES) {
    const size = Math.min(SHORT_BYTES, length - at);
    window.set(new Uint8Array(view.buffer, view.byteOffset + at, size));
    const stripes = size & -32;
    code.stripes(stripes);
    if (at + size === length) return code.finish(stripes, size, length);
  }
}

/**
 * XXH64 of a key: the upper 32 bits, signed, so that nothing is boxed. With `out` both words are stored there, the upper
 * first. The seed is 32 bits wide; `xxh64Words` takes all 64.
 *
 * @example
 * const words = new Uint32Array(2);
 * xxh64('abc', 0, words);
 * console.log(words[0].toString(16), words[1].toString(16)); // 44bc2cf5 ad770999
 */
export function xxh64(key: KeyText, seed = 0, out?: Int32Array | Uint32Array): number {
  hash(checkKey(key), 0, seed);
  if (out !== undefined) {
    out[0] = digest[1]!;
    out[1] = digest[0]!;
  }
  return digest[1]!;
}

/** Both words of the XXH64 of what is known to be a key, the upper first. The seed is two words too, the upper first. */
export function xxh64Words(key: KeyText, seed: Readonly<Int32Array>, out: Int32Array): void {
  hash(key, seed[0]!, seed[1]!);
  out[0] = digest[1]!;
  out[1] = digest[0]!;
}
