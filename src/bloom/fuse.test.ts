import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { createFuseFilter, FuseFilterBuilder, openFuseFilter } from './fuse.ts';
import { FuseBuilder } from './fuse-builder.ts';
import { FuseHashes } from './fuse-hashes.ts';
import { firstPlace, SHARD_KEYS_MAX, secondPlace, shardShape, stirHigh, stirLow, thirdPlace } from './fuse-shard.ts';

/** `count` hashes, two words each. */
function hashes(count: number, seed: number): Uint32Array[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => Uint32Array.of(random.int32(), random.int32()));
}

test('every key of a set of any size is found, also when it comes twice', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string(), { maxLength: 400, size: 'max' }),
      fc.array(fc.nat(), { maxLength: 100 }),
      fc.constantFrom(8 as const, 16 as const),
      (keys, again, bits) => {
        const twice = [...keys, ...again.filter(() => keys.length > 0).map((index) => keys[index % keys.length]!)];
        const filter = createFuseFilter(twice, { bits });
        assert.ok(keys.every((key) => filter.has(key)));
        assert.deepEqual(filter.hasMany(keys), new Uint8Array(keys.length).fill(1));
        assert.equal(filter.report().count, keys.length);
        // The same set, in another order and without copies.
        assert.deepEqual(filter.toBytes(), createFuseFilter(keys.toReversed(), { bits }).toBytes());
        const opened = openFuseFilter(filter.toBytes());
        assert.ok(keys.every((key) => opened.has(key)));
      },
    ),
    { numRuns: 150 },
  );
});

test('an empty set has no key', () => {
  const filter = createFuseFilter([]);
  assert.equal(filter.has('a'), false);
  assert.deepEqual(filter.report().falsePositiveRate, { now: 0, atCapacity: 0 });
});

test('at 8 bits a key takes 9.3 bits and one absent key in 256 is let through; at 16, twice that and one in 65,536', () => {
  for (const bits of [8, 16] as const) {
    const filter = createFuseFilter(hashes(300_000, 1), { bits });
    assert.ok(filter.memory.byteLength * 8 < 300_000 * 1.17 * bits, `${filter.memory.byteLength} bytes`);
    const asked = new Uint32Array(2 * (bits === 8 ? 200_000 : 1_500_000));
    const random = seededRandom(2);
    for (let at = 0; at < asked.length; at++) asked[at] = random.int32();
    const wrong = filter.hasMany(asked).reduce((sum, byte) => sum + byte, 0);
    const expected = asked.length / 2 / 2 ** bits;
    assert.ok(Math.abs(wrong - expected) < 5 * Math.sqrt(expected), `${wrong}, expected ${expected}`);
    assert.equal(filter.report().falsePositiveRate.now, 2 ** -bits);
  }
});

