/**
 * Things that move, in one block of memory: one thread writes, any number of threads read at the same time.
 *
 *     [ header: 64 B ][ things: 8 × int32 each ][ buckets: 2 × int32 each ]
 *     thing:  [ version ][ latitude ][ longitude ][ next ][ previous ][ name of its row ][ column ][ bucket or −1 ]
 *     bucket: [ first thing or −1 ][ version ]
 *
 * **The grid** (moving-grid.ts) is cells in rows. Only cells with something in them take memory: a cell is hashed to a bucket, which has a doubly
 * linked list of its things and of those of other cells. Moving within a cell is two stores, moving to another takes it out of one list and puts it
 * into another.
 *
 * **Another grid** comes bit by bit: from its beginning on, what is put anywhere comes into a cell of the new one, and the owner puts the others there
 * too, some at a time. Until then there are two, each thing is in a cell of one of them, and a search walks the cells of both. A row's name tells
 * its grid, so both share buckets, and a thing goes from one to the other like one that moves. Nothing is lost if the owner dies meanwhile.
 *
 * **Reading while it is written.** Each thing has a version, odd while it is written: who reads it takes the position between two looks at
 * the same even version, so no position is half old and half new. Each bucket has one too, which changes when something comes or goes:
 * a search notes the versions of the buckets that it walks and looks again at the end. If one has changed, something may have been seen twice or not
 * at all, and it begins anew; after some times it looks at all things by number, each of which is in one place at any time. So each is judged once,
 * by a position that it had while the question was answered. Everything goes through Atomics, of which the order holds for all threads.
 *
 * Positions are kept to 10⁻⁷ degrees, a centimetre.
 *
 * It is for threads that work together, not for keeping: there is no checksum over what changes a million times a second. Of memory that
 * was damaged when it was opened answers may be wrong, but no question about it goes on without end or reads beyond it.
 *
 * Cost: 32 B a thing and 8 B a bucket, of which there are at least half as many as things. Source of the scheme of versions: S. Hemminger's seqlock (Linux 2.5.60).
 */
import { SpillwayError } from '../kernel/errors.ts';
import { mix32 } from '../kernel/mix32.ts';
import { invalid } from '../kernel/options.ts';
import { Grid, type Sample, SHIFT_MAX, SHIFT_MIN } from './moving-grid.ts';

const MAGIC = 0x766f6d67; // "gmov"
const VERSION = 2;
const HEADER_WORDS = 16;
const [MAGIC_AT, VERSION_AT, CAPACITY_AT, BUCKETS_AT] = [0, 1, 2, 3] as const;
/** How often the grids have changed, and two shifts of 5 bits: of the grid that things leave, and of the one that they come to. One if they are the same. */
const GRIDS_AT = 4;
const SIZE_AT = 5;
/** One more than the largest id so far. */
const USED_AT = 6;

const THING_WORDS = 8;
const [LAT_AT, LON_AT, NEXT_AT, PREVIOUS_AT, ROW_AT, COLUMN_AT, BUCKET_AT] = [1, 2, 3, 4, 5, 6, 7] as const;
const NONE = -1;

/** As many as 32-bit places in the block allow. */
export const CAPACITY_MAX = 2 ** 26;

/** Things in a list that are looked at to see whether it is a crowd. */
const LIST_MAX = 64;

/** A writer is within one for some tens of nanoseconds; a thousand slices of a scheduler later it is dead. */
const PATIENCE_MS = 1000;
const LOOKS = 1000;

function bucketsFor(capacity: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2(capacity / 2)));
}

function bytesFor(capacity: number): number {
  return (HEADER_WORDS + capacity * THING_WORDS + bucketsFor(capacity) * 2) * 4;
}

function gridsWord(changes: number, from: number, to: number): number {
  return (changes << 10) | (from << 5) | to;
}

function gridsOf(word: number): readonly Grid[] {
  const [from, to] = [(word >>> 5) & 31, word & 31];
  return from === to ? [new Grid(to)] : [new Grid(to), new Grid(from)];
}

