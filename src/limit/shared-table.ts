/**
 * Rows in memory that threads share: each thread works on the row of a key as if it were alone, and no thread can hold up the
 * others for good, not even one that is killed in the middle.
 *
 *     [ header: 48 B ][ a version for each set: int32 ][ a tag for each row: int32 ][ rows ]
 *     row: [ word: int32 ][ upper half of the key's hash: int32 ][ used since: int32 ][ – ][ numbers ][ numbers ]
 *
 * **Working on a row.** The word says which of the two copies of the numbers counts. A thread locks the row by a
 * compare-exchange on the word, reads the copy that counts, writes the other, and by a second compare-exchange at once unlocks
 * the row and makes the other copy the one that counts. What a thread that died had begun is thus as if it had never been.
 *
 * **A thread that died, or sleeps.** Who finds a row locked looks again and again, then sleeps in between. If the word has not changed
 * for `PATIENCE_MS`, its owner is taken for dead: the numbers that count move to another row, and this one is *abandoned*, and used
 * again only when its set has no other and then with another version, so that an owner that was only asleep finds on waking that its second
 * exchange fails, and begins anew. A death costs a row. Who needs a row where all of a set are locked waits for one in the same way.
 *
 * **Finding and making a row.** The hash chooses a set of `WAYS` rows; their tags lie in one cache line. A thread that does not find its
 * key locks a row that is free, or else one not used since the last such search (CLOCK), writes the key, and then raises the set's version
 * by a compare-exchange from the value it had before it searched. If that fails, somebody made a row in this set meanwhile, perhaps for
 * the same key: it frees its own and searches again. So no key ever has two rows. Taking a row from a key only ever
 * admits more.
 *
 * **Several rows** are locked in the order of their hashes, so no two threads wait for each other.
 *
 * Invariants: only the owner of the lock writes a row; the copy that counts is written by nobody; no version, of 30 bits, comes again
 * before a thread that was stopped is given up.
 * Cost: two atomic exchanges a take (`npm run bench -- limit`); 64 B a row for three numbers, of which a quarter to a half are in use.
 * A key is known by 64 bits of a hash with a secret (half-sip-hash.ts): of a million keys two are the same with a chance of 1 in 37 million.
 */
import { halfSipHash, type HashSecret } from '../kernel/half-sip-hash.ts';
import { invalid } from './options.ts';

const WAYS = 16;
/** Of a set that is laid out for it so many are in use on average; then of 300 sets one has more keys than rows. */
const WAYS_USED = 8;
/** Also of a table for a few keys, whose rows would otherwise all be in one set, where threads that need several could wait for each other. */
const ROWS_BYTES_MIN = 16_384;

const MAGIC = 0x53504c32; // a layout that is not this one is refused
/** Large memory begins 16 bytes behind a page (glibc): so a row of three numbers is in one cache line, and not in two. */
const HEADER_BYTES = 48;
const [MAGIC_AT, SETS_AT, WIDTH_AT, SECRET_AT] = [0, 1, 2, 3] as const;
const ORIGIN_AT = 4; // in float64

/** Parts of a row's word. Above them is its version. */
const LIVE = 1;
const LOCKED = 2;
const VERSION = 4;
const FREE = 0;
const ABANDONED = -1;

/** Parts of a row, in int32. */
const [UPPER_AT, RECENT_AT, ROW_HEADER_WORDS] = [1, 2, 4] as const;

/** What `RECENT_AT` says of a row whose maker does not yet know whether the key has another. */
const UNCLAIMED = 2;

/** About a microsecond: ten times what an owner takes that is running. */
const LOOKS = 200;
const SLEEP_MS = 1;
/** A hundred slices of a scheduler; an owner that is only stopped for that long loses its turn, and nothing else. */
const PATIENCE_MS = 100;

const padded = (bytes: number): number => Math.ceil(bytes / 64) * 64;

function rowsStart(sets: number): number {
  return HEADER_BYTES + padded(sets * 4) + sets * WAYS * 4;
}

function rowBytes(width: number): number {
  return ROW_HEADER_WORDS * 4 + 2 * width * 8;
}

