/**
 * An index of points that do not change: shops, stations, cities. Exact anywhere on Earth.
 *
 * It is built once from all points, and searched by going down to the leaf where the centre is and back up as far as planes are
 * nearer than what was found (J. H. Friedman, J. L. Bentley, R. A. Finkel, "An Algorithm for Finding Best Matches in Logarithmic Expected
 * Time", 1977; distances kept along the way as by S. Arya and D. M. Mount, 1993). Which side the centre is on nobody can foresee, a processor
 * neither: the way down has no branch on it.
 *
 * Cost: see points-table.ts and points-build.ts; searching is O(log n + what is found), without an allocation by `nearestInto`.
 * Not for what moves: moving.ts; nor for what comes and goes: quadtree.ts.
 */
import { checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { unitBounds } from './bounds.ts';
import type { Collector } from './collector.ts';
import type { GeoIndex } from './geo-index.ts';
import { fillPointsTable, type PointColumns } from './points-build.ts';
import { createPointsTable, MARGIN, openPointsTable, POINTS_MAX, sealPointsTable, SPLIT_UNIT } from './points-table.ts';
import type { PointsTable } from './points-table.ts';
import { checkPosition, isPosition, type Box, type Position } from './position.ts';
import { createSearchable, type MeasureOptions, type Shelf, type Visit } from './searchable.ts';

const DEGREE = Math.PI / 180;
/** A level of the tree leaves one node behind; 2^30 points have 26 levels. */
const STACK = 32;

export interface PointsOptions extends MeasureOptions {
  /** Builds in shared memory, which other threads open with `openPoints`. @defaultValue false */
  readonly shared?: boolean;
}

export interface Points extends GeoIndex {
  /** All there is of the index but its measure: `openPoints` makes the same of it, in another thread or process, today or later. */
  readonly memory: ArrayBufferLike;
}

class PointsShelf implements Shelf {
  isSearched = false;
  readonly size: number;
  readonly #table: PointsTable;
  /** What was left behind on the way down: node, level, start, end; and the distance to it along each axis. */
  readonly #nodes = new Int32Array(STACK * 4);
  readonly #gaps = new Float64Array(STACK * 3);
  /** The centre in units of splits. */
  readonly #center = new Int32Array(3);

  constructor(table: PointsTable) {
    this.size = table.count;
    this.#table = table;
  }

  offerNear(lat: number, lon: number, collector: Collector): void {
    const { positions, ids, splits, levels, count } = this.#table;
    const nodes = this.#nodes;
    const gaps = this.#gaps;
    const center = this.#center;
    const flat = Math.cos(lat * DEGREE);
    center[0] = Math.round((flat * Math.cos(lon * DEGREE)) / SPLIT_UNIT);
    center[1] = Math.round((flat * Math.sin(lon * DEGREE)) / SPLIT_UNIT);
    center[2] = Math.round(Math.sin(lat * DEGREE) / SPLIT_UNIT);
    let top = 0;
    let [node, level, start, end] = [0, 0, 0, count];
    let [gapX, gapY, gapZ] = [0, 0, 0];
    for (;;) {
      // The squared chord is four times the squared sine of half the angle.
      while (level < levels) {
        const split = splits[node]!;
        const axis = split & 3;
        const off = (center[axis]! - (split >> 2)) | 0;
        const gap = Math.max(0, Math.abs(off) * SPLIT_UNIT - MARGIN);
        const middle = (start + end) >>> 1;
        // All ones if the centre is on the lower side.
        const low = off >> 31;
        const far = 3 * top;
        // The stack's next place; it is taken only if what is written there is not too far.
        gaps[far] = gapX;
        gaps[far + 1] = gapY;
        gaps[far + 2] = gapZ;
        gaps[far + axis] = gap;
        node = 2 * node + 2 + low;
        level++;
        if (gaps[far] ** 2 + gaps[far + 1]! ** 2 + gaps[far + 2]! ** 2 <= 4 * collector.haversineMax) {
          nodes[4 * top] = node - 1 - 2 * low;
          nodes[4 * top + 1] = level;
          nodes[4 * top + 2] = start + ((middle - start) & low);
          nodes[4 * top + 3] = middle + ((end - middle) & low);
          top++;
        }
        start += (middle - start) & ~low;
        end += (middle - end) & low;
      }
      for (let at = start; at < end; at++) {
        const atLat = positions[2 * at]!;
        const atLon = positions[2 * at + 1]!;
        if (collector.mayKeep(atLat, atLon)) collector.offer(ids[at]!);
      }
      for (;;) {
        if (top === 0) return;
        top--;
        gapX = gaps[3 * top]!;
        gapY = gaps[3 * top + 1]!;
        gapZ = gaps[3 * top + 2]!;
        if (gapX * gapX + gapY * gapY + gapZ * gapZ <= 4 * collector.haversineMax) break;
      }
      node = nodes[4 * top]!;
      level = nodes[4 * top + 1]!;
      start = nodes[4 * top + 2]!;
      end = nodes[4 * top + 3]!;
    }
  }

  visitBox(box: Box, visit: Visit): void {
    this.#visitNode(0, 0, { start: 0, end: this.#table.count }, unitBounds(box), visit);
  }

  #visitNode(
    node: number,
    level: number,
    { start, end }: { readonly start: number; readonly end: number },
    bounds: Float64Array,
    visit: Visit,
  ): void {
    const { positions, ids, splits, levels } = this.#table;
    if (level === levels) {
      for (let at = start; at < end; at++) visit(ids[at]!, positions[2 * at]!, positions[2 * at + 1]!);
      return;
    }
    const axis = splits[node]! & 3;
    const plane = (splits[node]! >> 2) * SPLIT_UNIT;
    const middle = (start + end) >>> 1;
    if (bounds[axis]! <= plane + MARGIN)
      this.#visitNode(2 * node + 1, level + 1, { start, end: middle }, bounds, visit);
    if (bounds[axis + 3]! >= plane - MARGIN)
      this.#visitNode(2 * node + 2, level + 1, { start: middle, end }, bounds, visit);
  }
}

