/**
 * Who is refused most: a few keys for each limit and thread, in memory that any thread reads without asking.
 *
 * The space-saving sketch: a key that is there counts up; a new one takes the place of the least and begins at its count. So
 * however many keys come, the memory is the same, a key with more than 1/`PLACES` of the refusals is always there, and a count is
 * too high by at most its `over`. Keys are told as 64 bits of a hash with a secret of this memory, or, where it is asked
 * for, as they are.
 *
 *     [ secret: 2 × int32, rest of 64 B ][ lane: version int32, –; PLACES × (count, over: float64; hash 2 × int32; length int32, –; 48 B) ] …
 *
 * Invariant: a lane has one writer; its version is odd while a place becomes another key's, so a reader that saw two equal even versions saw no key with
 * the count of another. A count that grows is one store.
 * Cost: a hash and a scan of `PLACES` numbers for each refusal, a comparison where it is the key of the last one; nothing for what is allowed.
 * Source: A. Metwally, D. Agrawal, A. El Abbadi, "Efficient Computation of Frequent and Top-k Elements in Data Streams" (2005).
 */
import { createHashSecret, halfSipHash, hashDigits } from '../kernel/half-sip-hash.ts';
import type { Random } from '../kernel/random.ts';

export const PLACES = 16;
const TEXT_BYTES = 48;
const HEADER_BYTES = 64;
const PLACE_BYTES = 8 + 8 + 8 + 8 + TEXT_BYTES;
const LANE_BYTES = 64 + PLACES * PLACE_BYTES;
/** Parts of a place, in float64 and in int32. */
const [COUNT_AT, OVER_AT] = [0, 1] as const;
const [UPPER_AT, LOWER_AT, LENGTH_AT] = [4, 5, 6] as const;
const TEXT_AT = 32;
/** How often a reader looks again that met a writer; a lane that is written all the time is read as it is then. */
const LOOKS = 100;

export interface RefusedKey {
  /** The key, or 16 hexadecimal digits of its hash. */
  readonly key: string;
  /** How often it was refused. */
  readonly refused: number;
  /** By how much that may be too high. */
  readonly over: number;
}

export function createRefusedKeys(lanes: number, random: Random): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(HEADER_BYTES + lanes * LANE_BYTES);
  new Int32Array(memory, 0, 2).set(createHashSecret(random));
  return memory;
}

/** What one thread counts. */
export class RefusedKeys {
  readonly #secret: Int32Array;
  readonly #version: Int32Array;
  readonly #numbers: Float64Array;
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #hash = new Int32Array(2);
  #lastKey = '';
  #lastPlace = 0;
  /** Of that place, in float64. */
  #lastNumber = 0;

  constructor(memory: SharedArrayBuffer, lane: number) {
    const at = HEADER_BYTES + lane * LANE_BYTES;
    this.#secret = new Int32Array(memory, 0, 2);
    this.#version = new Int32Array(memory, at, 1);
    this.#numbers = new Float64Array(memory, at + 64, (PLACES * PLACE_BYTES) / 8);
    this.#words = new Int32Array(memory, at + 64, (PLACES * PLACE_BYTES) / 4);
    this.#bytes = Buffer.from(memory, at + 64, PLACES * PLACE_BYTES);
  }

