/** Moving things: memory, cells that follow the crowd, and threads that ask while another moves. Right answers are in mutable-index.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { SpillwayError } from '../kernel/errors.ts';
import { seededRandom } from '../kernel/random.ts';
import { createMoving, type Moving, openMoving } from './moving.ts';
import type { Position } from './position.ts';

const invalid = { code: 'OPTIONS_INVALID' };

test('memory is 32 bytes a thing, 8 a bucket and a header, however many there are', () => {
  for (const [capacity, buckets] of [
    [1, 16],
    [1000, 512],
    [100_000, 65_536],
  ] as const) {
    assert.equal(createMoving({ capacity }).memory.byteLength, 64 + 32 * capacity + 8 * buckets);
  }
});

test('set, get and remove are those of a map, and the size is its size', () => {
  const id = fc.integer({ min: 0, max: 9 });
  const degrees = fc.integer({ min: -900, max: 900 });
  fc.assert(
    fc.property(fc.array(fc.tuple(id, degrees, fc.boolean()), { maxLength: 200 }), (steps) => {
      const index = createMoving({ capacity: 10 });
      const model = new Map<number, number>();
      for (const [id, tenths, removes] of steps) {
        if (removes) assert.equal(index.remove(id), model.delete(id));
        else {
          index.set(id, { lat: tenths / 10, lon: tenths / 5 });
          model.set(id, tenths);
        }
        const tenthsNow = model.get(id);
        assert.deepEqual(index.get(id), tenthsNow === undefined ? null : { lat: tenthsNow / 10, lon: tenthsNow / 5 });
        assert.equal(index.size, model.size);
      }
    }),
  );
});

test('many at once are the same as one by one, and refused as a whole', () => {
  const index = createMoving({ capacity: 100 });
  const ids = Uint32Array.from({ length: 100 }, (_, at) => 99 - at);
  const lats = Float64Array.from(ids, (id) => id / 2);
  index.setMany(ids, lats, lats);
  for (const id of ids) assert.deepEqual(index.get(id), { lat: id / 2, lon: id / 2 });
  assert.throws(() => index.setMany(ids.with(99, 100), lats.with(0, 1), lats), invalid);
  assert.throws(() => index.setMany(ids, lats.with(99, 91), lats), { ...invalid, message: /Position 99/ });
  assert.throws(() => index.setMany(ids, lats.subarray(1), lats), invalid);
  assert.deepEqual(index.get(99), { lat: 49.5, lon: 49.5 });
});

test('what lies on the edge of a box is in it, also where a cell begins', () => {
  let edges = 0;
  for (const lat of [-85.220_377_6, -71.645_414_4, -53.041_382_4]) {
    if (lat * 1e7 < Math.round(lat * 1e7)) edges++;
    const index = createMoving({ capacity: 300 });
    // All come and go often enough for the smallest cells.
    for (let time = 0; time < 20; time++) {
      for (let id = 1; id < 300; id++) {
        index.remove(id);
        index.set(id, { lat: lat + id * 1e-7, lon: 5 + id * 1e-7 });
      }
    }
    index.set(0, { lat, lon: 5 });
    const found = index.inBox({ south: lat - 1e-5, west: 4.99999, north: lat, east: 5.00001 });
    assert.deepEqual(found, [{ id: 0, lat, lon: 5 }]);
  }
  assert.equal(edges, 3, 'no edge is rounded to the cell before');
});

test('what cannot be meant is refused', () => {
  for (const capacity of [0, -1, 1.5, Number.NaN, 2 ** 31]) assert.throws(() => createMoving({ capacity }), invalid);
  const misspelt = { capacity: 3, share: true };
  assert.throws(() => createMoving(misspelt), { ...invalid, message: /no option “share”.*Did you mean shared/ });
  const index = createMoving({ capacity: 3 });
  for (const id of [3, -1, 0.5, Number.NaN]) {
    assert.throws(() => index.set(id, { lat: 0, lon: 0 }), { ...invalid, message: /below the capacity, 3/ });
    assert.throws(() => index.remove(id), invalid);
  }
  assert.throws(() => index.set(0, { lat: 0, lon: 180.1 }), invalid);
  for (const none of [null, new Uint8Array(64)]) assert.throws(() => openMoving(none as never), invalid);
  for (const bytes of [0, 63, 64, 65, 4096]) assert.throws(() => openMoving(new SharedArrayBuffer(bytes)), invalid);
});

/** How many things a question looks at until it has the nearest five, seen by a filter that lets through no others. */
function looksAround(index: Moving, center: Position): number {
  const nearest = new Set(index.nearest(center, 5).map(({ id }) => id));
  let looks = 0;
  index.nearest(center, 5, { filter: (id) => ++looks > 0 && nearest.has(id) });
  return looks;
}

