/**
 * The hashes of a fuse filter that is being built, until it is known how many there are: in 256 bins by their upper bits, so that
 * each shard can be built from its bins alone. In memory (8 B a key), or in a folder on disk, where memory stays below 3 MB.
 */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { SpillwayError } from '../kernel/errors.ts';

const BIN_BITS = 8;
const BINS = 2 ** BIN_BITS;
/** So many hashes wait to be dealt to the bins: each bin then gets 8 kB at once. */
const WAITING_MAX = 2 ** 18;
const PAIR_BYTES = 8;

/** Where a bin's hashes are. */
interface Bin {
  append(pairs: Int32Array): void;
  readonly pairs: number;
  /** Copies all to `out` from `at` on, and forgets them. */
  take(out: Int32Array, at: number): void;
}

class MemoryBin implements Bin {
  #parts: Int32Array[] = [];
  pairs = 0;

  append(pairs: Int32Array): void {
    this.#parts.push(pairs.slice());
    this.pairs += pairs.length / 2;
  }

  take(out: Int32Array, start: number): void {
    let at = start;
    for (const part of this.#parts) {
      out.set(part, at);
      at += part.length;
    }
    this.#parts = [];
  }
}

function onDisk<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const { message } = cause as Error;
    throw new SpillwayError('FILTER_FILE', `The hashes of a fuse filter cannot be kept on disk: ${message}.`, {
      cause,
    });
  }
}

/** A file that is open only while it is used: there are 256 of them. */
class FileBin implements Bin {
  readonly #path: string;
  pairs = 0;

  constructor(path: string) {
    this.#path = path;
  }

  append(pairs: Int32Array): void {
    const bytes = new Uint8Array(pairs.buffer, pairs.byteOffset, pairs.byteLength);
    onDisk(() => appendFileSync(this.#path, bytes, { mode: 0o600 }));
    this.pairs += pairs.length / 2;
  }

  take(out: Int32Array, start: number): void {
    if (this.pairs === 0) return;
    const bytes = onDisk(() => readFileSync(this.#path));
    if (bytes.length !== PAIR_BYTES * this.pairs) {
      throw new SpillwayError('FILTER_FILE', `${this.#path} has ${bytes.length} bytes of ${PAIR_BYTES * this.pairs}.`);
    }
    new Uint8Array(out.buffer, out.byteOffset + 4 * start, bytes.length).set(bytes);
  }
}

export class FuseHashes {
  readonly #folder: string | null;
  readonly #bins: readonly Bin[];
  /** Lower word first. */
  #waiting = new Int32Array(2 ** 10);
  #count = 0;
  #pairs = 0;

  /** `folder`: where to keep them on disk, in a folder of their own. */
  constructor(folder: string | null) {
    this.#folder = folder === null ? null : onDisk(() => mkdtempSync(join(folder, 'fuse-')));
    this.#bins = Array.from({ length: BINS }, (_, index) =>
      this.#folder === null ? new MemoryBin() : new FileBin(join(this.#folder, String(index))),
    );
  }

  /** How many were put in, equal ones included. */
  get pairs(): number {
    return this.#pairs;
  }

  push(high: number, low: number): void {
    if (this.#count === this.#waiting.length) this.#makeRoom();
    this.#waiting[this.#count] = low;
    this.#waiting[this.#count + 1] = high;
    this.#count += 2;
    this.#pairs++;
  }

  #makeRoom(): void {
    if (this.#count === 2 * WAITING_MAX) {
      this.#deal();
      return;
    }
    const larger = new Int32Array(2 * this.#count);
    larger.set(this.#waiting);
    this.#waiting = larger;
  }

  /** Deals what waits to the bins. */
  #deal(): void {
    const dealt = deal(this.#waiting, this.#count, 32 - BIN_BITS, BIN_BITS);
    for (const [index, bin] of this.#bins.entries()) if (dealt[index]!.length > 0) bin.append(dealt[index]!);
    this.#count = 0;
  }

  /**
   * Each shard's hashes in turn, as pairs of words, lower first; a shard is what has the same `shardBits` upper bits of the lower
   * word. The array is the receiver's until it asks for the next one. Once only.
   */
  *shards(shardBits: number): Generator<Int32Array> {
    this.#deal();
    this.#waiting = new Int32Array(0);
    const together = 2 ** Math.max(0, BIN_BITS - shardBits);
    for (let first = 0; first < BINS; first += together) {
      const bins = this.#bins.slice(first, first + together);
      const pairs = new Int32Array(2 * bins.reduce((sum, bin) => sum + bin.pairs, 0));
      let at = 0;
      for (const bin of bins) {
        bin.take(pairs, at);
        at += 2 * bin.pairs;
      }
      if (shardBits <= BIN_BITS) yield pairs;
      else yield* deal(pairs, pairs.length, 32 - shardBits, shardBits - BIN_BITS);
    }
  }

  close(): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The first `end` words of pairs by `bits` bits of the lower word, from bit `shift` on: a counting sort. */
function deal(pairs: Int32Array, end: number, shift: number, bits: number): Int32Array[] {
  const mask = 2 ** bits - 1;
  const ends = new Int32Array(mask + 2);
  for (let at = 0; at < end; at += 2) ends[((pairs[at]! >>> shift) & mask) + 1]! += 2;
  for (let pile = 0; pile <= mask; pile++) ends[pile + 1]! += ends[pile]!;
  const next = ends.slice();
  const dealt = new Int32Array(end);
  for (let at = 0; at < end; at += 2) {
    const pile = (pairs[at]! >>> shift) & mask;
    const to = next[pile]!;
    dealt[to] = pairs[at]!;
    dealt[to + 1] = pairs[at + 1]!;
    next[pile] = to + 2;
  }
  return Array.from({ length: mask + 1 }, (_, pile) => dealt.subarray(ends[pile], ends[pile + 1]));
}
