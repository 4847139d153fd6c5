/** What cuckoo and counting have in common: keys can be taken out again, and what is in is never missing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createFilter } from './bloom-filter.ts';
import { createCountingFilter, openCountingFilter } from './counting.ts';
import { createCuckooFilter, openCuckooFilter } from './cuckoo.ts';
import type { DeletableFilter } from './filter.ts';
import type { SizeOptions } from './size.ts';

interface Kind {
  readonly create: (options: SizeOptions) => DeletableFilter;
  readonly open: (source: ArrayBufferLike | Uint8Array) => DeletableFilter;
}

const kinds: Readonly<Record<string, Kind>> = {
  cuckoo: { create: createCuckooFilter, open: openCuckooFilter },
  counting: { create: createCountingFilter, open: openCountingFilter },
};

type Step = readonly [verb: 'add' | 'delete' | 'store', key: number];

const steps: fc.Arbitrary<Step[]> = fc.array(fc.tuple(fc.constantFrom('add', 'add', 'delete', 'store'), fc.nat(60)), {
  maxLength: 300,
  size: 'max',
});

for (const [name, { create, open }] of Object.entries(kinds)) {
  test(`${name}: whatever is added, taken out and stored, what is in is found`, () => {
    fc.assert(
      fc.property(steps, fc.constantFrom(0.03, 0.001), fc.integer({ min: 1, max: 60 }), (all, rate, capacity) => {
        let filter = create({ capacity, falsePositiveRate: rate });
        // How often each key is in; taken out is only what is in, as the rule says.
        const model = new Map<number, number>();
        for (const [verb, key] of all) {
          const times = model.get(key) ?? 0;
          if (verb === 'store') {
            filter = open(key % 2 === 0 ? filter.toBytes() : filter.memory);
          } else if (verb === 'add') {
            try {
              if (filter.add(`${key}`)) assert.equal(times, 0, 'said to be new, and was not');
              model.set(key, times + 1);
            } catch (error) {
              assert.equal((error as { code?: string }).code, 'FILTER_FULL');
            }
          } else if (times > 0) {
            assert.ok(filter.delete(`${key}`));
            model.set(key, times - 1);
          }
          for (const [each, count] of model) if (count > 0) assert.ok(filter.has(`${each}`), `${each} is missing`);
        }
      }),
      { numRuns: 100 },
    );
  });

  test(`${name}: emptied again, it is what it was`, () => {
    const filter = create({ capacity: 5000, falsePositiveRate: 0.01 });
    const empty = filter.toBytes();
    const keys = Array.from({ length: 5000 }, (_, index) => `key ${index}`);
    filter.addMany(keys);
    for (const key of keys.toReversed()) assert.ok(filter.delete(key));
    assert.deepEqual(filter.toBytes(), empty);
    assert.equal(filter.estimateCount(), 0);
  });

  test(`${name}: a key that surely is not in is not taken out`, () => {
    const filter = create({ capacity: 1000, falsePositiveRate: 0.01 });
    filter.addMany(Array.from({ length: 1000 }, (_, index) => `in ${index}`));
    const before = filter.toBytes();
    let refused = 0;
    for (let index = 0; index < 1000; index++) {
      const key = `out ${index}`;
      if (filter.has(key)) continue;
      assert.equal(filter.delete(key), false);
      refused++;
    }
    assert.ok(refused > 950);
    assert.deepEqual(filter.toBytes(), before);
  });

  test(`${name}: the rate is the one asked for, and the report says it`, () => {
    const rates = name === 'cuckoo' ? [0.03, 0.0025, 0.0005] : [0.05, 0.01, 0.001];
    for (const rate of rates) {
      const filter = create({ capacity: 50_000, falsePositiveRate: rate });
      filter.addMany(Array.from({ length: 50_000 }, (_, index) => `in ${index}`));
      const tries = Math.ceil(400 / rate);
      let wrong = 0;
      for (let index = 0; index < tries; index++) if (filter.has(`out ${index}`)) wrong++;
      const { now, atCapacity } = filter.report().falsePositiveRate;
      const expected = atCapacity * tries;
      assert.ok(Math.abs(wrong - expected) < 5 * Math.sqrt(expected), `${wrong} of ${tries}, expected ${expected}`);
      assert.ok(atCapacity <= rate, `${atCapacity} > ${rate}`);
      assert.ok(Math.abs(now / atCapacity - 1) < 0.05);
    }
  });

  test(`${name}: the report counts, and says when there is more than it was made for`, () => {
    const filter = create({ capacity: 2000, falsePositiveRate: 0.01 });
    assert.equal(filter.report().count, 0);
    assert.equal(filter.report().falsePositiveRate.now, 0);
    filter.addMany(Array.from({ length: 1500 }, (_, index) => `${index}`));
    const report = filter.report();
    assert.ok(Math.abs(report.count - 1500) < 60, String(report.count));
    assert.equal(report.overCapacity, false);
    assert.equal(report.bytes, filter.memory.byteLength);
    // A cuckoo filter, which is full soon after, knows its count; the other one must be sure of it.
    const more = name === 'cuckoo' ? 550 : 900;
    filter.addMany(Array.from({ length: more }, (_, index) => `more ${index}`));
    assert.equal(filter.report().overCapacity, true);
  });

  test(`${name}: many at once are as one by one`, () => {
    const filter = create({ capacity: 500, falsePositiveRate: 0.01 });
    const one = create({ capacity: 500, falsePositiveRate: 0.01 });
    const keys = Array.from({ length: 300 }, (_, index) => `${index % 200}`);
    const fresh = keys.filter((key) => one.add(key)).length;
    assert.equal(filter.addMany(keys), fresh);
    assert.deepEqual(filter.toBytes(), one.toBytes());
    const asked = Array.from({ length: 400 }, (_, index) => `${index}`);
    assert.deepEqual(
      [...filter.hasMany(asked)],
      asked.map((key) => Number(one.has(key))),
    );
  });
}

for (const [name, { create, open }] of Object.entries(kinds)) {
  test(`${name}: whoever opened the same memory sees all that is added, the stash too`, () => {
    const filter = create({ capacity: 100, falsePositiveRate: 0.002 });
    const same = open(filter.memory);
    for (let times = 0; times < 9; times++) filter.add('hot');
    const keys = Array.from({ length: 103 }, (_, index) => `${index}`);
    filter.addMany(keys);
    assert.ok(keys.every((key) => same.has(key)));
    for (let times = 0; times < 8; times++) assert.ok(same.delete('hot'));
    assert.ok(same.has('hot') && filter.has('hot') && filter.delete('hot'));
    assert.equal(filter.has('hot'), false);
    assert.ok(keys.every((key) => same.has(key)));
  });
}

test('cuckoo: more than its places can be numbered is refused before anything is made', () => {
  assert.throws(() => createCuckooFilter({ capacity: 4_200_000_000, falsePositiveRate: 0.03 }), {
    code: 'OPTIONS_INVALID',
    message: /capacity is 4200000000; a cuckoo filter has at most 4080218931/,
  });
});

test('cuckoo: a full one refuses, and has lost nobody', () => {
  for (const rate of [0.03, 0.002, 0.0002]) {
    const filter = createCuckooFilter({ capacity: 3000, falsePositiveRate: rate });
    const inside: string[] = [];
    let refused = 0;
    for (let index = 0; refused < 50; index++) {
      assert.ok(index < 4000, 'it is never full');
      const before = refused === 0 ? null : filter.toBytes();
      try {
        filter.add(`key ${index}`);
        inside.push(`key ${index}`);
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'FILTER_FULL');
        if (before !== null) assert.deepEqual(filter.toBytes(), before, 'a refused key has changed something');
        refused++;
      }
    }
    assert.ok(inside.length >= 3000, `full with ${inside.length} of 3000`);
    assert.ok(filter.report().fill > 0.95);
    const stash = () => [...new Int32Array(filter.memory, 128 + 64, 3 * 64)].filter((word) => word !== 0);
    assert.ok(stash().length >= 2 * 64);
    assert.ok(inside.every((key) => filter.has(key)));
    // The stash and the table empty again, in any order.
    for (const [index, key] of inside.entries()) if (index % 3 !== 0) assert.ok(filter.delete(key), key);
    for (const [index, key] of inside.entries()) if (index % 3 === 0) assert.ok(filter.has(key), key);
    assert.deepEqual(stash(), [], 'nobody is left in the stash when there is room in the table');
    for (const [index, key] of inside.entries()) if (index % 3 === 0) assert.ok(filter.delete(key), key);
    assert.equal(filter.report().count, 0);
  }
});

test('cuckoo: one key added again and again takes eight places and one entry of the stash', () => {
  const filter = createCuckooFilter({ capacity: 100, falsePositiveRate: 0.002 });
  for (let times = 0; times < 1000; times++) filter.add('hot');
  const others = Array.from({ length: 80 }, (_, index) => `cold ${index}`);
  filter.addMany(others);
  for (let times = 0; times < 1000; times++) assert.ok(filter.delete('hot'), String(times));
  assert.equal(filter.has('hot'), false);
  assert.ok(others.every((key) => filter.has(key)));
});

test('counting: a counter that is full stays, so that a key is rather kept than lost', () => {
  const filter = createCountingFilter({ capacity: 1000, falsePositiveRate: 0.01 });
  for (let times = 0; times < 20; times++) filter.add('hot');
  for (let times = 0; times < 20; times++) filter.delete('hot');
  assert.equal(filter.has('hot'), true);
});

test('counting: the answers are those of the blocked filter, and that is what it becomes', () => {
  const options = { capacity: 2000, falsePositiveRate: 0.02, seed: [7, 9] as const };
  const counting = createCountingFilter(options);
  const blocked = createFilter(options);
  for (let index = 0; index < 2000; index++) {
    counting.add(`gone ${index}`);
    counting.add(`in ${index}`);
    blocked.add(`in ${index}`);
  }
  for (let index = 0; index < 2000; index++) counting.delete(`gone ${index}`);
  for (let index = 0; index < 20_000; index++) assert.equal(counting.has(`${index}`), blocked.has(`${index}`));
  assert.deepEqual(counting.toFilter().toBytes(), blocked.toBytes());
});
