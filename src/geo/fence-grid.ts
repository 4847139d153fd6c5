/**
 * Which boxes a position may be in: a grid with several levels, so that a box of any size is in four cells at most.
 *
 * Level L has 2^L rows and columns. A box is listed on the level of which the cells are just larger than it, in those it touches; who asks looks
 * into one cell of each level that has anything. Adding and taking away costs the same however many there are.
 *
 * A box that reaches a pole or goes round is listed on level 0: a pole is at every longitude.
 *
 * Cost: one look into a map for each level that is in use, and the boxes in the cells.
 */
import { lonBetween, type Box } from './position.ts';

const LEVEL_MAX = 20; // 34 m at the equator
const ALL = { south: -90, west: -180, north: 90, east: 180 };

/** A way across more cells than this is compared with everything. */
const CELLS_MAX = 256;
const NOTHING: readonly number[] = [];

function levelFor({ south, west, north, east }: Box): number {
  const wide = west <= east ? east - west : east - west + 360;
  if (north === 90 || south === -90) return 0;
  const largest = Math.max(wide / 360, (north - south) / 180, 2 ** -LEVEL_MAX);
  return Math.min(LEVEL_MAX, Math.floor(-Math.log2(largest)));
}

export class FenceGrid {
  readonly #cells = new Map<number, number[]>();
  /** Boxes on each level. */
  readonly #counts = new Uint32Array(LEVEL_MAX + 1);
  /** South, west, north and east of each, in a row: most that are looked at are left out by these. */
  #boxes = new Float64Array(64 * 4);
  /** The last search by a box that came upon each. */
  #seen = new Uint32Array(64);
  #search = 0;
  readonly #free: number[] = [];
  #used = 0;

  /** Lists a box; what it is called from now on. Numbers are used again. */
  add(box: Box): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot === this.#seen.length) this.#grow();
    this.#boxes.set([box.south, box.west, box.north, box.east], slot * 4);
    const level = levelFor(box);
    this.#counts[level]!++;
    for (const key of this.#keys(box, level)) {
      const cell = this.#cells.get(key);
      if (cell === undefined) this.#cells.set(key, [slot]);
      else cell.push(slot);
    }
    return slot;
  }

  remove(slot: number): void {
    const box = this.#boxOf(slot);
    const level = levelFor(box);
    this.#counts[level]!--;
    for (const key of this.#keys(box, level)) {
      const cell = this.#cells.get(key)!;
      cell[cell.indexOf(slot)] = cell.at(-1)!;
      cell.pop();
      if (cell.length === 0) this.#cells.delete(key);
    }
    // A box that nothing meets.
    this.#boxes.fill(Number.NaN, slot * 4, slot * 4 + 4);
    this.#free.push(slot);
  }

  #grow(): void {
    const boxes = new Float64Array(this.#boxes.length * 2);
    const seen = new Uint32Array(this.#seen.length * 2);
    boxes.set(this.#boxes);
    seen.set(this.#seen);
    [this.#boxes, this.#seen] = [boxes, seen];
  }

  #boxOf(slot: number): Box {
    const [south = 0, west = 0, north = 0, east = 0] = this.#boxes.subarray(slot * 4, slot * 4 + 4);
    return { south, west, north, east };
  }

  /** Visits each whose box has a position, once. */
  visit(lat: number, lon: number, look: (slot: number) => void): void {
    for (let level = 0; level <= LEVEL_MAX; level++) {
      if (this.#counts[level] === 0) continue;
      const cell = this.#cells.get(keyOf(level, rowOf(lat, level), columnOf(lon, level)));
      if (cell === undefined) continue;
      for (const slot of cell) {
        const at = slot * 4;
        if (lat < this.#boxes[at]! || lat > this.#boxes[at + 2]!) continue;
        if (lat === 90 || lat === -90 || lonBetween(lon, this.#boxes[at + 1]!, this.#boxes[at + 3]!)) look(slot);
      }
    }
  }

  /** Visits each whose box meets a box, once. */
  visitBox(box: Box, look: (slot: number) => void): void {
    let cells = 0;
    for (let level = 0; level <= LEVEL_MAX; level++) if (this.#counts[level]! > 0) cells += cellsIn(box, level);
    if (cells > CELLS_MAX) {
      for (let slot = 0; slot < this.#used; slot++) this.#lookAt(slot, box, look);
      return;
    }
    this.#search = (this.#search + 1) >>> 0;
    // Once in 2^32 searches the numbers begin anew.
    if (this.#search === 0) this.#seen.fill(this.#search++);
    for (let level = 0; level <= LEVEL_MAX; level++) {
      if (this.#counts[level] === 0) continue;
      for (const key of this.#keys(box, level)) {
        for (const slot of this.#cells.get(key) ?? NOTHING) {
          if (this.#seen[slot] === this.#search) continue;
          this.#seen[slot] = this.#search;
          this.#lookAt(slot, box, look);
        }
      }
    }
  }

  #lookAt(slot: number, box: Box, look: (slot: number) => void): void {
    const at = slot * 4;
    // Written so that it is false for one that was taken away.
    if (!(box.north >= this.#boxes[at]! && box.south <= this.#boxes[at + 2]!)) return;
    const west = this.#boxes[at + 1]!;
    // Two arcs of longitude meet where one of them begins.
    if (lonBetween(west, box.west, box.east) || lonBetween(box.west, west, this.#boxes[at + 3]!)) look(slot);
  }

  #keys(box: Box, level: number): number[] {
    const { south, west, north, east } = level === 0 ? ALL : box;
    const columns = 2 ** level;
    const wide = columnsIn(west, east, level);
    const first = columnOf(west, level);
    const keys: number[] = [];
    for (let row = rowOf(south, level); row <= rowOf(north, level); row++) {
      for (let step = 0; step < wide; step++) keys.push(keyOf(level, row, (first + step) % columns));
    }
    return keys;
  }
}

function rowOf(lat: number, level: number): number {
  return Math.min(2 ** level - 1, Math.floor(((lat + 90) / 180) * 2 ** level));
}

function columnOf(lon: number, level: number): number {
  return lon === 180 ? 0 : Math.min(2 ** level - 1, Math.floor(((lon + 180) / 360) * 2 ** level));
}

function columnsIn(west: number, east: number, level: number): number {
  const columns = 2 ** level;
  if (west === -180 && east === 180) return columns;
  const steps = (columnOf(east, level) - columnOf(west, level) + columns) % columns;
  // From a cell round to the same cell.
  return steps === 0 &&
    west > east &&
    columnOf(west, level) === columnOf(east, level) &&
    east - west + 360 > 360 / columns
    ? columns
    : steps + 1;
}

function cellsIn({ south, west, north, east }: Box, level: number): number {
  return (rowOf(north, level) - rowOf(south, level) + 1) * columnsIn(west, east, level);
}

function keyOf(level: number, row: number, column: number): number {
  return (level * 2 ** LEVEL_MAX + row) * 2 ** LEVEL_MAX + column;
}