test('cells follow the crowd: a question looks at few, in a town and all over the Earth', () => {
  const random = seededRandom(3);
  const index = createMoving({ capacity: 20_000 });
  for (const [width, lat, lon] of [
    [0.01, 48.2, 16.3],
    [80, 0, 0],
    [0.001, -33.9, 151.2],
  ] as const) {
    for (let move = 0; move < 40_000; move++) {
      index.set(move % 20_000, { lat: lat + (random.unit() - 0.5) * width, lon: lon + (random.unit() - 0.5) * width });
    }
    const looks = Array.from({ length: 20 }, () =>
      looksAround(index, { lat: lat + (random.unit() - 0.5) * width, lon }),
    ).sort((a, b) => a - b);
    assert.ok(looks[10]! < 400, `${width} degrees: ${looks.join(' ')}`);
  }
});

test('cells follow the others where many have not moved from one spot', () => {
  const random = seededRandom(4);
  const index = createMoving({ capacity: 20_000 });
  const somewhere = (): Position => ({ lat: 45 + random.unit() * 5, lon: 5 + random.unit() * 10 });
  // What has no signal yet is at 0, 0.
  for (let id = 0; id < 20_000; id++) index.set(id, { lat: 0, lon: 0 });
  for (let turn = 0; turn < 5; turn++) for (let id = 2000; id < 20_000; id++) index.set(id, somewhere());
  const looks = Array.from({ length: 20 }, () => looksAround(index, somewhere())).sort((a, b) => a - b);
  assert.ok(looks[10]! < 400, looks.join(' '));
});

test('cells follow things of which only every second number is in use', () => {
  const random = seededRandom(5);
  for (const first of [0, 1]) {
    const index = createMoving({ capacity: 32_768 });
    const somewhere = (): Position => ({ lat: 45 + random.unit() * 5, lon: 5 + random.unit() * 10 });
    for (let turn = 0; turn < 4; turn++) for (let id = first; id < 32_768; id += 2) index.set(id, somewhere());
    const looks = Array.from({ length: 20 }, () => looksAround(index, somewhere())).sort((a, b) => a - b);
    assert.ok(looks[10]! < 400, looks.join(' '));
  }
});

/** How often the grids have changed. */
const gridChanges = (memory: SharedArrayBuffer): number => Atomics.load(new Int32Array(memory), 4) >>> 10;

