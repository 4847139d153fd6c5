/**
 * The classic layout: each bit of a key may be anywhere, as Bloom wrote it ("Space/Time Trade-offs in Hash Coding with Allowable
 * Errors", 1970). It takes the least room of the three, 9.585 bits a key at 1 %, and a lookup in a filter larger than the cache
 * waits for memory up to seven times.
 *
 * The hash is multiplied by 2^64 / φ for each next bit, all 64 bits of it, so that an index may be beyond 2^32: the upper
 * word says which 512 bits, the upper nine bits of the lower word which of those.
 */
import { multiplyHigh, productHigh } from '../kernel/int64.ts';
import {
  type Bits,
  type BitsOptions,
  type Fill,
  type Layout,
  ones,
  PLACES_MAX,
  sampleBlocks,
  setBits,
} from './layout.ts';

const BLOCK_BITS = 512;
const GOLDEN_HIGH = 0x9e3779b9 | 0;
const GOLDEN_LOW = 0x7f4a7c15 | 0;
/** The best count at a rate of 2^-24. */
const PROBES_MAX = PLACES_MAX;

class ClassicBits implements Bits {
  readonly words: Int32Array;
  readonly #blocks: number;
  readonly #probes: number;
  readonly #atomic: boolean;

  constructor({ words, blocks, probes, atomic }: BitsOptions) {
    this.words = words;
    this.#blocks = blocks;
    this.#probes = probes;
    this.#atomic = atomic;
  }

  has(high: number, low: number): boolean {
    const words = this.words;
    const blocks = this.#blocks;
    for (let probe = this.#probes; ;) {
      if ((words[(multiplyHigh(high, blocks) << 4) + (low >>> 28)]! & (1 << (low >>> 23))) === 0) return false;
      probe--;
      if (probe === 0) return true;
      high = productHigh(high, low, GOLDEN_HIGH, GOLDEN_LOW);
      low = Math.imul(low, GOLDEN_LOW);
    }
  }

  add(high: number, low: number): boolean {
    let fresh = 0;
    for (let probe = this.#probes; probe > 0; probe--) {
      const at = (multiplyHigh(high, this.#blocks) << 4) + (low >>> 28);
      fresh |= setBits(this.words, at, 1 << (low >>> 23), this.#atomic);
      high = productHigh(high, low, GOLDEN_HIGH, GOLDEN_LOW);
      low = Math.imul(low, GOLDEN_LOW);
    }
    return fresh !== 0;
  }

  places(hashes: Readonly<Int32Array>, count: number, out: Int32Array): number {
    let put = 0;
    for (let at = 0; at < count; at++) {
      let high = hashes[2 * at]!;
      let low = hashes[2 * at + 1]!;
      for (let probe = this.#probes; probe > 0; probe--) {
        out[put++] = (multiplyHigh(high, this.#blocks) << 4) + (low >>> 28);
        high = productHigh(high, low, GOLDEN_HIGH, GOLDEN_LOW);
        low = Math.imul(low, GOLDEN_LOW);
      }
    }
    return put;
  }
}

function measure(words: Int32Array, probes: number): Fill {
  let set = 0;
  const blockWords = BLOCK_BITS / 32;
  const blocks = sampleBlocks(words, blockWords, (base) => {
    for (let at = 0; at < blockWords; at++) set += ones(words[base + at]!);
  });
  const fill = set / (blocks * BLOCK_BITS);
  return { fill, rate: fill ** probes };
}

export const classic: Layout = {
  blockBytes: BLOCK_BITS / 8,
  probes: Array.from({ length: PROBES_MAX }, (_, index) => index + 1),
  blockOf: null,
  open: (options) => new ClassicBits(options),
  // log1p: of 2^36 bits one is less than a double can take from 1.
  rate: (keys, blocks, probes) => (-Math.expm1(probes * keys * Math.log1p(-1 / (blocks * BLOCK_BITS)))) ** probes,
  keys: (fill, blocks, probes) => Math.log1p(-fill) / Math.log1p(-1 / (blocks * BLOCK_BITS)) / probes,
  measure,
};
