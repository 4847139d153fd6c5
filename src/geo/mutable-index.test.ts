/** What changes against brute force over the sphere: a hundred thousand questions for each index. */
import { test } from 'node:test';
import { geoContract, type GeoSubject } from '../testing/geo-contract.ts';
import { createMoving, openMoving } from './moving.ts';
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
