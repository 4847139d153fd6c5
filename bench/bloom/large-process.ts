/**
 * A filter for a billion keys, and bloomfilter with all that it can have, as a process of its own: memory has large pages from its
 * beginning or not at all. Answers with its figures, as JSON.
 *
 * The filter is filled by lot to the share of bits that a billion keys set, since adding them takes a quarter of an hour (`--billion` does).
 * A thousand keys at a time are made, as requests bring them, and then asked for, each once in a turn: so they are in the cache and their
 * bits are not. Only the asking is timed, of ours and of the other alike.
 */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
// @ts-expect-error It has no types.
import { BloomFilter as Bloomfilter } from 'bloomfilter';
import { createFilter } from 'spillway/bloom';
import { keyStream } from './key-stream.ts';
import { bestOf, over, timed } from './turns.ts';

const MANY = 2 ** 20;
const BILLION = 1e9;

export interface LargeFigures {
  readonly bytes: number;
  /** How much of the process's memory is in large pages. */
  readonly largePageBytes: number;
  readonly own: Readonly<Record<string, number>>;
  readonly peer: Readonly<Record<string, number>>;
}

/** So few that they are in the cache, and so many that the clock costs nothing beside them. */
const AT_ONCE = 1024;

type Work<Key> = (keys: readonly Key[]) => number;

/** Makes a million keys from the `from`-th on and times what `work` does with them. */
function streamed(from: number, work: Work<Uint8Array>): () => number {
  return () => {
    let ns = 0;
    for (const keys of keyStream(from, from + MANY, AT_ONCE)) ns += timed(() => work(keys))();
    return ns;
  };
}

/** The same, of keys as strings. */
function streamedTexts(from: number, work: Work<string>): () => number {
  const decoder = new TextDecoder();
  return () => {
    let ns = 0;
    for (const keys of keyStream(from, from + MANY, AT_ONCE)) {
      const texts = keys.map((key) => decoder.decode(key));
      ns += timed(() => work(texts))();
    }
    return ns;
  };
}

/** Reads words all over the memory, each where the one before says: nothing can be read ahead. */
function chase(bits: Uint8Array): number {
  const words = new Int32Array(bits.buffer, bits.byteOffset, bits.length / 4);
  let at = 0;
  for (let step = 0; step < MANY; step++) at = ((words[at]! ^ Math.imul(at + step, 0x85ebca6b)) >>> 0) % words.length;
  return at;
}

/** Words whose bits are set by lot, about 45 % of them: as in a filter at its capacity. */
function fillByLot(bits: Uint8Array): void {
  const piece = new Uint32Array(2 ** 22);
  const other = new Uint32Array(piece.length);
  for (let at = 0; at < bits.length; at += 4 * piece.length) {
    randomFillSync(piece);
    randomFillSync(other);
    // Of a bit in 32 the half is cleared, seven times: 0.5 × (1 − 1/64)^7 is 0.45.
    for (let index = 0; index < piece.length; index++) {
      const lot = other[index]!;
      const cleared = (1 << lot) | (1 << (lot >>> 5)) | (1 << (lot >>> 10)) | (1 << (lot >>> 15));
      piece[index] = piece[index]! & ~cleared;
    }
    bits.set(new Uint8Array(piece.buffer).subarray(0, Math.min(4 * piece.length, bits.length - at)), at);
  }
}

function largePageBytes(): number {
  if (process.platform !== 'linux') return 0;
  return Number(/^AnonHugePages: +(\d+) kB$/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))?.[1] ?? 0) * 1024;
}

function measure(): LargeFigures {
  const large = createFilter({ capacity: BILLION });
  fillByLot(large.bits);
  for (const keys of keyStream(0, MANY)) large.addMany(keys);
  const pages = largePageBytes();
  let from = 2 * MANY;
  const fresh = (): number => (from += MANY);
  const has: Work<Uint8Array> = (keys) => over(keys, (key) => large.has(key));
  const hasText: Work<string> = (keys) => over(keys, (key) => large.has(key));
  const hasMany: Work<Uint8Array | string> = (keys) => large.hasMany(keys).length;
  const add: Work<Uint8Array> = (keys) => over(keys, (key) => large.add(key));
  const own = bestOf([
    { name: 'one read of memory so large, after another', operations: MANY, run: timed(() => chase(large.bits)) },
    { name: 'has, string there', operations: MANY, run: streamedTexts(0, hasText) },
    { name: 'has, string not there', operations: MANY, run: streamedTexts(MANY, hasText) },
    { name: 'has, bytes there', operations: MANY, run: streamed(0, has) },
    { name: 'has, bytes not there', operations: MANY, run: streamed(MANY, has) },
    { name: 'hasMany, strings there', operations: MANY, run: streamedTexts(0, hasMany) },
    { name: 'hasMany, bytes there', operations: MANY, run: streamed(0, hasMany) },
    { name: 'hasMany, bytes not there', operations: MANY, run: streamed(MANY, hasMany) },
    { name: 'add, bytes new', operations: MANY, run: () => streamed(fresh(), add)() },
    { name: 'addMany, bytes new', operations: MANY, run: () => streamed(fresh(), (keys) => large.addMany(keys))() },
  ]);
  const largePeer = new Bloomfilter(2 ** 32 - 32, 7);
  fillByLot(new Uint8Array(largePeer.buckets.buffer));
  const decoder = new TextDecoder();
  for (const keys of keyStream(0, MANY)) for (const key of keys) largePeer.add(decoder.decode(key));
  const test: Work<string> = (keys) => over(keys, (key) => largePeer.test(key));
  const peer = bestOf([
    { name: 'test, string there', operations: MANY, run: streamedTexts(0, test) },
    { name: 'test, string not there', operations: MANY, run: streamedTexts(MANY, test) },
  ]);
  return { bytes: large.bits.length, largePageBytes: pages, own, peer };
}

process.stdout.write(JSON.stringify(measure()));
