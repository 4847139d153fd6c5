/**
 * A filter for a billion keys, and bloomfilter with all that it can have, as a process of its own: memory has large pages from its
 * beginning or not at all. Answers with its figures, as JSON.
 *
 * The filter is filled by lot to the share of bits that a billion keys set, since adding them takes a quarter of an hour (`--billion` does).
 * Each key is written just before it is asked for, as a request brings it, and is never asked for again in that turn: so the key
 * is in the cache and its bits are not.
 */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
// @ts-expect-error It has no types.
import { BloomFilter as Bloomfilter } from 'bloomfilter';
import { createFilter } from 'spillway/bloom';
import { keyStream } from './key-stream.ts';
import { bestOf } from './turns.ts';

const MANY = 2 ** 20;
const BILLION = 1e9;

export interface LargeFigures {
  readonly bytes: number;
  /** How much of the process's memory is in large pages. */
  readonly largePageBytes: number;
  readonly own: Readonly<Record<string, number>>;
  readonly peer: Readonly<Record<string, number>>;
}

/** Makes a million keys from the `from`-th on, a few at a time, and adds up what `work` says of them. */
function streamed(from: number, work: (keys: readonly Uint8Array[]) => number): () => number {
  return () => {
    let sum = 0;
    for (const keys of keyStream(from, from + MANY, 64)) sum += work(keys);
    return sum;
  };
}

function each(from: number, ask: (key: Uint8Array) => boolean): () => number {
  return streamed(from, (keys) => {
    let sum = 0;
    for (const key of keys) if (ask(key)) sum++;
    return sum;
  });
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
  const own = bestOf([
    { name: 'making the key alone', operations: MANY, run: streamed(0, ([key]) => key!.length) },
    { name: 'one read of memory so large, which has must wait for', operations: MANY, run: () => chase(large.bits) },
    { name: 'has, key there', operations: MANY, run: each(0, (key) => large.has(key)) },
    { name: 'has, key not there', operations: MANY, run: each(MANY, (key) => large.has(key)) },
    { name: 'hasMany, keys there', operations: MANY, run: streamed(0, (keys) => large.hasMany(keys).length) },
    { name: 'hasMany, keys not there', operations: MANY, run: streamed(MANY, (keys) => large.hasMany(keys).length) },
    { name: 'add, key new', operations: MANY, run: () => each(fresh(), (key) => large.add(key))() },
    { name: 'addMany, keys new', operations: MANY, run: () => streamed(fresh(), (keys) => large.addMany(keys))() },
  ]);
  const largePeer = new Bloomfilter(2 ** 32 - 32, 7);
  fillByLot(new Uint8Array(largePeer.buckets.buffer));
  const text = new TextDecoder();
  for (const keys of keyStream(0, MANY)) for (const key of keys) largePeer.add(text.decode(key));
  const peer = bestOf([
    { name: 'making the key alone, a string', operations: MANY, run: each(0, (key) => text.decode(key) === '') },
    { name: 'test, key there', operations: MANY, run: each(0, (key) => largePeer.test(text.decode(key))) },
    { name: 'test, key not there', operations: MANY, run: each(MANY, (key) => largePeer.test(text.decode(key))) },
  ]);
  return { bytes: large.bits.length, largePageBytes: pages, own, peer };
}

process.stdout.write(JSON.stringify(measure()));
