/**
 * How a Bloom filter lays out the bits of its keys: what differs between blocked, classic and parquet, and nothing else.
 *
 * A layout divides the body into blocks and says where in them the bits of a hash are. Its arithmetic is done on 32-bit
 * words only, exactly: an index that is rounded, or cut to 32 bits, loses keys or fills the filter.
 */

/** How many places a hash has at most. */
export const PLACES_MAX = 24;

/** The bits of one filter. A hash is two words of 32 bits. Nothing is allocated by a call. */
export interface Bits {
  has(high: number, low: number): boolean;
  /** Sets the bits of a hash; true if one of them was not set. */
  add(high: number, low: number): boolean;
  readonly words: Int32Array;
  /**
   * Writes where in `words` is what `has` and `add` of the first `count` hashes read, a word of each cache line, and says how many places
   * these are: at most `PLACES_MAX` a hash. Hashes are two words each, the upper first.
   */
  places(hashes: Readonly<Int32Array>, count: number, out: Int32Array): number;
}

export interface BitsOptions {
  /** The whole body. */
  readonly words: Int32Array;
  readonly blocks: number;
  readonly probes: number;
  /** True if other threads may write too. */
  readonly atomic: boolean;
}

/** What a filter, or a sample of its blocks, holds. */
export interface Fill {
  /** Share of bits set. */
  readonly fill: number;
  /** How often a hash that was not added finds all of its bits set. */
  readonly rate: number;
}

export interface Layout {
  readonly blockBytes: number;
  /** The counts of probes to choose from. */
  readonly probes: readonly number[];
  /** The one block that has all bits of a hash; null if they are in several. */
  readonly blockOf: ((high: number, low: number, blocks: number) => number) | null;
  open(options: BitsOptions): Bits;
  /** The predicted false-positive rate with so many keys. */
  rate(keys: number, blocks: number, probes: number): number;
  /** How many keys set such a share of the bits. */
  keys(fill: number, blocks: number, probes: number): number;
  measure(words: Int32Array, probes: number): Fill;
}

/** About how many keys fill blocks so. A full filter says only that there are more than its last clear bit would have said. */
export function countOf(layout: Layout, fill: number, blocks: number, probes: number): number {
  const clear = Math.max(1 - fill, 1 / (8 * layout.blockBytes * blocks));
  return Math.round(layout.keys(1 - clear, blocks, probes));
}

/** True if an estimated count is above the capacity by more than the estimate's own scatter. */
export function exceeds(count: number, capacity: number): boolean {
  return count > capacity * 1.002 + 4 * Math.sqrt(capacity);
}

/** Sets bits of a word and gives back those that were not set. A word that another thread writes too is changed by an atomic `or`. */
export function setBits(words: Int32Array, at: number, mask: number, atomic: boolean): number {
  let before = words[at]!;
  // Without a branch where it can be: half of the bits are set, and which, nobody can guess.
  if (!atomic) words[at] = before | mask;
  else if ((before & mask) !== mask) before = Atomics.or(words, at, mask);
  return mask & ~before;
}

/** Bits set in a word (Hacker's Delight, 5-1). */
export function ones(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** At most so many words are looked at to say how full a filter is: 4 MiB, for an error of about 0.05 %. */
const SAMPLE_WORDS = 2 ** 20;

/** Calls `visit` with the first word of blocks spread evenly over the body, of all blocks if they are few. */
export function sampleBlocks(words: Int32Array, blockWords: number, visit: (base: number) => void): number {
  const blocks = words.length / blockWords;
  const step = Math.max(1, Math.floor(words.length / SAMPLE_WORDS));
  let count = 0;
  for (let block = 0; block < blocks; block += step, count++) visit(block * blockWords);
  return count;
}

/** Loads above this leave no bit of a block clear. */
const LOAD_MAX = 5000;

/**
 * The rate of a filter whose keys go to blocks by lot: blocks with more keys than others say yes more often. The number of
 * keys in a block is Poisson's, and `rateOf` is the rate of a block with so many keys.
 */
export function mixedRate(load: number, rateOf: (keys: number) => number): number {
  if (load > LOAD_MAX) return 1;
  const last = Math.ceil(load + 12 * Math.sqrt(load) + 20);
  let logShare = -load;
  let sum = 0;
  for (let keys = 1; keys <= last; keys++) {
    logShare += Math.log(load / keys);
    sum += Math.exp(logShare) * rateOf(keys);
  }
  return Math.min(1, sum);
}
