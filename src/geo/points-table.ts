/**
 * Points in one block of memory, ordered so that those near each other lie near each other: every thread can read it when it is
 * shared, and saved it is a file.
 *
 *     [ header: 64 B ][ latitude and longitude of each: float64 ][ ids: uint32 ][ splits: int32 ]
 *
 * It is a k-d tree over the unit vectors of the points (J. L. Bentley, "Multidimensional Binary Search Trees", 1975). A node has a range of points, halved
 * by a plane across one axis in space; there are no nodes but the planes, in the order of a heap. In space there is no pole and no antimeridian.
 * The vectors themselves are not kept: only leaves have points, and there the latitude and longitude are what is compared.
 *
 * A split is the place of the plane in units of 2^-29, and in the lowest two bits the axis. The vectors it is taken from are rounded to the same
 * units, so that a point may lie beyond its plane; by no more than `MARGIN`, which leaves room for vectors rounded to 2^-25.
 *
 * Invariants: the range of a node at level L, from `start` to `end`, is halved at `(start + end) >>> 1`, down to `levels`; the checksum covers
 * all behind it. Words are in the byte order of the machine; a block of the other order is refused by its magic number.
 * Cost: 20 B a point and 4 B a leaf. While it is built 20 B a point more.
 */
import { crc32 } from 'node:zlib';
import { invalid } from '../kernel/options.ts';

const MAGIC = 0x6b646773; // "sgdk"
const VERSION = 1;
const HEADER_BYTES = 64;
const [MAGIC_AT, VERSION_AT, COUNT_AT, LEVELS_AT, CHECKSUM_AT] = [0, 1, 2, 3, 4] as const;

/** As many as a leaf has at most. More: fewer planes to pass, more points to look at in vain. */
const LEAF_POINTS = 16;
/** Ids are 32 bits wide, and so are places. */
export const POINTS_MAX = 2 ** 30;

export const MARGIN = 2 ** -24;
export const SPLIT_UNIT = 2 ** -29;
/** A sign and 29 bits are left beside those of the axis. */
export const SPLIT_MAX = 2 ** 29 - 1;

export interface PointsTable {
  readonly memory: ArrayBufferLike;
  readonly count: number;
  readonly levels: number;
  /** Latitude and longitude in turn. */
  readonly positions: Float64Array;
  readonly ids: Uint32Array;
  readonly splits: Int32Array;
}

function levelsFor(count: number): number {
  return count <= LEAF_POINTS ? 0 : Math.ceil(Math.log2(count / LEAF_POINTS));
}

/** How large the block for so many points is. */
function pointsBytes(count: number): number {
  return HEADER_BYTES + count * 20 + (2 ** levelsFor(count) - 1) * 4;
}

function layOut(memory: ArrayBufferLike, count: number): PointsTable {
  const levels = levelsFor(count);
  const idsAt = HEADER_BYTES + count * 16;
  return {
    memory,
    count,
    levels,
    positions: new Float64Array(memory, HEADER_BYTES, count * 2),
    ids: new Uint32Array(memory, idsAt, count),
    splits: new Int32Array(memory, idsAt + count * 4, 2 ** levels - 1),
  };
}

/** A block for so many points, to be filled and then sealed. */
export function createPointsTable(count: number, shared: boolean): PointsTable {
  const bytes = pointsBytes(count);
  return layOut(shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes), count);
}

/** A checksum takes 32-bit lengths: in parts, each with the sum so far. */
const CHECKED_BYTES = 2 ** 30;

function checksum(memory: ArrayBufferLike): number {
  let sum = 0;
  for (let at = HEADER_BYTES; at < memory.byteLength; at += CHECKED_BYTES) {
    sum = crc32(new Uint8Array(memory, at, Math.min(CHECKED_BYTES, memory.byteLength - at)), sum);
  }
  return sum;
}

export function sealPointsTable({ memory, count, levels }: PointsTable): void {
  const header = new Uint32Array(memory, 0, HEADER_BYTES / 4);
  header[MAGIC_AT] = MAGIC;
  header[VERSION_AT] = VERSION;
  header[COUNT_AT] = count;
  header[LEVELS_AT] = levels;
  header[CHECKSUM_AT] = checksum(memory);
}

/** The table in a block that was sealed, in this or another process. */
export function openPointsTable(memory: ArrayBufferLike): PointsTable {
  const refused = (what: string): Error => invalid(`This is not the memory of points: ${what}.`);
  if (!(memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer)) throw refused('it is no buffer');
  if (memory.byteLength < HEADER_BYTES) throw refused(`${memory.byteLength} bytes are less than a header`);
  const header = new Uint32Array(memory, 0, HEADER_BYTES / 4);
  const count = header[COUNT_AT]!;
  if (header[MAGIC_AT] !== MAGIC) throw refused('it does not begin as one');
  if (header[VERSION_AT] !== VERSION) throw refused(`its version is ${header[VERSION_AT]}, expected ${VERSION}`);
  if (count > POINTS_MAX || header[LEVELS_AT] !== levelsFor(count) || pointsBytes(count) !== memory.byteLength) {
    throw refused(`${memory.byteLength} bytes are not its size`);
  }
  if (header.subarray(CHECKSUM_AT + 1).some((word) => word !== 0)) throw refused('its header has more than it should');
  if (header[CHECKSUM_AT] !== checksum(memory)) throw refused('its checksum is wrong, it is damaged');
  const table = layOut(memory, count);
  // Whoever wrote the checksum may have written nonsense under it.
  for (let at = 0; at < count; at++) {
    if (Math.abs(table.positions[2 * at]!) <= 90 && Math.abs(table.positions[2 * at + 1]!) <= 180) continue;
    throw refused('it has positions that are none');
  }
  return table;
}
