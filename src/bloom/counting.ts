/**
 * Counting: the blocked Bloom filter with a counter of four bits in the place of each bit, so that keys can be taken out again.
 *
 * - A key's counters are where its bits would be in a blocked filter of the same capacity, rate and seed: the answers are the
 *   same, and `toFilter` makes that filter, at a quarter of the size, for those who only ask.
 * - A counter that reaches 15 stays there, whatever is taken out: it might stand for more. So nothing that is in it is ever
 *   missing; the price is a key that stays. At capacity that is one counter in 10^15 by chance; a key added 15 times does it.
 * - A key added twice is there twice. Take out only what was added.
 *
 * Body: 256 B for each block, eight counters a word from the lowest bits up. Cost: 40 bits a key at 1 %; a block is four cache
 * lines. One thread writes.
 */
import { checkKeys } from '../kernel/options.ts';
import { type BloomFilter, openFilter } from './bloom-filter.ts';
import { bitOf, BLOCK_BITS, blocked, blockOf, nextBits } from './blocked.ts';
import type { DeletableFilter, FilterReport } from './filter.ts';
import { type FilterKey, type FilterKeys, hashKey, type SeedOption, seedWords } from './filter-key.ts';
import { createImage, damaged, type Image, imageOfKind, sealedCopy } from './image.ts';
import { countOf, exceeds, ones, sampleBlocks } from './layout.ts';
import { addEach, type Ahead, hasEach } from './many.ts';
import { checkedSize, sizeOf, type SizeOptions } from './size.ts';

export interface CountingOptions extends SizeOptions {
  /** @defaultValue [0, 0] */
  readonly seed?: SeedOption;
}

export interface CountingFilter extends DeletableFilter {
  /** The blocked filter of the keys that are in it now. */
  toFilter(): BloomFilter;
}

const COUNTER_MAX = 15;
const COUNTERS_A_WORD = 8;
const BLOCK_WORDS = BLOCK_BITS / COUNTERS_A_WORD;

/** A bit for each counter of a word that is not 0: the lowest of its four. */
function used(word: number): number {
  return (word | (word >>> 1) | (word >>> 2) | (word >>> 3)) & 0x11111111;
}

/** A word of each cache line of the blocks, which lie over four of them, or over five. */
function placesOf(hashes: Readonly<Int32Array>, count: number, blocks: number, out: Int32Array): number {
  for (let at = 0; at < count; at++) {
    const base = blockOf(hashes[2 * at + 1]!, blocks) * BLOCK_WORDS;
    for (let line = 0; line < 4; line++) out[5 * at + line] = base + 16 * line;
    out[5 * at + 4] = base + BLOCK_WORDS - 1;
  }
  return 5 * count;
}

class BlockedCounters implements CountingFilter {
  readonly kind = 'counting';
  readonly capacity: number;
  readonly falsePositiveRate: number;
  readonly memory: ArrayBufferLike;
  readonly #image: Image;
  readonly #words: Int32Array;
  readonly #blocks: number;
  readonly #probes: number;
  readonly #ahead: Ahead;
  readonly #hash = new Int32Array(2);

  constructor(image: Image) {
    const { body, header, memory } = image;
    const { probes } = header;
    if (body.length === 0 || body.length % (4 * BLOCK_WORDS) !== 0 || !blocked.probes.includes(probes)) {
      throw damaged(`${body.length} bytes and ${probes} probes are not possible`);
    }
    this.#image = image;
    ({ capacity: this.capacity, falsePositiveRate: this.falsePositiveRate } = header);
    this.memory = memory;
    this.#words = new Int32Array(memory, body.byteOffset, body.length / 4);
    this.#blocks = this.#words.length / BLOCK_WORDS;
    this.#probes = probes;
    this.#ahead = { words: this.#words, places: (hashes, count, out) => placesOf(hashes, count, this.#blocks, out) };
  }

  has(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#hash);
    return this.#has(this.#hash[0]!, this.#hash[1]!);
  }

