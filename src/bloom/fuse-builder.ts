/**
 * Makes the shards of a fuse filter (fuse-shard.ts), one after the other in the same working memory: about 32 B a key of the
 * largest, beside the hashes themselves. Some 200 ns a key: `npm run bench -- bloom --fuse 10000000`.
 */
import { invalid } from '../kernel/options.ts';
import {
  fingerprintOf,
  firstPlace,
  secondPlace,
  type Shard,
  shardLength,
  type ShardShape,
  shardShape,
  stirHigh,
  stirLow,
  thirdPlace,
} from './fuse-shard.ts';

/** A try fails once in some hundred; as many in a row do not happen. */
const TRIES_MAX = 100;

/** How many keys have a place still, times four, and in the lower bits the XOR of which of its three places it is to them. */
const ONE = 4;
const WHICH = 3;

export class FuseBuilder {
  readonly #bits: 8 | 16;
  /** Hashes of the try, lower word first. */
  #stirred = new Int32Array(0);
  /** Keys set aside, in order; and which of its places each is to fill. */
  #aside = new Int32Array(0);
  #fills = new Uint8Array(0);
  /** Of each place: its keys, and the XOR of their hashes. */
  #counts = new Uint8Array(0);
  #sums = new Int32Array(0);
  /** Places that had one key left when they were last looked at. */
  #alone = new Int32Array(0);

  constructor(bits: 8 | 16) {
    this.#bits = bits;
  }

  /** The shard of some hashes, given as pairs of words, the lower first. */
  build(pairs: Int32Array): Shard {
    const count = pairs.length / 2;
    if (this.#fills.length < count) {
      this.#stirred = new Int32Array(2 * count);
      this.#aside = new Int32Array(2 * count);
      this.#fills = new Uint8Array(count);
    }
    for (let seed = 0; seed < TRIES_MAX; seed++) {
      const keys = this.#stir(pairs, count, seed);
      const shape = shardShape(keys);
      if (this.#peel(shape, keys)) return { ...shape, seed, keys, fingerprints: this.#fill(shape, keys) };
    }
    // Chance does not come here; somebody who knows the seed can.
    throw invalid(
      `No fuse filter of these keys was found in ${TRIES_MAX} tries: some were chosen so that there is none. Use seed: 'random'; of hashes of your own, hash with a seed that others do not know.`,
    );
  }

  /** Deals the hashes for a try, sorts them as unsigned 64-bit numbers and unites equal ones; says how many are left. */
  #stir(pairs: Int32Array, count: number, seed: number): number {
    const stirred = this.#stirred;
    for (let at = 0; at < 2 * count; at += 2) {
      const high = pairs[at + 1]!;
      const low = stirLow(high, pairs[at]!, seed);
      stirred[at] = low;
      stirred[at + 1] = stirHigh(high, low, seed);
    }
    new BigUint64Array(stirred.buffer, 0, count).sort();
    let kept = 0;
    for (let at = 0; at < 2 * count; at += 2) {
      const low = stirred[at]!;
      const high = stirred[at + 1]!;
      if (kept > 0 && stirred[kept - 2] === low && stirred[kept - 1] === high) continue;
      stirred[kept] = low;
      stirred[kept + 1] = high;
      kept += 2;
    }
    return kept / 2;
  }

  /** Sets every key aside by a place that it alone has left; false if some cannot be. */
  #peel({ segmentBits, segments }: ShardShape, keys: number): boolean {
    const length = shardLength({ segmentBits, segments });
    if (this.#counts.length < length) {
      this.#counts = new Uint8Array(length);
      this.#sums = new Int32Array(2 * length);
      this.#alone = new Int32Array(length);
    } else {
      this.#counts.fill(0, 0, length);
      this.#sums.fill(0, 0, 2 * length);
    }
    const [counts, sums, alone, stirred, aside, fills] = [
      this.#counts,
      this.#sums,
      this.#alone,
      this.#stirred,
      this.#aside,
      this.#fills,
    ];
    const segmentLength = 1 << segmentBits;
    const firsts = segments << segmentBits;

    let overflow = false;
    for (let at = 0; at < 2 * keys; at += 2) {
      const low = stirred[at]!;
      const high = stirred[at + 1]!;
      const first = firstPlace(high, firsts);
      const second = secondPlace(first, segmentLength, high, low);
      const third = thirdPlace(first, segmentLength, low);
      counts[first]! += ONE;
      counts[second] = (counts[second]! + ONE) ^ 1;
      counts[third] = (counts[third]! + ONE) ^ 2;
      sums[2 * first]! ^= low;
      sums[2 * first + 1]! ^= high;
      sums[2 * second]! ^= low;
      sums[2 * second + 1]! ^= high;
      sums[2 * third]! ^= low;
      sums[2 * third + 1]! ^= high;
      if (counts[first]! < ONE || counts[second] < ONE || counts[third] < ONE) overflow = true;
    }
    if (overflow) return false;

    let waiting = 0;
    for (let place = 0; place < length; place++) if (counts[place]! >> 2 === 1) alone[waiting++] = place;
    let peeled = 0;
    while (waiting > 0) {
      const place = alone[--waiting]!;
      if (counts[place]! >> 2 !== 1) continue;
      const low = sums[2 * place]!;
      const high = sums[2 * place + 1]!;
      const which = counts[place]! & WHICH;
      aside[2 * peeled] = low;
      aside[2 * peeled + 1] = high;
      fills[peeled++] = which;
      const first = firstPlace(high, firsts);
      const second = secondPlace(first, segmentLength, high, low);
      const third = thirdPlace(first, segmentLength, low);
      const one = which === 0 ? second : first;
      const other = which === 2 ? second : third;
      if (counts[one]! >> 2 === 2) alone[waiting++] = one;
      counts[one] = (counts[one]! - ONE) ^ (which === 0 ? 1 : 0);
      sums[2 * one]! ^= low;
      sums[2 * one + 1]! ^= high;
      if (counts[other]! >> 2 === 2) alone[waiting++] = other;
      counts[other] = (counts[other]! - ONE) ^ (which === 2 ? 1 : 2);
      sums[2 * other]! ^= low;
      sums[2 * other + 1]! ^= high;
    }
    return peeled === keys;
  }

  /** Fills places in the reverse order: when a key has its turn, nobody after it touches its three places. */
  #fill({ segmentBits, segments }: ShardShape, keys: number): Uint8Array | Uint16Array {
    const length = shardLength({ segmentBits, segments });
    const fingerprints = this.#bits === 8 ? new Uint8Array(length) : new Uint16Array(length);
    const segmentLength = 1 << segmentBits;
    const firsts = segments << segmentBits;
    for (let at = keys - 1; at >= 0; at--) {
      const low = this.#aside[2 * at]!;
      const high = this.#aside[2 * at + 1]!;
      const first = firstPlace(high, firsts);
      const second = secondPlace(first, segmentLength, high, low);
      const third = thirdPlace(first, segmentLength, low);
      const which = this.#fills[at]!;
      const place = which === 0 ? first : which === 1 ? second : third;
      // Its own place is still zero.
      fingerprints[place] =
        fingerprintOf(high, low) ^ fingerprints[first]! ^ fingerprints[second]! ^ fingerprints[third]!;
    }
    return fingerprints;
  }
}
