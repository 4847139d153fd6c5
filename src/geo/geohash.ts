/**
 * Geohashes: a cell of the Earth as a short text that sorts by place, so that what begins alike is in one cell. Five bits a letter, of
 * longitude and latitude in turn (G. Niemeyer, 2008).
 *
 * - A cell has its southern and western boundary and not the others, but for 90° and 180°, which belong to the last cells. Boundaries are exact
 *   in doubles down to twelve letters, so a position is never in the neighbour of its cell for rounding.
 * - 180° is in another cell than −180°, though it is the same meridian: neighbours and covers go across.
 * - Two near positions may have nothing in common but the meridian that parts their cells: search by a cover, never by one prefix.
 *
 * Cost: encode some 60 ns, beside 350 to 500 of ngeohash (`npm run bench -- geo`).
 */
import { checkInteger, checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { coverBox, coverCap, type Grid, type Run } from './cover.ts';
import { EARTH_RADIUS_M } from './measure.ts';
import { type Box, checkBox, checkDistance, checkObject, checkPosition, type Position } from './position.ts';

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz';
const LENGTH_MAX = 12;
/** Of each, longitude and latitude, in twelve letters. */
const BITS = 30;
const CELLS = 2 ** BITS;

/** Two letters for five bits of longitude and five of latitude: the codes of both, one above the other. */
const pairs = Uint16Array.from({ length: 1024 }, (_, bits) => {
  let both = 0;
  for (let bit = 4; bit >= 0; bit--) both = (both << 2) | (((bits >>> (bit + 5)) & 1) << 1) | ((bits >>> bit) & 1);
  return (ALPHABET.charCodeAt(both >>> 5) << 8) | ALPHABET.charCodeAt(both & 31);
});

/** The value of each letter, by its code; 255 for what is none. Capitals count as small letters. */
const values = new Uint8Array(128).fill(255);
for (let value = 0; value < 32; value++) {
  const letter = ALPHABET[value]!;
  values[letter.charCodeAt(0)] = values[letter.toUpperCase().charCodeAt(0)] = value;
}

/** The cell along one axis, of `CELLS` from −max to max: the last that does not begin behind the value. */
function cellOf(value: number, max: number): number {
  const size = (2 * max) / CELLS;
  const cell = Math.min(CELLS - 1, Math.floor((value + max) / size));
  // The sum may have rounded across a boundary; the boundary itself is exact.
  if (cell * size - max > value) return cell - 1;
  return (cell + 1) * size - max <= value && cell < CELLS - 1 ? cell + 1 : cell;
}

function lettersOf(column: number, row: number, length: number): string {
  const a = pairs[((column >>> 25) << 5) | (row >>> 25)]!;
  const b = pairs[(((column >>> 20) & 31) << 5) | ((row >>> 20) & 31)]!;
  const c = pairs[(((column >>> 15) & 31) << 5) | ((row >>> 15) & 31)]!;
  const d = pairs[(((column >>> 10) & 31) << 5) | ((row >>> 10) & 31)]!;
  const e = pairs[(((column >>> 5) & 31) << 5) | ((row >>> 5) & 31)]!;
  const f = pairs[((column & 31) << 5) | (row & 31)]!;
  // prettier-ignore
  const all = String.fromCharCode(
    a >> 8, a & 255, b >> 8, b & 255, c >> 8, c & 255, d >> 8, d & 255, e >> 8, e & 255, f >> 8, f & 255,
  );
  return length === LENGTH_MAX ? all : all.slice(0, length);
}

function checkLength(length: number): void {
  checkInteger('The length of a geohash', length, 1, LENGTH_MAX);
}

const columnBitsOf = (length: number): number => Math.ceil((length * 5) / 2);
const rowBitsOf = (length: number): number => Math.floor((length * 5) / 2);

interface Cell {
  readonly column: number;
  readonly row: number;
  readonly columnBits: number;
  readonly rowBits: number;
}

function parse(hash: string): Cell {
  const given: unknown = hash;
  if (typeof hash !== 'string' || hash.length < 1 || hash.length > LENGTH_MAX) {
    throw invalid(`“${textOfGiven(given)}” is no geohash; expected 1 to ${LENGTH_MAX} letters.`);
  }
  let column = 0;
  let row = 0;
  for (let at = 0; at < hash.length; at++) {
    const value = values[hash.charCodeAt(at)] ?? 255;
    if (value === 255) {
      throw invalid(`“${hash}” is no geohash: “${hash[at]}” is not among ${ALPHABET}.`);
    }
    for (let bit = 4; bit >= 0; bit--) {
      // The first bit of an even letter is of the longitude, of an odd one of the latitude.
      if (((at * 5 + 4 - bit) & 1) === 0) column = column * 2 + ((value >>> bit) & 1);
      else row = row * 2 + ((value >>> bit) & 1);
    }
  }
  return { column, row, columnBits: columnBitsOf(hash.length), rowBits: rowBitsOf(hash.length) };
}

function format(column: number, row: number, length: number): string {
  return lettersOf(column << (BITS - columnBitsOf(length)), row << (BITS - rowBitsOf(length)), length);
}

/**
 * The first or the last geohash of twelve letters whose first 52 bits are a number in z-order, of the grid from pole to pole.
 * Between two of them, as texts sort by their bytes, are all geohashes of a range of numbers.
 */
export function geohashAt(number: number, end: 'first' | 'last'): string {
  let letters = '';
  let rest = Math.floor(number / 4);
  for (let at = 0; at < 10; at++, rest = Math.floor(rest / 32)) letters = ALPHABET[rest % 32]! + letters;
  const last = (number % 4) * 8 + (end === 'last' ? 7 : 0);
  return letters + ALPHABET[last]! + ALPHABET[end === 'last' ? 31 : 0]!;
}

/** The geohash of a position, of 1 to 12 letters. @defaultValue 9: less than 5 m by 5 m */
function encode(position: Position, length = 9): string {
  checkPosition('The position', position);
  checkLength(length);
  return lettersOf(cellOf(position.lon, 180), cellOf(position.lat, 90), length);
}

/** All that a geohash stands for. */
function bounds(hash: string): Box {
  const { column, row, columnBits, rowBits } = parse(hash);
  const width = 360 / 2 ** columnBits;
  const height = 180 / 2 ** rowBits;
  return {
    south: row * height - 90,
    west: column * width - 180,
    north: (row + 1) * height - 90,
    east: (column + 1) * width - 180,
  };
}

/** The middle of a geohash's cell. */
function decode(hash: string): Position {
  const { south, west, north, east } = bounds(hash);
  return { lat: (south + north) / 2, lon: (west + east) / 2 };
}

/** The cells around one; none is beyond a pole. */
export interface GeohashNeighbours {
  readonly north: string | null;
  readonly northEast: string | null;
  readonly east: string;
  readonly southEast: string | null;
  readonly south: string | null;
  readonly southWest: string | null;
  readonly west: string;
  readonly northWest: string | null;
}

function neighbours(hash: string): GeohashNeighbours {
  const { column, row, columnBits, rowBits } = parse(hash);
  const columns = 2 ** columnBits;
  const beside = (east: number, north: number): string =>
    format((column + east + columns) % columns, row + north, hash.length);
  const above = row + 1 < 2 ** rowBits;
  const below = row > 0;
  return {
    north: above ? beside(0, 1) : null,
    northEast: above ? beside(1, 1) : null,
    east: beside(1, 0),
    southEast: below ? beside(1, -1) : null,
    south: below ? beside(0, -1) : null,
    southWest: below ? beside(-1, -1) : null,
    west: beside(-1, 0),
    northWest: above ? beside(-1, 1) : null,
  };
}

/** A circle on the mean sphere, or a box. */
export type GeohashArea = Box | { readonly center: Position; readonly radiusM: number };

export interface GeohashCoverOptions {
  /** The cells have so many letters, or fewer where they would be too many. @defaultValue 12 */
  readonly length?: number;
  /** At most so many cells: 32, which is the Earth in cells of one letter, to 1,000,000. @defaultValue 64 */
  readonly cellsMax?: number;
}

const CELLS_MAX_LEAST = 32;
const CELLS_MAX_MOST = 1_000_000;

/** Cells of one length, in their order, that together hold all of an area: the smallest of which there are not more than `cellsMax`. */
function cover(area: GeohashArea, options: GeohashCoverOptions = {}): string[] {
  checkKeys('geohash.cover', options, ['length', 'cellsMax']);
  const { length = LENGTH_MAX, cellsMax = 64 } = options;
  checkLength(length);
  checkInteger('cellsMax', cellsMax, CELLS_MAX_LEAST, CELLS_MAX_MOST);
  const runsIn = coverOf(area);
  for (let letters = length; ; letters--) {
    const runs = runsIn({ latMax: 90, rowBits: rowBitsOf(letters), columnBits: columnBitsOf(letters) }, cellsMax);
    if (runs === null) continue;
    return runs
      .flatMap(({ row, first, last }) =>
        Array.from({ length: last - first + 1 }, (_, index) => format(first + index, row, letters)),
      )
      .sort();
  }
}

function coverOf(area: GeohashArea): (grid: Grid, cellsMax: number) => Run[] | null {
  checkObject('The area', area, '{ center, radiusM } or { south, west, north, east }');
  if ('center' in area) {
    checkPosition('The centre', area.center);
    checkDistance('radiusM', area.radiusM);
    const cap = { center: area.center, angle: Math.min(Math.PI, area.radiusM / EARTH_RADIUS_M) };
    return (grid, cellsMax) => coverCap(grid, cap, cellsMax);
  }
  checkBox(area);
  return (grid, cellsMax) => coverBox(grid, area, cellsMax);
}

/**
 * @example
 * const hash = geohash.encode({ lat: 52.5163, lon: 13.3777 }, 7);
 * console.log(hash, geohash.neighbours(hash).east); // u33db2m u33db2q
 * console.log(geohash.cover({ center: geohash.decode(hash), radiusM: 200 }, { length: 6 }).join(' ')); // u33db2
 */
export const geohash = { encode, decode, bounds, neighbours, cover } as const;
