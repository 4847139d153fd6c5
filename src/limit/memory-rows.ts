/**
 * Rows in the memory of one thread: a table of numbers by key that grows without a pause, and forgets what was used least
 * recently when it is full.
 *
 * Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979): the upper bits of a key's hash choose a segment through a
 * directory; in it the key lies by open addressing with linear probing. A full segment first sheds its idle rows, in place. If most
 * are in use it is made anew, a third larger, and split in two beyond what `segmentRows` says: so that growth moves at most that many
 * rows and bytes at a time however large the table and its rows are. A dense table is a fast one: what a take waits for is memory.
 *
 * A row is one 64-bit word of key and `width` numbers, together in one buffer: a lookup touches one or two cache lines. Of the key
 * 62 bits of a hash are kept whose secret is drawn for each table, not the key itself. That any two of a million keys fall
 * together has a chance of 1 in 9 million, of a thousand keys 1 in 9 million million, and nobody can make it happen.
 *
 * Full means `keysMax` keys: then the new key takes the place of one in its segment that was not used since the hand
 * of the segment's clock last came by (CLOCK, Corbató 1968), or of an idle one.
 *
 * Cost: O(1); (1 + width) × 8 B a row, of which 60 to 80 per cent are in use: 46 B a key for three numbers on average.
 */
import { createHashSecret, halfSipHash, type HashSecret } from '../kernel/half-sip-hash.ts';
import type { Random } from '../kernel/random.ts';
import type { Rows } from './rows.ts';

/** Many, so that there are few segments, whose objects stay in the cache; and few enough to be split in a millisecond. */
const SEGMENT_ROWS_MAX = 4096;
/** For the same reason; 64 rows of 512 numbers, and wider ones are not in here (wide-rows.ts). */
const SEGMENT_BYTES = 262_144;
/** Of the first segment, for most limiters have few keys. */
const SEGMENT_ROWS_MIN = 16;
/** Linear probing needs 3 looks for a hit and 13 for a miss at four fifths, which are next to each other. */
const FILL_MAX = 0.8;
/** Of a segment that was made anew. Closer to `FILL_MAX`, it would be made anew too often. */
const FILL_NEW = 0.6;

/** The lower word of a key: bit 0 says that the row is in use, bit 1 that it was used since the hand came by. */
const OCCUPIED = 1;
const RECENT = 2;

class Segment {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly rows: number;
  /** Bits of the hash that all its keys share. */
  readonly depth: number;
  count = 0;
  hand = 0;

  constructor(rows: number, stride: number, depth: number) {
    const buffer = new ArrayBuffer(rows * stride * 8);
    this.words = new Int32Array(buffer);
    this.numbers = new Float64Array(buffer);
    this.rows = rows;
    this.depth = depth;
  }
}

/** The row at which the search for a key begins: any number of rows, evenly, by 16 bits of its lower word. */
function homeOf(lower: number, rows: number): number {
  return Math.imul(lower >>> 16, rows) >>> 16;
}

/** How many rows `count` keys are given. */
function rowsFor(count: number): number {
  return Math.max(SEGMENT_ROWS_MIN, Math.ceil(count / FILL_NEW));
}

/** The most rows of a segment, a row being a key and `width` numbers. */
function segmentRows(width: number): number {
  return Math.min(SEGMENT_ROWS_MAX, Math.floor(SEGMENT_BYTES / (8 * (1 + width))));
}

/** The key as words: as a number it could be a NaN, of which not all bits are kept. */
function copy(source: Segment, from: number, target: Segment, to: number, stride: number): void {
  target.words[2 * to] = source.words[2 * from]!;
  target.words[2 * to + 1] = source.words[2 * from + 1]!;
  for (let index = 1; index < stride; index++) target.numbers[to + index] = source.numbers[from + index]!;
}

function clear(numbers: Float64Array, at: number, stride: number): void {
  for (let index = 0; index < stride; index++) numbers[at + index] = 0;
}

export interface MemoryRowsOptions {
  /** Numbers a row. */
  readonly width: number;
  readonly keysMax: number;
  readonly random: Random;
  /** Whether a row may be forgotten without anybody noticing. */
  readonly idle: (numbers: Float64Array, at: number, nowUs: number) => boolean;
  /** The time for it, read once for many rows. */
  readonly nowUs: () => number;
  /** Told of each row that goes, before it is cleared. @defaultValue nobody */
  readonly forgotten?: (numbers: Float64Array, at: number) => void;
}

