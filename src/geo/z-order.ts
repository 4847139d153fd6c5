/**
 * The order in which geohashes sort: the bits of a column and of a row of a grid, one of each in turn, as one number. Near cells have near
 * numbers, mostly, so that an area is a few ranges of an ordinary ordered index.
 *
 * Grids here are 26 bits by 26: numbers of 52 bits, which a double holds exactly. That is how Redis scores positions (`GEOADD`, down to the
 * arithmetic of geohash.c: between the parallels of ±85.05112878, a cell at most 0.6 m by 0.3 m), and it is four in five of the digits of a
 * geohash of twelve.
 *
 * Cost: a score some 30 ns, no BigInt, no allocation. Source: G. M. Morton (IBM, 1966); the spreading of bits, S. E. Anderson,
 * "Bit Twiddling Hacks".
 */
import { checkInteger } from '../kernel/options.ts';
import { type Cap, coverBox, coverCap, type Grid, type Run } from './cover.ts';
import { type Box, checkPosition, type Position } from './position.ts';

const BITS = 26;
const CELLS = 2 ** BITS;

/** No position beyond this latitude has a score: that of the square map of the web. */
export const REDIS_LAT_MAX = 85.051_128_78;

/** 16 bits, with a zero after each. */
function spread(bits: number): number {
  let x = bits & 0xffff;
  x = (x | (x << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}

function gather(bits: number): number {
  let x = bits & 0x55555555;
  x = (x | (x >>> 1)) & 0x33333333;
  x = (x | (x >>> 2)) & 0x0f0f0f0f;
  x = (x | (x >>> 4)) & 0x00ff00ff;
  return (x | (x >>> 8)) & 0xffff;
}

/** The number of a cell; both of at most 26 bits, the column's first. */
function interleave(column: number, row: number): number {
  const high = (spread(column >>> 16) << 1) | spread(row >>> 16);
  const low = (spread(column) << 1) | spread(row);
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}

function columnOf(number: number): number {
  return (gather((number / 2 ** 32) >>> 1) << 16) | gather((number >>> 0) >>> 1);
}

function rowOf(number: number): number {
  return (gather(number / 2 ** 32) << 16) | gather(number >>> 0);
}

/** The share of an axis, from −max to max, as Redis rounds it; 1 is beyond its last cell. */
function shareOf(value: number, max: number): number {
  return (value + max) / (2 * max);
}

/** True where Redis has no cell: north and south of its map, and on its northern edge. */
export function isPolar(lat: number): boolean {
  return !(Math.abs(lat) < REDIS_LAT_MAX && shareOf(lat, REDIS_LAT_MAX) < 1);
}

/** A longitude of 180° as the −180° that it is. Redis gives 180, and what rounds to it, a column too many, and does not find it again. */
export function wrapLon(lon: number): number {
  return shareOf(lon, 180) < 1 ? lon : -180;
}

/** The score that Redis gives a position, bit for bit; NaN where it has none (`isPolar`). 180° is scored as −180°. */
export function redisScore(position: Position): number {
  checkPosition('The position', position);
  const { lat, lon } = position;
  if (isPolar(lat)) return Number.NaN;
  const column = Math.floor(shareOf(wrapLon(lon), 180) * CELLS);
  return interleave(column, Math.floor(shareOf(lat, REDIS_LAT_MAX) * CELLS));
}

/** The middle of a score's cell, where Redis says the position is. */
export function redisPosition(score: number): Position {
  checkInteger('score', score, 0, CELLS ** 2 - 1);
  const middle = (cell: number, max: number): number => {
    const low = -max + (cell / CELLS) * (2 * max);
    const high = -max + ((cell + 1) / CELLS) * (2 * max);
    return Math.min(max, Math.max(-max, (low + high) / 2));
  };
  return { lat: middle(rowOf(score), REDIS_LAT_MAX), lon: middle(columnOf(score), 180) };
}

/** Numbers from `first` to `last`, both belonging to it. */
export interface ScoreRange {
  readonly first: number;
  readonly last: number;
}

/** An area as cells of any grid; null if they are more than so many. */
export type Area = (grid: Grid, cellsMax: number) => Run[] | null;

export interface RangesOptions {
  readonly latMax: number;
  readonly cover: Area;
  /** At most so many ranges, at least 1; what is between those nearest to each other is then taken with them. */
  readonly rangesMax: number;
}

/** Eight cells for a range: finer, most of a cover is inside the area and joins with its neighbours. */
const CELLS_PER_RANGE = 8;

/** The ranges of numbers, in their order, that hold all of an area. */
export function scoreRanges({ latMax, cover, rangesMax }: RangesOptions): ScoreRange[] {
  for (let bits = BITS; ; bits--) {
    // At zero bits one cell is everything.
    const runs = cover({ latMax, rowBits: bits, columnBits: bits }, Math.max(1, rangesMax * CELLS_PER_RANGE));
    if (runs !== null) return fewer(joined(runs, 4 ** (BITS - bits)), rangesMax);
  }
}

export function areaOfCap(cap: Cap): Area {
  return (grid, cellsMax) => coverCap(grid, cap, cellsMax);
}

export function areaOfBox(box: Box): Area {
  return (grid, cellsMax) => coverBox(grid, box, cellsMax);
}

/** The cells in their order, those that follow each other as one range; each stands for `scale` numbers. */
function joined(runs: readonly Run[], scale: number): ScoreRange[] {
  const cells = runs
    .flatMap(({ row, first, last }) =>
      Array.from({ length: last - first + 1 }, (_, index) => interleave(first + index, row)),
    )
    .sort((a, b) => a - b);
  const ranges: { first: number; last: number }[] = [];
  for (const cell of cells) {
    const before = ranges.at(-1);
    if (before?.last === cell * scale - 1) before.last += scale;
    else ranges.push({ first: cell * scale, last: (cell + 1) * scale - 1 });
  }
  return ranges;
}

/** Closes the smallest gaps until there are few enough. */
function fewer(ranges: readonly ScoreRange[], rangesMax: number): ScoreRange[] {
  if (ranges.length <= rangesMax) return [...ranges];
  const gaps = ranges.slice(1).map(({ first }, index) => first - ranges[index]!.last);
  const kept = new Set([...gaps.keys()].sort((a, b) => gaps[b]! - gaps[a]!).slice(0, rangesMax - 1));
  const closed: { first: number; last: number }[] = [];
  for (const [index, { first, last }] of ranges.entries()) {
    if (index === 0 || kept.has(index - 1)) closed.push({ first, last });
    else closed.at(-1)!.last = last;
  }
  return closed;
}
