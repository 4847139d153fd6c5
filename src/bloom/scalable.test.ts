import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import * as fc from 'fast-check';
import { createScalableFilter, openScalableFilter } from './scalable.ts';

const keys = (count: number, word = 'key') => Array.from({ length: count }, (_, index) => `${word} ${index}`);

test('whatever is added and stored, in however many layers, is found', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(2000), fc.constant('store')), { maxLength: 1500, size: 'max' }),
      fc.integer({ min: 1, max: 50 }),
      (steps, capacity) => {
        let filter = createScalableFilter({ capacity, falsePositiveRate: 0.01 });
        const added = new Set<number>();
        let fresh = 0;
        for (const step of steps) {
          if (typeof step === 'string') {
            filter = openScalableFilter(fresh % 2 === 0 ? filter.toBytes() : filter.memory);
            continue;
          }
          const isNew = filter.add(`${step}`);
          if (isNew) fresh++;
          assert.ok(!(isNew && added.has(step)));
          added.add(step);
        }
        for (const key of added) assert.ok(filter.has(`${key}`), `${key} is missing`);
        assert.equal(filter.estimateCount(), fresh);
        assert.ok(filter.capacity >= fresh);
      },
    ),
    { numRuns: 60 },
  );
});

test('a thousand times what it began with, it is still below the rate asked for', () => {
  const filter = createScalableFilter({ capacity: 1000, falsePositiveRate: 0.01 });
  filter.addMany(keys(1_000_000));
  const { count, capacity, falsePositiveRate, bytes } = filter.report();
  assert.equal(capacity, 1000 * (2 ** 10 - 1));
  assert.ok(count > 990_000 && count <= 1_000_000);
  assert.ok(falsePositiveRate.now < 0.01 && falsePositiveRate.atCapacity < 0.01);
  let wrong = 0;
  for (let index = 0; index < 200_000; index++) if (filter.has(`absent ${index}`)) wrong++;
  assert.ok(Math.abs(wrong / 200_000 / falsePositiveRate.now - 1) < 0.15, `${wrong} of 200000`);
  assert.ok((bytes * 8) / capacity < 23, `${(bytes * 8) / capacity} bits a key`);
});

test('keys that are in already fill nothing', () => {
  const filter = createScalableFilter({ capacity: 100, falsePositiveRate: 0.01 });
  for (let times = 0; times < 50; times++) filter.addMany(keys(100));
  assert.equal(filter.capacity, 100);
  assert.equal(filter.addMany(['one more']), 1);
  assert.equal(filter.capacity, 300);
});

test('at its limit it refuses what is new, keeps what it has, and can be opened with a higher limit', () => {
  const filter = createScalableFilter({ capacity: 100, falsePositiveRate: 0.01, bytesMax: '1kb' });
  const added: string[] = [];
  const addAll = (to: typeof filter) => {
    for (const key of keys(5000)) {
      to.add(key);
      added.push(key);
    }
  };
  assert.throws(() => addAll(filter), { code: 'FILTER_FULL', message: /bytesMax is 1024/ });
  assert.throws(() => filter.add('one more'), { code: 'FILTER_FULL' });
  assert.ok(added.length >= 300);
  assert.ok(filter.report().bytes <= 1024);
  assert.ok(added.every((key) => filter.has(key)));
  assert.equal(filter.add(added[0]!), false);
  const larger = openScalableFilter(filter.toBytes(), { bytesMax: '1mb' });
  assert.ok(larger.add('one more'));
  assert.ok(added.every((key) => larger.has(key)));
});

test('a next layer that no filter could have is a full filter as well', () => {
  // As it is stored when its first layer, of 4 GB if it were not forged, is full.
  const bytes = createScalableFilter({ capacity: 10, falsePositiveRate: 0.01 }).toBytes();
  const view = new DataView(bytes.buffer);
  view.setFloat64(24, 3_000_000_000, true);
  view.setUint32(124, crc32(bytes.subarray(0, 124)), true);
  view.setFloat64(128, 3_000_000_000, true);
  view.setUint32(bytes.length - 4, crc32(bytes.subarray(128, bytes.length - 4)), true);
  const filter = openScalableFilter(bytes, { bytesMax: '8gb' });
  assert.throws(() => filter.add('one more'), {
    code: 'FILTER_FULL',
    message: /holds 3000000000 keys and cannot grow/,
  });
});

test('it does not grow where a layer would need a rate that no filter has', () => {
  const filter = createScalableFilter({ capacity: 1, falsePositiveRate: 0.000_01 });
  assert.throws(() => filter.addMany(keys(10)), { code: 'FILTER_FULL', message: /begin larger/ });
});

test('options that mean nothing are refused', () => {
  for (const bytesMax of [0, -1, Number.NaN, '5 parsecs', '1kb ', '9gb', 2 ** 33 + 1]) {
    assert.throws(() => createScalableFilter({ capacity: 1, bytesMax: bytesMax as '1kb' }), {
      code: 'OPTIONS_INVALID',
    });
  }
  const bytes = createScalableFilter({ capacity: 1 }).toBytes();
  assert.throws(() => openScalableFilter(bytes, { maxBytes: 64 } as object), { message: /no option “maxBytes”/ });
  assert.throws(() => createScalableFilter({ capacity: 10_000, bytesMax: 64 }), { message: /the first layer takes/ });
});
