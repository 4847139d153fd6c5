/**
 * A filter in Redis or Valkey, 7.0 or later, for all processes of a service; no module needed.
 *
 * - It has the bits of a blocked filter of the same capacity, rate and seed (redis-segments.ts): one made in memory can be added to
 *   it, and it can be fetched into memory.
 * - A key is one command on one Redis key, decided at one moment: of all that add the same key at once, exactly one is told that
 *   it was new. Many keys go out together, up to 128 in a command.
 * - Segments of some MB: what a cluster moves, or a server copies, is never the whole filter.
 *
 * What it is not: safe against a server that forgets. After a failover or a restart without persistence keys may be missing that
 * were added last, as they are in everything else there. A segment that is gone as a whole is an error. Memory must not be
 * evicted: `maxmemory-policy noeviction`, or a `volatile-` one.
 */
import { randomUUID } from 'node:crypto';

import { type RedisClient, RedisDriver } from '../drivers/redis.ts';
import { abortable } from '../kernel/abort.ts';
import { checkKeys, checkParts, invalid, shown, textOfGiven } from '../kernel/options.ts';
import { parseSize, type Size, sizeExpected } from '../kernel/units.ts';
import { BLOCK_BITS } from './blocked.ts';
import { type BloomFilter, checkSameBits, headerOf, openFilter } from './bloom-filter.ts';
import type { StoredFilter } from './filter.ts';
import { type FilterKey, type FilterKeys, hashKeys, keyCount, type SeedOption } from './filter-key.ts';
import { createImage, type ImageHeader, openImage } from './image.ts';
import { RedisSegments } from './redis-segments.ts';
import type { SizeOptions } from './size.ts';

export interface RedisFilterOptions extends SizeOptions {
  /** Which filter: 1 to 64 of `a-z A-Z 0-9 _ . : -`. All that ask it give the same capacity, rate and seed. */
  readonly name: string;
  /** What every key in Redis begins with, like `name`. @defaultValue 'spillway' */
  readonly prefix?: string;
  /** How large a string in Redis may be, from `'64b'` to `'64mb'`, in whole blocks of 64 B. @defaultValue '16mb' */
  readonly segmentBytes?: Size | number;
  /** @defaultValue [0, 0] */
  readonly seed?: SeedOption;
}

export interface CallOptions {
  /** Ends the wait; what was sent may still happen. */
  readonly signal?: AbortSignal;
}

export interface RedisFilter extends StoredFilter {
  has(key: FilterKey, options?: CallOptions): Promise<boolean>;
  hasMany(keys: FilterKeys, options?: CallOptions): Promise<Uint8Array>;
  /** True if the key surely was not there before; of several that add it at once, only one is told so. */
  add(key: FilterKey, options?: CallOptions): Promise<boolean>;
  /** Fails as a whole; some keys may have been added then, and adding all again does no harm. */
  addMany(keys: FilterKeys, options?: CallOptions): Promise<number>;
  /** Adds all that a blocked filter of the same capacity, rate and seed holds, in ranges of 1 MiB. */
  merge(filter: BloomFilter, options?: CallOptions): Promise<void>;
  /** A copy in memory, in ranges of 1 MiB. What is added meanwhile may be in it or not. */
  download(options?: CallOptions): Promise<BloomFilter>;
  /** Takes the filter out of Redis. Whoever still asks it is told that it is gone. */
  remove(options?: CallOptions): Promise<void>;
}

const NAME = /^[\w.:-]{1,64}$/;
const SEGMENT_BYTES_MAX = 64 * 2 ** 20;
const BLOCK_BYTES = BLOCK_BITS / 8;
/** In one command: some 300 µs of the server's time, in which it does nothing else. */
const KEYS_MAX = 128;
/** Hashed and on their way at once. */
const BATCH = 16_384;

function checkedName(what: string, name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw invalid(`${what} is ${shown(name)}; expected 1 to 64 of the characters a-z A-Z 0-9 _ . : -`);
}

function checkedSegment(given: unknown): number {
  const parsed = typeof given === 'number' ? { ok: true, value: given } : parseSize(textOfGiven(given));
  const bytes = parsed.ok ? parsed.value : 0;
  if (bytes >= BLOCK_BYTES && bytes <= SEGMENT_BYTES_MAX && bytes % BLOCK_BYTES === 0) return bytes;
  throw invalid(
    `segmentBytes is ${textOfGiven(given)}; expected ${sizeExpected}, or bytes: from 64 to ${SEGMENT_BYTES_MAX}, a multiple of 64.`,
  );
}

class SegmentedFilter implements RedisFilter {
  readonly #header: ImageHeader;
  readonly #segments: RedisSegments;

