/**
 * The memory of a cache: entries by key, bounded in number and bytes, out of which goes what s3-fifo.ts says. Several caches may share
 * one, and then what is asked for most stays, whosesoever it is.
 *
 * Invariants: never more than `entriesMax` entries, nor than `bytesMax` by their sizes; nothing runs in the background, so what has ended
 * stays until it is asked for or its room is wanted. Cost: a lookup in a `Map` and no allocation; some 240 bytes an entry beside its value
 * (`npm run bench -- cache --only memory`).
 */
import { checkInteger, checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { formatSize, parseSize, type Size, sizeExpected } from '../kernel/units.ts';
import { estimateBytes } from './estimate.ts';
import { type Queued, S3Fifo } from './s3-fifo.ts';

export interface MemoryCacheOptions {
  /** Entries of all caches that have this memory, from 1 to 16,777,216. @defaultValue 10000 */
  readonly entriesMax?: number;
  /** What they may take together, as `'64mb'` or in bytes, from 1 KB to 1 TB. A value that is larger than all of it is not kept. @defaultValue '64mb' */
  readonly bytesMax?: Size | number;
  /**
   * The bytes of a value, 0 or more: for values that an estimate does not see through, such as those of classes. What an entry and its key take is added.
   * @defaultValue an estimate: what a value of plain objects, arrays, maps, sets, strings and binary data holds, added up
   */
  readonly sizeOf?: (value: unknown, key: string) => number;
}

/** Of a service that keeps a few kinds of things; who has more knows it. */
const ENTRIES_DEFAULT = 10_000;
/** As much as a `Map` holds. */
const ENTRIES_MAX = 2 ** 24;
const BYTES_DEFAULT = '64mb';
const BYTES_MIN = 2 ** 10;
const BYTES_MAX = 2 ** 40;
/** Beside value and key: the entry, its place in the `Map`, and the promise that it is answered with. */
const ENTRY_BYTES = 240;

export interface EntryOptions {
  readonly value: unknown;
  /** Until when it is fresh. */
  readonly endMs: number;
  /** From when on it may be refreshed before that. */
  readonly earlyMs: number;
}

/** What is known of a key. One that is loaded again stays the same, and keeps its place in the queues. */
export class Entry implements Queued {
  readonly key: string;
  readonly shelf: Shelf;
  weight = 0;
  uses = 0;
  queue: Queued['queue'] = null;
  newer: Queued | null = null;
  older: Queued | null = null;
  value: unknown;
  endMs = 0;
  earlyMs = 0;
  /** After a refresh that failed: when the next one may begin. */
  pauseMs: number | null = null;
  #promise: Promise<unknown> | null = null;

  constructor(shelf: Shelf, key: string) {
    this.shelf = shelf;
    this.key = key;
  }

  write({ value, endMs, earlyMs }: EntryOptions): void {
    this.value = value;
    this.endMs = endMs;
    this.earlyMs = earlyMs;
    this.pauseMs = null;
    this.#promise = null;
  }

  /** One for all who ask: to make another costs more than to find it. */
  get promise(): Promise<unknown> {
    return (this.#promise ??= Promise.resolve(this.value));
  }
}

/** Why an entry is not there: its room was wanted, or there was never room enough. */
export type EvictionCause = 'room' | 'size';

export interface ShelfWitness {
  /** More or less is there. */
  changed(entries: number, bytes: number): void;
  evicted(cause: EvictionCause): void;
}

/** What of a memory is one cache's. */
export class Shelf {
  readonly #memory: Memory;
  readonly #witness: ShelfWitness;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(memory: Memory, witness: ShelfWitness) {
    this.#memory = memory;
    this.#witness = witness;
  }

  get entries(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  /** In place of what was there. Throws, and changes nothing, if `sizeOf` does or makes no sense. */
  keep(key: string, options: EntryOptions): void {
    const weight = this.#memory.weigh(options.value, key);
    if (weight > this.#memory.bytesMax) {
      this.drop(key);
      this.#witness.evicted('size');
      return;
    }
    const { policy } = this.#memory;
    const known = this.#entries.get(key);
    const entry = known ?? new Entry(this, key);
    entry.write(options);
    const more = weight - entry.weight;
    this.#bytes += more;
    this.#witness.changed(known === undefined ? 1 : 0, more);
    if (known !== undefined) policy.reweigh(entry, weight, leave);
    else {
      entry.weight = weight;
      this.#entries.set(key, entry);
      policy.add(entry, leave);
    }
  }

  /** Whether it was there. */
  drop(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined) return false;
    this.#memory.policy.remove(entry);
    this.#forget(entry);
    return true;
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.drop(key);
  }

  /** Its room is wanted. */
  evict(entry: Entry): void {
    this.#forget(entry);
    this.#witness.evicted('room');
  }

  #forget({ key, weight }: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= weight;
    this.#witness.changed(-1, -weight);
  }
}