export interface SharedLayout {
  /** A power of two. */
  readonly sets: number;
  /** Numbers a row. */
  readonly width: number;
  readonly bytes: number;
}

export function layoutFor(keysMax: number, width: number): SharedLayout {
  const setsMin = ROWS_BYTES_MIN / (WAYS * rowBytes(width));
  const bits = Math.max(Math.ceil(Math.log2(keysMax / WAYS_USED)), Math.floor(Math.log2(setsMin)), 0);
  return layoutOf(2 ** bits, width);
}

export function layoutOf(sets: number, width: number): SharedLayout {
  return { sets, width, bytes: rowsStart(sets) + sets * WAYS * rowBytes(width) };
}

/** Zeroed memory with its header. */
export function createTable(
  { sets, width, bytes }: SharedLayout,
  secret: HashSecret,
  originUs: number,
): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(bytes);
  const header = new Int32Array(buffer, 0, HEADER_BYTES / 4);
  header[MAGIC_AT] = MAGIC;
  header[SETS_AT] = sets;
  header[WIDTH_AT] = width;
  header.set(secret, SECRET_AT);
  new Float64Array(buffer, 0, HEADER_BYTES / 8)[ORIGIN_AT] = originUs;
  return buffer;
}

/** What `SharedTable.hold` found: a row that this thread has locked. */
export interface Hold {
  row: number;
  /** Its word, locked. */
  word: number;
  /** The numbers that count when it is let go. */
  readonly numbers: Float64Array;
}

export class SharedTable {
  readonly width: number;
  readonly secret: HashSecret;
  readonly originUs: number;
  readonly #setBits: number;
  readonly #versions: Int32Array;
  readonly #tags: Int32Array;
  /** The rows, as words and as numbers. */
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #rowWords: number;
  /** Of the row that `#spare` found. */
  #spareWord = FREE;

  constructor(buffer: SharedArrayBuffer) {
    const header = buffer.byteLength >= HEADER_BYTES ? new Int32Array(buffer, 0, HEADER_BYTES / 4) : new Int32Array(16);
    const sets = header[SETS_AT]!;
    this.width = header[WIDTH_AT]!;
    const start = rowsStart(sets);
    if (header[MAGIC_AT] !== MAGIC || buffer.byteLength !== start + sets * WAYS * rowBytes(this.width)) {
      throw invalid('sharedMemoryStore: this is not memory made by createSharedMemory.');
    }
    this.secret = header.slice(SECRET_AT, SECRET_AT + 2);
    this.originUs = new Float64Array(buffer, 0, HEADER_BYTES / 8)[ORIGIN_AT]!;
    this.#setBits = Math.log2(sets);
    this.#versions = new Int32Array(buffer, HEADER_BYTES, sets);
    this.#tags = new Int32Array(buffer, HEADER_BYTES + padded(sets * 4), sets * WAYS);
    this.#words = new Int32Array(buffer, start);
    this.#numbers = new Float64Array(buffer, start);
    this.#rowWords = rowBytes(this.width) / 4;
  }

