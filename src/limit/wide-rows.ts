/**
 * Rows that are wide, as those of a `slidingLog` of ten thousand takes, in the memory of one thread. The table (memory-rows.ts) has of each
 * key only the place of its numbers, and those stay where they are: moving a dozen of 80 kB would take a millisecond, and what was left
 * behind would have V8 collect all garbage for tens of them.
 *
 * Invariant: each place is that of one key or is free; a free one is cleared when it is taken again.
 * Cost: a slab of `SLAB_BYTES`, or of one row that is wider, whenever no place is free; 27 B a key beside its numbers.
 */
import { MemoryRows, type MemoryRowsOptions } from './memory-rows.ts';
import type { Rows } from './rows.ts';

/** What is new at once, and has to be cleared: a tenth of a millisecond. Three rows of the largest `slidingLog`. */
const SLAB_BYTES = 262_144;
/** Of wider rows than 4 kB a segment of the table would have few, or be large. */
const WIDE = 512;

export function isWide(width: number): boolean {
  return width > WIDE;
}

export class WideRows implements Rows {
  numbers: Float64Array;
  readonly shared = false;
  readonly #width: number;
  readonly #rowsOfSlab: number;
  /** Of each key its place, from 1; 0 of one that is new. */
  readonly #places: MemoryRows;
  readonly #slabs: Float64Array[] = [];
  readonly #free: number[] = [];
  #taken = 0;

  constructor({ width, keysMax, random, idle, nowUs }: MemoryRowsOptions) {
    this.#width = width;
    this.#rowsOfSlab = Math.max(1, Math.floor(SLAB_BYTES / (8 * width)));
    this.numbers = new Float64Array(0);
    this.#places = new MemoryRows({
      width: 1,
      keysMax,
      random,
      idle: (places, at, now) => idle(this.#slabOf(places[at]!), this.#offsetOf(places[at]!), now),
      nowUs,
      forgotten: (places, at) => void this.#free.push(places[at]!),
    });
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#places.size;
  }

  /** Bytes of all rows. */
  get bytes(): number {
    return this.#slabs.reduce((sum, { byteLength }) => sum + byteLength, this.#places.bytes);
  }

  enter(key: string, create: boolean): number {
    const places = this.#places;
    const at = places.enter(key, create);
    if (at < 0) return -1;
    if (places.numbers[at] === 0) places.numbers[at] = this.#vacant();
    const place = places.numbers[at]!;
    this.numbers = this.#slabOf(place);
    return this.#offsetOf(place);
  }

  leave(): boolean {
    return true;
  }

  remove(key: string): void {
    this.#places.remove(key);
  }

  /** A place whose numbers are zeros. */
  #vacant(): number {
    const free = this.#free.pop();
    if (free !== undefined) {
      const offset = this.#offsetOf(free);
      this.#slabOf(free).fill(0, offset, offset + this.#width);
      return free;
    }
    const place = (this.#taken += 1);
    if (place > this.#slabs.length * this.#rowsOfSlab) {
      this.#slabs.push(new Float64Array(this.#rowsOfSlab * this.#width));
    }
    return place;
  }

  #slabOf(place: number): Float64Array {
    return this.#slabs[Math.floor((place - 1) / this.#rowsOfSlab)]!;
  }

  #offsetOf(place: number): number {
    return ((place - 1) % this.#rowsOfSlab) * this.#width;
  }
}
