/** Bloom filters beside their definitions, written down in BigInt, which neither rounds nor overflows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createFilter, type LayoutName, layouts } from './bloom-filter.ts';
import { createCountingFilter } from './counting.ts';
import type { FilterKey } from './filter-key.ts';
import { PLACES_MAX } from './layout.ts';
import { createScalableFilter } from './scalable.ts';
import { createSlidingFilter } from './sliding.ts';

const U32 = 2n ** 32n;
const U64 = 2n ** 64n;
const SALTS = [0x47b6137bn, 0x44974d91n, 0x8824ad5bn, 0xa2b7289dn, 0x705495c7n, 0x2df1424bn, 0x9efc4947n, 0x5c6bfb31n];

/** The bits of a hash, counted from the first of the body. */
const definitions: Readonly<Record<LayoutName, (hash: bigint, blocks: bigint, probes: number) => bigint[]>> = {
  // RocksDB, FastLocalBloomImpl::AddHash with h1 the lower and h2 the upper word: bit b of byte B is bit 8 B + b.
  blocked(hash, blocks, probes) {
    const line = ((hash % U32) * blocks) / U32;
    let h = hash / U32;
    return Array.from({ length: probes }, () => {
      const bit = line * 512n + (h >> 23n);
      h = (h * 0x9e3779b9n) % U32;
      return bit;
    });
  },
  classic(hash, blocks, probes) {
    let h = hash;
    return Array.from({ length: probes }, () => {
      const bit = (((h / U32) * blocks) / U32) * 512n + ((h % U32) >> 23n);
      h = (h * 0x9e3779b97f4a7c15n) % U64;
      return bit;
    });
  },
  // parquet-format, BloomFilter.md: block_insert and mask.
  parquet(hash, blocks) {
    const block = ((hash / U32) * blocks) / U32;
    return SALTS.map((salt, word) => block * 256n + BigInt(word) * 32n + ((((hash % U32) * salt) % U32) >> 27n));
  },
};

const layout = fc.constantFrom(...(Object.keys(layouts) as LayoutName[]));
const hash = fc.bigInt({ min: 0n, max: U64 - 1n });

function words(hashes: readonly bigint[]): Uint32Array {
  return Uint32Array.from(hashes.flatMap((each) => [Number(each / U32), Number(each % U32)]));
}

test('the bits, and what add and has say of them, are those of the definition', () => {
  const size = fc.record({
    capacity: fc.integer({ min: 1, max: 300 }),
    falsePositiveRate: fc.constantFrom(0.3, 0.01, 1e-6),
  });
  fc.assert(
    fc.property(layout, size, fc.boolean(), fc.array(hash), fc.array(hash), (layout, size, shared, added, others) => {
      const filter = createFilter({ ...size, layout, shared });
      const blocks = BigInt(filter.bits.length / layouts[layout].blockBytes);
      const { probes } = probesOf(filter.memory);
      const bitsOf = (each: bigint): bigint[] => definitions[layout](each, blocks, probes);
      const model = new Set<bigint>();
      for (const [at, each] of added.entries()) {
        const fresh = bitsOf(each).some((bit) => !model.has(bit));
        for (const bit of bitsOf(each)) model.add(bit);
        const key = words([each]);
        assert.equal(at % 2 === 0 ? filter.add(key) : filter.addMany(key) === 1, fresh);
      }
      const expected = new Uint8Array(filter.bits.length);
      for (const bit of model) expected[Number(bit / 8n)]! |= 1 << Number(bit % 8n);
      assert.deepEqual(new Uint8Array(filter.bits), expected);
      const all = [...added, ...others];
      const found = all.map((each) => (bitsOf(each).every((bit) => model.has(bit)) ? 1 : 0));
      assert.deepEqual([...filter.hasMany(words(all))], found);
      assert.deepEqual(
        all.map((each) => (filter.has(words([each])) ? 1 : 0)),
        found,
      );
    }),
    { numRuns: 300 },
  );
});

/** As image.ts has it. */
function probesOf(memory: ArrayBufferLike): { probes: number } {
  return { probes: new DataView(memory).getUint32(48, true) };
}