function leave(entry: Entry): void {
  entry.shelf.evict(entry);
}

/** Of `memoryCache`. */
export interface MemoryCache {
  readonly entriesMax: number;
  readonly bytesMax: number;
  /** Entries of all caches that have it. */
  readonly entries: number;
  /** What they take, by their sizes. */
  readonly bytes: number;
}

export class Memory implements MemoryCache {
  readonly entriesMax: number;
  readonly bytesMax: number;
  readonly policy: S3Fifo<Entry>;
  readonly #sizeOf: (value: unknown, key: string) => number;

  constructor({ entriesMax = ENTRIES_DEFAULT, bytesMax = BYTES_DEFAULT, sizeOf = estimateBytes }: MemoryCacheOptions) {
    this.entriesMax = checkInteger('memoryCache: entriesMax', entriesMax, 1, ENTRIES_MAX);
    this.bytesMax = checkBytes(bytesMax);
    if (typeof sizeOf !== 'function') throw invalid('memoryCache: sizeOf is no function.');
    this.#sizeOf = sizeOf;
    this.policy = new S3Fifo(this.entriesMax, this.bytesMax);
  }

  get entries(): number {
    return this.policy.count;
  }

  get bytes(): number {
    return this.policy.weight;
  }

  weigh(value: unknown, key: string): number {
    const bytes = this.#sizeOf(value, key);
    if (typeof bytes === 'number' && bytes >= 0) return Math.ceil(bytes) + 2 * key.length + ENTRY_BYTES;
    throw invalid(`memoryCache: sizeOf of “${key}” is ${textOfGiven(bytes)}; expected a number of bytes, 0 or more.`);
  }
}

function checkBytes(given: unknown): number {
  const parsed = typeof given === 'number' ? { ok: true as const, value: given } : parseSize(textOfGiven(given));
  if (!parsed.ok)
    throw invalid(`memoryCache: bytesMax is “${textOfGiven(given)}”; expected ${sizeExpected}, or bytes.`);
  if (parsed.value >= BYTES_MIN && parsed.value <= BYTES_MAX) return parsed.value;
  throw invalid(
    `memoryCache: bytesMax is ${textOfGiven(given)}; expected from ${formatSize(BYTES_MIN)} to ${formatSize(BYTES_MAX)}.`,
  );
}

/**
 * Memory for one cache or several.
 *
 * @example
 * const memory = memoryCache({ entriesMax: 50_000, bytesMax: '256mb' });
 * const products = createCache({ name: 'products', ttl: '60s', memory });
 * const prices = createCache({ name: 'prices', ttl: '5s', memory });
 * await Promise.all([products.set('42', { title: 'Chair' }), prices.set('42', 1999)]);
 * console.log(memory.entries); // 2
 */
export function memoryCache(options: MemoryCacheOptions = {}): MemoryCache {
  checkKeys('memoryCache', options, ['entriesMax', 'bytesMax', 'sizeOf']);
  return new Memory(options);
}
