/**
 * Fuse: a filter of a set that is known as a whole and does not change. The smallest: 9.1 bits a key for a
 * false-positive rate of 1/256, 18.2 bits for 1/65536, three reads whatever the answer. Nothing can be added.
 *
 * A large set is built in shards of about a million keys (fuse-shard.ts), one after another; keys in two copies are one key.
 *
 * Body: for each shard four words (the try that succeeded, bits of the length of a segment, segments, keys), then the
 * fingerprints of all shards. The kind's own word 0: the bits that select a shard.
 *
 * Cost: building takes 8 B a key until the keys are counted, or a folder on disk, and beside it the filter and 42 MB. About
 * 200 ns a key, in which the thread does nothing else: for large sets use a worker.
 */
import { checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { type FilterKey, type FilterKeys, hashKey, type SeedOption, seedWords } from './filter-key.ts';
import type { Filter, FilterReport } from './filter.ts';
import { FuseBuilder } from './fuse-builder.ts';
import { FuseHashes } from './fuse-hashes.ts';
import {
  SEGMENT_BITS_MAX,
  SHARD_KEYS_MAX,
  shardHas,
  shardLength,
  type ShardShape,
  stirHigh,
  stirLow,
} from './fuse-shard.ts';
import { createImage, damaged, type FilterKind, type Image, imageOfKind, sealedCopy } from './image.ts';
import { hasEach } from './many.ts';

export interface FuseOptions {
  /** Of a fingerprint: 8 for a false-positive rate of 0.39 % in 9.1 bits a key, 16 for 0.0015 % in 18.2. @defaultValue 8 */
  readonly bits?: 8 | 16;
  /**
   * An existing folder on a disk with 8 B a key to spare, where hashes are kept until all are there, in a folder `fuse-…` that a
   * process leaves there only if it is killed. Without it they are kept in memory.
   */
  readonly folder?: string;
  /** @defaultValue [0, 0] */
  readonly seed?: SeedOption;
}

const TABLE_WORDS = 4;
const SHARD_BITS_MAX = 16;
/** More than any shard has; what a damaged table says must not become a size. */
const SEGMENTS_MAX = 2 ** 24;

class FuseFilter implements Filter {
  readonly kind: FilterKind;
  readonly capacity: number;
  readonly falsePositiveRate: number;
  readonly memory: ArrayBufferLike;
  readonly #image: Image;
  readonly #shardBits: number;
  readonly #fingerprints: Uint8Array | Uint16Array;
  readonly #shapes: readonly ShardShape[];
  /** Of each shard: where its fingerprints begin, and its try. */
  readonly #starts: Float64Array;
  readonly #seeds: Int32Array;
  readonly #words = new Int32Array(2);

  constructor(image: Image) {
    this.#image = image;
    const { body, header } = image;
    ({ memory: this.memory } = image);
    ({ kind: this.kind, capacity: this.capacity, falsePositiveRate: this.falsePositiveRate } = header);
    this.#shardBits = header.own[0]!;
    if (this.#shardBits > SHARD_BITS_MAX) throw damaged(`2^${this.#shardBits} shards are not possible`);
    const shards = 2 ** this.#shardBits;
    const tableBytes = 4 * TABLE_WORDS * shards;
    if (body.length < tableBytes) throw damaged(`${body.length} bytes are less than the table of ${shards} shards`);
    const table = new Uint32Array(body.buffer, body.byteOffset, TABLE_WORDS * shards);
    this.#starts = new Float64Array(shards);
    this.#seeds = new Int32Array(shards);
    let length = 0;
    this.#shapes = Array.from({ length: shards }, (_, shard) => {
      const [seed = 0, segmentBits = 0, segments = 0] = table.subarray(TABLE_WORDS * shard);
      if (segmentBits > SEGMENT_BITS_MAX || segments > SEGMENTS_MAX)
        throw damaged(`shard ${shard} has no possible shape`);
      this.#starts[shard] = length;
      this.#seeds[shard] = seed;
      length += shardLength({ segmentBits, segments });
      return { segmentBits, segments };
    });
    const bytes = header.kind === 'fuse8' ? 1 : 2;
    if (tableBytes + length * bytes !== body.length) throw damaged(`its shards are not ${body.length} bytes`);
    const at = body.byteOffset + tableBytes;
    this.#fingerprints =
      bytes === 1 ? new Uint8Array(body.buffer, at, length) : new Uint16Array(body.buffer, at, length);
  }

  has(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#words);
    return this.#hasHash(this.#words[0]!, this.#words[1]!);
  }

  // Functions on a hash are fields, so that they are handed on as they are.
  readonly #hasHash = (high: number, low: number): boolean => {
    const shard = this.#shardBits === 0 ? 0 : low >>> (32 - this.#shardBits);
    const shape = this.#shapes[shard]!;
    if (shape.segments === 0) return false;
    const stirredLow = stirLow(high, low, this.#seeds[shard]!);
    const stirredHigh = stirHigh(high, stirredLow, this.#seeds[shard]!);
    return shardHas(this.#fingerprints, this.#starts[shard]!, shape, stirredHigh, stirredLow);
  };

  hasMany(keys: FilterKeys): Uint8Array {
    return hasEach(keys, this.#image.header.seed, { has: this.#hasHash });
  }

  report(): FilterReport {
    const { kind, capacity } = this;
    const rate = capacity === 0 ? 0 : this.falsePositiveRate;
    return {
      kind,
      bytes: this.memory.byteLength,
      capacity,
      count: capacity,
      fill: 1,
      falsePositiveRate: { now: rate, atCapacity: rate },
      overCapacity: false,
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return sealedCopy(this.#image);
  }
}

/** The filter in memory, or in the bytes that `toBytes` made. */
export function openFuseFilter(source: ArrayBufferLike | Uint8Array): Filter {
  return new FuseFilter(imageOfKind(source, 'fuse8', 'fuse16'));
}

/** Takes the keys of a fuse filter, as many at a time as there are, and then makes it. */
export class FuseFilterBuilder implements Disposable {
  readonly #bits: 8 | 16;
  readonly #seed: Int32Array;
  readonly #hashes: FuseHashes;
  readonly #words = new Int32Array(2);
  #used = false;

  constructor(options: FuseOptions = {}) {
    checkKeys('createFuseFilter', options, ['bits', 'folder', 'seed']);
    const { bits = 8, folder = null, seed } = options;
    if (bits !== 8 && bits !== 16) throw invalid(`bits is ${textOfGiven(bits)}; expected 8 or 16.`);
    this.#bits = bits;
    this.#seed = seedWords(seed);
    this.#hashes = new FuseHashes(folder);
  }

  add(key: FilterKey): void {
    this.#checkUnused();
    hashKey(key, this.#seed, this.#words);
    this.#hashes.push(this.#words[0]!, this.#words[1]!);
  }

  /** The filter of all keys added; the builder is then used up, also if there is no such filter. */
  build(): Filter {
    this.#checkUnused();
    try {
      return new FuseFilter(this.#build());
    } finally {
      this[Symbol.dispose]();
    }
  }

  #build(): Image {
    const shardBits = Math.max(0, Math.ceil(Math.log2(this.#hashes.pairs / SHARD_KEYS_MAX)));
    if (shardBits > SHARD_BITS_MAX) throw invalid(`${this.#hashes.pairs} keys are too many for one filter.`);
    const builder = new FuseBuilder(this.#bits);
    const table = new Uint32Array(TABLE_WORDS * 2 ** shardBits);
    const parts: (Uint8Array | Uint16Array)[] = [];
    let keys = 0;
    for (const pairs of this.#hashes.shards(shardBits)) {
      const shard = builder.build(pairs);
      table.set([shard.seed, shard.segmentBits, shard.segments, shard.keys], TABLE_WORDS * parts.length);
      parts.push(shard.fingerprints);
      keys += shard.keys;
    }
    const image = createImage(
      {
        kind: this.#bits === 8 ? 'fuse8' : 'fuse16',
        seed: this.#seed,
        capacity: keys,
        falsePositiveRate: 2 ** -this.#bits,
        bodyBytes: parts.reduce((sum, part) => sum + part.byteLength, table.byteLength),
        probes: 3,
        own: [shardBits],
      },
      false,
    );
    image.body.set(new Uint8Array(table.buffer));
    let at = table.byteLength;
    for (const part of parts) {
      image.body.set(new Uint8Array(part.buffer), at);
      at += part.byteLength;
      // Given back at once: otherwise the filter is in memory twice.
      (part.buffer as ArrayBuffer).transfer(0);
    }
    return image;
  }

  /** A key that came too late would be missing. */
  #checkUnused(): void {
    if (this.#used) throw invalid('The builder of a fuse filter is used up, by `build` or because it was disposed of.');
  }

  /** Forgets the keys and removes what is on disk; also what `build` does. */
  [Symbol.dispose](): void {
    this.#used = true;
    this.#hashes.close();
  }
}

/**
 * A filter of exactly these keys, in as many copies and in whatever order they come.
 *
 * @example
 * const blocked = createFuseFilter(['10.0.0.1', '10.0.0.2']);
 * console.log(blocked.has('10.0.0.2')); // true
 */
export function createFuseFilter(keys: Iterable<FilterKey>, options: FuseOptions = {}): Filter {
  // A text is iterable too: its letters.
  if (typeof keys === 'string' || typeof keys?.[Symbol.iterator] !== 'function') {
    throw invalid(
      `The keys of a fuse filter are of type ${typeof keys}; expected an array or another iterable of keys.`,
    );
  }
  using builder = new FuseFilterBuilder(options);
  for (const key of keys) builder.add(key);
  return builder.build();
}