  /**
   * `shown` says whether the key may be told as it is; `times` how many refusals this one stands for. Returns the place of the key, which was another's
   * before if it is new there: `surely` is `times` then.
   */
  count(key: string, shown: boolean, times = 1): number {
    if (key !== this.#lastKey || key === '') {
      halfSipHash(key, this.#secret, this.#hash);
      const [upper, lower] = this.#hash as unknown as [number, number];
      this.#lastPlace = this.#place(upper, lower) ?? this.#give({ upper, lower, text: shown ? key : '' });
      this.#lastNumber = (this.#lastPlace * PLACE_BYTES) / 8;
      this.#lastKey = key;
    }
    this.#numbers[this.#lastNumber + COUNT_AT]! += times;
    return this.#lastPlace;
  }

  /** The key that was counted last once more, which is not compared again: how often it was refused at least. */
  again(): number {
    const count = this.#numbers[this.#lastNumber + COUNT_AT]! + 1;
    this.#numbers[this.#lastNumber + COUNT_AT] = count;
    return count - this.#numbers[this.#lastNumber + OVER_AT]!;
  }

  /** How often the key in this place was refused at least. */
  surely(place: number): number {
    return this.#countOf(place) - this.over(place);
  }

  /** How much of what is counted there may have been others'. */
  over(place: number): number {
    return this.#numbers[(place * PLACE_BYTES) / 8 + OVER_AT]!;
  }

  /** Of the key in this place, as it is told. */
  hash(place: number): string {
    const word = (place * PLACE_BYTES) / 4;
    return hashDigits(this.#words[word + UPPER_AT]!, this.#words[word + LOWER_AT]!);
  }

  /** Where the key is; null if it is not. */
  #place(upper: number, lower: number): number | null {
    for (let place = 0; place < PLACES; place++) {
      const word = (place * PLACE_BYTES) / 4;
      if (this.#words[word + UPPER_AT] === upper && this.#words[word + LOWER_AT] === lower) return place;
    }
    return null;
  }

  /** Has a new key begin where the count is the least of all. */
  #give({ upper, lower, text }: { upper: number; lower: number; text: string }): number {
    let least = 0;
    for (let place = 1; place < PLACES; place++) if (this.#countOf(place) < this.#countOf(least)) least = place;
    const word = (least * PLACE_BYTES) / 4;
    Atomics.add(this.#version, 0, 1);
    this.#numbers[(least * PLACE_BYTES) / 8 + OVER_AT] = this.#countOf(least);
    this.#words[word + UPPER_AT] = upper;
    this.#words[word + LOWER_AT] = lower;
    this.#words[word + LENGTH_AT] =
      text === '' ? 0 : this.#bytes.write(text, least * PLACE_BYTES + TEXT_AT, TEXT_BYTES);
    Atomics.add(this.#version, 0, 1);
    return least;
  }

  #countOf(place: number): number {
    return this.#numbers[(place * PLACE_BYTES) / 8 + COUNT_AT]!;
  }
}

/** The keys that were refused most often, all threads together; the most first. */
export function topRefusedKeys(memory: SharedArrayBuffer, most: number): RefusedKey[] {
  const lanes = (memory.byteLength - HEADER_BYTES) / LANE_BYTES;
  const byHash = new Map<string, RefusedKey>();
  for (let lane = 0; lane < lanes; lane++) {
    for (const { hash, text, refused, over } of readLane(memory, lane)) {
      const known = byHash.get(hash);
      byHash.set(hash, {
        key: text === '' ? hash : text,
        refused: refused + (known?.refused ?? 0),
        over: over + (known?.over ?? 0),
      });
    }
  }
  return [...byHash.values()].sort((a, b) => b.refused - a.refused || (a.key < b.key ? -1 : 1)).slice(0, most);
}

interface Place {
  readonly hash: string;
  readonly text: string;
  readonly refused: number;
  readonly over: number;
}

function readLane(memory: SharedArrayBuffer, lane: number): Place[] {
  const at = HEADER_BYTES + lane * LANE_BYTES;
  const version = new Int32Array(memory, at, 1);
  let copy = new Uint8Array(0);
  for (let look = 0; look < LOOKS; look++) {
    const before = Atomics.load(version, 0);
    copy = new Uint8Array(memory, at + 64, PLACES * PLACE_BYTES).slice();
    if (before % 2 === 0 && Atomics.load(version, 0) === before) break;
  }
  const numbers = new Float64Array(copy.buffer);
  const words = new Int32Array(copy.buffer);
  const places: Place[] = [];
  for (let place = 0; place < PLACES; place++) {
    const [number, word] = [(place * PLACE_BYTES) / 8, (place * PLACE_BYTES) / 4];
    const refused = numbers[number + COUNT_AT]!;
    if (refused === 0) continue;
    const from = place * PLACE_BYTES + TEXT_AT;
    places.push({
      hash: hashDigits(words[word + UPPER_AT]!, words[word + LOWER_AT]!),
      text: Buffer.from(copy.subarray(from, from + words[word + LENGTH_AT]!)).toString(),
      refused,
      over: numbers[number + OVER_AT]!,
    });
  }
  return places;
}
