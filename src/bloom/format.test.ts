/** The bytes of each kind are for good: what was stored by one version is read by the next. And as many as the arithmetic says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxh64 } from '../kernel/xxh64.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createFilter } from './bloom-filter.ts';
import { createCountingFilter } from './counting.ts';
import { createCuckooFilter } from './cuckoo.ts';
import type { AddableFilter, Filter } from './filter.ts';
import { createFuseFilter } from './fuse.ts';
import { createScalableFilter } from './scalable.ts';
import { createSlidingFilter } from './sliding.ts';

const KEYS = 10_000;
const keys = Array.from({ length: KEYS }, (_, index) => `key ${index}`);
const size = { capacity: KEYS, falsePositiveRate: 0.01, seed: [1, 2] as const };

function filled(filter: AddableFilter): Filter {
  filter.addMany(keys);
  return filter;
}

function digest(bytes: Uint8Array): string {
  const words = new Uint32Array(2);
  xxh64(bytes, 0, words);
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('');
}

/** Of each kind: bits a key, header and checksums included, and the hash of all bytes. */
const kinds: readonly (readonly [name: string, bitsPerKey: number, digest: string, make: () => Filter])[] = [
  ['blocked', 10.04, 'eb7be52ae29da594', () => filled(createFilter(size))],
  ['classic', 9.73, 'b345d77b6162cd60', () => filled(createFilter({ ...size, layout: 'classic' }))],
  ['parquet', 10.65, '89c6e5b84795eca9', () => filled(createFilter({ ...size, layout: 'parquet' }))],
  ['counting', 39.84, 'd40e0570a8029a48', () => filled(createCountingFilter(size))],
  ['cuckoo, 8 bits', 9.2, 'b9214d954de6a41d', () => filled(createCuckooFilter({ ...size, falsePositiveRate: 0.03 }))],
  [
    'cuckoo, 12 bits',
    13.41,
    '3b7d9da464c3091b',
    () => filled(createCuckooFilter({ ...size, falsePositiveRate: 0.002 })),
  ],
  [
    'cuckoo, 16 bits',
    17.62,
    '92dd98c09cb16ebe',
    () => filled(createCuckooFilter({ ...size, falsePositiveRate: 0.0002 })),
  ],
  ['scalable', 31.9, '44ace2406c32c0b2', () => filled(createScalableFilter({ ...size, capacity: KEYS / 8 }))],
  [
    'sliding',
    17.56,
    'b903aff7f2c202c2',
    () => filled(createSlidingFilter({ ...size, window: '1m', clock: new SimulatedClock() })),
  ],
  ['fuse8', 10.36, '2c44365046fe3faa', () => createFuseFilter(keys, { seed: [1, 2] })],
  ['fuse16', 20.6, 'adef7b7eb0ac7227', () => createFuseFilter(keys, { seed: [1, 2], bits: 16 })],
];

for (const [name, bitsPerKey, expected, make] of kinds) {
  test(`${name}: ${bitsPerKey} bits a key, the same as ever`, () => {
    const bytes = make().toBytes();
    assert.equal(((8 * bytes.length) / KEYS).toFixed(2), bitsPerKey.toFixed(2));
    assert.equal(digest(bytes), expected);
  });
}