test('in the largest filters a bit is exactly where the definition has it, far beyond 2^32', () => {
  // Words that say which of them are read and that all bits are set: no memory is needed to see where a filter looks.
  const read: number[] = [];
  const everything = new Proxy([], {
    get(_, at) {
      read.push(Number(at));
      return -1;
    },
  }) as unknown as Int32Array;
  let highest = 0;
  const blocks = fc.constantFrom(1, 19_531_250, 19_531_251, 19_531_253, 2 ** 27 - 1, 2 ** 27);
  fc.assert(
    fc.property(layout, blocks, hash, (layout, blocks, hash) => {
      read.length = 0;
      const probes = layout === 'parquet' ? 8 : 7;
      const bits = layouts[layout].open({ words: everything, blocks, probes, atomic: false });
      assert.ok(bits.has(Number(hash / U32) | 0, Number(hash % U32) | 0));
      const expected = definitions[layout](hash, BigInt(blocks), probes);
      assert.deepEqual(
        read,
        expected.map((bit) => Number(bit / 32n)),
      );
      highest = Math.max(highest, ...read);
      // What is read ahead is in the same blocks, and in each.
      const places = new Int32Array(PLACES_MAX);
      const count = bits.places(Int32Array.of(Number(hash / U32) | 0, Number(hash % U32) | 0), 1, places);
      const blockWords = layout === 'classic' ? 1 : layouts[layout].blockBytes / 4;
      const blocksOf = (words: Iterable<number>): Set<number> =>
        new Set(Array.from(words, (word) => Math.floor(word / blockWords)));
      assert.deepEqual(blocksOf(places.subarray(0, count)), blocksOf(read));
    }),
    { numRuns: 2000 },
  );
  assert.ok(highest * 32 > 2 ** 35, `${highest}`);
});

test('a block is not rounded: hashes at which multiplication in doubles is one too high', () => {
  for (const [blocks, word, block] of [
    [19_531_250, 1_093_263_543, 4_971_586],
    [19_531_251, 3_278_890_181, 14_910_666],
    [19_531_253, 2_347_712_931, 10_676_163],
  ] as const) {
    assert.equal(layouts.blocked.blockOf!(0, word | 0, blocks), block);
    assert.equal(layouts.parquet.blockOf!(word | 0, 0, blocks), block);
  }
});

test('a merged filter is the filter of both sets of keys', () => {
  const keys = fc.array(fc.string(), { maxLength: 60 });
  fc.assert(
    fc.property(layout, fc.boolean(), keys, keys, (layout, shared, some, others) => {
      const make = (): ReturnType<typeof createFilter> => createFilter({ capacity: 100, layout, shared });
      const [one, two, both] = [make(), make(), make()];
      one.addMany(some);
      two.addMany(others);
      both.addMany([...some, ...others]);
      one.merge(two);
      assert.deepEqual(one.bits, both.bits);
    }),
  );
});

test('many keys of any kind are answered as each by itself', () => {
  const size = { capacity: 60 } as const;
  const makers = [
    ...(Object.keys(layouts) as LayoutName[]).map((layout) => () => createFilter({ ...size, layout })),
    () => createFilter({ ...size, shared: true }),
    () => createCountingFilter(size),
    () => createScalableFilter(size),
    () => createSlidingFilter({ ...size, window: '1h' }),
  ];
  const long = fc.nat(3).map((letter) => String(letter).repeat(33_000));
  const text = { arbitrary: fc.string({ unit: 'binary', maxLength: 20 }), weight: 9 };
  const key = fc.oneof(
    text,
    fc.uint8Array({ maxLength: 20 }),
    hash.map((each) => words([each])),
    long,
  );
  const keys = fc.array<FilterKey>(key, { maxLength: 200, size: 'max' });
  fc.assert(
    fc.property(fc.constantFrom(...makers), keys, keys, (make, added, others) => {
      const [one, many] = [make(), make()];
      const fresh = added.reduce((sum, key) => sum + (one.add(key) ? 1 : 0), 0);
      assert.equal(many.addMany(added), fresh);
      const all = [...others, ...added];
      const found = all.map((key) => (one.has(key) ? 1 : 0));
      assert.deepEqual([...many.hasMany(all)], found);
      assert.equal(found.slice(others.length).includes(0), false);
    }),
    { numRuns: 40 },
  );
});
