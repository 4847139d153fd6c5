/**
 * Rows in the memory of one thread: a table of numbers by key that grows without a pause, and forgets what was used least
 * recently when it is full.
 *
 * Extendible hashing (Fagin, Nievergelt, Pippenger and Strong, 1979): the upper bits of a key's hash choose a segment through a
 * directory; in it the key lies by open addressing with linear probing. A full segment is split in two, so that growth
 * moves at most `SEGMENT_ROWS` rows at a time however large the table is. A segment sheds rows that are idle first.
 *
 * A row is one 64-bit word of key and `width` numbers, together in one buffer: a lookup touches one or two cache lines. Of the key
 * 62 bits of a hash are kept whose secret is drawn for each table, not the key itself. That any two of a million keys fall
 * together has a chance of 1 in 9 million, of a thousand keys 1 in 9 million million, and nobody can make it happen.
 *
 * Full means `keysMax` keys: then the new key takes the place of one in its segment that was not used since the hand
 * of the segment's clock last came by (CLOCK, Corbató 1968), or of an idle one.
 *
 * Cost: O(1); (1 + width) × 8 B a row, of which 38 to 75 per cent are in use: 58 B a key for three numbers on average.
 */
import { createHashSecret, halfSipHash, type HashSecret } from '../kernel/half-sip-hash.ts';
import type { Random } from '../kernel/random.ts';
import type { Rows } from './rows.ts';

/** Many, so that there are few segments, whose objects stay in the cache; and few enough to be split in a millisecond. */
const SEGMENT_ROWS = 4096;
const FIRST_ROWS = 16;
/** Linear probing needs 2.5 looks for a hit and 8.5 for a miss at three quarters. */
const FILL_MAX = 0.75;

/** The lower word of a key: bit 0 says that the row is in use, bit 1 that it was used since the hand came by. */
const OCCUPIED = 1;
const RECENT = 2;

class Segment {
  readonly words: Int32Array;
  readonly numbers: Float64Array;
  readonly mask: number;
  /** Bits of the hash that all its keys share. */
  readonly depth: number;
  count = 0;
  hand = 0;

  constructor(rows: number, stride: number, depth: number) {
    const buffer = new ArrayBuffer(rows * stride * 8);
    this.words = new Int32Array(buffer);
    this.numbers = new Float64Array(buffer);
    this.mask = rows - 1;
    this.depth = depth;
  }
}

export interface MemoryRowsOptions {
  /** Numbers a row. */
  readonly width: number;
  readonly keysMax: number;
  readonly random: Random;
  /** Whether a row may be forgotten without anybody noticing. */
  readonly idle: (numbers: Float64Array, at: number) => boolean;
}

export class MemoryRows implements Rows {
  numbers: Float64Array;
  readonly #secret: HashSecret;
  readonly #hash = new Int32Array(2);
  readonly #stride: number;
  readonly #keysMax: number;
  readonly #idle: (numbers: Float64Array, at: number) => boolean;
  /** By the upper `#depth` bits of the hash; at least one bit, for a shift by 32 is none. */
  #directory: Segment[];
  #depth = 1;
  #count = 0;

