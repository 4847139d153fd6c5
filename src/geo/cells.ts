/**
 * An index that puts things into named cells, geohashes or hexagons of H3: to answer the questions, and to count and show things by cells
 * that others know as well.
 *
 * A search starts in the centre's own cell and goes from neighbour to neighbour, to cells that may hold something near enough. A cell is known by a
 * circle that it lies within; whatever is within reach can be reached so, for the straight way there leads through cells that are. Where a search would
 * come through more cells than are in use, it looks at all things instead.
 *
 * Cost: a name and a small array a cell, 20 B a thing; moving one costs what its cell's name costs, some 60 ns for a geohash and 1 µs for
 * H3 (`npm run bench -- geo`). Where names of cells do not matter, `createMoving` and `createQuadtree` do without.
 */
import { checkInteger, checkKeys, invalid } from '../kernel/options.ts';
import { circleBox } from './bounds.ts';
import type { Collector } from './collector.ts';
import { angleOf, EARTH_RADIUS_M, haversineOf } from './measure.ts';
import { type Contents, createMutable, type MutableGeoIndex } from './mutable-index.ts';
import { checkCount, checkDistance, checkPosition, type Box, type Position } from './position.ts';
import type { MeasureOptions, Shelf, Visit } from './searchable.ts';

/** A circle on the sphere; its angle in radians. */
export interface CellCircle extends Position {
  readonly angle: number;
}

/** How the Earth is divided. */
export interface CellSystem {
  cellOf(lat: number, lon: number): string;
  /** The cells beside one: all that touch it. */
  neighbours(cell: string): readonly string[];
  /** A circle that the cell lies within. */
  circleOf(cell: string): CellCircle;
}

export interface CellsOptions extends MeasureOptions {
  /** How many things there can be, and one above the largest id: 1 to 100,000,000. */
  readonly capacity: number;
}

export interface Cells extends MutableGeoIndex {
  /** How many things are in each cell that has any. */
  counts(): Map<string, number>;
  /** How many cells the last question looked at. */
  readonly cellsTouched: number;
}

const CAPACITY_MAX = 100_000_000;
/** 6 mm, for rounding. */
const MARGIN = 1e-9;

interface Cell {
  readonly name: string;
  readonly circle: CellCircle;
  readonly ids: number[];
}

/** True if two boxes may have a position in common. */
function overlap(a: Box, b: Box): boolean {
  if (a.south > b.north || b.south > a.north) return false;
  const width = ({ west, east }: Box): number => (west <= east ? east - west : east - west + 360);
  const from = (start: number, to: number): number => (((to - start) % 360) + 360) % 360;
  return from(a.west, b.west) <= width(a) || from(b.west, a.west) <= width(b);
}

class CellShelf implements Shelf, Contents {
  isSearched = false;
  readonly system: CellSystem;
  readonly capacity: number;
  readonly cells = new Map<string, Cell>();
  /** Of each id: its position, its cell, and its place there. */
  readonly #lats: Float64Array;
  readonly #lons: Float64Array;
  readonly #cellOf: (Cell | undefined)[] = [];
  readonly #places: Uint32Array;
  size = 0;
  touched = 0;

  constructor(system: CellSystem, capacity: number) {
    this.system = system;
    this.capacity = capacity;
    this.#lats = new Float64Array(capacity);
    this.#lons = new Float64Array(capacity);
    this.#places = new Uint32Array(capacity);
  }

  at(id: number): Position | null {
    return this.#cellOf[id] === undefined ? null : { lat: this.#lats[id]!, lon: this.#lons[id]! };
  }

  put(id: number, lat: number, lon: number): void {
    this.#lats[id] = lat;
    this.#lons[id] = lon;
    const name = this.system.cellOf(lat, lon);
    if (this.#cellOf[id]?.name === name) return;
    this.take(id);
    let cell = this.cells.get(name);
    if (cell === undefined) {
      cell = { name, circle: this.system.circleOf(name), ids: [] };
      this.cells.set(name, cell);
    }
    this.#places[id] = cell.ids.push(id) - 1;
    this.#cellOf[id] = cell;
    this.size += 1;
  }

  take(id: number): boolean {
    const cell = this.#cellOf[id];
    if (cell === undefined) return false;
    const last = cell.ids.pop()!;
    if (last !== id) {
      cell.ids[this.#places[id]!] = last;
      this.#places[last] = this.#places[id]!;
    }
    if (cell.ids.length === 0) this.cells.delete(cell.name);
    this.#cellOf[id] = undefined;
    this.size -= 1;
    return true;
  }

  offerNear(lat: number, lon: number, collector: Collector): void {
    const offer: Visit = (id, lat, lon) => {
      if (collector.mayKeep(lat, lon)) collector.offer(id);
    };
    const walked = this.#walk(this.system.cellOf(lat, lon), offer, (circle) => {
      return leastAngle(lat, lon, circle) <= collector.angleMax;
    });
    if (walked) return;
    collector.restart();
    this.#all(offer);
  }

