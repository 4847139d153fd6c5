/**
 * Live numbers shared between threads without a lock or a message.
 *
 * A *cell* is one SharedArrayBuffer about one thing (an endpoint, a route, a listener):
 *
 *     [ header: 16 × int32 ][ lane 0: slots × float64 ][ lane 1 ] … [ lane n-1 ]
 *
 * Invariant: a lane has one writer, the thread that owns it, so `lane[slot] += 1` needs no atomic instruction; anyone may
 * read. A lane starts on a cache line of its own, so writers do not slow each other. The header is written by the control
 * thread and read by all (through Atomics: a health bit must be seen soon); a word that others write too says so.
 * Whoever makes it may say when, so that a counter that begins anew can be told from one that goes on.
 * Because gauges live in lanes, the lane of a thread that died can be zeroed and the sums are right again.
 *
 * Cost: a counter is one load and one store, about 1 ns; a cell is 64 B + lanes × slots × 8 B.
 *
 * What it is not: a transaction. A reader may see one slot newer than another. On 64-bit machines an aligned float64 store
 * does not tear; counts are exact to 2^53.
 */

const HEADER_WORDS = 16; // one cache line
/** A float64, the last two words of the header. */
const BORN_AT = (HEADER_WORDS - 2) * 4;
const LINE_BYTES = 64;

export type Cell = SharedArrayBuffer;

/** A lane's own view: index it with a slot number. */
export type Lane = Float64Array<SharedArrayBuffer>;

function laneBytes(slots: number): number {
  return Math.ceil((slots * 8) / LINE_BYTES) * LINE_BYTES;
}

/** A zeroed cell with `lanes` lanes (one a thread) of `slots` numbers each; `bornMs` is when, in milliseconds since the Unix epoch. */
export function createCell(lanes: number, slots: number, bornMs = 0): Cell {
  const cell = new SharedArrayBuffer(HEADER_WORDS * 4 + lanes * laneBytes(slots));
  new Float64Array(cell, BORN_AT, 1)[0] = bornMs;
  return cell;
}

/** Since when it counts; 0 if nobody said. */
export function cellBornMs(cell: Cell): number {
  return new Float64Array(cell, BORN_AT, 1)[0]!;
}

/** The header words, written by the control thread through `Atomics`. */
export function cellHeader(cell: Cell): Int32Array<SharedArrayBuffer> {
  return new Int32Array(cell, 0, HEADER_WORDS);
}

/** The view through which the owner of lane `lane` counts. */
export function cellLane(cell: Cell, slots: number, lane: number): Lane {
  return new Float64Array(cell, HEADER_WORDS * 4 + lane * laneBytes(slots), slots);
}

/** All lanes of a cell, for reading sums. */
export function cellLanes(cell: Cell, slots: number): Lane[] {
  const lanes = (cell.byteLength - HEADER_WORDS * 4) / laneBytes(slots);
  return Array.from({ length: lanes }, (_, lane) => cellLane(cell, slots, lane));
}

/** The sum of one slot over all lanes. */
export function sumSlot(lanes: readonly Lane[], slot: number): number {
  let sum = 0;
  for (const lane of lanes) sum += lane[slot] ?? 0;
  return sum;
}
