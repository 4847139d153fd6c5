/**
 * Which cells of a grid an area touches: all of them, and hardly any other.
 *
 * A grid cuts the Earth, or the part of it between two parallels, into `2^rowBits` rows and `2^columnBits` columns of equal degrees. A cover
 * is a list of runs: in one row, the columns from `first` to `last`.
 *
 * Invariant: whatever lies within the area lies in a cell of its cover, wherever on Earth the area is. In a row, a circle is widest at an edge of
 * the row or at one latitude between, so its width there is exact; it wraps where it crosses the antimeridian, and takes the whole row where it
 * reaches round a pole. The margins are for rounding, and for nothing else.
 *
 * Cost: a few trigonometric functions for each row. Never more than `cellsMax` rows are looked at.
 */
import type { Box, Position } from './position.ts';

const DEGREE = Math.PI / 180;

/** In radians: 6 mm on the ground. */
const MARGIN = 1e-9;
/** In degrees: more than adding 180 to a longitude rounds. */
const DEGREES_MARGIN = 1e-12;

export interface Grid {
  /** The grid goes from this latitude south to this latitude north. */
  readonly latMax: number;
  readonly rowBits: number;
  readonly columnBits: number;
}

export interface Run {
  readonly row: number;
  readonly first: number;
  readonly last: number;
}

/** Positions within an angle, in radians, of a centre. */
export interface Cap {
  readonly center: Position;
  readonly angle: number;
}

/** At a latitude, half the longitudes that a circle covers; negative where it has none. All angles in radians. */
function halfWidth(lat: number, center: number, angle: number): number {
  // Squared sines of halves, not cosines: of a small circle a cosine keeps no digit.
  const rest = Math.sin(angle / 2) ** 2 - Math.sin((lat - center) / 2) ** 2;
  if (rest < 0) return -1;
  const share = rest / (Math.cos(lat) * Math.cos(center));
  return share < 1 ? 2 * Math.asin(Math.sqrt(share)) : Math.PI;
}

/** The latitude at which a circle is widest, if that is neither an end of it nor a pole. */
function widestLat(center: number, angle: number): number {
  const sine = Math.sin(center) / Math.cos(angle);
  return angle < Math.PI / 2 && Math.abs(sine) < 1 ? Math.asin(sine) : Number.NaN;
}

function rowsOf({ latMax, rowBits }: Grid, south: number, north: number): [first: number, last: number] | null {
  const rows = 2 ** rowBits;
  if (north < -latMax || south > latMax) return null;
  const rowOf = (lat: number): number => Math.floor(((lat + latMax) / (2 * latMax)) * rows);
  return [Math.max(0, rowOf(south - DEGREES_MARGIN)), Math.min(rows - 1, rowOf(north + DEGREES_MARGIN))];
}

/** The columns from one longitude eastward to another that may be beyond 180: one run, or two across the antimeridian. */
function runsOf(row: number, columns: number, west: number, east: number): Run[] {
  const columnOf = (lon: number): number => Math.floor(((lon + 180) / 360) * columns);
  const first = columnOf(west - DEGREES_MARGIN);
  const last = columnOf(east + DEGREES_MARGIN);
  if (last - first + 1 >= columns) return [{ row, first: 0, last: columns - 1 }];
  const [from, to] = [(first + columns) % columns, (last + columns) % columns];
  if (from <= to) return [{ row, first: from, last: to }];
  return [
    { row, first: 0, last: to },
    { row, first: from, last: columns - 1 },
  ];
}

/** The runs of all rows, or null if they have more than `cellsMax` cells. */
function collect(
  [firstRow, lastRow]: readonly [first: number, last: number],
  cellsMax: number,
  inRow: (row: number) => Run[],
): Run[] | null {
  const runs: Run[] = [];
  let cells = 0;
  if (lastRow - firstRow >= cellsMax) return null;
  for (let row = firstRow; row <= lastRow; row++) {
    for (const run of inRow(row)) {
      cells += run.last - run.first + 1;
      if (cells > cellsMax) return null;
      runs.push(run);
    }
  }
  return runs;
}

export function coverCap(grid: Grid, { center, angle }: Cap, cellsMax: number): Run[] | null {
  const radius = Math.min(Math.PI, angle + MARGIN);
  const lat = center.lat * DEGREE;
  const rows = rowsOf(grid, center.lat - radius / DEGREE, center.lat + radius / DEGREE);
  if (rows === null) return [];
  const height = (2 * grid.latMax) / 2 ** grid.rowBits;
  const widest = widestLat(lat, radius);
  return collect(rows, cellsMax, (row) => {
    const south = (row * height - grid.latMax) * DEGREE;
    const north = ((row + 1) * height - grid.latMax) * DEGREE;
    let width = Math.max(halfWidth(south, lat, radius), halfWidth(north, lat, radius));
    if (widest > south && widest < north) width = Math.max(width, halfWidth(widest, lat, radius));
    // A row that is touched in one point only.
    const degrees = Math.max(0, width) / DEGREE;
    return runsOf(row, 2 ** grid.columnBits, center.lon - degrees, center.lon + degrees);
  });
}

export function coverBox(grid: Grid, { south, west, north, east }: Box, cellsMax: number): Run[] | null {
  const rows = rowsOf(grid, south, north);
  if (rows === null) return [];
  const [columns, top] = [2 ** grid.columnBits, 2 ** grid.rowBits - 1];
  return collect(rows, cellsMax, (row) => {
    // A pole is on every meridian.
    const pole = (row === top && north >= grid.latMax) || (row === 0 && south <= -grid.latMax);
    return pole ? [{ row, first: 0, last: columns - 1 }] : runsOf(row, columns, west, east < west ? east + 360 : east);
  });
}
