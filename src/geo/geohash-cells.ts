/** Geohashes of one length as cells of an index. */
import { checkInteger } from '../kernel/options.ts';
import type { CellSystem } from './cells.ts';
import { geohash } from './geohash.ts';
import { angleOf, haversineOf } from './measure.ts';

/** `length`: 1 to 12 letters; see the guide for how large these are. */
export function geohashCells(length: number): CellSystem {
  checkInteger('The length of a geohash', length, 1, 12);
  return {
    cellOf: (lat, lon) => geohash.encode({ lat, lon }, length),
    neighbours: (cell) => Object.values(geohash.neighbours(cell)).filter((each) => each !== null),
    circleOf(cell) {
      const { south, west, north } = geohash.bounds(cell);
      const { lat, lon } = geohash.decode(cell);
      // Of a cell of at most 45° by 45° a corner is farthest from the middle.
      const farthest = Math.max(haversineOf(lat, lon, south, west), haversineOf(lat, lon, north, west));
      return { lat, lon, angle: angleOf(farthest) };
    },
  };
}