  /** Rows in use, counted one by one. */
  count(): number {
    let count = 0;
    for (let row = 0; row < this.#tags.length; row++) {
      const word = Atomics.load(this.#words, row * this.#rowWords);
      if (word !== FREE && word !== ABANDONED) count += 1;
    }
    return count;
  }

  /** Locks the row of a key and copies its numbers to `hold`; makes one if there is none and `create` says so. */
  hold(upper: number, lower: number, create: boolean, hold: Hold): boolean {
    const set = this.#setBits === 0 ? 0 : upper >>> (32 - this.#setBits);
    for (;;) {
      // Before the search: whoever makes a row after this is noticed.
      const version = Atomics.load(this.#versions, set);
      const row = this.#find(set, upper, lower);
      if (row < 0) {
        if (!create) return false;
        if (this.#make(set, upper, lower, hold, () => this.#raise(set, version))) return true;
      } else if (this.#lock(row, upper, lower, hold)) return true;
    }
  }

  /** The numbers that count anew, whatever was done to those of `hold`. */
  reread({ row, word, numbers }: Hold): void {
    this.#read(row, word & LIVE, numbers);
  }

  /** Unlocks the row; its numbers are from now on those of `hold`. False if the row was taken for abandoned meanwhile. */
  letGo({ row, word, numbers }: Hold, changed: boolean): boolean {
    const live = changed ? (word & LIVE) ^ LIVE : word & LIVE;
    // Another may hold it by now, and this copy be the one that counts.
    if (Atomics.load(this.#words, row * this.#rowWords) !== word) return false;
    if (changed) {
      const to = this.#copyAt(row, live);
      for (let index = 0; index < numbers.length; index++) this.#numbers[to + index] = numbers[index]!;
    }
    const version = nextVersion(word);
    return Atomics.compareExchange(this.#words, row * this.#rowWords, word, version | live) === word;
  }

  /** Whether the row is still held, and was not taken for abandoned. */
  holds({ row, word }: Hold): boolean {
    return Atomics.load(this.#words, row * this.#rowWords) === word;
  }

  /** Unlocks the row and frees it. */
  free({ row, word }: Hold): void {
    Atomics.compareExchange(this.#words, row * this.#rowWords, word, FREE);
  }

  /** Where in the numbers a copy begins. */
  #copyAt(row: number, live: number): number {
    return (row * this.#rowWords + ROW_HEADER_WORDS) / 2 + live * this.width;
  }

  #find(set: number, upper: number, lower: number): number {
    const tags = this.#tags;
    const first = set * WAYS;
    for (let way = 0; way < WAYS; way++) {
      const row = first + ((lower + way) & (WAYS - 1));
      if (tags[row] === lower && this.#is(row, upper, lower)) return row;
    }
    return -1;
  }

  #is(row: number, upper: number, lower: number): boolean {
    const at = row * this.#rowWords;
    const word = Atomics.load(this.#words, at);
    return word !== FREE && word !== ABANDONED && this.#words[at + UPPER_AT] === upper && this.#tags[row] === lower;
  }

  /** False if the row is another key's by now: search again. */
  #lock(row: number, upper: number, lower: number, hold: Hold): boolean {
    const words = this.#words;
    const at = row * this.#rowWords;
    const word = Atomics.load(words, at);
    if (word === FREE || word === ABANDONED) return false;
    if ((word & LOCKED) !== 0) {
      // It may have become another key's before it was locked.
      if (this.#outwait(at, word) || !this.#is(row, upper, lower)) return false;
      if (words[at + RECENT_AT] !== UNCLAIMED) return this.#rescue(row, word, upper, lower, hold);
      this.#abandon(row, word);
      return false;
    }
    if (Atomics.compareExchange(words, at, word, word | LOCKED) !== word) return false;
    hold.row = row;
    hold.word = word | LOCKED;
    if (!this.#is(row, upper, lower)) {
      this.letGo(hold, false);
      return false;
    }
    words[at + RECENT_AT] = 1;
    this.#read(row, word & LIVE, hold.numbers);
    return true;
  }

  #read(row: number, live: number, numbers: Float64Array): void {
    const from = this.#copyAt(row, live);
    for (let index = 0; index < numbers.length; index++) numbers[index] = this.#numbers[from + index]!;
  }

  /** True as soon as the word is another; false if it stays the same for so long that its owner must be dead. */
  #outwait(at: number, word: number): boolean {
    for (let look = 0; look < LOOKS; look++) if (Atomics.load(this.#words, at) !== word) return true;
    for (let slept = 0; slept < PATIENCE_MS; slept += SLEEP_MS) {
      if (Atomics.wait(this.#words, at, word, SLEEP_MS) === 'not-equal') return true;
    }
    return Atomics.load(this.#words, at) !== word;
  }

  /** Moves the numbers that count from a row whose owner died to another, which is then held. False: search again. */
  #rescue(row: number, word: number, upper: number, lower: number, hold: Hold): boolean {
    const numbers = new Float64Array(this.width);
    this.#read(row, word & LIVE, numbers);
    const set = Math.floor(row / WAYS);
    const abandon = (): boolean => {
      // First, so that who did not see the new row makes none when the old one is gone.
      Atomics.add(this.#versions, set, 1);
      // Not if the new one was abandoned meanwhile: the old one has the numbers.
      return this.holds(hold) && this.#abandon(row, word);
    };
    return this.#make(set, upper, lower, hold, abandon, numbers);
  }

  #abandon(row: number, word: number): boolean {
    return Atomics.compareExchange(this.#words, row * this.#rowWords, word, ABANDONED) === word;
  }

  #raise(set: number, version: number): boolean {
    return Atomics.compareExchange(this.#versions, set, version, (version + 1) | 0) === version;
  }

  /** Locks a row for a key and writes the key; it is the key's if `claim` succeeds, and freed again otherwise. */
  #make(set: number, upper: number, lower: number, hold: Hold, claim: () => boolean, numbers?: Float64Array): boolean {
    const words = this.#words;
    const row = this.#spare(set, lower);
    const word = this.#spareWord;
    const at = row * this.#rowWords;
    if (word !== ABANDONED && (word & LOCKED) !== 0) {
      if (!this.#outwait(at, word)) this.#abandon(row, word);
      return false;
    }
    // The row's own version is gone with its word; that of the set is another than last time.
    const unused = word === FREE || word === ABANDONED;
    const locked = (unused ? nextVersion(Atomics.load(this.#versions, set) << 2) : word) | LOCKED;
    if (Atomics.compareExchange(words, at, word, locked) !== word) return false;
    const from = this.#copyAt(row, locked & LIVE);
    for (let index = 0; index < this.width; index++) this.#numbers[from + index] = numbers?.[index] ?? 0;
    words[at + UPPER_AT] = upper;
    Atomics.store(words, at + RECENT_AT, UNCLAIMED);
    Atomics.store(this.#tags, row, lower);
    hold.row = row;
    hold.word = locked;
    if (claim()) {
      words[at + RECENT_AT] = 0;
      this.#read(row, locked & LIVE, hold.numbers);
      return true;
    }
    this.free(hold);
    return false;
  }

  /**
   * A free row of the set; else one that nobody holds and that was not used since the last search; else whichever. It is so while its word is
   * `#spareWord`: by the next look it may be somebody's.
   */
  #spare(set: number, lower: number): number {
    const words = this.#words;
    const first = set * WAYS;
    const hand = Atomics.load(this.#versions, set);
    for (let way = 0; way < WAYS; way++) {
      const row = first + ((lower + way) & (WAYS - 1));
      this.#spareWord = Atomics.load(words, row * this.#rowWords);
      if (this.#spareWord === FREE) return row;
    }
    let abandoned = first;
    let wordOfAbandoned = Atomics.load(words, first * this.#rowWords);
    for (let turn = 0; turn < 2; turn++) {
      for (let way = 0; way < WAYS; way++) {
        const row = first + ((hand + way) & (WAYS - 1));
        const at = row * this.#rowWords;
        const word = Atomics.load(words, at);
        if (word === ABANDONED) [abandoned, wordOfAbandoned] = [row, word];
        else if ((word & LOCKED) === 0) {
          this.#spareWord = word;
          if (words[at + RECENT_AT] === 0) return row;
          words[at + RECENT_AT] = 0;
        }
      }
    }
    // All are held, or were abandoned: sixteen deaths in one set.
    this.#spareWord = wordOfAbandoned;
    return abandoned;
  }
}

/** The version of the next word; never such that a word could be `FREE` or `ABANDONED`. */
function nextVersion(word: number): number {
  const version = ((word & ~(LIVE | LOCKED)) + VERSION) | 0;
  return version === 0 || version === -VERSION ? VERSION : version;
}

/** A secret of one limiter's own, so that its keys are not those of another in the same table. */
export function secretFor(table: SharedTable, name: string): HashSecret {
  const secret = new Int32Array(2);
  halfSipHash(name, table.secret, secret);
  return secret;
}
