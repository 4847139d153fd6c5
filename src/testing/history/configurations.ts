/**
 * The configurations that a search has been in: a state, and the set of operations placed so far. Each is entered once.
 *
 * The set is written as the last of them in order of invocation and those before it that are not placed: a few words where a bit for each
 * operation would be hundreds, for whoever is not placed overlaps the last, and so there are at most as many as processes. Operations
 * that never returned are apart, a bit for each, in the last words; fewer of them, with the rest equal, are as good: who has been where
 * they are a subset need not go on. Exact: words are compared, the hash only says where to look.
 *
 * Cost: a lookup hashes and compares those words; a configuration takes them and one more, 4 bytes each, and 8 to 16 bytes of the table.
 */
import { mix32 } from '../../kernel/mix32.ts';

/** 1 GiB of words: a search ends undecided before it takes all the memory of a machine, whatever bound of states it was given. */
const WORDS_MAX = 2 ** 28;

export class Configurations {
  readonly #countMax: number;
  readonly #bitWords: number;
  /** Of each configuration the number of its words, and the words. */
  #words = new Int32Array(1024);
  #used = 0;
  /** Where a configuration begins, + 1; 0 is free. At most half are taken. */
  #table = new Int32Array(256);
  #count = 0;

  /** Of every configuration the last `bitWords` words are bits. */
  constructor(countMax: number, bitWords: number) {
    this.#countMax = countMax;
    this.#bitWords = bitWords;
  }

  get count(): number {
    return this.#count;
  }

  /** Enters the configuration that is in the first `length` of `words`: whether it is `new`, known (`seen`), or one more than there may be (`full`). */
  enter(words: Int32Array, length: number): 'new' | 'seen' | 'full' {
    let slot = this.#home(words, 0, length);
    for (let begin = this.#table[slot]!; begin !== 0; begin = this.#table[slot]!) {
      if (this.#covers(begin - 1, words, length)) return 'seen';
      slot = this.#after(slot);
    }
    const end = this.#used + 1 + length;
    if (this.#count === this.#countMax || end > WORDS_MAX) return 'full';
    if (end > this.#words.length) this.#words = widened(this.#words, end);
    this.#words[this.#used] = length;
    for (let at = 0; at < length; at++) this.#words[this.#used + 1 + at] = words[at]!;
    this.#table[slot] = this.#used + 1;
    this.#used = end;
    this.#count++;
    if (2 * this.#count > this.#table.length) this.#rehash();
    return 'new';
  }

  /** Where the search for a slot begins; the bits have no part in it, so that subsets are met on the way. */
  #home(words: Int32Array, from: number, length: number): number {
    let hash = length;
    const end = from + length - this.#bitWords;
    for (let at = from; at < end; at++) hash = Math.imul(hash ^ words[at]!, 0x9e3779b1) + (hash >>> 15);
    return mix32(hash) & (this.#table.length - 1);
  }

  #after(slot: number): number {
    return (slot + 1) & (this.#table.length - 1);
  }

  #covers(begin: number, words: Int32Array, length: number): boolean {
    if (this.#words[begin] !== length) return false;
    const bits = length - this.#bitWords;
    for (let at = 0; at < bits; at++) if (this.#words[begin + 1 + at] !== words[at]) return false;
    for (let at = bits; at < length; at++) if ((this.#words[begin + 1 + at]! & ~words[at]!) !== 0) return false;
    return true;
  }

  #rehash(): void {
    this.#table = new Int32Array(2 * this.#table.length);
    for (let begin = 0; begin < this.#used; begin += 1 + this.#words[begin]!) {
      let slot = this.#home(this.#words, begin + 1, this.#words[begin]!);
      while (this.#table[slot] !== 0) slot = this.#after(slot);
      this.#table[slot] = begin + 1;
    }
  }
}

/** The same words, with room for at least `length`; twice as many as before, so that growing costs as much as filling. */
export function widened(words: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(length, 2 * words.length));
  larger.set(words);
  return larger;
}
