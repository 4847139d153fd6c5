/** Moving things that come together and part: cells are made anew a few at a time, and all is found meanwhile. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { seededRandom } from '../kernel/random.ts';
import { createMoving, openMoving } from './moving.ts';
import type { Position } from './position.ts';
import { createQuadtree } from './quadtree.ts';

/** The header has 16 words, of which this one tells the grids, and how often they have changed; a thing has 8. */
const GRIDS_AT = 4;
const THING_WORDS = 8;
const gridChanges = (words: Int32Array): number => Atomics.load(words, GRIDS_AT) >>> 10;
/** The shift of the grid that things leave, and of that which they come to; there are two grids if it is another. */
const leaves = (words: Int32Array): number => (Atomics.load(words, GRIDS_AT) >>> 5) & 31;
const comesTo = (words: Int32Array): number => Atomics.load(words, GRIDS_AT) & 31;
const hasTwoGrids = (words: Int32Array): boolean => leaves(words) !== comesTo(words);

/** Where a crowd can go: all over the Earth, a town, a street, one spot. */
const crowds: readonly ((unit: () => number) => Position)[] = [
  (unit) => ({ lat: unit() * 170 - 85, lon: unit() * 360 - 180 }),
  (unit) => ({ lat: 48.2 + unit() * 0.05, lon: 179.99 + unit() * 0.005 }),
  (unit) => {
    const along = unit() * 0.1;
    return { lat: -33.9 + along, lon: 151.2 + along };
  },
  () => ({ lat: 0, lon: 0 }),
];

test('wherever a crowd goes, one set puts few others into new cells, and all is found at any time', () => {
  const count = 4000;
  const random = seededRandom(6);
  const unit = (): number => random.unit();
  const index = createMoving({ capacity: count, shared: true });
  const reader = openMoving(index.memory);
  const model = createQuadtree({ capacity: count });
  const words = new Int32Array(index.memory);
  const cells = new Int32Array(2 * count);
  let [word, gathered, askedOfTwo] = [words[GRIDS_AT]!, 0, 0];

  const look = (): void => {
    let others = -1;
    for (let id = 0; id < count; id++) {
      const at = 16 + THING_WORDS * id + 5;
      if (cells[2 * id] === words[at] && cells[2 * id + 1] === words[at + 1]) continue;
      others++;
      cells[2 * id] = words[at]!;
      cells[2 * id + 1] = words[at + 1]!;
    }
    assert.ok(others <= 8, `one set has moved ${others} others`);
    if (words[GRIDS_AT] !== word && leaves(words) > comesTo(words)) gathered++;
    word = words[GRIDS_AT]!;
  };
  const ask = (center: Position): void => {
    const { lat, lon } = center;
    const box = { south: lat - 1, west: Math.max(-180, lon - 1), north: lat + 1, east: Math.min(180, lon + 1) };
    const near = model.nearest(center, 7).map(({ distanceM }) => distanceM);
    for (const asked of [index, reader]) {
      assert.deepEqual(
        asked.nearest(center, 7).map(({ distanceM }) => distanceM),
        near,
      );
      assert.deepEqual(asked.within(center, 1000), model.within(center, 1000));
      assert.deepEqual(asked.inBox(box), model.inBox(box));
    }
    if (hasTwoGrids(words)) askedOfTwo++;
  };

  for (const crowd of [0, 1, 0, 2, 3, 1, 0, 3, 0]) {
    [gathered, askedOfTwo] = [0, 0];
    const before = gridChanges(words);
    for (let step = 0; step < count; step++) {
      // In no order, as moves come; each once.
      const id = (step * 1237) % count;
      const { lat, lon } = crowds[crowd]!(unit);
      const position = { lat: Math.round(lat * 1e7) / 1e7, lon: Math.round(lon * 1e7) / 1e7 };
      if (step % 9 === 0) {
        assert.equal(index.remove(id), model.remove(id));
        look();
      }
      index.set(id, position);
      model.set(id, position);
      look();
      if (step % 150 === 0) ask(position);
    }
    assert.ok(gathered <= 3, `cells were made smaller ${gathered} times for one crowd`);
    if (gridChanges(words) > before) assert.ok(askedOfTwo > 0, 'no question was asked while there were two grids');
  }
});

test('what a thread had put anywhere is found after it died with things in two grids', async () => {
  const count = 5000;
  const module = import.meta.resolve('./moving.ts');
  const worker = new Worker(DIES, { eval: true, workerData: { module, count } });
  const exited = once(worker, 'exit');
  const [{ memory, lats }] = (await once(worker, 'message')) as [{ memory: SharedArrayBuffer; lats: Float64Array }];
  await exited;
  assert.ok(hasTwoGrids(new Int32Array(memory)));
  const index = openMoving(memory);
  const ids = Array.from({ length: count }, (_, id) => id);
  for (let about = 0; about < count; about += 50) {
    const lat = lats[about]!;
    const box = { south: lat - 5e-5, west: 2 * lat - 1e-4, north: lat + 5e-5, east: 2 * lat + 1e-4 };
    assert.deepEqual(
      index.inBox(box).map(({ id }) => id),
      ids.filter((id) => lats[id]! >= box.south && lats[id]! <= box.north),
    );
    assert.equal(index.nearest({ lat, lon: 2 * lat }, 1)[0]!.id, about);
  }
});

/** Runs in a thread of its own: brings things together until some are in new cells and some in old ones, and dies. */
const DIES = `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.module).then(({ createMoving }) => {
    const { count } = workerData;
    const index = createMoving({ capacity: count, shared: true });
    const words = new Int32Array(index.memory);
    const lats = new Float64Array(count);
    const set = (id, lat) => index.set(id, { lat: lats[id] = Math.round(lat * 1e7) / 1e7, lon: 2 * lats[id] });
    const hasTwoGrids = () => ((words[4] >>> 5) & 31) !== (words[4] & 31);
    for (let id = 0; id < count; id++) set(id, 10 + id / 100);
    // Until new cells have begun to be made, and for some time more.
    let [id, more] = [0, 100];
    for (; more > 0; id = (id + 1) % count) {
      set(id, 10 + id / 1e6);
      if (hasTwoGrids()) more--;
    }
    parentPort.postMessage({ memory: index.memory, lats });
    process.exit();
  });`;