export function createMovingMemory(capacity: number, shared: boolean): ArrayBufferLike {
  const bytes = bytesFor(capacity);
  const memory = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  const words = new Int32Array(memory);
  words[MAGIC_AT] = MAGIC;
  words[VERSION_AT] = VERSION;
  words[CAPACITY_AT] = capacity;
  words[BUCKETS_AT] = bucketsFor(capacity);
  words[GRIDS_AT] = gridsWord(0, SHIFT_MAX, SHIFT_MAX);
  for (let id = 0; id < capacity; id++) words[HEADER_WORDS + id * THING_WORDS + BUCKET_AT] = NONE;
  words.fill(NONE, HEADER_WORDS + capacity * THING_WORDS);
  for (let bucket = 0; bucket < bucketsFor(capacity); bucket++) {
    words[HEADER_WORDS + capacity * THING_WORDS + 2 * bucket + 1] = 0;
  }
  return memory;
}

/** A refusal of memory that no table has made, or that somebody else has written to. */
export function refused(what: string): Error {
  return invalid(`This is not the memory of moving things: ${what}.`);
}

export class MovingTable {
  readonly memory: ArrayBufferLike;
  readonly capacity: number;
  /** What was read last by `read`, in units. */
  lat = 0;
  lon = 0;
  /** Where the cell that was read last is. */
  row = 0;
  column = 0;
  /** That which things come to, then that which they leave, if some have not yet left it. */
  grids: readonly Grid[];
  #gridsWord: number;
  /** While there are two grids: ids from here on may still be in the one that they leave. */
  #leavesFrom = 0;
  readonly #words: Int32Array;
  readonly #bucketsStart: number;
  readonly #bucketMask: number;

  constructor(memory: ArrayBufferLike) {
    if (!(memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer)) throw refused('it is no buffer');
    if (memory.byteLength < HEADER_WORDS * 4) throw refused(`${memory.byteLength} bytes are less than a header`);
    const words = new Int32Array(memory, 0, memory.byteLength >>> 2);
    const capacity = words[CAPACITY_AT]!;
    if (words[MAGIC_AT] !== MAGIC) throw refused('it does not begin as one');
    if (words[VERSION_AT] !== VERSION) throw refused(`its version is ${words[VERSION_AT]}, expected ${VERSION}`);
    if (capacity < 1 || capacity > CAPACITY_MAX || bytesFor(capacity) !== memory.byteLength) {
      throw refused(`${memory.byteLength} bytes are not its size`);
    }
    const [size, used] = [Atomics.load(words, SIZE_AT), Atomics.load(words, USED_AT)];
    const gridsWord = Atomics.load(words, GRIDS_AT);
    const grids = gridsOf(gridsWord);
    if (words[BUCKETS_AT] !== bucketsFor(capacity))
      throw refused(`it has ${words[BUCKETS_AT]} buckets, expected ${bucketsFor(capacity)}`);
    for (const { shift } of grids) {
      if (shift < SHIFT_MIN || shift > SHIFT_MAX) throw refused(`its cells are 2^${shift} units high`);
    }
    if (size < 0 || size > capacity || used < 0 || used > capacity)
      throw refused('it has more things than it has room for');
    this.memory = memory;
    this.capacity = capacity;
    this.#words = words;
    this.#bucketsStart = HEADER_WORDS + capacity * THING_WORDS;
    this.#bucketMask = bucketsFor(capacity) - 1;
    this.#gridsWord = gridsWord;
    this.grids = grids;
  }

