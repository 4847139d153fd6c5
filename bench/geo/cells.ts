/** Names of cells: a geohash beside ngeohash, a score of Redis, a hexagon by h3-js; and an index by cells of each. */
import * as h3 from 'h3-js';
import ngeohash from 'ngeohash';
import { createCells, geohash, geohashCells, h3Cells, type Position, redisScore } from '../../src/geo/index.ts';
import type { Random } from '../../src/kernel/random.ts';
import { best, heading, micros, row } from './timing.ts';

const QUERIES = 2 ** 16;
const THINGS = 100_000;

export function benchCells(random: Random): void {
  heading('names of cells, and an index of 100,000 things in a town by them');
  const places = Array.from({ length: QUERIES }, (): Position => {
    return { lat: 52.52 + (random.unit() - 0.5) / 5, lon: 13.4 + (random.unit() - 0.5) / 3 };
  });
  let read = 0;
  const names = best(QUERIES, [
    (at) => (read += geohash.encode(places[at]!, 9).length),
    (at) => (read += ngeohash.encode(places[at]!.lat, places[at]!.lon, 9).length),
    (at) => (read += geohash.encode(places[at]!, 12).length),
    (at) => (read += ngeohash.encode(places[at]!.lat, places[at]!.lon, 12).length),
    (at) => (read += redisScore(places[at]!)),
    (at) => (read += h3.latLngToCell(places[at]!.lat, places[at]!.lon, 9).length),
  ]);
  const titles = ['geohash of 9', '  ngeohash', 'geohash of 12', '  ngeohash', 'score of Redis', 'H3, resolution 9'];
  for (const [at, title] of titles.entries()) row(title, micros(names[at]!));
  for (const [name, system] of [
    ['geohash of 6', geohashCells(6)],
    ['H3, resolution 8', h3Cells(h3, { resolution: 8 })],
  ] as const) {
    const cells = createCells(system, { capacity: THINGS });
    for (let id = 0; id < THINGS; id++) cells.set(id, places[id % QUERIES]!);
    const into = { ids: new Uint32Array(20), distancesM: new Float64Array(20) };
    const [set, nearest] = best(QUERIES / 16, [
      (at) => cells.set(at, places[(at * 7) % QUERIES]!),
      (at) => cells.nearestInto(places[at]!, into),
    ]);
    row(`cells by ${name}: move`, micros(set!));
    row(`cells by ${name}: 20 nearest`, micros(nearest!));
  }
  if (!(read > 0)) throw new Error('nothing was read');
}
