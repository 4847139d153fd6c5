import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { MemoryRows } from './memory-rows.ts';
import { isWide, WideRows } from './wide-rows.ts';

type Either = MemoryRows | WideRows;

function rowsOf(
  keysMax: number,
  width = 2,
  idle: (numbers: Float64Array, at: number) => boolean = () => false,
): Either {
  const options = { width, keysMax, random: seededRandom(7), idle, nowUs: () => 0 };
  return isWide(width) ? new WideRows(options) : new MemoryRows(options);
}

/** The numbers of a key, or null. */
function read(rows: Either, key: string): number[] | null {
  const at = rows.enter(key, false);
  return at < 0 ? null : [...rows.numbers.subarray(at, at + 2)];
}

function write(rows: Either, key: string, value: number): void {
  const at = rows.enter(key, true);
  rows.numbers[at] = value;
  rows.numbers[at + 1] = -value;
}

test('any entering and removing is that of a map, through growth and splits', () => {
  const key = fc.nat(5000).map((id) => `key:${id}`);
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant('write' as const), key, value: fc.nat(1e9) }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const), key, value: fc.constant(0) }) },
  );
  fc.assert(
    fc.property(fc.array(step, { minLength: 500, maxLength: 6000, size: 'max' }), (steps) => {
      const rows = rowsOf(100_000);
      const model = new Map<string, number>();
      for (const { kind, key, value } of steps) {
        if (kind === 'write') {
          const fresh = rows.enter(key, false) < 0;
          assert.equal(fresh, !model.has(key));
          if (fresh) {
            const at = rows.enter(key, true);
            assert.deepEqual([...rows.numbers.subarray(at, at + 2)], [0, 0], 'a new row is zeros');
          }
          write(rows, key, value);
          model.set(key, value);
        } else {
          rows.remove(key);
          model.delete(key);
        }
      }
      assert.equal(rows.size, model.size);
      for (const [key, value] of model) assert.deepEqual(read(rows, key), [value, -value]);
    }),
    { numRuns: 30 },
  );
});

test('idle keys may go at any time, and all others stay where they are found', () => {
  const step = fc.record({ id: fc.nat(9000), value: fc.integer({ min: 1, max: 1e9 }), last: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 500, maxLength: 9000, size: 'max' }), fc.nat(9), (steps, idleOf10) => {
      const isIdle = (value: number): boolean => value % 10 < idleOf10;
      const rows = rowsOf(100_000, 2, (numbers, at) => isIdle(numbers[at]!));
      const model = new Map<string, number>();
      for (const { id, value, last } of steps) {
        // Half of them among few keys, so that there are some in use that go idle.
        const key = `key:${last ? id % 500 : id}`;
        write(rows, key, value);
        model.set(key, value);
      }
      let found = 0;
      for (const [key, value] of model) {
        const numbers = read(rows, key);
        if (numbers === null) assert.ok(isIdle(value), `${key} was in use`);
        else {
          assert.deepEqual(numbers, [value, -value]);
          found += 1;
        }
      }
      assert.equal(rows.size, found);
    }),
    { numRuns: 30 },
  );
});

test('a hundred thousand keys keep their numbers, in less than 60 bytes each', () => {
  const rows = rowsOf(1_000_000, 3);
  let worst = 0;
  for (let id = 0; id < 100_000; id++) {
    write(rows, `user:${id}`, id);
    if (id > 1000) worst = Math.max(worst, rows.bytes / (id + 1));
  }
  for (let id = 0; id < 100_000; id++) assert.deepEqual(read(rows, `user:${id}`), [id, -id]);
  assert.ok(worst < 60, `${worst} bytes a key`);
});

test('growth moves little at a time, however wide the rows are', () => {
  for (const width of [1, 3, 100, 512, 513, 10_002]) {
    const rows = rowsOf(100_000, width);
    const rowBytes = 8 * (1 + width);
    // What a split makes anew: of 256 kB of rows, two halves with room to grow.
    const most = 262_144 / 0.6 + 2 * 16 * Math.min(rowBytes, 4104);
    const keys = Math.min(20_000, Math.ceil((8 * most) / rowBytes));
    for (let id = 0, before = rows.bytes; id < keys; id++) {
      rows.enter(`key:${id}`, true);
      const more = rows.bytes - before;
      assert.ok(more <= most, `${more} bytes more with key ${id} of ${width} numbers`);
      before = rows.bytes;
    }
  }
});

