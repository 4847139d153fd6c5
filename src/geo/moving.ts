/**
 * An index of things that move: vehicles, couriers, players. Moving one costs the same however many there are, and other
 * threads may ask while they move (moving-table.ts says how).
 *
 * A search goes outward from the centre: all cells within reach, then those within twice the reach, without those it has seen, until what it has
 * found is nearer than its reach. Where that would be more cells than there are things, as far out at sea, it looks at all things instead.
 *
 * Cells are made so that half of all things share theirs with at most 7 others and half with at least one, by looking at some things after
 * every so many changes; then all are put into new ones. Not by the mean: some on one spot, such as all that have no signal yet, would decide it.
 * Not in one go: each change puts up to 8 others into new cells, until all are there. How much smaller they must be where a crowd has come together
 * is seen from a sample of 4,096 positions, so that one pass is mostly enough, or two; a crowd that is itself made of crowds takes some more, which
 * follow at once. While things spread there is a pass once in a quarter as many changes as there are ids in use, else once in half as many.
 *
 * So a `set` puts at most 9 things anywhere, however many there are. Besides, one in half as many changes as there are ids in use, and the last one of
 * a pass, look at 512 things with up to 64 in the list of each, and if there is a crowd at the sample: some milliseconds.
 *
 * Cost: see moving-table.ts; `npm run bench -- geo` shows moves and answers.
 */
import { checkInteger, checkKeys, checkParts, invalid } from '../kernel/options.ts';
import { circleBox } from './bounds.ts';
import type { Collector } from './collector.ts';
import type { GeoIndex } from './geo-index.ts';
import { type Grid, SHIFT_MAX, SHIFT_MIN, shiftFor, UNITS } from './moving-grid.ts';
import { CAPACITY_MAX, createMovingMemory, MovingTable, refused } from './moving-table.ts';
import { checkId, checkStill, createMutable, type MutableGeoIndex } from './mutable-index.ts';
import { boxContains, checkPosition, isPosition, type Box } from './position.ts';
import { createSearchable, type MeasureOptions, type Shelf, type Visit } from './searchable.ts';

/** Things that share a cell: between these nothing is changed. A wide range, so that cells are seldom made anew. */
const [CROWDING_MIN, CROWDING_MAX] = [2, 8] as const;
const CROWDING_SAMPLES = 512;
const POSITION_SAMPLES = 4096;
/** Things that a change puts into new cells beside its own. With 8, all are there after an eighth as many changes, a quarter of the time until the next look. */
const REGRID_BATCH = 8;
/** Changes of cell between two looks at the crowding, at least. */
const CHANGES_MIN = 1024;
/** A search whose cells change this often while it reads looks at all things instead. */
const ATTEMPTS = 4;
/** As many as a processor fetches from memory at once, and some. */
const BATCH = 32;

export interface MovingOptions extends MeasureOptions {
  /** How many there can be, and one above the largest id. Memory is taken for all of them at once, 36 to 40 B each. */
  readonly capacity: number;
  /** Builds in shared memory, which other threads open with `openMoving` and ask while this one moves things. @defaultValue false */
  readonly shared?: boolean;
}

export interface Moving extends MutableGeoIndex {
  /**
   * `set` for as many as there are ids, several times as fast when they come in no order: it asks memory for some of them at once
   * before it writes, which waits for each.
   */
  setMany(ids: Uint32Array, lats: Float64Array, lons: Float64Array): void;
  /** Give this to other threads if it is shared. One thread writes: the one that made it. */
  readonly memory: ArrayBufferLike;
}

/** What is searched. */
interface Area {
  readonly box: Box;
  readonly before: Box | null;
  readonly lat: number;
  readonly lon: number;
}

class MovingShelf implements Shelf {
  isSearched = false;
  readonly #table: MovingTable;
  /** False for the thread that writes: nothing changes while it searches. */
  readonly #validates: boolean;
  /** Buckets walked, each with the version that it had. */
  #walked = new Int32Array(128);
  #walks = 0;
  /** Cells that may still be walked before it is cheaper to look at all things. */
  #cellsLeft = 0;
  /** What was in a box, until it is sure. */
  #boxIds = new Uint32Array(64);
  #boxPositions = new Float64Array(128);
  #boxCount = 0;
  #box: Box | null = null;
  /** That of which cells are being walked. */
  #grid: Grid;

