import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { seededRandom } from '../kernel/random.ts';
import { createFilter, type FilterOptions, filterSize, type LayoutName, layouts, openFilter } from './bloom-filter.ts';
import type { FilterKey, SeedOption } from './filter-key.ts';

const names = Object.keys(layouts) as LayoutName[];

/** Hashes drawn by lot: what counts here is the filter, not the hash of text. */
function hashes(seed: number, count: number): Uint32Array {
  const random = seededRandom(seed);
  return Uint32Array.from({ length: 2 * count }, () => random.int32());
}

for (const layout of names) {
  test(`${layout}: every key that was added is found, and absent keys at the predicted rate`, () => {
    for (const rate of [0.05, 0.01, 0.001]) {
      const filter = createFilter({ capacity: 200_000, falsePositiveRate: rate, layout });
      const keys = hashes(1, 200_000);
      filter.addMany(keys);
      assert.ok(!filter.hasMany(keys).includes(0));
      const absent = 1_000_000;
      const yes = filter.hasMany(hashes(2, absent)).reduce((sum, one) => sum + one, 0);
      const { falsePositiveRate, overCapacity, count } = filter.report();
      const { now, atCapacity } = falsePositiveRate;
      const sigma = Math.sqrt(rate / absent);
      assert.ok(atCapacity <= rate && atCapacity > rate * 0.98);
      assert.equal(overCapacity, false, `${count}`);
      assert.ok(Math.abs(yes / absent - now) < 5 * sigma, `${yes / absent} measured, ${now} predicted`);
    }
  });
}

test('more keys than it was made for are taken, and the report says so', () => {
  const filter = createFilter({ capacity: 10_000 });
  filter.addMany(hashes(1, 20_000));
  const { overCapacity, count, falsePositiveRate } = filter.report();
  assert.ok(overCapacity && Math.abs(count - 20_000) < 800, `${count}`);
  assert.ok(falsePositiveRate.now > 5 * falsePositiveRate.atCapacity);
  assert.ok(!filter.hasMany(hashes(1, 20_000)).includes(0));
});

test('a filter is opened from its bytes and from its memory', () => {
  const filter = createFilter({ capacity: 100, seed: 'random', shared: true });
  assert.equal(filter.add('a'), true);
  assert.equal(filter.add('a'), false);
  assert.ok(openFilter(filter.toBytes()).has('a'));
  assert.ok(openFilter(filter.memory).has(new TextEncoder().encode('a')));
});

test('in memory a body is where it falls on a cache line, in bytes where the format has it, and either is opened', () => {
  // What glibc puts before large memory, itself on a page, is 16 bytes; elsewhere nothing is.
  const before = process.platform === 'linux' ? 16 : 0;
  for (const shared of [false, true]) {
    const filter = createFilter({ capacity: 1000, shared });
    filter.add('a');
    const bytes = filter.toBytes();
    assert.deepEqual(bytes.subarray(128, 128 + filter.bits.length), new Uint8Array(filter.bits));
    for (const made of [filter, openFilter(filter.memory), openFilter(bytes)]) {
      assert.equal((before + made.bits.byteOffset) % 64, 0);
      assert.deepEqual(made.toBytes(), bytes);
    }
    const arrived = openFilter(bytes.slice().buffer);
    assert.equal(arrived.bits.byteOffset, 128);
    assert.deepEqual(arrived.toBytes(), bytes);
    // What has lost as much as may be between header and body is not taken for memory without that.
    for (const lost of [1, 48]) {
      assert.throws(() => openFilter(filter.memory.slice(0, -lost)), { code: 'FILTER_DAMAGED' });
    }
  }
});

test('bytes that arrived as an ArrayBuffer are compared with their checksums too, once', () => {
  const filter = createFilter({ capacity: 100 });
  filter.add('a');
  const arrived = filter.toBytes().buffer;
  assert.ok(openFilter(arrived).has('a'));
  openFilter(arrived).add('b');
  assert.ok(openFilter(arrived).has('b'), 'it lives now');
  const changed = filter.toBytes();
  changed.fill(0, 128, 128 + filter.bits.length);
  assert.throws(() => openFilter(changed.buffer), { code: 'FILTER_DAMAGED' });
  // Bytes that were copied out of living memory have none.
  assert.throws(() => openFilter(new Uint8Array(filter.memory)), { code: 'FILTER_DAMAGED', message: /toBytes/ });
  for (const wrong of [undefined, null, 'abc', {}]) {
    assert.throws(() => openFilter(wrong as ArrayBuffer), { code: 'OPTIONS_INVALID' });
  }
});