test('a large set is in several shards, the same from memory and from disk, and nothing stays on disk', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-fuse-'));
  try {
    const count = SHARD_KEYS_MAX + 1;
    const words = new Uint32Array(2 * count);
    const random = seededRandom(3);
    for (let at = 0; at < words.length; at++) words[at] = random.int32();
    const [inMemory, onDisk] = [new FuseFilterBuilder(), new FuseFilterBuilder({ folder })];
    for (let at = 0; at < words.length; at += 2) {
      inMemory.add(words.subarray(at, at + 2));
      onDisk.add(words.subarray(at, at + 2));
    }
    const filter = inMemory.build();
    assert.equal(new DataView(filter.memory).getUint32(60, true), 1, 'one bit for two shards');
    assert.equal(filter.hasMany(words).indexOf(0), -1);
    assert.ok(readdirSync(folder).length > 0);
    assert.equal(Buffer.compare(onDisk.build().toBytes(), filter.toBytes()), 0);
    assert.deepEqual(readdirSync(folder), []);
    const given = new FuseFilterBuilder({ folder });
    given.add('a');
    given[Symbol.dispose]();
    given[Symbol.dispose]();
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('hashes come in shards by their upper bits, of bins together or of parts of a bin, each once', () => {
  const all = hashes(3000, 4);
  const folder = mkdtempSync(join(tmpdir(), 'spillway-fuse-'));
  try {
    for (const place of [null, folder]) {
      for (const shardBits of [0, 1, 7, 8, 10]) {
        const held = new FuseHashes(place);
        for (const [high, low] of all) held.push(high!, low!);
        const shards = [...held.shards(shardBits)].map((pairs) => pairs.slice());
        held.close();
        assert.equal(shards.length, 2 ** shardBits);
        const seen: string[] = [];
        for (const [shard, pairs] of shards.entries()) {
          for (let at = 0; at < pairs.length; at += 2) {
            const low = pairs[at]! >>> 0;
            assert.equal(Math.floor(low / 2 ** (32 - shardBits)), shard);
            seen.push(`${pairs[at + 1]! >>> 0} ${low}`);
          }
        }
        assert.deepEqual(seen.sort(), all.map(([high, low]) => `${high} ${low}`).sort());
      }
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a builder that made a large shard makes a small one as a new builder does', () => {
  const pairs = (count: number, seed: number) => Int32Array.from(hashes(count, seed).flatMap((pair) => [...pair]));
  const used = new FuseBuilder(8);
  used.build(pairs(50_000, 5));
  assert.deepEqual(used.build(pairs(700, 6)), new FuseBuilder(8).build(pairs(700, 6)));
});

test('a builder that is used up takes no key, which would be missing', () => {
  const built = new FuseFilterBuilder();
  built.add('a');
  built.build();
  const disposed = new FuseFilterBuilder();
  disposed[Symbol.dispose]();
  for (const builder of [built, disposed]) {
    assert.throws(() => builder.add('b'), { code: 'OPTIONS_INVALID', message: /used up/ });
    assert.throws(() => builder.build(), { code: 'OPTIONS_INVALID', message: /used up/ });
  }
});

/** Two keys for each try that have all three places in common there, among `count` keys in all: no try can tell them apart. */
function hashesAgainst(tries: number): Uint32Array[] {
  const { segmentBits, segments } = shardShape(2 * tries);
  const random = seededRandom(7);
  return Array.from({ length: tries }, (_, seed) => {
    const met = new Map<string, Uint32Array>();
    for (;;) {
      const words = Uint32Array.of(random.int32(), random.int32());
      const low = stirLow(words[0]!, words[1]!, seed);
      const high = stirHigh(words[0]!, low, seed);
      const first = firstPlace(high, segments << segmentBits);
      const length = 1 << segmentBits;
      const places = `${first} ${secondPlace(first, length, high, low)} ${thirdPlace(first, length, low)}`;
      const other = met.get(places);
      if (other !== undefined) return [words, other];
      met.set(places, words);
    }
  }).flat();
}

test('keys that were chosen so that no try can tell them apart are refused with what to do', () => {
  const chosen = hashesAgainst(100);
  const builder = new FuseFilterBuilder();
  for (const key of chosen) builder.add(key);
  assert.throws(() => builder.build(), { code: 'OPTIONS_INVALID', message: /seed: 'random'/ });
  // What it had is taken out by then: a filter of the rest would have none of them.
  assert.throws(() => builder.build(), { code: 'OPTIONS_INVALID', message: /used up/ });
  const filter = createFuseFilter(chosen.slice(2));
  assert.ok(chosen.slice(2).every((key) => filter.has(key)));
});

test('options that mean nothing are refused', () => {
  for (const keys of ['abc', 7, null, undefined, {}]) {
    assert.throws(() => createFuseFilter(keys as string[]), { code: 'OPTIONS_INVALID', message: /keys of a fuse/ });
  }
  assert.throws(() => createFuseFilter([], { bits: 7 as 8 }), { code: 'OPTIONS_INVALID', message: /bits is 7/ });
  assert.throws(() => createFuseFilter([], { bit: 8 } as object), { code: 'OPTIONS_INVALID', message: /mean bits/ });
  assert.throws(() => createFuseFilter([''], { folder: join(tmpdir(), 'spillway', 'not', 'there') }), {
    code: 'FILTER_FILE',
  });
});
