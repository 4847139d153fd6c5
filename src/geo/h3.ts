/**
 * The hexagons of H3 as cells of an index, by the package `h3-js`, which is handed in; what is used of it is written down here as types.
 *
 * Hexagons have six neighbours, all as far away, and nearly one size: good to count by. They do not nest exactly, and a name costs 1 µs, so an
 * index that only answers is better made of something else. The edges of a cell are great circles (H3 projects each face of an icosahedron
 * from the centre of the Earth, and cuts edges where they cross to another), so a corner is farthest from its middle.
 */
import { checkInteger, checkKeys, invalid } from '../kernel/options.ts';
import type { CellSystem } from './cells.ts';
import { angleOf, haversineOf } from './measure.ts';

/** What is used of `h3-js`, version 4. */
export interface H3 {
  latLngToCell(lat: number, lon: number, resolution: number): string;
  cellToLatLng(cell: string): readonly number[];
  cellToBoundary(cell: string): readonly (readonly number[])[];
  gridDisk(cell: string, rings: number): readonly string[];
}

export interface H3CellsOptions {
  /** 0, some 1,100 km from corner to corner's neighbour, to 15, half a metre; each is 2.6 times finer. */
  readonly resolution: number;
}

/**
 *     import * as h3 from 'h3-js';
 *     const cells = createCells(h3Cells(h3, { resolution: 8 }), { capacity: 100_000 });
 */
export function h3Cells(h3: H3, options: H3CellsOptions): CellSystem {
  if (typeof h3?.latLngToCell !== 'function') throw invalid('This is not h3-js, version 4.');
  checkKeys('h3Cells', options, ['resolution']);
  const resolution = checkInteger('resolution', options.resolution, 0, 15);
  return {
    cellOf: (lat, lon) => h3.latLngToCell(lat, lon, resolution),
    neighbours: (cell) => h3.gridDisk(cell, 1),
    circleOf(cell) {
      const [lat = 0, lon = 0] = h3.cellToLatLng(cell);
      const corners = h3.cellToBoundary(cell).map(([atLat = 0, atLon = 0]) => haversineOf(lat, lon, atLat, atLon));
      return { lat, lon, angle: angleOf(Math.max(...corners)) };
    },
  };
}