test('a header that says what no version writes, checksum and all, is refused', () => {
  const bytes = createFilter({ capacity: 100 }).toBytes();
  const forgeries: readonly [RegExp, (view: DataView) => void][] = [
    [/version is 2/, (view) => view.setUint32(8, 2, true)],
    [/hashed by function 2/, (view) => view.setUint32(52, 2, true)],
    [/no possible state, 3/, (view) => view.setUint32(56, 3, true)],
    [/NaN keys/, (view) => view.setFloat64(24, Number.NaN, true)],
    [/-1 keys/, (view) => view.setFloat64(24, -1, true)],
    [/rate of 2 /, (view) => view.setFloat64(32, 2, true)],
    [/0 probes/, (view) => view.setUint32(48, 0, true)],
    [/a body of 9007199254740992 bytes/, (view) => view.setFloat64(40, 2 ** 53, true)],
  ];
  for (const [message, forge] of forgeries) {
    const forged = bytes.slice();
    const view = new DataView(forged.buffer);
    forge(view);
    view.setUint32(124, crc32(forged.subarray(0, 124)), true);
    assert.throws(() => openFilter(forged), { code: 'FILTER_DAMAGED', message });
  }
});

test('filters merge only if their bits mean the same', () => {
  const filter = createFilter({ capacity: 100 });
  for (const [options, what] of [
    [{ capacity: 100, layout: 'classic' }, /layout differs/],
    [{ capacity: 1000 }, /size differs/],
    [{ capacity: 100, seed: [0, 1] }, /seed differs/],
  ] as const) {
    assert.throws(() => filter.merge(createFilter(options)), { code: 'OPTIONS_INVALID', message: what });
  }
  assert.throws(() => filter.merge({} as typeof filter), { code: 'OPTIONS_INVALID', message: /of type undefined/ });
});

test('a seed gives other bits, and a random one each time others', () => {
  const bitsOf = (seed: SeedOption): string => {
    const filter = createFilter({ capacity: 100, seed });
    filter.addMany(['a', 'b']);
    assert.ok(filter.has('a') && openFilter(filter.toBytes()).has('b'));
    return filter.bits.toString();
  };
  const seeds: SeedOption[] = [[0, 0], [0, 1], [1, 0], [0xffffffff, 0xffffffff], 'random', 'random'];
  assert.equal(new Set(seeds.map(bitsOf)).size, seeds.length);
});

test('options and keys that mean nothing are refused with what was expected', () => {
  const wrong: readonly [object, RegExp][] = [
    [{ capacity: 0 }, /capacity is 0; expected an integer from 1/],
    [{ capacity: Number.NaN }, /capacity is NaN/],
    [{ capacity: 1.5 }, /capacity is 1.5/],
    [{}, /capacity is undefined/],
    [{ capacity: 9, falsePositiveRate: 1 }, /falsePositiveRate is 1; expected from 0.000001 to 0.5/],
    [{ capacity: 9, falsePositiveRate: 0 }, /falsePositiveRate is 0/],
    [{ capacity: 9, falsePositiveRate: Number.NaN }, /falsePositiveRate is NaN/],
    [{ capacity: 9, falsePositiveRate: '1 percent' }, /falsePositiveRate is 1 percent/],
    [{ capacity: 9, layout: 'block' }, /layout is “block”; expected one of: blocked, classic, parquet/],
    [{ capacity: 9, seed: [1] }, /seed is \[1\]/],
    [{ capacity: 9, seed: [1, -1] }, /seed is \[1,-1\]/],
    [{ capacity: 9, falsePositivRate: 0.1 }, /Did you mean falsePositiveRate\?/],
    [{ capacity: 1e10 }, /take more than the 8589934592 bytes that one filter can have: use several/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => createFilter(options as FilterOptions), { code: 'OPTIONS_INVALID', message });
  }
  const filter = createFilter({ capacity: 10 });
  for (const [key, message] of [
    [1, /A key is the number 1; expected a string/],
    [null, /A key is of type object/],
    [new Uint32Array(3), /A key is a Uint32Array of 3 words/],
  ] as const) {
    assert.throws(() => filter.has(key as FilterKey), { code: 'OPTIONS_INVALID', message });
    assert.throws(() => filter.addMany([key as FilterKey]), { code: 'OPTIONS_INVALID', message });
  }
  assert.throws(() => filter.hasMany(new Uint32Array(3)), { code: 'OPTIONS_INVALID', message: /3 words/ });
  for (const keys of [new Set(['a']), 'abc', new Uint8Array(2), { length: 1, 0: 'a' }, null]) {
    assert.throws(() => filter.addMany(keys as unknown as string[]), { code: 'OPTIONS_INVALID', message: /an array/ });
    assert.throws(() => filter.hasMany(keys as unknown as string[]), { code: 'OPTIONS_INVALID', message: /an array/ });
  }
});

test('a size is what the filter then takes', () => {
  for (const layout of names) {
    const options = { capacity: 12_345, falsePositiveRate: '0.5%', layout } as const;
    const { bytes, bitsPerKey } = filterSize(options);
    const filter = createFilter(options);
    assert.equal(bytes, filter.memory.byteLength);
    assert.equal(bitsPerKey, (8 * filter.bits.length) / 12_345);
  }
});
