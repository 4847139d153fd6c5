/**
 * Cuckoo: a filter from which keys can be taken out again, in a quarter of the memory of counters (cuckoo-table.ts). At low rates
 * (0.2 % and below) it is smaller than a Bloom filter too. It does not take more than its capacity by much: a full one says so.
 *
 * - Never a false negative for what was added and not taken out, also when it is full: what finds no place is refused as a whole.
 * - A key added twice is there twice. Take out only what was added: a key that was not may share its fingerprint with one
 *   that was, which would then be missing.
 *
 * Body: 64 B of state (keys, f64; entries of the stash in use, i32), the stash, the places. The kind's own words: bits of a fingerprint, buckets.
 * Cost: 8.4, 12.6 or 16.8 bits a key for false-positive rates of 3 %, 0.19 % and 0.012 %; `npm run bench -- bloom`. One thread writes.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys, invalid } from '../kernel/options.ts';
import {
  BUCKET_SLOTS,
  CuckooTable,
  type FingerprintBits,
  slotWords,
  STASH_ENTRIES,
  STASH_WORDS,
} from './cuckoo-table.ts';
import type { DeletableFilter, FilterReport } from './filter.ts';
import { type FilterKey, type FilterKeys, hashKey, type SeedOption, seedWords } from './filter-key.ts';
import { createImage, damaged, type Image, imageOfKind, sealedCopy } from './image.ts';
import { addEach, hasEach } from './many.ts';
import { checkedSize, type SizeOptions } from './size.ts';

export interface CuckooOptions extends SizeOptions {
  /** @defaultValue [0, 0] */
  readonly seed?: SeedOption;
}

const STATE_BYTES = 64;
const STASH_BYTES = 4 * STASH_ENTRIES * STASH_WORDS;
const SLOTS_AT = STATE_BYTES + STASH_BYTES;
/** Up to here the stash stays empty, or nearly. */
const LOAD = 0.95;
/** Beyond it the number of a place is no 32-bit one. */
const BUCKETS_MAX = 2 ** 30;

const widths: readonly FingerprintBits[] = [8, 12, 16];

/** How often one of the places of an absent key has its fingerprint by chance, when such a share of places is taken. */
function rateOf(bits: FingerprintBits, fill: number): number {
  return 1 - (1 - 1 / (2 ** bits - 1)) ** (2 * BUCKET_SLOTS * fill);
}

function bodyBytes(buckets: number, bits: FingerprintBits): number {
  return SLOTS_AT + 4 * Math.ceil((2 * slotWords(buckets, bits)) / 4);
}

class CuckooFilter implements DeletableFilter {
  readonly kind = 'cuckoo';
  readonly capacity: number;
  readonly falsePositiveRate: number;
  readonly memory: ArrayBufferLike;
  readonly #image: Image;
  readonly #bits: FingerprintBits;
  readonly #places: number;
  readonly #table: CuckooTable;
  /** Keys in it. */
  readonly #state: Float64Array;
  readonly #words = new Int32Array(2);