  constructor(table: MovingTable, validates: boolean) {
    this.#table = table;
    this.#grid = table.grids[0]!;
    this.#validates = validates;
  }

  get size(): number {
    return this.#table.size;
  }

  offerNear(lat: number, lon: number, collector: Collector): void {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const epoch = this.#table.epoch();
      this.#begin();
      if (!this.#walkNear(lat, lon, collector)) break;
      if (this.#isStill(epoch)) return;
      collector.restart();
    }
    collector.restart();
    this.#offerAll(collector);
  }

  visitBox(box: Box, visit: Visit): void {
    this.#box = box;
    this.#gather(box);
    this.#box = null;
    for (let at = 0; at < this.#boxCount; at++) {
      visit(this.#boxIds[at]!, this.#boxPositions[2 * at]!, this.#boxPositions[2 * at + 1]!);
    }
  }

  #gather(box: Box): void {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const epoch = this.#table.epoch();
      this.#begin();
      this.#boxCount = 0;
      const middle = box.west <= box.east ? (box.west + box.east) / 2 : turned((box.west + box.east) / 2 + 180);
      if (!this.#walkGrids({ box, before: null, lat: (box.south + box.north) / 2, lon: middle }, null)) break;
      if (this.#isStill(epoch)) return;
    }
    this.#boxCount = 0;
    this.#offerAll(null);
  }

  #begin(): void {
    this.#walks = 0;
    this.#cellsLeft = Math.max(64, this.#table.used >>> 5);
  }

  #isStill(epoch: number): boolean {
    if (!this.#validates) return true;
    for (let at = 0; at < this.#walks; at++) {
      if (this.#table.versionOf(this.#walked[2 * at]!) !== this.#walked[2 * at + 1]) return false;
    }
    return this.#table.epoch() === epoch;
  }

  /** Hands on what was read last. */
  #offer(id: number, collector: Collector | null): void {
    const lat = this.#table.lat / UNITS;
    const lon = this.#table.lon / UNITS;
    if (collector === null) {
      if (boxContains(this.#box!, lat, lon)) this.#keep(id, lat, lon);
    } else if (collector.mayKeep(lat, lon)) collector.offer(id);
  }

  #keep(id: number, lat: number, lon: number): void {
    if (this.#boxCount === this.#boxIds.length) {
      const ids = new Uint32Array(this.#boxCount * 2);
      const positions = new Float64Array(this.#boxCount * 4);
      ids.set(this.#boxIds);
      positions.set(this.#boxPositions);
      [this.#boxIds, this.#boxPositions] = [ids, positions];
    }
    this.#boxIds[this.#boxCount] = id;
    this.#boxPositions[2 * this.#boxCount] = lat;
    this.#boxPositions[2 * this.#boxCount + 1] = lon;
    this.#boxCount++;
  }

  #offerAll(collector: Collector | null): void {
    const { used } = this.#table;
    for (let id = 0; id < used; id++) if (this.#table.read(id)) this.#offer(id, collector);
  }

  /** False if all things are to be looked at instead. */
  #walkNear(lat: number, lon: number, collector: Collector): boolean {
    let before: Box | null = null;
    const { grids } = this.#table;
    let reach = collector.takesAll ? collector.angleMax : Math.min(grids[0]!.angle, grids.at(-1)!.angle);
    for (;;) {
      reach = Math.min(reach, collector.angleMax);
      const box = circleBox(lat, lon, reach);
      if (!this.#walkGrids({ box, before, lat, lon }, collector)) return false;
      if (collector.angleMax <= reach) return true;
      before = box;
      reach *= 2;
    }
  }

  /** Walks the cells of a box that were not in the box before, from the centre outward. False if all things are to be looked at instead. */
  #walkGrids(area: Area, collector: Collector | null): boolean {
    for (const grid of this.#table.grids) {
      this.#grid = grid;
      if (!this.#walkRows(area, collector)) return false;
    }
    return true;
  }

  #walkRows({ box, before, lat, lon }: Area, collector: Collector | null): boolean {
    const grid = this.#grid;
    const centerRow = grid.rowOf(unitsOf(lat));
    const southRow = grid.rowOf(unitsOf(box.south));
    const northRow = grid.rowOf(unitsOf(box.north));
    const southBefore = before === null ? 1 : grid.rowOf(unitsOf(before.south));
    const northBefore = before === null ? 0 : grid.rowOf(unitsOf(before.north));
    const rows = Math.max(centerRow - southRow, northRow - centerRow);
    for (let step = 0; step <= 2 * rows; step++) {
      const row = centerRow + (step % 2 === 1 ? (step + 1) / 2 : -step / 2);
      if (row < southRow || row > northRow) continue;
      if (collector !== null && this.#isBeyond(row, lat, collector)) continue;
      const name = grid.nameOf(row);
      const columns = grid.columnsOf(row);
      const center = grid.columnOf(unitsOf(lon), columns);
      const west = this.#columnsWest(box, row, center, columns);
      const east = this.#columnsEast(box, row, center, columns);
      const seen = before !== null && row >= southBefore && row <= northBefore;
      const westSeen = seen ? this.#columnsWest(before, row, center, columns) : -1;
      const eastSeen = seen ? this.#columnsEast(before, row, center, columns) : -1;
      if (westSeen + eastSeen + 1 >= columns) continue;
      // Both ways, until they meet on the other side.
      const eastEnd = Math.min(east, columns - 1 - Math.max(0, westSeen));
      const westEnd = Math.min(west, columns - 1 - eastEnd);
      this.#cellsLeft -= Math.max(0, eastEnd - eastSeen) + Math.max(0, westEnd - westSeen);
      if (this.#cellsLeft < 0) return false;
      for (let away = eastSeen + 1; away <= eastEnd; away++) {
        if (!this.#walkCell(name, (center + away) % columns, collector)) return false;
      }
      for (let away = Math.max(1, westSeen + 1); away <= westEnd; away++) {
        if (!this.#walkCell(name, (center - away + columns) % columns, collector)) return false;
      }
    }
    return true;
  }

  /** True if all of a row is farther north or south than anything that can still be found. */
  #isBeyond(row: number, lat: number, collector: Collector): boolean {
    const south = this.#grid.southOf(row) / UNITS;
    const north = this.#grid.southOf(row + 1) / UNITS;
    const gap = Math.max(0, south - lat, lat - north) - 2 / UNITS;
    return gap > 0 && Math.sin((gap * Math.PI) / 360) ** 2 > collector.haversineMax;
  }

  /** How many columns there are west of a centre in a box; all where the box goes round, or has a pole, which is at every longitude. */
  #columnsWest(box: Box, row: number, center: number, columns: number): number {
    if (this.#isAround(box, row)) return columns - 1;
    return (center - this.#grid.columnOf(unitsOf(box.west), columns) + columns) % columns;
  }

  #columnsEast(box: Box, row: number, center: number, columns: number): number {
    if (this.#isAround(box, row)) return columns - 1;
    return (this.#grid.columnOf(unitsOf(box.east), columns) - center + columns) % columns;
  }

  #isAround({ south, west, north, east }: Box, row: number): boolean {
    if (west === -180 && east === 180) return true;
    return (north === 90 && row === this.#grid.rowOf(unitsOf(90))) || (south === -90 && row === 0);
  }

  /** False if its list leads to more than there can be: it changes, or the memory is damaged. */
  #walkCell(row: number, column: number, collector: Collector | null): boolean {
    const table = this.#table;
    const bucket = table.bucketOf(row, column);
    const version = table.versionOf(bucket);
    this.#note(bucket, version);
    let steps = 0;
    for (let id = table.firstOf(bucket); id !== -1; id = table.nextOf(id)) {
      if (id >>> 0 >= table.capacity) throw refused(`there is a thing ${id} in a list`);
      if (table.read(id) && table.row === row && table.column === column) this.#offer(id, collector);
      // A list that changes under a reader may lead round in circles.
      if ((++steps & 63) === 0 && this.#validates && table.versionOf(bucket) !== version) return true;
      if (steps > table.capacity) return false;
    }
    return true;
  }

  #note(bucket: number, version: number): void {
    if (!this.#validates) return;
    if (2 * this.#walks === this.#walked.length) {
      const walked = new Int32Array(this.#walked.length * 2);
      walked.set(this.#walked);
      this.#walked = walked;
    }
    this.#walked[2 * this.#walks] = bucket;
    // One that is being written to has changed, whatever it becomes.
    this.#walked[2 * this.#walks + 1] = version & ~1;
    this.#walks++;
  }
}

/**
 * As positions are kept. Edges of what is searched are rounded too: one that is the position of something, times `UNITS`, may
 * come out a little before it, in the cell before.
 */
function unitsOf(degrees: number): number {
  return Math.round(degrees * UNITS);
}

function turned(lon: number): number {
  return lon > 180 ? lon - 360 : lon;
}

/**
 * An index of things that move.
 *
 * @example
 * const drivers = createMoving({ capacity: 100_000 });
 * drivers.set(7, { lat: 48.2, lon: 16.37 });
 * drivers.set(8, { lat: 48.21, lon: 16.36 });
 * drivers.set(7, { lat: 48.25, lon: 16.4 });
 * console.log(drivers.nearest({ lat: 48.2, lon: 16.37 }, 1)[0].id); // 8
 */
export function createMoving(options: MovingOptions): Moving {
  checkKeys('createMoving', options, ['capacity', 'shared', 'measure']);
  const { capacity, shared = false, measure } = options;
  checkInteger('capacity', capacity, 1, CAPACITY_MAX);
  const table = new MovingTable(createMovingMemory(capacity, shared));
  let changes = 0;
  /** True if what is made anew is made smaller: whether that was enough is looked at as soon as it is done. */
  let isCrowd = false;

  /** After every change: looks at the crowding once in so many changes of cell, and makes cells that suit it, some at a time. */
  function changed(isInOtherCell: boolean): void {
    if (table.isRegridding) {
      if (table.continueRegrid(REGRID_BATCH) && isCrowd) look();
    } else if (isInOtherCell && ++changes >= Math.max(CHANGES_MIN, table.used >>> 1)) look();
  }

  function look(): void {
    changes = 0;
    const { shift } = table.grids[0]!;
    const crowding = table.crowding(CROWDING_SAMPLES, CROWDING_MAX + 1);
    isCrowd = crowding > CROWDING_MAX && shift > SHIFT_MIN;
    if (isCrowd) {
      table.beginRegrid(Math.min(shift - 1, shiftFor(table.sample(POSITION_SAMPLES), CROWDING_MAX)));
    } else if (crowding < CROWDING_MIN && shift < SHIFT_MAX) {
      // A step makes four times as many share a cell, where they are spread evenly: of those alone in theirs, two make some ten.
      table.beginRegrid(Math.min(shift + 2, SHIFT_MAX));
      changes = Math.floor(table.used * (1 / 2 - 1 / 8));
    }
  }

  const shelf = new MovingShelf(table, false);
  const contents = {
    capacity,
    put(id: number, lat: number, lon: number): void {
      changed(table.put(id, unitsOf(lat), unitsOf(lon)));
    },
    take(id: number): boolean {
      const was = table.take(id);
      changed(was);
      return was;
    },
    at: (id: number) => (table.read(id) ? { lat: table.lat / UNITS, lon: table.lon / UNITS } : null),
  };
  return Object.assign(createMutable(shelf, contents, measure), {
    memory: table.memory,
    setMany(ids: Uint32Array, lats: Float64Array, lons: Float64Array): void {
      checkStill(shelf);
      checkMoves(ids, lats, lons, capacity);
      for (let start = 0; start < ids.length; start += BATCH) {
        const end = Math.min(start + BATCH, ids.length);
        table.touchThings(ids, start, end);
        for (let at = start; at < end; at++) {
          contents.put(ids[at]!, lats[at]!, lons[at]!);
        }
      }
    },
  });
}

/** All before the first is moved: what is refused has changed nothing. */
function checkMoves(ids: Uint32Array, lats: Float64Array, lons: Float64Array, capacity: number): void {
  for (const [what, list] of Object.entries({ ids, lats, lons }))
    checkParts(what, list, 'a list of numbers', ['length']);
  if (lats.length !== ids.length || lons.length !== ids.length) {
    throw invalid(`There are ${ids.length} ids, ${lats.length} lats and ${lons.length} lons; expected as many.`);
  }
  for (let at = 0; at < ids.length; at++) {
    checkId(ids[at]!, capacity);
    const lat = lats[at]!;
    const lon = lons[at]!;
    if (!isPosition(lat, lon)) checkPosition(`Position ${at}`, { lat, lon });
  }
}

/** What another thread moves, to ask while it is moved. */
export function openMoving(memory: ArrayBufferLike, options: MeasureOptions = {}): GeoIndex {
  checkKeys('openMoving', options, ['measure']);
  return createSearchable(new MovingShelf(new MovingTable(memory), true), options.measure);
}