  visitBox(box: Box, visit: Visit): void {
    const seen: [id: number, lat: number, lon: number][] = [];
    const middle = (box.west + box.east) / 2 + (box.west <= box.east ? 0 : 180);
    const start = this.system.cellOf((box.south + box.north) / 2, middle > 180 ? middle - 360 : middle);
    const walked = this.#walk(
      start,
      (id, lat, lon) => seen.push([id, lat, lon]),
      (circle) => overlap(circleBox(circle.lat, circle.lon, circle.angle + MARGIN), box),
    );
    if (walked) for (const [id, lat, lon] of seen) visit(id, lat, lon);
    else this.#all(visit);
  }

  /** From cell to cell; false, and nothing is certain, if that leads through more cells than are in use. */
  #walk(start: string, visit: Visit, reaches: (circle: CellCircle) => boolean): boolean {
    const names = [start];
    const known = new Set(names);
    this.touched = 0;
    for (const name of names) {
      const cell = this.cells.get(name);
      if (name !== start && !reaches(cell?.circle ?? this.system.circleOf(name))) continue;
      this.touched += 1;
      if (this.touched > this.cells.size) return false;
      if (cell !== undefined) for (const id of cell.ids) visit(id, this.#lats[id]!, this.#lons[id]!);
      for (const next of this.system.neighbours(name)) {
        if (known.has(next)) continue;
        known.add(next);
        names.push(next);
      }
    }
    return true;
  }

  #all(visit: Visit): void {
    this.touched = this.cells.size;
    for (const { ids } of this.cells.values()) for (const id of ids) visit(id, this.#lats[id]!, this.#lons[id]!);
  }
}

/** No position in a cell is nearer than this. */
function leastAngle(lat: number, lon: number, circle: CellCircle): number {
  return angleOf(haversineOf(lat, lon, circle.lat, circle.lon)) - circle.angle - MARGIN;
}

/**
 * @example
 * const riders = createCells(geohashCells(6), { capacity: 1000 });
 * riders.set(7, { lat: 52.5163, lon: 13.3777 });
 * console.log(riders.nearest({ lat: 52.52, lon: 13.4 }, 1)[0]?.id, [...riders.counts()].join(' ')); // 7 u33db2,1
 */
export function createCells(system: CellSystem, options: CellsOptions): Cells {
  checkKeys('createCells', options, ['capacity', 'measure']);
  const { capacity, measure } = options;
  checkInteger('capacity', capacity, 1, CAPACITY_MAX);
  const shelf = new CellShelf(system, capacity);
  return {
    ...createMutable(shelf, shelf, measure),
    get size(): number {
      return shelf.size;
    },
    get cellsTouched(): number {
      return shelf.touched;
    },
    counts: () => new Map([...shelf.cells.values()].map(({ name, ids }) => [name, ids.length])),
  };
}

/**
 * All cells that a circle on the mean sphere touches, and few beside it, the centre's own first. Refused if they are more than `cellsMax`.
 */
export function coverByCells(system: CellSystem, center: Position, radiusM: number, cellsMax = 10_000): string[] {
  checkPosition('The centre', center);
  checkDistance('radiusM', radiusM);
  checkCount('cellsMax', cellsMax);
  const angle = radiusM / EARTH_RADIUS_M;
  const { lat, lon } = center;
  const names = [system.cellOf(lat, lon)];
  const known = new Set(names);
  for (const name of names) {
    if (names.length > cellsMax) throw invalid(`The circle touches more than ${cellsMax} cells; take larger cells.`);
    for (const next of system.neighbours(name)) {
      if (known.has(next)) continue;
      known.add(next);
      if (leastAngle(lat, lon, system.circleOf(next)) <= angle) names.push(next);
    }
  }
  return names;
}