  constructor(image: Image) {
    const { body, header, memory } = image;
    this.#image = image;
    ({ capacity: this.capacity, falsePositiveRate: this.falsePositiveRate } = header);
    this.memory = memory;
    const [bits = 0, buckets = 0] = header.own;
    const width = widths.find((each) => each === bits);
    if (width === undefined || buckets < 1 || buckets > BUCKETS_MAX || bodyBytes(buckets, width) !== body.length) {
      throw damaged(`${body.length} bytes cannot have ${buckets} buckets of fingerprints of ${bits} bits`);
    }
    this.#bits = width;
    this.#places = buckets * BUCKET_SLOTS;
    this.#state = new Float64Array(memory, body.byteOffset, 1);
    const stash = new Int32Array(memory, body.byteOffset + STATE_BYTES, STASH_ENTRIES * STASH_WORDS);
    for (let at = 0; at < stash.length; at += STASH_WORDS) {
      if (stash[at]! < 0 || stash[at]! >= buckets) throw damaged(`its stash names a bucket ${stash[at]} of ${buckets}`);
    }
    this.#table = new CuckooTable({
      buckets,
      bits: width,
      slots: new Uint16Array(memory, body.byteOffset + SLOTS_AT, slotWords(buckets, width)),
      stash,
      stashed: new Int32Array(memory, body.byteOffset + 8, 1),
    });
  }

  has(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#words);
    return this.#table.has(this.#words[0]!, this.#words[1]!);
  }

  hasMany(keys: FilterKeys): Uint8Array {
    return hasEach(keys, this.#image.header.seed, this.#table);
  }

  add(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#words);
    return this.#add(this.#words[0]!, this.#words[1]!);
  }

  addMany(keys: FilterKeys): number {
    return addEach(keys, this.#image.header.seed, { add: (high, low) => this.#add(high, low) });
  }

  #add(high: number, low: number): boolean {
    const fresh = !this.#table.has(high, low);
    if (!this.#table.add(high, low)) {
      throw new SpillwayError(
        'FILTER_FULL',
        `The cuckoo filter is full: it was made for ${this.capacity} keys and holds ${this.#state[0]}. Nothing was lost; make a larger one. ` +
          `A key that is added again and again takes a place each time.`,
      );
    }
    this.#state[0]! += 1;
    return fresh;
  }

  delete(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#words);
    if (!this.#table.delete(this.#words[0]!, this.#words[1]!)) return false;
    this.#state[0]! -= 1;
    return true;
  }

  estimateCount(): number {
    return this.#state[0]!;
  }

  report(): FilterReport {
    const count = this.#state[0]!;
    const fill = Math.min(1, count / this.#places);
    return {
      kind: this.kind,
      bytes: this.memory.byteLength,
      capacity: this.capacity,
      count,
      fill,
      falsePositiveRate: {
        now: rateOf(this.#bits, fill),
        atCapacity: rateOf(this.#bits, this.capacity / this.#places),
      },
      overCapacity: count > this.capacity,
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return sealedCopy(this.#image);
  }
}

/**
 * A filter for so many keys, each of which can be taken out again.
 *
 * `falsePositiveRate` down to 0.012 %: the widest fingerprint has 16 bits.
 *
 * @example
 * const sessions = createCuckooFilter({ capacity: 100_000, falsePositiveRate: '0.2%' });
 * sessions.add('session-1');
 * sessions.delete('session-1');
 * console.log(sessions.has('session-1')); // false
 */
export function createCuckooFilter(options: CuckooOptions): DeletableFilter {
  checkKeys('A cuckoo filter', options, ['capacity', 'falsePositiveRate', 'seed']);
  const { capacity, rate } = checkedSize(options);
  const buckets = Math.ceil(capacity / (BUCKET_SLOTS * LOAD));
  if (buckets > BUCKETS_MAX) {
    const most = Math.floor(BUCKETS_MAX * BUCKET_SLOTS * LOAD);
    throw invalid(
      `capacity is ${capacity}; a cuckoo filter has at most ${most}: use several, each for its part of the keys.`,
    );
  }
  const bits = widths.find((width) => rateOf(width, capacity / (buckets * BUCKET_SLOTS)) <= rate);
  if (bits === undefined) {
    const least = rateOf(16, LOAD).toPrecision(2);
    throw invalid(`falsePositiveRate is ${rate}; a cuckoo filter reaches ${least}: use fuse, or a Bloom filter.`);
  }
  return new CuckooFilter(
    createImage(
      {
        kind: 'cuckoo',
        seed: seedWords(options.seed),
        capacity,
        falsePositiveRate: rate,
        bodyBytes: bodyBytes(buckets, bits),
        probes: 2,
        own: [bits, buckets],
      },
      false,
    ),
  );
}

/** The filter in memory, or in the bytes that `toBytes` made. */
export function openCuckooFilter(source: ArrayBufferLike | Uint8Array): DeletableFilter {
  return new CuckooFilter(imageOfKind(source, 'cuckoo'));
}