  constructor({ width, keysMax, random, idle }: MemoryRowsOptions) {
    this.#secret = createHashSecret(random);
    this.#stride = 1 + width;
    this.#keysMax = keysMax;
    this.#idle = idle;
    const first = new Segment(FIRST_ROWS, this.#stride, 0);
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
    halfSipHash(key, this.#secret, hash);
    const upper = hash[0]!;
    const lower = hash[1]! | OCCUPIED | RECENT;
    const segment = this.#directory[upper >>> (32 - this.#depth)]!;
    const { words, mask } = segment;
    const step = 2 * this.#stride;
    for (let row = (lower >>> 2) & mask; ; row = (row + 1) & mask) {
      const at = row * step;
      const found = words[at + 1]!;
      if (found === 0) break;
      if ((found | RECENT) !== lower || words[at] !== upper) continue;
      if (found !== lower) words[at + 1] = lower;
      this.numbers = segment.numbers;
      return (at >>> 1) + 1;
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

  /** The segment of a hash, after it was split or enlarged as long as it is full. */
  #segmentWithRoom(upper: number): Segment {
    for (;;) {
      const segment = this.#directory[upper >>> (32 - this.#depth)]!;
      if (segment.count + 1 <= (segment.mask + 1) * FILL_MAX) return segment;
      if (this.#count >= this.#keysMax) this.#evict(segment);
      else this.#rebuild(segment);
    }
  }

  /** Makes a segment anew without its idle rows; twice as large, or as two, if that was not enough. */
  #rebuild(segment: Segment): void {
    const step = this.#stride;
    let alive = 0;
    const { words, numbers, mask } = segment;
    for (let row = 0; row <= mask; row++) {
      if (words[2 * row * step + 1] === 0) continue;
      if (this.#idle(numbers, row * step + 1)) words[2 * row * step + 1]! &= ~OCCUPIED;
      else alive += 1;
    }
    const rows = mask + 1;
    const crowded = alive > (rows * FILL_MAX) / 2;
    const split = crowded && rows >= SEGMENT_ROWS;
    const size = crowded && !split ? rows * 2 : rows;
    const depth = split ? segment.depth + 1 : segment.depth;
    if (depth > this.#depth) {
      this.#directory = this.#directory.flatMap((each) => [each, each]);
      this.#depth += 1;
    }
    const fresh = [new Segment(size, step, depth)];
    if (split) fresh.push(new Segment(size, step, depth));
    this.#count -= segment.count;
    for (let row = 0; row <= mask; row++) {
      const from = row * step;
      const lower = words[2 * from + 1]!;
      if ((lower & OCCUPIED) === 0) continue;
      const upper = words[2 * from]!;
      const target = split ? fresh[(upper >>> (32 - depth)) & 1]! : fresh[0]!;
      const at = this.#place(target, upper, lower);
      for (let index = 0; index < step - 1; index++) target.numbers[at + index] = numbers[from + 1 + index]!;
      this.#count += 1;
    }
    const places = 1 << (this.#depth - depth);
    this.#directory.forEach((each, index) => {
      if (each === segment) this.#directory[index] = fresh[(index / places) & (fresh.length - 1)]!;
    });
  }

  /** A row for a key that is not there, in a segment with room. Its numbers are zeros. */
  #place(segment: Segment, upper: number, lower: number): number {
    const { words, mask } = segment;
    const step = 2 * this.#stride;
    let row = (lower >>> 2) & mask;
    while (words[row * step + 1] !== 0) row = (row + 1) & mask;
    words[row * step] = upper;
    words[row * step + 1] = lower;
    segment.count += 1;
    return row * this.#stride + 1;
  }

  /** Frees the first row from the hand on that is idle or was not used since the last time. */
  #evict(segment: Segment): void {
    const { words, numbers, mask } = segment;
    const step = 2 * this.#stride;
    for (let row = segment.hand & mask; ; row = (row + 1) & mask) {
      const lower = words[row * step + 1]!;
      if (lower === 0) continue;
      if ((lower & RECENT) !== 0 && !this.#idle(numbers, row * this.#stride + 1)) {
        words[row * step + 1] = lower & ~RECENT;
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
    const { words, numbers, mask } = segment;
    const stride = this.#stride;
    let gap = row;
    for (let next = (gap + 1) & mask; words[2 * next * stride + 1] !== 0; next = (next + 1) & mask) {
      const home = (words[2 * next * stride + 1]! >>> 2) & mask;
      if (((next - home) & mask) < ((next - gap) & mask)) continue;
      numbers.copyWithin(gap * stride, next * stride, (next + 1) * stride);
      gap = next;
    }
    numbers.fill(0, gap * stride, (gap + 1) * stride);
    segment.count -= 1;
    this.#count -= 1;
  }
}
