/**
 * What a lookup and an addition cost, beside the Bloom filters of npm: in a filter that fits the cache and in one for a billion
 * keys. Contenders take turns; a figure is CPU time of this process, the best of the turns.
 *
 * The large filter is filled by lot to the share of bits that a billion keys set, since adding them takes a quarter of an hour
 * (`--billion` does). bloomfilter has at most 2^32 bits and is measured with those; bloom-filters takes so long to fill
 * that it is measured small only. Keys are 12 characters, as many as make the cache of no use.
 */
import { randomFillSync } from 'node:crypto';
import { BloomFilter as BloomFilters } from 'bloom-filters';
// @ts-expect-error It has no types.
import { BloomFilter as Bloomfilter } from 'bloomfilter';
import { createFilter, xxh64 } from 'spillway/bloom';

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

function words(keys: readonly string[]): Uint32Array {
  const all = new Uint32Array(2 * keys.length);
  for (const [at, key] of keys.entries()) xxh64(key, 0, all.subarray(2 * at, 2 * at + 2));
  return all;
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
  const many = textKeys(MANY, 100_000_000);
  const strangers = textKeys(MANY, 300_000_000);
  const hashes = words(many);
  large.addMany(many);
  const fresh = Array.from({ length: ROUNDS }, (_, turn) => hashes.map((word) => word ^ (turn + 1)));
  let turn = 0;
  measure(`a billion keys at 1 %, ${(large.bits.length / 1e9).toFixed(3)} GB`, [
    { name: 'has, key there', operations: MANY, run: over(many, (key) => large.has(key)) },
    { name: 'has, key not there', operations: MANY, run: over(strangers, (key) => large.has(key)) },
    { name: 'hasMany, keys there', operations: MANY, run: () => large.hasMany(many).length },
    { name: 'add, key there', operations: MANY, run: over(many, (key) => large.add(key)) },
    { name: 'hasMany, keys hashed already', operations: MANY, run: () => large.hasMany(hashes).length },
    {
      name: 'addMany, keys hashed already and new each turn',
      operations: MANY,
      run: () => large.addMany(fresh[turn++]!),
    },
  ]);

  const largePeer = new Bloomfilter(2 ** 32 - 32, 7);
  fillByLot(new Uint8Array(largePeer.buckets.buffer));
  for (const key of many) largePeer.add(key);
  measure('bloomfilter with 2^32 bits, 0.54 GB, the most it can have', [
    { name: 'test, key there', operations: MANY, run: over(many, (key) => largePeer.test(key)) },
    { name: 'test, key not there', operations: MANY, run: over(strangers, (key) => largePeer.test(key)) },
  ]);
  if (Number.isNaN(sink)) process.exitCode = 1;
}
