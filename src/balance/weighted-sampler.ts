/**
 * Draws an endpoint by chance, in proportion to weight, among those that may be picked.
 *
 * The alias method (Walker 1977, in Vose's form of 1991): a column for each endpoint, each full of at most two of them, so one
 * draw is one column and one comparison. What may not be picked is drawn again, which leaves the proportions of the rest as
 * they are; after a few misses (nearly all are out) the sum of what is left is walked instead, with the same proportions.
 *
 * Cost: O(1) a draw while a fair part may be picked, O(n) else; 16 B an endpoint; no allocation, which is why chance is drawn as
 * integers: a call that returns a fraction may box it.
 */
import { multiplyHigh } from '../kernel/int64.ts';
import type { Random } from '../kernel/random.ts';

/** With half the weight out, one draw in 256 walks. */
const DRAWS_MAX = 8;

export class WeightedSampler {
  readonly #random: Random;
  readonly #weights: Float64Array;
  /** Below which of 2^32 signed numbers a draw from column i is endpoint i's own; the rest is its alias's. */
  readonly #own: Int32Array;
  readonly #aliases: Int32Array;

  constructor(weights: Float64Array, random: Random) {
    this.#random = random;
    this.#weights = weights;
    const sum = weights.reduce((a, b) => a + b, 0);
    this.#aliases = Int32Array.from(weights, (_, index) => index);
    const own = weights.map((weight) => (weight * weights.length) / sum);
    this.#fill(own);
    // A full column is its own alias: that its last number is the alias's changes nothing.
    this.#own = Int32Array.from(own, (part) => Math.min(part * 2 ** 32, 2 ** 32 - 1) - 2 ** 31);
  }

  /** Tops each column that is not full from one that is more than full; what is left is the part that is its own. */
  #fill(own: Float64Array): void {
    const filled = Float64Array.from(own);
    const poor = [...own.keys()].filter((index) => own[index]! < 1);
    const rich = [...own.keys()].filter((index) => own[index]! >= 1);
    while (poor.length > 0 && rich.length > 0) {
      const taker = poor.pop()!;
      const giver = rich.at(-1)!;
      this.#aliases[taker] = giver;
      own[taker] = filled[taker]!;
      filled[giver]! -= 1 - filled[taker]!;
      if (filled[giver]! < 1) poor.push(rich.pop()!);
    }
    // What is left is full but for rounding. A weight of 0 has lost its column to a rich one: it cannot be left over.
    for (const index of [...poor, ...rich]) own[index] = 1;
  }

  /** An index that is eligible, has a weight and is not `except`; -1 if there is none. */
  draw(eligible: Uint8Array, except: number): number {
    const random = this.#random;
    const columns = this.#aliases.length;
    for (let made = 0; made < DRAWS_MAX && columns > 0; made++) {
      const column = multiplyHigh(random.int32(), columns);
      const index = random.int32() < this.#own[column]! ? column : this.#aliases[column]!;
      if (eligible[index] === 1 && index !== except && this.#weights[index]! > 0) return index;
    }
    return this.#walk(eligible, except);
  }

  #walk(eligible: Uint8Array, except: number): number {
    const weights = this.#weights;
    let sum = 0;
    for (let index = 0; index < weights.length; index++) {
      if (eligible[index] === 1 && index !== except) sum += weights[index]!;
    }
    let left = ((this.#random.int32() >>> 0) / 2 ** 32) * sum;
    let last = -1;
    for (let index = 0; index < weights.length; index++) {
      if (eligible[index] !== 1 || index === except || weights[index] === 0) continue;
      last = index;
      left -= weights[index]!;
      if (left < 0) break;
    }
    return last;
  }
}
