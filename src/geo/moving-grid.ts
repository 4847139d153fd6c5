/**
 * How `createMoving` cuts the sphere into cells: rows of 2^shift × 10⁻⁷ degrees of latitude, each cut into columns that are about as wide as high;
 * few at the poles. And which shift suits things, by the positions of some of them.
 *
 * Cost: a cosine for the cell of a position; for a shift, five times a sort of some thousand numbers.
 */

/** A position's unit, in parts of a degree. */
export const UNITS = 1e7;
/** 11 m: things nearer than that are as near as positions are known. And 54°. */
export const [SHIFT_MIN, SHIFT_MAX] = [10, 29] as const;
const CROWDED_SHARE = 0.4;
/** No grid has as many rows, nor half as many columns. */
const ROWS = 2 ** 21;

export class Grid {
  readonly shift: number;
  readonly #columnsAtEquator: number;

  constructor(shift: number) {
    this.shift = shift;
    this.#columnsAtEquator = (360 * UNITS) / 2 ** shift;
  }

  /** Radians across a cell. */
  get angle(): number {
    return ((2 ** this.shift / UNITS) * Math.PI) / 180;
  }

  rowOf(lat: number): number {
    return (lat + 90 * UNITS) >>> this.shift;
  }

  /** A row's number among those of all grids. */
  nameOf(row: number): number {
    return this.shift * ROWS + row;
  }

  /** Units of latitude at the southern edge of a row. */
  southOf(row: number): number {
    return row * 2 ** this.shift - 90 * UNITS;
  }

  columnsOf(row: number): number {
    const south = this.southOf(row);
    const nearest = Math.max(0, south, -south - 2 ** this.shift);
    return Math.max(1, Math.ceil(this.#columnsAtEquator * Math.cos((nearest / UNITS) * (Math.PI / 180))));
  }

  /** Never fewer for a longitude farther east; 180 is −180. */
  columnOf(lon: number, columns: number): number {
    const turned = lon >= 180 * UNITS ? lon - 360 * UNITS : lon;
    return Math.min(columns - 1, Math.floor(((turned + 180 * UNITS) * columns) / (360 * UNITS)));
  }
}

/** Some of the things that there are. */
export interface Sample {
  readonly lats: readonly number[];
  readonly lons: readonly number[];
  /** How many things there are in all. */
  readonly of: number;
}

/**
 * Of which grid most things share their cell with fewer than so many others, though more should come together. Of a sample it is seen,
 * and from there on a step is taken to leave a quarter in a cell, as where they are spread evenly; on a line it leaves half, so that cells come out
 * larger than they should be, by some steps.
 */
export function shiftFor(sample: Sample, crowdingMax: number): number {
  let [low, high]: [number, number] = [SHIFT_MIN, SHIFT_MAX];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (isCrowded(sample, middle, crowdingMax)) high = middle - 1;
    else low = middle;
  }
  const finer = Math.floor(Math.log2(sample.of / Math.max(1, sample.lats.length)) / 2);
  return Math.max(SHIFT_MIN, low - Math.max(0, finer));
}

/** True if many of a sample are in cells with more of it than that. Not half: while a crowd gathers, that may be no more by the next look. */
function isCrowded({ lats, lons }: Sample, shift: number, crowdingMax: number): boolean {
  const grid = new Grid(shift);
  const cells = Float64Array.from(lats, (lat, at) => {
    const row = grid.rowOf(lat);
    return row * 2 * ROWS + grid.columnOf(lons[at]!, grid.columnsOf(row));
  }).sort();
  let crowded = 0;
  for (let start = 0, at = 1; at <= cells.length; at++) {
    if (cells[at] === cells[start]) continue;
    if (at - start > crowdingMax) crowded += at - start;
    start = at;
  }
  return crowded > cells.length * CROWDED_SHARE;
}