  hasMany(keys: FilterKeys): Uint8Array {
    return hasEach(keys, this.#image.header.seed, { has: (high, low) => this.#has(high, low) }, this.#ahead);
  }

  add(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#hash);
    return this.#add(this.#hash[0]!, this.#hash[1]!);
  }

  addMany(keys: FilterKeys): number {
    return addEach(keys, this.#image.header.seed, { add: (high, low) => this.#add(high, low) }, this.#ahead);
  }

  #has(high: number, low: number): boolean {
    const base = blockOf(low, this.#blocks) * BLOCK_WORDS;
    for (let probe = this.#probes, bits = high; probe > 0; probe--) {
      const counter = bitOf(bits);
      if (((this.#words[base + (counter >>> 3)]! >>> (4 * (counter & 7))) & COUNTER_MAX) === 0) return false;
      bits = nextBits(bits);
    }
    return true;
  }

  #add(high: number, low: number): boolean {
    const fresh = !this.#has(high, low);
    this.#count(high, low, 1);
    return fresh;
  }

  delete(key: FilterKey): boolean {
    hashKey(key, this.#image.header.seed, this.#hash);
    if (!this.#has(this.#hash[0]!, this.#hash[1]!)) return false;
    this.#count(this.#hash[0]!, this.#hash[1]!, -1);
    return true;
  }

  /** Two of a key's counters may be one and the same, which then goes up by two and down by two. */
  #count(high: number, low: number, by: 1 | -1): void {
    const base = blockOf(low, this.#blocks) * BLOCK_WORDS;
    for (let probe = this.#probes, bits = high; probe > 0; probe--) {
      const counter = bitOf(bits);
      const at = base + (counter >>> 3);
      const shift = 4 * (counter & 7);
      const count = (this.#words[at]! >>> shift) & COUNTER_MAX;
      if (count !== COUNTER_MAX && count + by >= 0) this.#words[at]! += by << shift;
      bits = nextBits(bits);
    }
  }

  toFilter(): BloomFilter {
    const bits = createImage(
      { ...this.#image.header, kind: 'blocked', bodyBytes: (this.#blocks * BLOCK_BITS) / 8 },
      false,
    );
    const to = new Int32Array(bits.memory, bits.body.byteOffset, bits.body.length / 4);
    for (let at = 0; at < this.#words.length; at++) {
      const set = used(this.#words[at]!);
      if (set === 0) continue;
      // Each word becomes a byte: the bits at 0, 4, 8, … 28 move together.
      let byte = 0;
      for (let counter = 0; counter < COUNTERS_A_WORD; counter++) byte |= ((set >>> (4 * counter)) & 1) << counter;
      to[at >>> 2]! |= byte << (8 * (at & 3));
    }
    return openFilter(bits.memory);
  }

  estimateCount(): number {
    return this.report().count;
  }

  report(): FilterReport {
    const { capacity } = this;
    let set = 0;
    let rate = 0;
    const blocks = sampleBlocks(this.#words, BLOCK_WORDS, (base) => {
      let own = 0;
      for (let at = 0; at < BLOCK_WORDS; at++) own += ones(used(this.#words[base + at]!));
      set += own;
      rate += (own / BLOCK_BITS) ** this.#probes;
    });
    const fill = set / (blocks * BLOCK_BITS);
    const count = countOf(blocked, fill, this.#blocks, this.#probes);
    return {
      kind: this.kind,
      bytes: this.memory.byteLength,
      capacity,
      count,
      fill,
      falsePositiveRate: { now: rate / blocks, atCapacity: blocked.rate(capacity, this.#blocks, this.#probes) },
      overCapacity: exceeds(count, capacity),
    };
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    return sealedCopy(this.#image);
  }
}

/**
 * A filter for so many keys at such a rate, each of which can be taken out again.
 *
 * @example
 * const online = createCountingFilter({ capacity: 100_000, falsePositiveRate: '1%' });
 * online.add('ada');
 * online.delete('ada');
 * console.log(online.has('ada')); // false
 */
export function createCountingFilter(options: CountingOptions): CountingFilter {
  checkKeys('A counting filter', options, ['capacity', 'falsePositiveRate', 'seed']);
  const { capacity, rate } = checkedSize(options);
  const { blocks, probes } = sizeOf(blocked, capacity, rate);
  return new BlockedCounters(
    createImage(
      {
        kind: 'counting',
        seed: seedWords(options.seed),
        capacity,
        falsePositiveRate: rate,
        bodyBytes: 4 * BLOCK_WORDS * blocks,
        probes,
        own: [],
      },
      false,
    ),
  );
}

/** The filter in memory, or in the bytes that `toBytes` made. */
export function openCountingFilter(source: ArrayBufferLike | Uint8Array): CountingFilter {
  return new BlockedCounters(imageOfKind(source, 'counting'));
}