/** Runs in a thread of its own: moves things between two places for as long as it is let. */
const MOVER = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ createMoving }) => {
    const { count, gathers, state } = workerData;
    const signal = new Int32Array(state);
    const index = createMoving({ capacity: count, shared: true });
    // Latitude and longitude tell each other apart: half of a move would be seen.
    const place = (id, turn) => {
      const lat = gathers ? 10 + (id / count) * (turn % 2 === 0 ? 2 : 0.02) : 10 + (id % 97) / 50 + (turn % 2) * 3;
      return { lat, lon: lat * 2 };
    };
    for (let id = 0; id < count; id++) index.set(id, place(id, 0));
    parentPort.postMessage(index.memory);
    for (let turn = 1; Atomics.load(signal, 0) === 0; turn++) {
      // Where they gather and part, some stay: these are put into other cells, but never anywhere else.
      for (let id = 0; id < count; id++) if (!gathers || id % 50 > 0) index.set(id, place(id, turn));
      Atomics.add(signal, 1, 1);
      Atomics.notify(signal, 1);
    }
  });`;

for (const { count, gathers } of [
  { count: 50, gathers: false },
  { count: 5000, gathers: false },
  { count: 3000, gathers: true },
]) {
  const what = `${count} things${gathers ? ' together and apart, so that cells are made anew all the time' : ''}`;
  test(`while another thread moves ${what}, each is found once and whole`, async () => {
    const signal = new Int32Array(new SharedArrayBuffer(8));
    const module = import.meta.resolve('./moving.ts');
    const worker = new Worker(MOVER, { eval: true, workerData: { module, count, gathers, state: signal.buffer } });
    try {
      const [memory] = (await once(worker, 'message')) as [SharedArrayBuffer];
      const index = openMoving(memory);
      const ids = Array.from({ length: count }, (_, id) => id);
      const isWhole = ({ lat, lon }: { lat: number; lon: number }): boolean => Math.abs(lon - 2 * lat) < 1e-6;
      const gridsBefore = gridChanges(memory);
      let turns = 0;
      for (let asked = 0; asked < 200 || turns < 20; asked++) {
        const before = Atomics.load(signal, 1);
        const all = index.within({ lat: 12, lon: 24 }, 2_000_000);
        assert.deepEqual(
          all.map(({ id }) => id).sort((a, b) => a - b),
          ids,
        );
        assert.ok(all.every((found) => isWhole(found)));
        const box = index.inBox({ south: 9, west: 18, north: 17, east: 34 });
        assert.deepEqual(
          box.map(({ id }) => id),
          ids,
        );
        assert.ok(box.every((found) => isWhole(found)));
        for (let id = 0; gathers && id < count; id += 50) {
          const [south, west] = [10 + (2 * id) / count - 1e-5, 20 + (4 * id) / count - 1e-5];
          const here = index.inBox({ south, west, north: south + 2e-5, east: west + 2e-5 });
          assert.ok(
            here.some((found) => found.id === id),
            `${id} has not moved, but was not found`,
          );
        }
        const few = index.nearest({ lat: 11, lon: 22 }, 10);
        assert.equal(new Set(few.map(({ id }) => id)).size, 10);
        assert.ok(few.every((found) => isWhole(found)));
        // Where one processor is shared, the other thread must have its turn.
        if (Atomics.load(signal, 1) === before) Atomics.wait(signal, 1, before, 1000);
        turns = Atomics.load(signal, 1);
      }
      assert.ok(turns >= 20);
      const changes = gridChanges(memory) - gridsBefore;
      if (gathers) assert.ok(changes >= turns, `the grids have changed ${changes} times in ${turns} turns`);
    } finally {
      Atomics.store(signal, 0, 1);
      await worker.terminate();
    }
  });
}

test('of damaged memory a question ends, with an answer or an error that has a code', () => {
  const count = 24;
  const index = createMoving({ capacity: count });
  // Twelve at one place are one list.
  for (let id = 0; id < count; id++) index.set(id, { lat: 48 + (id % 12) / 50, lon: id < 12 ? 16 : 17 });
  for (let id = 0; id < 12; id++) index.set(id, { lat: 48, lon: 16 });
  const words = new Int32Array(index.memory);
  const center = { lat: 48.1, lon: 16.5 };
  const said = new Set<string>();
  const word = fc.oneof(fc.integer(), fc.integer({ min: -2, max: 40 }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(words.length - 1), word), { minLength: 1, maxLength: 8 }), (changes) => {
      const damaged = words.slice();
      for (const [at, value] of changes) damaged[at] = value;
      try {
        const reader = openMoving(damaged.buffer);
        const found = reader.within(center, 1e6);
        assert.ok(found.length <= count);
        reader.nearest(center, 5);
        reader.inBox({ south: 47, west: 15, north: 49, east: 18 });
      } catch (error) {
        if (!(error instanceof SpillwayError)) throw error;
        said.add(error.message);
      }
    }),
    { numRuns: 20_000 },
  );
  for (const what of [
    /begin as one/,
    /version is/,
    /not its size/,
    /buckets/,
    /units high/,
    /room for/,
    /in a list/,
    /has stopped/,
  ]) {
    assert.ok(
      [...said].some((message) => what.test(message)),
      `${what} was never said`,
    );
  }
});

test('a list that leads round in circles is not followed: all things are looked at instead', () => {
  const index = createMoving({ capacity: 3 });
  for (let id = 0; id < 3; id++) index.set(id, { lat: 1, lon: 1 });
  const words = new Int32Array(index.memory);
  // The word of a thing that names the next in its list; the header has 16 words, a thing 8.
  const nextAt = (id: number): number => 16 + 8 * id + 3;
  assert.deepEqual([words[nextAt(2)], words[nextAt(1)], words[nextAt(0)]], [1, 0, -1]);
  words[nextAt(0)] = 2;
  for (const asked of [index, openMoving(index.memory)]) {
    const ids = asked.within({ lat: 1, lon: 1 }, 1).map(({ id }) => id);
    assert.deepEqual(ids, [0, 1, 2]);
    assert.equal(asked.inBox({ south: 0, west: 0, north: 2, east: 2 }).length, 3);
  }
});

test('a thread that died in the middle of a move is not waited for without end', () => {
  const index = createMoving({ capacity: 4, shared: true });
  index.set(2, { lat: 1, lon: 1 });
  const words = new Int32Array(index.memory);
  words[16 + 2 * 8]!++; // its version is odd from now on
  const reader = openMoving(index.memory);
  assert.throws(() => reader.nearest({ lat: 0, lon: 0 }, 1), { code: 'STORE_UNAVAILABLE' });
});
