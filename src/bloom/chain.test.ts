/** Filters of RedisBloom in memory: as the module recorded them, and as plain arithmetic on integers of any size says. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { absent, copyOfDump, redisBloomDumps } from '../../test/bloom/redis-bloom-dumps.ts';
import { loadMemory } from './bloom-filter.ts';
import { chainImage, decodeChain, openRedisBloomCopy } from './chain.ts';
import { saveFilter } from './file-image.ts';

const WORD = 2n ** 64n;
const MULTIPLIER = 0xc6a4a7935bd1e995n;

/** MurmurHash64A as Appleby describes it: eight bytes at a time, then the rest. */
function murmur(bytes: Uint8Array, seed: bigint): bigint {
  const product = (a: bigint): bigint => (a * MULTIPLIER) % WORD;
  const mixed = (a: bigint): bigint => a ^ (a >> 47n);
  let hash = seed ^ product(BigInt(bytes.length));
  for (let at = 0; at < bytes.length; at += 8) {
    const part = [...bytes.subarray(at, at + 8)].reduce(
      (sum, byte, index) => sum + (BigInt(byte) << BigInt(8 * index)),
      0n,
    );
    const whole = at + 8 <= bytes.length;
    hash = product(hash ^ (whole ? product(mixed(product(part))) : part));
  }
  return mixed(product(mixed(hash)));
}

/** Which bits of a link a key has. */
function bitsOf(key: Uint8Array, probes: number, bits: bigint): number[] {
  const first = murmur(key, MULTIPLIER);
  const step = murmur(key, first);
  return Array.from({ length: probes }, (_, probe) => Number(((first + BigInt(probe) * step) % WORD) % bits));
}

interface LinkOptions {
  readonly bytes: number;
  readonly probes: number;
  /** The power of two that an old version rounds its bits to, or 0. */
  readonly rounded: number;
}

/** The dump of an empty filter with one link. */
function emptyDump({ bytes, probes, rounded }: LinkOptions): Buffer {
  const dump = Buffer.alloc(73 + bytes);
  dump.writeUInt32LE(1, 8);
  dump.writeUInt32LE(4 + 8, 12);
  dump.writeBigUInt64LE(BigInt(bytes), 20);
  dump.writeBigUInt64LE(BigInt(8 * bytes), 28);
  dump.writeDoubleLE(0.01, 44);
  dump.writeUInt32LE(probes, 60);
  dump.writeBigUInt64LE(1n, 64);
  dump.writeUInt8(rounded, 72);
  return dump;
}

for (const [name, { dump, keys, found }] of Object.entries(redisBloomDumps)) {
  test(`${name}: the recorded filter has its keys, and takes those for present that the module did`, () => {
    const copy = copyOfDump(dump);
    assert.equal(copy.hasMany(keys).indexOf(0), -1);
    assert.deepEqual(
      absent.flatMap((key, index) => (copy.has(key) ? [index] : [])),
      found,
    );
  });
}

test('what a recorded filter says of itself is what it was made with', () => {
  const fixed = decodeChain(redisBloomDumps.fixed.dump);
  assert.deepEqual([fixed.count, fixed.scales, fixed.rate, fixed.links.length], [20, false, 0.01, 1]);
  assert.deepEqual(fixed.links[0], { bytes: 24, bits: 192, count: 20, rate: 0.01, probes: 7, capacity: 20 });
  const grown = copyOfDump(redisBloomDumps.grown.dump);
  assert.deepEqual([grown.capacity, grown.falsePositiveRate, grown.report().count], [35, 0.05, 32]);
});

test('whatever the key and the size, the bits of a key are those that integers of any size say', () => {
  const sizes = fc.oneof(
    fc.record({ bytes: fc.integer({ min: 1, max: 40 }).map((n) => 8 * n), rounded: fc.constant(0) }),
    fc.integer({ min: 6, max: 12 }).map((rounded) => ({ bytes: 2 ** rounded / 8, rounded })),
    // Bits beyond 2^21, where a step of the division no longer fits 32 bits.
    fc.constantFrom({ bytes: 8 * 40_007, rounded: 0 }, { bytes: 8 * 65_537, rounded: 0 }),
  );
  fc.assert(
    fc.property(
      sizes,
      fc.integer({ min: 1, max: 40 }),
      fc.oneof(
        fc.uint8Array({ maxLength: 40 }),
        fc.string().map((text) => new TextEncoder().encode(text)),
      ),
      fc.nat(),
      ({ bytes, rounded }, probes, key, choice) => {
        const dump = emptyDump({ bytes, probes, rounded });
        const bits = bitsOf(key, probes, BigInt(8 * bytes));
        for (const bit of bits) dump[73 + Math.floor(bit / 8)]! |= 1 << (bit % 8);
        assert.equal(copyOfDump(dump).has(key), true);
        const missing = bits[choice % bits.length]!;
        dump[73 + Math.floor(missing / 8)]! &= ~(1 << (missing % 8));
        assert.equal(copyOfDump(dump).has(key), false);
      },
    ),
    { numRuns: 400 },
  );
});

test('a copy is saved in a file and opened again, byte for byte', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-chain-'));
  try {
    const copy = copyOfDump(redisBloomDumps.grown.dump);
    const path = join(folder, 'names.bloom');
    await saveFilter(copy, path);
    const again = openRedisBloomCopy(await loadMemory(path));
    assert.deepEqual(again.toBytes(), copy.toBytes());
    assert.deepEqual(again.hasMany(absent), copy.hasMany(absent));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a filter whose hashes only the server knows is refused, and so are keys that are hashes', () => {
  const { dump } = redisBloomDumps.fixed;
  const old = Buffer.from(dump.subarray(0, 73));
  old.writeUInt32LE(1 + 8, 12);
  assert.throws(() => chainImage(old), { code: 'OPTIONS_INVALID', message: /32 bits/ });
  const seeded = Buffer.concat([dump.subarray(0, 73), Buffer.alloc(16)]);
  assert.throws(() => chainImage(seeded), { code: 'OPTIONS_INVALID', message: /bf-hash-seed/ });
  const copy = copyOfDump(dump);
  assert.throws(() => copy.has(new Uint32Array(2)), { code: 'OPTIONS_INVALID' });
  assert.throws(() => copy.hasMany(new Uint32Array(4)), { code: 'OPTIONS_INVALID' });
});

test('a header that cannot be is refused', () => {
  const { dump } = redisBloomDumps.fixed;
  for (let length = 0; length < 73; length++) {
    assert.throws(() => chainImage(dump.subarray(0, length)), { code: 'FILTER_DAMAGED' });
  }
  for (const [at, value] of [
    [8, 0],
    [8, 2 ** 32 - 1],
    [20, 0],
    [28, 1],
    [60, 0],
    [60, 2 ** 31],
    [72, 255],
  ] as const) {
    const forged = Buffer.from(dump.subarray(0, 73));
    if (at === 72) forged.writeUInt8(value, at);
    else forged.writeUInt32LE(value, at);
    assert.throws(() => chainImage(forged), { code: 'FILTER_DAMAGED' }, `${value} at ${at}`);
  }
});
