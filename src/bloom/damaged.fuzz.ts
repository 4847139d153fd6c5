/** Whatever bytes come in place of a filter: refused with a code, or a filter that answers; never a crash, a hang or much memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { SpillwayError } from '../kernel/errors.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createFilter, openFilter } from './bloom-filter.ts';
import { openRedisBloomCopy } from './chain.ts';
import { createCountingFilter, openCountingFilter } from './counting.ts';
import { createCuckooFilter, openCuckooFilter } from './cuckoo.ts';
import type { AddableFilter, Filter } from './filter.ts';
import { createFuseFilter, openFuseFilter } from './fuse.ts';
import { copyOfDump, redisBloomDumps } from '../../test/bloom/redis-bloom-dumps.ts';
import { createScalableFilter, openScalableFilter } from './scalable.ts';
import { createSlidingFilter, openSlidingFilter } from './sliding.ts';

const clock = new SimulatedClock();
const size = { capacity: 20, falsePositiveRate: 0.01 };
const keys = Array.from({ length: 20 }, (_, index) => `key ${index}`);

function filled<F extends AddableFilter>(filter: F): F {
  filter.addMany(keys);
  return filter;
}

interface Kind {
  readonly make: () => Filter;
  readonly open: (source: ArrayBufferLike | Uint8Array) => Filter;
}

const kinds: Readonly<Record<string, Kind>> = {
  blocked: {
    make: () => filled(createFilter(size)),
    open: openFilter,
  },
  counting: { make: () => filled(createCountingFilter(size)), open: openCountingFilter },
  cuckoo: { make: () => filled(createCuckooFilter(size)), open: openCuckooFilter },
  redisbloom: { make: () => copyOfDump(redisBloomDumps.grown.dump), open: openRedisBloomCopy },
  fuse: { make: () => createFuseFilter(keys), open: openFuseFilter },
  scalable: {
    make: () => filled(createScalableFilter({ ...size, capacity: 2 })),
    open: (from) => openScalableFilter(from),
  },
  sliding: {
    make: () => filled(createSlidingFilter({ ...size, window: '1m', clock })),
    open: (from) => openSlidingFilter(from, { clock }),
  },
};

/** What a program does with a filter. */
function use(filter: Filter): void {
  for (let index = 0; index < 50; index++) filter.has(`key ${index}`);
  filter.hasMany(keys);
  filter.report();
  if ('add' in filter) filled(filter as AddableFilter);
  filter.toBytes();
}

function refused(work: () => void): void {
  try {
    work();
  } catch (error) {
    assert.ok(error instanceof SpillwayError, String(error));
    assert.ok(['FILTER_DAMAGED', 'FILTER_FULL', 'OPTIONS_INVALID'].includes(error.code), error.message);
  }
}

const HEADER_CRC_AT = 124;

for (const [name, { make, open }] of Object.entries(kinds)) {
  test(`${name}: one changed byte anywhere, or one too few or too many, is refused`, () => {
    const bytes = make().toBytes();
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = bytes.slice();
        changed[at]! ^= change;
        assert.throws(() => open(changed), { code: 'FILTER_DAMAGED' });
        assert.throws(() => open(bytes.subarray(0, at)), { code: 'FILTER_DAMAGED' });
        assert.throws(() => open(Buffer.concat([bytes, bytes.subarray(0, at + 1)])), { code: 'FILTER_DAMAGED' });
      }),
      { numRuns: 300 },
    );
  });

  test(`${name}: a header that was forged, checksum and all, is refused or makes a filter that works`, () => {
    const bytes = make().toBytes();
    const words = fc.array(
      fc.tuple(
        fc.integer({ min: 3, max: 26 }),
        fc.oneof(fc.nat(40), fc.constantFrom(-1, 0, 1, 2 ** 31 - 1, -(2 ** 31)), fc.integer()),
      ),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(words, fc.boolean(), (changes, live) => {
        const forged = bytes.slice();
        const view = new DataView(forged.buffer);
        for (const [word, value] of changes) view.setInt32(4 * word, value, true);
        view.setUint32(HEADER_CRC_AT, crc32(forged.subarray(0, HEADER_CRC_AT)), true);
        refused(() => use(open(live ? forged.buffer : forged)));
      }),
      { numRuns: 1500 },
    );
  });

  test(`${name}: living memory in which anything is written is refused or makes a filter that works`, () => {
    const bytes = new Uint8Array(make().memory);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 128, max: bytes.length - 1 }), fc.nat(255)), { maxLength: 60 }),
        (changes) => {
          const forged = bytes.slice();
          for (const [at, byte] of changes) forged[at] = byte;
          refused(() => use(open(forged.buffer)));
        },
      ),
      { numRuns: 300 },
    );
  });

  test(`${name}: any bytes at all are refused`, () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600, size: 'max' }), (any) => {
        assert.throws(() => open(any), { code: 'FILTER_DAMAGED' });
        assert.throws(() => open(any.slice().buffer), { code: 'FILTER_DAMAGED' });
      }),
    );
  });
}

test('a filter is not opened as one of another kind', () => {
  for (const [name, { make }] of Object.entries(kinds)) {
    for (const [other, { open }] of Object.entries(kinds)) {
      if (other !== name)
        assert.throws(() => open(make().toBytes()), { code: 'OPTIONS_INVALID' }, `${name} as ${other}`);
    }
  }
});
