/**
 * What a lookup and an addition cost, beside the Bloom filters of npm: in a filter that fits the cache and in one for a billion
 * keys. Contenders take turns; a figure is CPU time of this process, the best of the turns.
 *
 * The large filter is filled by lot to the share of bits that a billion keys set, since adding them takes a quarter of an hour
 * (`--billion` does). bloomfilter has at most 2^32 bits and is measured with those; bloom-filters takes so long to fill
 * that it is measured small only. Keys have 12 to 15 characters. For the large ones each is written just before it is asked for, as a
 * request brings it, and is never asked for again in that turn: so the key is in the cache and its bits are not.
 */
import { randomFillSync } from 'node:crypto';
import { BloomFilter as BloomFilters } from 'bloom-filters';
// @ts-expect-error It has no types.
import { BloomFilter as Bloomfilter } from 'bloomfilter';
import { createFilter, xxh64 } from 'spillway/bloom';
import { keyStream } from './key-stream.ts';

const ROUNDS = 5;
const FEW = 2 ** 16;
const MANY = 2 ** 20;
const BILLION = 1e9;

let sink = 0;

interface Case {
  readonly name: string;
  readonly operations: number;
  readonly run: () => number;
}

export function cpuNs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function measure(title: string, cases: readonly Case[]): void {
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, operations, run } of cases) {
      const before = cpuNs();
      sink += run();
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, (cpuNs() - before) / operations));
    }
  }
  process.stdout.write(`\n${title}\n`);
  for (const [name, ns] of best) process.stdout.write(`  ${name.padEnd(52)} ${ns.toFixed(0).padStart(7)} ns\n`);
}

/** Adds up what `each` says of every key. */
function over<T>(keys: readonly T[], each: (key: T) => boolean): () => number {
  return () => {
    let sum = 0;
    for (const key of keys) if (each(key)) sum++;
    return sum;
  };
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

const textKeys = (count: number, from: number): string[] =>
  Array.from({ length: count }, (_, index) => `user:${from + index}`);

export function speedPart(): void {
  const few = textKeys(FEW, 1_000_000);
  const absent = textKeys(FEW, 3_000_000);
  const small = createFilter({ capacity: FEW });
  const smallPeer = new Bloomfilter(Math.ceil(FEW * 9.585), 7);
  const smallest = BloomFilters.create(FEW, 0.01);
  small.addMany(few);
  for (const key of few) {
    smallPeer.add(key);
    if (key < few[4096]!) smallest.add(key);
  }
  const some = few.slice(0, 4096);
  const rest = absent.slice(0, 4096);
  measure(`${FEW.toLocaleString('en')} keys at 1 %, ${(small.bits.length / 1024).toFixed(0)} KiB: in the cache`, [
    { name: 'has, key there', operations: FEW, run: over(few, (key) => small.has(key)) },
    { name: 'has, key not there', operations: FEW, run: over(absent, (key) => small.has(key)) },
    { name: 'hasMany, keys there', operations: FEW, run: () => small.hasMany(few).length },
    { name: 'add, into an empty filter', operations: FEW, run: () => createFilter({ capacity: FEW }).addMany(few) },
    { name: 'hash alone (XXH64)', operations: FEW, run: over(few, (key) => xxh64(key) > 0) },
    { name: 'bloomfilter: test, key there', operations: FEW, run: over(few, (key) => smallPeer.test(key)) },
    { name: 'bloomfilter: test, key not there', operations: FEW, run: over(absent, (key) => smallPeer.test(key)) },
    { name: 'bloom-filters: has, key there', operations: 4096, run: over(some, (key) => smallest.has(key)) },
    { name: 'bloom-filters: has, key not there', operations: 4096, run: over(rest, (key) => smallest.has(key)) },
  ]);

  const large = createFilter({ capacity: BILLION });
  fillByLot(large.bits);
  for (const keys of keyStream(0, MANY)) large.addMany(keys);
  let from = 2 * MANY;
  const fresh = (): number => (from += MANY);
  measure(`a billion keys at 1 %, ${(large.bits.length / 1e9).toFixed(3)} GB; making the key included`, [
    { name: 'making the key alone', operations: MANY, run: streamed(0, ([key]) => key!.length) },
    { name: 'one read of memory so large, which has must wait for', operations: MANY, run: () => chase(large.bits) },
    { name: 'has, key there', operations: MANY, run: each(0, (key) => large.has(key)) },
    { name: 'has, key not there', operations: MANY, run: each(MANY, (key) => large.has(key)) },
    { name: 'hasMany, keys there', operations: MANY, run: streamed(0, (keys) => large.hasMany(keys).length) },
    { name: 'add, key new', operations: MANY, run: () => each(fresh(), (key) => large.add(key))() },
    { name: 'addMany, keys new', operations: MANY, run: () => streamed(fresh(), (keys) => large.addMany(keys))() },
  ]);

  const largePeer = new Bloomfilter(2 ** 32 - 32, 7);
  fillByLot(new Uint8Array(largePeer.buckets.buffer));
  const text = new TextDecoder();
  for (const keys of keyStream(0, MANY)) for (const key of keys) largePeer.add(text.decode(key));
  measure('bloomfilter with 2^32 bits, 0.54 GB, the most it can have; making the key included', [
    { name: 'making the key alone, a string', operations: MANY, run: each(0, (key) => text.decode(key) === '') },
    { name: 'test, key there', operations: MANY, run: each(0, (key) => largePeer.test(text.decode(key))) },
    { name: 'test, key not there', operations: MANY, run: each(MANY, (key) => largePeer.test(text.decode(key))) },
  ]);
  if (Number.isNaN(sink)) process.exitCode = 1;
}