  constructor(header: ImageHeader, segments: RedisSegments) {
    this.#header = header;
    this.#segments = segments;
  }

  get capacity(): number {
    return this.#header.capacity;
  }

  get falsePositiveRate(): number {
    return this.#header.falsePositiveRate;
  }

  async has(key: FilterKey, options: CallOptions = {}): Promise<boolean> {
    return (await this.hasMany([key], options))[0] === 1;
  }

  async hasMany(keys: FilterKeys, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#each('GET', keys, options);
  }

  async add(key: FilterKey, options: CallOptions = {}): Promise<boolean> {
    return (await this.addMany([key], options)) === 1;
  }

  async addMany(keys: FilterKeys, options: CallOptions = {}): Promise<number> {
    let fresh = 0;
    for (const known of await this.#each('SET', keys, options)) if (known === 0) fresh++;
    return fresh;
  }

  /** A byte for each key: 1 if all its bits were set. */
  async #each(verb: 'GET' | 'SET', keys: FilterKeys, { signal }: CallOptions): Promise<Uint8Array> {
    const count = keyCount(keys);
    const found = new Uint8Array(count);
    const hashes = new Int32Array(2 * Math.min(count, BATCH));
    for (let from = 0; from < count; from += BATCH) {
      const to = Math.min(from + BATCH, count);
      hashKeys(keys, from, to, this.#header.seed, hashes);
      const asked = this.#bySegment(hashes, to - from).map(async ({ segment, indexes }) => {
        const own = indexes.flatMap((index) => [hashes[2 * index]!, hashes[2 * index + 1]!]);
        const known = await this.#segments.bits(verb, segment, own, signal ?? never);
        for (const [at, index] of indexes.entries()) if (known[at]) found[from + index] = 1;
      });
      await abortable(Promise.all(asked), signal);
    }
    return found;
  }

  /** Which of the hashes go out together. */
  #bySegment(hashes: Int32Array, count: number): { readonly segment: number; readonly indexes: number[] }[] {
    const open = new Map<number, number[]>();
    const batches: { segment: number; indexes: number[] }[] = [];
    for (let index = 0; index < count; index++) {
      const segment = this.#segments.segmentOf(hashes[2 * index + 1]!);
      let indexes = open.get(segment);
      if (indexes === undefined || indexes.length === KEYS_MAX) {
        indexes = [];
        open.set(segment, indexes);
        batches.push({ segment, indexes });
      }
      indexes.push(index);
    }
    return batches;
  }

  async merge(filter: BloomFilter, { signal }: CallOptions = {}): Promise<void> {
    checkParts('merge: the filter', filter, 'one of createFilter', []);
    const { body, header } = openImage(filter.memory);
    checkSameBits(this.#header, header);
    const aside = `merge:${randomUUID()}`;
    for (let segment = 0; segment < this.#segments.count; segment++) {
      await abortable(this.#segments.merge(segment, body, aside, signal ?? never), signal);
    }
  }

  async download({ signal }: CallOptions = {}): Promise<BloomFilter> {
    const { memory, body } = createImage(this.#header, false);
    for (let segment = 0; segment < this.#segments.count; segment++) {
      await abortable(this.#segments.read(segment, body, signal ?? never), signal);
    }
    return openFilter(memory);
  }

  remove({ signal }: CallOptions = {}): Promise<void> {
    return abortable(this.#segments.remove(signal ?? never), signal);
  }
}

const never = new AbortController().signal;

/**
 * The filter of that name, made if there is none.
 *
 * `client`: of ioredis (`new Redis()`, `new Cluster()`) or node-redis (`createClient()`, `createCluster()`). The program that made it
 * also closes it, and listens to its `error` events; how long an answer may take is the client's, or that of a `signal`.
 */
export async function redisFilter(
  client: RedisClient,
  options: RedisFilterOptions,
  { signal }: CallOptions = {},
): Promise<RedisFilter> {
  checkKeys('redisFilter', options, ['name', 'prefix', 'capacity', 'falsePositiveRate', 'seed', 'segmentBytes']);
  const name = checkedName('name', options.name);
  const prefix = checkedName('prefix', options.prefix ?? 'spillway');
  if (options.seed === 'random') throw invalid('seed is random, and all that ask the filter must give the same one.');
  const header = headerOf('blocked', options);
  const segments = new RedisSegments({
    driver: new RedisDriver(client),
    name: `${prefix}:${name}`,
    header,
    segmentBytes: checkedSegment(options.segmentBytes ?? '16mb'),
  });
  await abortable(segments.open(signal ?? never), signal);
  return new SegmentedFilter(header, segments);
}
