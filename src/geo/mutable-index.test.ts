/** What changes against brute force over the sphere: a hundred thousand questions for each index; and that it does not change while it is asked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { geoContract, type GeoSubject } from '../testing/geo-contract.ts';
import { createCells } from './cells.ts';
import { geohashCells } from './geohash-cells.ts';
import { createMoving, type Moving, openMoving } from './moving.ts';
import type { MutableGeoIndex } from './mutable-index.ts';
import type { Position } from './position.ts';
import { createQuadtree } from './quadtree.ts';

/** What a moving index keeps of a position. */
const kept = ({ lat, lon }: Position): Position => ({
  lat: Math.round(lat * 1e7) / 1e7,
  lon: Math.round(lon * 1e7) / 1e7,
});

/** Everything is put somewhere else first, so that it has moved, and some is taken out again. */
function moved<Index extends MutableGeoIndex>(index: Index, positions: readonly Position[]): Index {
  for (const id of positions.keys()) index.set(id, positions[(id * 7) % positions.length]!);
  for (const id of positions.keys()) if (id % 3 === 0) index.remove(id);
  for (const [id, position] of positions.entries()) index.set(id, position);
  return index;
}

const moving = (positions: readonly Position[], shared: boolean) =>
  moved(createMoving({ capacity: Math.max(1, positions.length), shared }), positions);

const subjects: readonly GeoSubject<number>[] = [
  {
    name: 'quadtree',
    create: (positions) => moved(createQuadtree({ capacity: Math.max(1, positions.length), leafMax: 4 }), positions),
  },
  { name: 'moving', create: (positions) => moving(positions, false), kept },
  {
    name: 'moving, as another thread asks',
    create: (positions) => openMoving(moving(positions, true).memory),
    kept,
    questions: 5000,
  },
];

for (const subject of subjects) for (const { name, run } of geoContract(subject)) test(name, run);

const capacity = 40;
const kinds: Readonly<Record<string, MutableGeoIndex>> = {
  quadtree: createQuadtree({ capacity }),
  moving: createMoving({ capacity }),
  cells: createCells(geohashCells(4), { capacity }),
};

for (const [name, index] of Object.entries(kinds)) {
  test(`${name}: a filter that changes the index is refused, and nothing is changed; one that looks something up is not`, () => {
    for (let id = 0; id < capacity; id++) index.set(id, { lat: id / 100, lon: 0 });
    const here = { lat: 0, lon: 0 };
    const box = { south: 0, west: -1, north: 1, east: 1 };
    const all = index.within(here, 1e6);
    const changes: ((id: number) => unknown)[] = [
      (id) => index.remove(id),
      (id) => index.set(id, { lat: 1, lon: 0 }),
      // All of it is refused, though a filter that catches goes on.
      (id) => assert.throws(() => index.remove(id), { message: /A filter has changed the index/ }),
    ];
    if (isMoving(index))
      changes.push((id) => index.setMany(Uint32Array.of(id), new Float64Array(1), new Float64Array(1)));
    for (const change of changes) {
      const filter = (id: number): boolean => change(id) === undefined;
      for (const ask of [() => index.nearest(here, 3, { filter }), () => index.inBox(box, { filter })]) {
        if (change === changes[2]) ask();
        else assert.throws(ask, { code: 'OPTIONS_INVALID', message: /A filter has changed the index/ });
      }
    }
    assert.deepEqual(index.within(here, 1e6), all);
    const north = index.nearest(here, 3, { filter: (id) => index.get(id)!.lat > 0.1 });
    assert.deepEqual(
      north.map(({ id }) => id),
      [11, 12, 13],
    );
    assert.equal(index.remove(0), true);
  });
}

function isMoving(index: MutableGeoIndex): index is Moving {
  return 'setMany' in index;
}