export class MemoryRows implements Rows {
  numbers: Float64Array;
  readonly shared = false;
  readonly #secret: HashSecret;
  readonly #hash = new Int32Array(2);
  /** Whose hash that is: who takes from several limits asks for a key twice, and a limit on everybody has but one. */
  #hashed = '';
  readonly #stride: number;
  readonly #segmentRows: number;
  readonly #keysMax: number;
  readonly #idle: MemoryRowsOptions['idle'];
  readonly #nowUs: () => number;
  readonly #forgotten: MemoryRowsOptions['forgotten'];
  /** By the upper `#depth` bits of the hash; at least one bit, for a shift by 32 is none. */
  #directory: Segment[];
  #depth = 1;
  #count = 0;

  constructor({ width, keysMax, random, idle, nowUs, forgotten }: MemoryRowsOptions) {
    this.#secret = createHashSecret(random);
    halfSipHash(this.#hashed, this.#secret, this.#hash);
    this.#stride = 1 + width;
    this.#segmentRows = segmentRows(width);
    this.#keysMax = keysMax;
    this.#idle = idle;
    this.#nowUs = nowUs;
    this.#forgotten = forgotten;
    const first = new Segment(SEGMENT_ROWS_MIN, this.#stride, 0);
    this.#directory = [first, first];
    this.numbers = first.numbers;
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#count;
  }

  /** Bytes of all rows. */
  get bytes(): number {
    let bytes = 0;
    for (const segment of new Set(this.#directory)) bytes += segment.words.byteLength;
    return bytes;
  }

  enter(key: string, create: boolean): number {
    const hash = this.#hash;
    if (key !== this.#hashed) {
      halfSipHash(key, this.#secret, hash);
      this.#hashed = key;
    }
    const upper = hash[0]!;
    const lower = hash[1]! | OCCUPIED | RECENT;
    const segment = this.#directory[upper >>> (32 - this.#depth)]!;
    const { words, rows } = segment;
    const step = 2 * this.#stride;
    const end = rows * step;
    for (let at = homeOf(lower, rows) * step; ;) {
      const found = words[at + 1]!;
      if (found === 0) break;
      if ((found | RECENT) === lower && words[at] === upper) {
        if (found !== lower) words[at + 1] = lower;
        this.numbers = segment.numbers;
        return (at >>> 1) + 1;
      }
      at += step;
      if (at === end) at = 0;
    }
    return create ? this.#create(upper, lower) : -1;
  }

  leave(): boolean {
    return true;
  }

  remove(key: string): void {
    const at = this.enter(key, false);
    if (at < 0) return;
    const segment = this.#directory[this.#hash[0]! >>> (32 - this.#depth)]!;
    this.#free(segment, (at - 1) / this.#stride);
  }

  #create(upper: number, lower: number): number {
    const segment = this.#segmentWithRoom(upper);
    if (this.#count >= this.#keysMax) {
      // Of another only if this one is empty.
      const from = segment.count > 0 ? segment : this.#directory.find(({ count }) => count > 0)!;
      this.#evict(from);
    }
    // Not recent before its second use: who sends ever new keys drives out those, and not the keys in use.
    const at = this.#place(segment, upper, lower & ~RECENT);
    this.#count += 1;
    this.numbers = segment.numbers;
    return at;
  }

  /** The segment of a hash, after room was made in it if it is full. */
  #segmentWithRoom(upper: number): Segment {
    for (;;) {
      const segment = this.#directory[upper >>> (32 - this.#depth)]!;
      if (segment.count < Math.floor(segment.rows * FILL_MAX)) return segment;
      if (this.#count >= this.#keysMax) this.#evict(segment);
      else {
        this.#shed(segment);
        if (rowsFor(segment.count) > segment.rows) this.#enlarge(segment);
      }
    }
  }

  /**
   * Frees all idle rows. Behind a free row, each is taken out and placed again: what lies between its home and where it was is
   * in order by then, so it moves forward or not at all.
   */
  #shed(segment: Segment): void {
    const { words, numbers, rows } = segment;
    const stride = this.#stride;
    const nowUs = this.#nowUs();
    let free = 0;
    while (words[2 * free * stride + 1] !== 0) free += 1;
    for (let step = 1; step < rows; step++) {
      const row = free + step < rows ? free + step : free + step - rows;
      const from = row * stride;
      const lower = words[2 * from + 1]!;
      if (lower === 0) continue;
      if (this.#idle(numbers, from + 1, nowUs)) {
        this.#forgotten?.(numbers, from + 1);
        clear(numbers, from, stride);
        segment.count -= 1;
        this.#count -= 1;
        continue;
      }
      words[2 * from + 1] = 0;
      const to = this.#vacant(segment, lower) * stride;
      words[2 * from + 1] = lower;
      if (to === from) continue;
      copy(segment, from, segment, to, stride);
      clear(numbers, from, stride);
    }
  }

  /** Makes a segment anew with more rows, or as two. */
  #enlarge(segment: Segment): void {
    const stride = this.#stride;
    const { words, rows } = segment;
    const split = rowsFor(segment.count) > this.#segmentRows;
    const depth = split ? segment.depth + 1 : segment.depth;
    if (depth > this.#depth) {
      this.#directory = this.#directory.flatMap((each) => [each, each]);
      this.#depth += 1;
    }
    /** Which of the two a key goes to. */
    const half = (upper: number): number => (split ? (upper >>> (32 - depth)) & 1 : 0);
    const counts = [0, 0];
    for (let row = 0; row < rows; row++) {
      const at = 2 * row * stride;
      if (words[at + 1] !== 0) counts[half(words[at]!)]! += 1;
    }
    const fresh = counts.slice(0, split ? 2 : 1).map((count) => new Segment(rowsFor(count), stride, depth));
    for (let row = 0; row < rows; row++) {
      const from = row * stride;
      const lower = words[2 * from + 1]!;
      if (lower === 0) continue;
      const target = fresh[half(words[2 * from]!)]!;
      copy(segment, from, target, this.#vacant(target, lower) * stride, stride);
      target.count += 1;
    }
    const places = 1 << (this.#depth - depth);
    this.#directory.forEach((each, index) => {
      if (each === segment) this.#directory[index] = fresh[(index / places) & (fresh.length - 1)]!;
    });
  }

  /** A row for a key that is not there, in a segment with room. Its numbers are zeros. */
  #place(segment: Segment, upper: number, lower: number): number {
    const at = this.#vacant(segment, lower) * this.#stride;
    segment.words[2 * at] = upper;
    segment.words[2 * at + 1] = lower;
    segment.count += 1;
    return at + 1;
  }

  /** The first free row from a key's home on. */
  #vacant({ words, rows }: Segment, lower: number): number {
    const step = 2 * this.#stride;
    let row = homeOf(lower, rows);
    while (words[row * step + 1] !== 0) row = row + 1 === rows ? 0 : row + 1;
    return row;
  }

