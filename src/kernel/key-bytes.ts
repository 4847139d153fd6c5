/**
 * A key to be hashed, as bytes: a string is its UTF-8 (a lone surrogate becomes U+FFFD, nothing is normalised), bytes are
 * themselves. So a key has one hash, whatever the language of the program that computes it.
 *
 * Short keys go to one buffer that lives as long as the program. ASCII of up to 48 characters is copied by a loop, which for 12
 * characters takes a third of what a call of `TextEncoder` takes, and allocates nothing; neither do bytes. For other text the encoder
 * writes there, and answers with a small object. The buffer holds the bytes until the next call. XXH64 reads short ASCII by a loop of its
 * own (xxh64.wat) and comes here for the rest.
 */
import { invalid } from './options.ts';
import { Memory, type WasmMemory } from './webassembly.ts';

export type KeyText = string | Uint8Array;

/** A key up to here is in `keyMemory` from its first byte on. */
export const SHORT_BYTES = 2 ** 15;
/** From here on the encoder's fixed cost is less than the loop's. */
export const LOOP_CHARACTERS = 48;

/** Memory of WebAssembly, so that a hash in it (xxh64.wat) finds the key. Its second half is the hash's own. */
export const keyMemory: WasmMemory = new Memory({ initial: 1, maximum: 1 });
const short = new Uint8Array(keyMemory.buffer, 0, SHORT_BYTES);
const words = new Int32Array(keyMemory.buffer, 0, SHORT_BYTES / 4);
const shortView = new DataView(keyMemory.buffer, 0, SHORT_BYTES);
const encoder = new TextEncoder();

/** Where the bytes of the last key are, from offset 0: those of a long key until they are asked for, so that none is kept. */
let view: DataView = shortView;

/** The key, if it is one: what is no text and no bytes is not taken for some. */
export function checkKey(key: KeyText): KeyText {
  if (typeof key === 'string' || key instanceof Uint8Array) return key;
  throw invalid(`A key is of type ${typeof key}; expected a string or bytes.`);
}

/** Lays out a key's bytes and says how many there are; `keyView` reads them. */
export function layKey(key: KeyText): number {
  if (typeof key !== 'string') return layBytes(checkKey(key) as Uint8Array);
  return key.length <= LOOP_CHARACTERS && layAscii(key) ? key.length : layText(key);
}

/** The same for a text that is long, or not ASCII. */
export function layText(text: string): number {
  // A UTF-16 unit takes at most three bytes of UTF-8.
  if (text.length * 3 > SHORT_BYTES) return layBytes(encoder.encode(text));
  return encoder.encodeInto(text, short).written;
}

/**
 * Lays out a short text and says whether it was ASCII. Four characters are one store: that takes fewer instructions, and the hash, which
 * reads four bytes at once, gets them before they are in the cache.
 */
function layAscii(text: string): boolean {
  const { length } = text;
  let all = 0;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const a = text.charCodeAt(at);
    const b = text.charCodeAt(at + 1);
    const c = text.charCodeAt(at + 2);
    const d = text.charCodeAt(at + 3);
    all |= a | b | c | d;
    words[at >> 2] = a | (b << 8) | (c << 16) | (d << 24);
  }
  let rest = 0;
  for (; at < length; at++) {
    const code = text.charCodeAt(at);
    all |= code;
    rest |= code << (8 * at);
  }
  words[length >> 2] = rest;
  return all < 0x80;
}

/** Four bytes as a word. Sums of places are cut to 32 bits so that none is looked at for overflow. */
function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[(at + 1) | 0]! << 8) | (bytes[(at + 2) | 0]! << 16) | (bytes[(at + 3) | 0]! << 24);
}

/** The same for bytes. */
function layFew(bytes: Uint8Array): void {
  const length = bytes.length | 0;
  let at = 0;
  for (; at <= ((length - 4) | 0); at = (at + 4) | 0) words[at >>> 2] = wordAt(bytes, at);
  const left = length & 3;
  if (left === 0) return;
  let rest = bytes[at]!;
  if (left > 1) rest |= bytes[(at + 1) | 0]! << 8;
  if (left > 2) rest |= bytes[(at + 2) | 0]! << 16;
  words[at >>> 2] = rest;
}

/** The same for what is known to be bytes. */
export function layBytes(bytes: Uint8Array): number {
  const { length } = bytes;
  if (length > short.length) {
    view = new DataView(bytes.buffer, bytes.byteOffset, length);
    return length;
  }
  if (length > LOOP_CHARACTERS) short.set(bytes);
  else layFew(bytes);
  return length;
}

/** The bytes of the last key laid out; to be asked for once, of a key of more than `SHORT_BYTES` in any case. */
export function keyView(): DataView {
  const last = view;
  // Written for a long key only: a write tells the garbage collector.
  if (last !== shortView) view = shortView;
  return last;
}