test('a full table holds its bound, and forgets what was not used before what was', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3000 }), (keysMax) => {
      const rows = rowsOf(keysMax);
      for (let id = 0; id < keysMax * 3 + 10; id++) {
        write(rows, `key:${id}`, id);
        assert.ok(rows.size <= keysMax);
        assert.deepEqual(read(rows, `key:${id}`), [id, -id], 'what was just written is there');
      }
      assert.equal(rows.size, keysMax);
    }),
    { numRuns: 20 },
  );
  const rows = rowsOf(10_000);
  const hot = Array.from({ length: 1000 }, (_, id) => `hot:${id}`);
  for (const key of hot) write(rows, key, 1);
  // A scan of ten times the table, while the hot keys are used now and then.
  for (let id = 0; id < 100_000; id++) {
    write(rows, `cold:${id}`, 2);
    if (id % 4 === 0) rows.enter(hot[(id / 4) % hot.length]!, true);
  }
  const kept = hot.filter((key) => read(rows, key)?.[0] === 1).length;
  assert.ok(kept > 900, `${kept} of 1000 keys in use were kept`);
});

test('idle keys go first, and a table of them does not grow', () => {
  const rows = rowsOf(100_000, 2, (numbers, at) => numbers[at] === 5);
  for (let id = 0; id < 50_000; id++) write(rows, `idle:${id}`, 5);
  assert.ok(rows.bytes < 100_000, `${rows.bytes} bytes`);
  const bound = rowsOf(1000, 2, (numbers, at) => numbers[at] === 5);
  for (let id = 0; id < 500; id++) write(bound, `kept:${id}`, 1);
  for (let id = 0; id < 20_000; id++) {
    write(bound, `idle:${id}`, 5);
    // Used all the time, as the others: only being idle makes the difference.
    for (let kept = 0; kept < 2; kept++) bound.enter(`kept:${(2 * id + kept) % 500}`, false);
  }
  const kept = Array.from({ length: 500 }, (_, id) => read(bound, `kept:${id}`)).filter(
    (numbers) => numbers?.[0] === 1,
  );
  assert.ok(kept.length >= 490, `${kept.length} of 500`);
});

test('wide rows keep their numbers through growth, and a place that is free again is cleared and taken first', () => {
  const width = 1000;
  const step = fc.record({ id: fc.nat(120), removes: fc.boolean(), value: fc.integer({ min: 1, max: 1e9 }) });
  fc.assert(
    fc.property(fc.array(step, { minLength: 100, maxLength: 250, size: 'max' }), fc.nat(9), (steps, idleOf10) => {
      const rows = rowsOf(50, width, (numbers, at) => numbers[at]! % 10 < idleOf10);
      const model = new Map<string, number>();
      for (const { id, removes, value } of steps) {
        const key = `key:${id}`;
        if (removes) {
          rows.remove(key);
          assert.equal(read(rows, key), null);
          model.delete(key);
          continue;
        }
        if (rows.enter(key, false) < 0) {
          const at = rows.enter(key, true);
          assert.ok(
            rows.numbers.subarray(at, at + width).every((number) => number === 0),
            'a new row is zeros',
          );
        }
        const at = rows.enter(key, true);
        rows.numbers.fill(value, at, at + width);
        model.set(key, value);
        assert.ok(rows.size <= 50);
        for (const [known, number] of model) {
          const found = rows.enter(known, false);
          if (found < 0) continue;
          const numbers = rows.numbers.subarray(found, found + width);
          assert.ok(
            numbers.every((each) => each === number),
            `${known} has its own numbers`,
          );
        }
      }
      // Slabs of 32 rows.
      assert.ok(rows.bytes <= 64 * width * 8 + 4096, `${rows.bytes} bytes for 50 keys`);
    }),
    { numRuns: 10 },
  );
});
