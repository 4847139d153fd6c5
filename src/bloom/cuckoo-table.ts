/**
 * The table of a cuckoo filter: buckets of four fingerprints, two buckets a key, each computed from the other and the
 * fingerprint. Whoever comes to two full buckets throws somebody out, who goes to the other of his two, and so on.
 *
 * Invariant: a fingerprint that was put in is in one of its two buckets or in the stash, until it is taken out. Nobody who
 * was thrown out is ever lost: who finds no place after 500 moves goes to the stash, and when the stash is full, a key that finds
 * no free place is refused before anything is moved.
 *
 * The same key put in again is there twice, to be taken out twice. Copies beyond the eight places of a key are one entry of the
 * stash with a count.
 *
 * Source: Fan and others, "Cuckoo Filter: Practically Better Than Bloom" (2014); that the other bucket is a difference and not an
 * XOR, so that there may be any number of buckets, is from Lang and others, "Performance-Optimal Filtering" (2019).
 * Cost: 8, 12 or 16 bits a place, two reads a lookup.
 */
import { multiplyHigh } from '../kernel/int64.ts';
import { mix32 } from '../kernel/mix32.ts';

export type FingerprintBits = 8 | 12 | 16;

export const BUCKET_SLOTS = 4;
/** As in the paper: at 95 % full an insertion takes some ten moves, and one in many thousands takes all. */
const MOVES_MAX = 500;
/** Of a table that is filled to 95 %, the stash has none or one. */
export const STASH_ENTRIES = 64;
/** An entry: bucket, fingerprint (0: the entry is free), how many. */
export const STASH_WORDS = 3;

export interface CuckooMemory {
  readonly buckets: number;
  readonly bits: FingerprintBits;
  /** `slotWords` of them. A place is empty if it is 0. */
  readonly slots: Uint16Array;
  /** STASH_ENTRIES × STASH_WORDS. */
  readonly stash: Int32Array;
  /** One word: how many entries of the stash are in use. Whoever has the same memory reads it there. */
  readonly stashed: Int32Array;
}

/** A place may begin in any word and end in the next one: one more is there to be read. */
export function slotWords(buckets: number, bits: FingerprintBits): number {
  return (buckets * BUCKET_SLOTS * bits) / 16 + 1;
}

export class CuckooTable {
  readonly #buckets: number;
  readonly #bits: FingerprintBits;
  readonly #mask: number;
  readonly #slots: Uint16Array;
  readonly #stash: Int32Array;
  readonly #stashed: Int32Array;
  /** Whom to throw out: any rule will do that is not always the same. */
  #turn = 0;

  constructor({ buckets, bits, slots, stash, stashed }: CuckooMemory) {
    this.#buckets = buckets;
    this.#bits = bits;
    this.#mask = 2 ** bits - 1;
    this.#slots = slots;
    this.#stash = stash;
    this.#stashed = stashed;
    stashed[0] = 0;
    for (let at = 0; at < stash.length; at += STASH_WORDS) if (stash[at + 1] !== 0) stashed[0]++;
  }

  /** Never 0, the sign of an empty place; each of the others is as likely. */
  #fingerprint(low: number): number {
    return multiplyHigh(low, this.#mask) + 1;
  }

  #bucket(high: number): number {
    return multiplyHigh(high, this.#buckets);
  }

  /** Of the two buckets the other: going there twice comes back. */
  #other(bucket: number, fingerprint: number): number {
    const difference = multiplyHigh(mix32(fingerprint), this.#buckets) - bucket;
    return difference < 0 ? difference + this.#buckets : difference;
  }