  /** Frees the first row from the hand on that is idle or was not used since the last time. */
  #evict(segment: Segment): void {
    const { words, numbers, rows } = segment;
    const stride = this.#stride;
    const nowUs = this.#nowUs();
    for (let row = segment.hand; ; row = row + 1 === rows ? 0 : row + 1) {
      const at = row * stride;
      const lower = words[2 * at + 1]!;
      if (lower === 0) continue;
      if ((lower & RECENT) !== 0 && !this.#idle(numbers, at + 1, nowUs)) {
        words[2 * at + 1] = lower & ~RECENT;
        continue;
      }
      // What follows moves into the gap, so the hand stays.
      segment.hand = row;
      this.#free(segment, row);
      return;
    }
  }

  /** Empties a row, and closes the gap: no probe may end before its key (Knuth, TAOCP 3, 6.4, algorithm R). */
  #free(segment: Segment, row: number): void {
    const { words, numbers, rows } = segment;
    const stride = this.#stride;
    /** How many rows after `from` the row `to` is. */
    const distance = (from: number, to: number): number => (to < from ? to - from + rows : to - from);
    this.#forgotten?.(numbers, row * stride + 1);
    let gap = row;
    for (let next = row; ;) {
      next = next + 1 === rows ? 0 : next + 1;
      const lower = words[2 * next * stride + 1]!;
      if (lower === 0) break;
      if (distance(homeOf(lower, rows), next) < distance(gap, next)) continue;
      copy(segment, next * stride, segment, gap * stride, stride);
      gap = next;
    }
    clear(numbers, gap * stride, stride);
    segment.count -= 1;
    this.#count -= 1;
  }
}