  get size(): number {
    return Atomics.load(this.#words, SIZE_AT);
  }

  /** Ids below this have been in use. */
  get used(): number {
    return Atomics.load(this.#words, USED_AT);
  }

  /** The version of the grids. Takes over those that another thread has made. */
  epoch(): number {
    const word = Atomics.load(this.#words, GRIDS_AT);
    if (word !== this.#gridsWord) {
      this.#gridsWord = word;
      this.grids = gridsOf(word);
    }
    return word;
  }

  bucketOf(row: number, column: number): number {
    // Cells beside each other in a row are beside each other in memory.
    return (Math.imul(row, 0x9e3779b1) + column) & this.#bucketMask;
  }

  versionOf(bucket: number): number {
    return Atomics.load(this.#words, this.#bucketsStart + 2 * bucket + 1);
  }

  firstOf(bucket: number): number {
    return Atomics.load(this.#words, this.#bucketsStart + 2 * bucket);
  }

  nextOf(id: number): number {
    return Atomics.load(this.#words, HEADER_WORDS + id * THING_WORDS + NEXT_AT);
  }

  /** Reads where something is, whole; false if it is nowhere. An error if its writer has died within it. */
  read(id: number): boolean {
    const words = this.#words;
    const at = HEADER_WORDS + id * THING_WORDS;
    for (let look = 0; look < LOOKS; look++) {
      const version = Atomics.load(words, at);
      this.lat = Atomics.load(words, at + LAT_AT);
      this.lon = Atomics.load(words, at + LON_AT);
      this.row = Atomics.load(words, at + ROW_AT);
      this.column = Atomics.load(words, at + COLUMN_AT);
      const bucket = Atomics.load(words, at + BUCKET_AT);
      if ((version & 1) === 0 && Atomics.load(words, at) === version) return bucket !== NONE;
    }
    this.#wait(at);
    return this.read(id);
  }

  #wait(at: number): void {
    const version = Atomics.load(this.#words, at);
    if ((version & 1) === 0) return;
    // Nobody notifies: it sleeps in steps, and is woken by the time.
    for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs++) {
      if (this.memory instanceof SharedArrayBuffer) Atomics.wait(this.#words, at, version, 1);
      if (Atomics.load(this.#words, at) !== version) return;
    }
    throw new SpillwayError('STORE_UNAVAILABLE', 'The thread that moves things has stopped in the middle of one.');
  }

  /** Looks at things that will be written, so that they are in the cache by then; looks wait for memory together, atomic stores one by one. */
  touchThings(ids: Uint32Array, start: number, end: number): number {
    const words = this.#words;
    let seen = 0;
    for (let at = start; at < end; at++) seen ^= words[HEADER_WORDS + ids[at]! * THING_WORDS]!;
    return seen;
  }

  /** Puts something at a place, in units. Only for the thread that owns the memory. True if it came into another cell. */
  put(id: number, lat: number, lon: number): boolean {
    const words = this.#words;
    const at = HEADER_WORDS + id * THING_WORDS;
    const grid = this.grids[0]!;
    const rowInGrid = grid.rowOf(lat);
    const row = grid.nameOf(rowInGrid);
    const column = grid.columnOf(lon, grid.columnsOf(rowInGrid));
    const from = words[at + BUCKET_AT]!;
    const version = words[at]!;
    Atomics.store(words, at, version + 1);
    Atomics.store(words, at + LAT_AT, lat);
    Atomics.store(words, at + LON_AT, lon);
    const stays = from !== NONE && words[at + ROW_AT] === row && words[at + COLUMN_AT] === column;
    if (!stays) {
      const to = this.bucketOf(row, column);
      this.#touch(from, to);
      if (from !== NONE) this.#unlink(at, from);
      this.#link(id, to);
      Atomics.store(words, at + ROW_AT, row);
      Atomics.store(words, at + COLUMN_AT, column);
      this.#touch(from, to);
      if (from === NONE) {
        Atomics.add(words, SIZE_AT, 1);
        if (id >= words[USED_AT]!) Atomics.store(words, USED_AT, id + 1);
      }
    }
    Atomics.store(words, at, version + 2);
    return !stays;
  }

  take(id: number): boolean {
    const words = this.#words;
    const at = HEADER_WORDS + id * THING_WORDS;
    const from = words[at + BUCKET_AT]!;
    if (from === NONE) return false;
    const version = words[at]!;
    Atomics.store(words, at, version + 1);
    this.#touch(from, from);
    this.#unlink(at, from);
    Atomics.store(words, at + BUCKET_AT, NONE);
    this.#touch(from, from);
    Atomics.store(words, at, version + 2);
    Atomics.sub(words, SIZE_AT, 1);
    return true;
  }

  /** Begins or ends writing to two buckets, which may be one. */
  #touch(from: number, to: number): void {
    if (from !== NONE) Atomics.add(this.#words, this.#bucketsStart + 2 * from + 1, 1);
    if (to !== from) Atomics.add(this.#words, this.#bucketsStart + 2 * to + 1, 1);
  }

  #link(id: number, bucket: number): void {
    const words = this.#words;
    const at = HEADER_WORDS + id * THING_WORDS;
    const head = this.#bucketsStart + 2 * bucket;
    const first = words[head]!;
    Atomics.store(words, at + NEXT_AT, first);
    words[at + PREVIOUS_AT] = NONE; // only the owner walks backward
    if (first !== NONE) words[HEADER_WORDS + first * THING_WORDS + PREVIOUS_AT] = id;
    Atomics.store(words, head, id);
    Atomics.store(words, at + BUCKET_AT, bucket);
  }

  #unlink(at: number, bucket: number): void {
    const words = this.#words;
    const next = words[at + NEXT_AT]!;
    const previous = words[at + PREVIOUS_AT]!;
    if (next !== NONE) words[HEADER_WORDS + next * THING_WORDS + PREVIOUS_AT] = previous;
    const link = previous === NONE ? this.#bucketsStart + 2 * bucket : HEADER_WORDS + previous * THING_WORDS + NEXT_AT;
    Atomics.store(words, link, next);
  }

  /** How many things are in the cell of a thing, the median over some; counted up to `countMax` for each. */
  crowding(samples: number, countMax: number): number {
    const counts: number[] = [];
    for (let sample = 0; sample < samples; sample++) {
      if (!this.#readSample(sample, samples)) continue;
      const { row, column } = this;
      let count = 0;
      let steps = 0;
      for (let other = this.firstOf(this.bucketOf(row, column)); other !== NONE; other = this.nextOf(other)) {
        const at = HEADER_WORDS + other * THING_WORDS;
        if (this.#words[at + ROW_AT] === row && this.#words[at + COLUMN_AT] === column) count++;
        // A list as long as that is a crowd, of whatever cells.
        if (++steps === LIST_MAX) count = countMax;
        if (count === countMax) break;
      }
      counts.push(count);
    }
    counts.sort((a, b) => a - b);
    return counts[counts.length >>> 1] ?? 0;
  }

  sample(samplesMax: number): Sample {
    const samples = Math.min(samplesMax, this.used);
    const [lats, lons]: [number[], number[]] = [[], []];
    for (let sample = 0; sample < samples; sample++) {
      if (!this.#readSample(sample, samples)) continue;
      lats.push(this.lat);
      lons.push(this.lon);
    }
    return { lats, lons, of: this.size };
  }

  /** By chance, as it were, one from each of as many parts: each first of them would find nobody where all ids are odd. False if it is nowhere. */
  #readSample(sample: number, samples: number): boolean {
    const unit = (mix32(sample) >>> 0) / 2 ** 32;
    return this.read(Math.floor(((sample + unit) / samples) * this.used));
  }

  /** True while there are two grids. */
  get isRegridding(): boolean {
    return this.grids.length > 1;
  }

  /** Begins to put all things into cells of another height. */
  beginRegrid(shift: number): void {
    this.#leavesFrom = 0;
    this.#setGrids(this.grids[0]!.shift, shift);
  }

  /** Goes on for so many ids. True if none is left. */
  continueRegrid(ids: number): boolean {
    const words = this.#words;
    const end = Math.min(this.#leavesFrom + ids, words[USED_AT]!);
    for (; this.#leavesFrom < end; this.#leavesFrom++) {
      const at = HEADER_WORDS + this.#leavesFrom * THING_WORDS;
      if (words[at + BUCKET_AT] !== NONE) this.put(this.#leavesFrom, words[at + LAT_AT]!, words[at + LON_AT]!);
    }
    if (end < words[USED_AT]!) return false;
    const { shift } = this.grids[0]!;
    this.#setGrids(shift, shift);
    return true;
  }

  #setGrids(from: number, to: number): void {
    Atomics.store(this.#words, GRIDS_AT, gridsWord((this.#gridsWord >>> 10) + 1, from, to));
    this.epoch();
  }
}