  #get(slot: number): number {
    const bit = (slot & 3) * this.#bits;
    const word = (slot >>> 2) * (this.#bits >>> 2) + (bit >>> 4);
    return ((this.#slots[word]! | (this.#slots[word + 1]! << 16)) >>> (bit & 15)) & this.#mask;
  }

  #set(slot: number, fingerprint: number): void {
    const bit = (slot & 3) * this.#bits;
    const word = (slot >>> 2) * (this.#bits >>> 2) + (bit >>> 4);
    const shift = bit & 15;
    const both = this.#slots[word]! | (this.#slots[word + 1]! << 16);
    const now = (both & ~(this.#mask << shift)) | (fingerprint << shift);
    this.#slots[word] = now;
    this.#slots[word + 1] = now >>> 16;
  }

  /** The place in a bucket that has this fingerprint (0: a free one); -1 if none has. */
  #find(bucket: number, fingerprint: number): number {
    const slot = bucket * BUCKET_SLOTS;
    if (this.#get(slot) === fingerprint) return slot;
    if (this.#get(slot + 1) === fingerprint) return slot + 1;
    if (this.#get(slot + 2) === fingerprint) return slot + 2;
    return this.#get(slot + 3) === fingerprint ? slot + 3 : -1;
  }

  /** The entry of the stash for a fingerprint with these two buckets; -1 if there is none. */
  #findStashed(bucket: number, other: number, fingerprint: number): number {
    if (this.#stashed[0] === 0) return -1;
    const stash = this.#stash;
    for (let at = 0; at < stash.length; at += STASH_WORDS) {
      if (stash[at + 1] === fingerprint && (stash[at] === bucket || stash[at] === other)) return at;
    }
    return -1;
  }

  has(high: number, low: number): boolean {
    const fingerprint = this.#fingerprint(low);
    const bucket = this.#bucket(high);
    if (this.#find(bucket, fingerprint) >= 0) return true;
    const other = this.#other(bucket, fingerprint);
    return this.#find(other, fingerprint) >= 0 || this.#findStashed(bucket, other, fingerprint) >= 0;
  }

  /** False if there is no room; then nothing has changed. */
  add(high: number, low: number): boolean {
    const fingerprint = this.#fingerprint(low);
    const bucket = this.#bucket(high);
    const other = this.#other(bucket, fingerprint);
    return this.#settle(bucket, other, fingerprint) || this.#crowd(bucket, other, fingerprint);
  }

  #settle(bucket: number, other: number, fingerprint: number): boolean {
    let free = this.#find(bucket, 0);
    if (free < 0) free = this.#find(other, 0);
    if (free < 0) return false;
    this.#set(free, fingerprint);
    return true;
  }

  /** Both buckets are full. */
  #crowd(bucket: number, other: number, fingerprint: number): boolean {
    const copies = this.#findStashed(bucket, other, fingerprint);
    if (copies >= 0) {
      this.#stash[copies + 2]! += 1;
      return true;
    }
    if (this.#stashed[0] === STASH_ENTRIES) return false;
    // One's own copies make no room for one another.
    if (this.#copies(bucket, fingerprint) + this.#copies(other, fingerprint) === 2 * BUCKET_SLOTS) {
      this.#putAside(bucket, fingerprint);
      return true;
    }
    let homeless = fingerprint;
    let at = this.#turn & 1 ? other : bucket;
    for (let moves = 0; moves < MOVES_MAX; moves++) {
      this.#turn = (Math.imul(this.#turn, 0x0019660d) + 0x3c6ef35f) | 0;
      const slot = at * BUCKET_SLOTS + (this.#turn >>> 30);
      const thrownOut = this.#get(slot);
      this.#set(slot, homeless);
      homeless = thrownOut;
      at = this.#other(at, homeless);
      const free = this.#find(at, 0);
      if (free >= 0) {
        this.#set(free, homeless);
        return true;
      }
    }
    // Somebody else may be homeless by now, of whom there are copies in the stash already.
    const same = this.#findStashed(at, this.#other(at, homeless), homeless);
    if (same >= 0) this.#stash[same + 2]! += 1;
    else this.#putAside(at, homeless);
    return true;
  }

  #copies(bucket: number, fingerprint: number): number {
    let copies = 0;
    for (let slot = 0; slot < BUCKET_SLOTS; slot++) {
      if (this.#get(bucket * BUCKET_SLOTS + slot) === fingerprint) copies++;
    }
    return copies;
  }

  #putAside(bucket: number, fingerprint: number): void {
    let at = 0;
    while (this.#stash[at + 1] !== 0) at += STASH_WORDS;
    this.#stash.set([bucket, fingerprint, 1], at);
    this.#stashed[0]! += 1;
  }

  /** Takes one copy out; false if there is none. */
  delete(high: number, low: number): boolean {
    const fingerprint = this.#fingerprint(low);
    const bucket = this.#bucket(high);
    const other = this.#other(bucket, fingerprint);
    const stashed = this.#findStashed(bucket, other, fingerprint);
    if (stashed >= 0) {
      this.#takeStashed(stashed);
      return true;
    }
    let slot = this.#find(bucket, fingerprint);
    if (slot < 0) slot = this.#find(other, fingerprint);
    if (slot < 0) return false;
    this.#set(slot, 0);
    this.#resettle();
    return true;
  }

  #takeStashed(at: number): void {
    this.#stash[at + 2]! -= 1;
    if (this.#stash[at + 2] !== 0) return;
    this.#stash.fill(0, at, at + STASH_WORDS);
    this.#stashed[0]! -= 1;
  }

  /** A place is free again: perhaps for somebody in the stash. */
  #resettle(): void {
    if (this.#stashed[0] === 0) return;
    for (let at = 0; at < this.#stash.length; at += STASH_WORDS) {
      const fingerprint = this.#stash[at + 1]!;
      if (fingerprint === 0) continue;
      const bucket = this.#stash[at]!;
      if (this.#settle(bucket, this.#other(bucket, fingerprint), fingerprint)) {
        this.#takeStashed(at);
        return;
      }
    }
  }
}