function pointsOf(table: PointsTable, options: MeasureOptions): Points {
  return Object.assign(createSearchable(new PointsShelf(table), options.measure), { memory: table.memory });
}

function columnsOf(points: readonly Position[] | PointColumns): PointColumns {
  if (!Array.isArray(points)) {
    const { lats, lons }: Partial<PointColumns> = (points as PointColumns | null) ?? {};
    if (lats?.length !== undefined && lons?.length !== undefined) return points as PointColumns;
    throw invalid('The points are no list; expected one of { lat, lon }, or { lats, lons } of numbers.');
  }
  const positions = points as readonly Position[];
  const none = positions.findIndex((position) => typeof position !== 'object' || position === null);
  if (none >= 0) checkPosition(`Point ${none}`, positions[none]!);
  return { lats: positions.map(({ lat }) => lat), lons: positions.map(({ lon }) => lon) };
}

function checkColumns({ lats, lons, ids }: PointColumns): number {
  const { length } = lats;
  for (const [name, column] of Object.entries({ lons, ids })) {
    if (column === undefined || column.length === length) continue;
    throw invalid(`There are ${length} lats and ${column.length} ${name}; expected as many.`);
  }
  if (length > POINTS_MAX) throw invalid(`There are ${length} points; at most ${POINTS_MAX} are possible.`);
  for (let at = 0; at < length; at++) {
    const lat = lats[at]!;
    const lon = lons[at]!;
    if (!isPosition(lat, lon)) checkPosition(`Point ${at}`, { lat, lon });
    const id = ids === undefined ? at : ids[at]!;
    if (id >>> 0 !== id) throw invalid(`Point ${at} has id ${textOfGiven(id)}; expected a whole number below 2^32.`);
  }
  return length;
}

/**
 * An index of points. The id of each is its number in the list, unless ids are given; for many, columns take less memory than objects.
 *
 * @example
 * const cities = createPoints([{ lat: 52.52, lon: 13.4 }, { lat: 48.86, lon: 2.35 }, { lat: 51.51, lon: -0.13 }]);
 * const [first] = cities.nearest({ lat: 50.85, lon: 4.35 }, 1);
 * console.log(first.id, Math.round(first.distanceM / 1000)); // 1 264
 */
export function createPoints(points: readonly Position[] | PointColumns, options: PointsOptions = {}): Points {
  checkKeys('createPoints', options, ['shared', 'measure']);
  const columns = columnsOf(points);
  const table = createPointsTable(checkColumns(columns), options.shared ?? false);
  fillPointsTable(table, columns);
  sealPointsTable(table);
  return pointsOf(table, options);
}

/** The index in memory that another thread or process made. Damaged memory is refused. */
export function openPoints(memory: ArrayBufferLike, options: MeasureOptions = {}): Points {
  checkKeys('openPoints', options, ['measure']);
  return pointsOf(openPointsTable(memory), options);
}
