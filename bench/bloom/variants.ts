/**
 * What the other kinds of filters cost, beside their like in bloom-filters: room, an addition, a lookup, how often they are wrong, and whether
 * they keep what they were given. A million keys in ours; 4,096 in theirs, which would not come to an end.
 */
import { CountingBloomFilter, CuckooFilter, ScalableBloomFilter, XorFilter } from 'bloom-filters';
import {
  createCountingFilter,
  createCuckooFilter,
  createFilter,
  createFuseFilter,
  createScalableFilter,
  createSlidingFilter,
} from 'spillway/bloom';
import { systemClock } from '../../src/kernel/clock.ts';
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 3;
const KEYS = 2 ** 20;
const PEER_KEYS = 4096;
const RATE = 0.01;
const WINDOW_MS = 86_400_000;

interface Asked {
  has(key: string): boolean;
}

interface Case {
  readonly name: string;
  readonly keys: number;
  /** The filter of some keys. */
  readonly build: (keys: readonly string[]) => Asked;
  /** What it takes, if it says so. */
  readonly bytes: (filter: Asked) => number | null;
}

function ours(name: string, build: (keys: readonly string[]) => Asked & { readonly memory: ArrayBufferLike }): Case {
  return { name, keys: KEYS, build, bytes: (filter) => (filter as ReturnType<typeof build>).memory.byteLength };
}

function theirs(name: string, build: (keys: readonly string[]) => Asked): Case {
  return { name: `bloom-filters: ${name}`, keys: PEER_KEYS, build, bytes: () => null };
}

function added<F extends { add(key: string): unknown }>(filter: F, keys: readonly string[]): F {
  for (const key of keys) filter.add(key);
  return filter;
}

/** So that each generation has its part, as it has after a window of even traffic. */
function slid(keys: readonly string[]): Asked & { readonly memory: ArrayBufferLike } {
  let offsetMs = 0;
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + offsetMs };
  const filter = createSlidingFilter({ ...size, window: WINDOW_MS, clock });
  for (const key of keys) {
    filter.add(key);
    offsetMs += WINDOW_MS / keys.length;
  }
  return filter;
}

const size = { capacity: KEYS, falsePositiveRate: RATE };

const cases: readonly Case[] = [
  ours('blocked, 1 %', (keys) => added(createFilter(size), keys)),
  ours('counting, 1 %', (keys) => added(createCountingFilter(size), keys)),
  ours('cuckoo, 3 %', (keys) => added(createCuckooFilter({ ...size, falsePositiveRate: 0.03 }), keys)),
  ours('cuckoo, 0.19 %', (keys) => added(createCuckooFilter({ ...size, falsePositiveRate: 0.002 }), keys)),
  ours('scalable, 1 %, of one layer', (keys) => added(createScalableFilter(size), keys)),
  ours('scalable, 1 %, grown 128-fold', (keys) => added(createScalableFilter({ ...size, capacity: KEYS / 128 }), keys)),
  ours('sliding, 1 %, 5 generations', (keys) => slid(keys)),
  ours('fuse8', (keys) => createFuseFilter(keys)),
  ours('fuse16', (keys) => createFuseFilter(keys, { bits: 16 })),
  theirs('CountingBloomFilter, 1 %', (keys) => added(CountingBloomFilter.create(PEER_KEYS, RATE), keys)),
  theirs('CuckooFilter, 1 %', (keys) => added(CuckooFilter.create(PEER_KEYS, RATE), keys)),
  theirs('ScalableBloomFilter, 1 %', (keys) => added(ScalableBloomFilter.create(PEER_KEYS, RATE), keys)),
  theirs('XorFilter, 8 bits', (keys) => XorFilter.create([...keys], 8)),
];

const names = (count: number, word: string): string[] =>
  Array.from({ length: count }, (_, index) => `${word}:${index}`);

function count(filter: Asked, keys: readonly string[]): number {
  let found = 0;
  for (const key of keys) if (filter.has(key)) found++;
  return found;
}

function show({ name, keys, build, bytes }: Case): void {
  const [inside, absent] = [names(keys, 'user'), names(keys, 'stranger')];
  const best = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const time = (at: number, work: () => void): void => {
    const before = cpuNs();
    work();
    best[at] = Math.min(best[at]!, (cpuNs() - before) / keys);
  };
  let filter = build(inside);
  let [found, wrong] = [0, 0];
  for (let round = 0; round < ROUNDS; round++) {
    time(0, () => (filter = build(inside)));
    time(1, () => (found = count(filter, inside)));
    time(2, () => (wrong = count(filter, absent)));
  }
  const took = bytes(filter);
  const cells = [
    name.padEnd(42),
    took === null ? ''.padStart(6) : ((8 * took) / keys).toFixed(2).padStart(6),
    ...best.map((ns) => ns.toFixed(0).padStart(9)),
    `${((100 * wrong) / keys).toFixed(3)} %`.padStart(10),
    String(keys - found).padStart(6),
  ];
  process.stdout.write(`${cells.join(' ')}\n`);
}

export function variantsPart(): void {
  process.stdout.write(
    `\n${'filter'.padEnd(42)} ${['bits', 'add ns', 'there ns', 'absent ns', 'wrong', 'lost'].map((word, at) => word.padStart([6, 9, 9, 9, 10, 6][at]!)).join(' ')}\n`,
  );
  for (const each of cases) show(each);
}
