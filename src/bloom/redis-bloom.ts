/**
 * A filter of RedisBloom (part of Redis 8 and Redis Stack), one Redis key: made here, or by another program that goes on using it.
 *
 * - The module hashes and decides: a key is one command at one moment, and of all that add the same at once one is told that it was new.
 * - What it was made for is read from the header of `BF.SCANDUMP`, since `BF.INFO` does not know the rate.
 * - The module makes what it does not find when it is added to, and calls every key absent when it is asked. So keys are added by
 *   `BF.INSERT … NOCREATE`, and behind a question goes another, whether there is still a filter.
 *
 * What it is not: able to notice a filter that was removed and made anew between two questions; `redisFilter` is.
 * Source: rebloom.c and sb.c of RedisBloom 2.
 */
import { randomUUID } from 'node:crypto';

import { type RedisClient, RedisDriver, slotOf } from '../drivers/redis.ts';
import { abortable } from '../kernel/abort.ts';
import { checkKeys, invalid, shown } from '../kernel/options.ts';
import {
  anyOf,
  type Chain,
  chainImage,
  chainOf,
  decodeChain,
  moduleKeyAt,
  openRedisBloomCopy,
  predictedRate,
  type RedisBloomCopy,
} from './chain.ts';
import { checkedSize, type SizeOptions } from './size.ts';
import type { StoredFilter } from './filter.ts';
import { type FilterKey, type FilterKeys, keyCount } from './filter-key.ts';
import { gone, ModuleKey } from './module-key.ts';
import type { CallOptions } from './redis.ts';

export interface RedisBloomOptions extends Partial<SizeOptions> {
  /** The key in Redis, 1 to 512 characters. */
  readonly key: string;
  /**
   * For how many keys it is made if there is none; when it has them it takes no more. One that is there was made for as many, or is
   * refused. Without it one must be there, and may have any capacity and rate.
   */
  readonly capacity?: number;
}

export interface RedisBloomReport {
  /** Of all bits. */
  readonly bytes: number;
  /** Of all links. */
  readonly capacity: number;
  /** How many keys were new when they were added. */
  readonly count: number;
  /** How many filters it is in truth: more than one if it grew. */
  readonly links: number;
  /** False if it refuses keys above its capacity. */
  readonly scales: boolean;
  readonly falsePositiveRate: {
    /** As predicted for the keys it holds. */
    readonly now: number;
    /** As predicted for full links. */
    readonly atCapacity: number;
  };
}

export interface RedisBloomFilter extends StoredFilter {
  /** What it was made for; of one that grows, its first link. */
  readonly capacity: number;
  has(key: FilterKey, options?: CallOptions): Promise<boolean>;
  hasMany(keys: FilterKeys, options?: CallOptions): Promise<Uint8Array>;
  /** True if the key surely was not there before. `FILTER_FULL` if there is no room for it. */
  add(key: FilterKey, options?: CallOptions): Promise<boolean>;
  /** Fails as a whole; some keys may have been added then, and adding all again does no harm. */
  addMany(keys: FilterKeys, options?: CallOptions): Promise<number>;
  report(options?: CallOptions): Promise<RedisBloomReport>;
  /** A copy in memory that answers as the module does. What is added meanwhile may be in it or not. */
  download(options?: CallOptions): Promise<RedisBloomCopy>;
  /** Takes the filter out of Redis. */
  remove(options?: CallOptions): Promise<void>;
}

/** What `TYPE` says of a filter of the module. */
const TYPE = 'MBbloom--';
const KEY_MAX = 512;
/** In one command, in which the server does nothing else. */
const KEYS_MAX = 128;
/** On their way at once. */
const BATCH = 16_384;
const RANGE_BYTES = 2 ** 20;
/** What a load leaves when its process ends is gone after that. */
const SPARE_MS = 600_000;
/** The module keeps the rate as it read it, and half of it for one that grows. */
const RATE_ERROR = 1e-9;
/** Newer versions of the module make a filter of this rate of whatever is above. */
const RATE_MAX = 0.25;

const never = new AbortController().signal;

class ModuleFilter implements RedisBloomFilter {
  readonly capacity: number;
  readonly falsePositiveRate: number;
  readonly #driver: RedisDriver;
  readonly #key: string;

  constructor(driver: RedisDriver, key: string, { links, rate }: Chain) {
    this.#driver = driver;
    this.#key = key;
    this.capacity = links[0]!.capacity;
    this.falsePositiveRate = rate;
  }

  #at({ signal = never }: CallOptions): ModuleKey {
    return new ModuleKey(this.#driver, this.#key, signal);
  }

  async has(key: FilterKey, options: CallOptions = {}): Promise<boolean> {
    return (await this.hasMany([key], options))[0] === 1;
  }

  async hasMany(keys: FilterKeys, options: CallOptions = {}): Promise<Uint8Array> {
    const at = this.#at(options);
    return this.#each(keys, options, async (some) => {
      const asked = at.each('BF.MEXISTS', ...some);
      // In a cluster it may be sent on to another server, and the second question would overtake it.
      if (this.#driver.cluster) await asked;
      const [answers, type] = await Promise.all([asked, at.send('TYPE')]);
      if (String(type) !== TYPE || answers.length !== some.length) throw gone(this.#key);
      return answers;
    });
  }

  async add(key: FilterKey, options: CallOptions = {}): Promise<boolean> {
    return (await this.addMany([key], options)) === 1;
  }

  async addMany(keys: FilterKeys, options: CallOptions = {}): Promise<number> {
    const at = this.#at(options);
    const fresh = await this.#each(keys, options, (some) => at.each('BF.INSERT', 'NOCREATE', 'ITEMS', ...some));
    let count = 0;
    for (const one of fresh) count += one;
    return count;
  }

  /** A byte for each key: 1 where the answer is yes. */
  async #each(
    keys: FilterKeys,
    { signal }: CallOptions,
    ask: (some: (string | Buffer)[]) => Promise<boolean[]>,
  ): Promise<Uint8Array> {
    const count = keyCount(keys);
    const yes = new Uint8Array(count);
    for (let batch = 0; batch < count; batch += BATCH) {
      // All are looked at before the first is sent: one that is no key leaves no question behind.
      const all = Array.from({ length: Math.min(BATCH, count - batch) }, (_, at) => argument(keys, batch + at));
      const asked: Promise<void>[] = [];
      for (let at = 0; at < all.length; at += KEYS_MAX) {
        const answered = ask(all.slice(at, at + KEYS_MAX));
        asked.push(answered.then((answers) => yes.set(answers.map(Number), batch + at)));
      }
      await abortable(Promise.all(asked), signal);
    }
    return yes;
  }

  async report(options: CallOptions = {}): Promise<RedisBloomReport> {
    const { piece } = await abortable(this.#at(options).dump(0), options.signal);
    const { links, bytes, count, scales } = decodeChain(piece);
    return {
      bytes,
      capacity: links.reduce((sum, { capacity }) => sum + capacity, 0),
      count,
      links: links.length,
      scales,
      falsePositiveRate: {
        now: anyOf(links, (link) => predictedRate(link, link.count)),
        atCapacity: anyOf(links, (link) => predictedRate(link, link.capacity)),
      },
    };
  }

  async download(options: CallOptions = {}): Promise<RedisBloomCopy> {
    const at = this.#at(options);
    let { next, piece } = await abortable(at.dump(0), options.signal);
    const { image, chain } = chainImage(piece);
    const bits = image.body.subarray(chain.headerBytes);
    // What a link that came meanwhile has is behind these.
    for (let put = 0; put < bits.length;) {
      ({ next, piece } = await abortable(at.dump(next), options.signal));
      if (next === 0 || piece.length === 0) throw gone(this.#key);
      const own = piece.subarray(0, bits.length - put);
      bits.set(own, put);
      put += own.length;
    }
    ({ piece } = await abortable(at.dump(0), options.signal));
    const after = decodeChain(piece);
    // Of one that was removed and made anew meanwhile, a part would be of either.
    if (!isLater(chain, after)) throw gone(this.#key);
    // What was added meanwhile may be in the bits, and then counts.
    if (after.links.length === chain.links.length) image.body.set(piece.subarray(0, chain.headerBytes));
    return openRedisBloomCopy(image.memory);
  }

  async remove(options: CallOptions = {}): Promise<void> {
    await abortable(this.#at(options).send('UNLINK'), options.signal);
  }
}

/** Whether a chain may be what another became by adding. */
function isLater(before: Chain, after: Chain): boolean {
  return before.links.every(({ bytes, count }, index) => {
    const link = after.links[index];
    return link?.bytes === bytes && link.count >= count;
  });
}

function argument(keys: FilterKeys, at: number): string | Buffer {
  const key = moduleKeyAt(keys, at);
  // Copied: it may wait in the client for a connection, and its owner may write there again.
  return typeof key === 'string' ? key : Buffer.from(key);
}

function checkedKey(key: unknown): string {
  if (typeof key === 'string' && key.length >= 1 && key.length <= KEY_MAX) return key;
  throw invalid(`key is ${shown(key)}; expected the name of a key in Redis, 1 to ${KEY_MAX} characters.`);
}

/**
 * The filter of RedisBloom at a key, made if there is none and its capacity is said. One that is made does not grow.
 *
 * `client`: as for `redisFilter`.
 */
export async function redisBloomFilter(
  client: RedisClient,
  options: RedisBloomOptions,
  { signal }: CallOptions = {},
): Promise<RedisBloomFilter> {
  checkKeys('redisBloomFilter', options, ['key', 'capacity', 'falsePositiveRate']);
  const key = checkedKey(options.key);
  const { capacity, falsePositiveRate } = options;
  if (capacity === undefined && falsePositiveRate !== undefined) {
    throw invalid('falsePositiveRate is given without capacity; give both, or neither for a filter that is there.');
  }
  const size = capacity === undefined ? null : checkedSize({ ...options, capacity });
  if (size !== null && size.rate > RATE_MAX) {
    throw invalid(
      `falsePositiveRate is ${size.rate}; expected at most ${RATE_MAX}, above which RedisBloom makes none.`,
    );
  }
  const driver = driverOf(client);
  const at = new ModuleKey(driver, key, signal ?? never);
  const open = async (): Promise<Chain> => {
    const found = await at.header();
    if (found !== null) return found;
    if (size === null) throw invalid(`There is no filter “${key}”; give the capacity with which it is to be made.`);
    await at.reserve(size);
    return decodeChain((await at.dump(0)).piece);
  };
  const chain = await abortable(open(), signal);
  if (size !== null) checkMadeFor(key, chain, size);
  return new ModuleFilter(driver, key, chain);
}

function checkMadeFor(key: string, { links, rate }: Chain, size: { capacity: number; rate: number }): void {
  const { capacity } = links[0]!;
  if (capacity === size.capacity && Math.abs(rate / size.rate - 1) < RATE_ERROR) return;
  throw invalid(
    `“${key}” was made for ${capacity} keys at a rate of ${rate}, and asked for are ${size.capacity} at ${size.rate}. ` +
      'Use the same everywhere, another key, or no capacity to take it as it is.',
  );
}

/** ioredis puts its `keyPrefix` before the keys of commands that it knows, and it knows none of the module's: one filter would be at two keys. */
function driverOf(client: RedisClient): RedisDriver {
  const { keyPrefix = '' } = (client as { readonly options?: { readonly keyPrefix?: unknown } } | null)?.options ?? {};
  if (keyPrefix === '') return new RedisDriver(client);
  throw invalid(
    'The client has a keyPrefix, which ioredis does not put before keys of RedisBloom; expected one without.',
  );
}

/** The key under which a filter is loaded before it gets its name: in the same slot. */
function keyAside(key: string): string {
  const end = `:load:${randomUUID()}`;
  for (const aside of [key + end, `{${key}}${end}`]) if (slotOf(aside) === slotOf(key)) return aside;
  throw invalid(`key is ${shown(key)}; expected one without braces, or whose slot is decided by braces.`);
}

/**
 * Loads a copy into a key that is not there: all of it at one moment, so that nobody asks a part. Whoever finds the key taken gets
 * `OPTIONS_INVALID`, and it is as it was.
 */
export async function loadRedisBloom(
  client: RedisClient,
  options: { readonly key: string; readonly copy: RedisBloomCopy },
  { signal }: CallOptions = {},
): Promise<RedisBloomFilter> {
  checkKeys('loadRedisBloom', options, ['key', 'copy']);
  const { key: name, copy } = options;
  const key = checkedKey(name);
  const { body, chain } = chainOf(copy);
  const driver = driverOf(client);
  const aside = new ModuleKey(driver, keyAside(key), signal ?? never);
  const load = async (): Promise<void> => {
    const chunk = (position: number, bytes: Uint8Array): Promise<unknown> => {
      signal?.throwIfAborted();
      return aside.send('BF.LOADCHUNK', String(position), Buffer.from(bytes));
    };
    await chunk(1, body.subarray(0, chain.headerBytes));
    await aside.send('PEXPIRE', String(SPARE_MS));
    // A piece is of one link, and says where it ends, counted from 1.
    let link = 0;
    for (const { bytes } of chain.links) {
      for (let at = 0; at < bytes; at += RANGE_BYTES) {
        const end = link + Math.min(bytes, at + RANGE_BYTES);
        await chunk(end + 1, body.subarray(chain.headerBytes + link + at, chain.headerBytes + end));
      }
      link += bytes;
    }
    // Before it has its name: one that kept its end would go in minutes, and with it what was added to it.
    await aside.send('PERSIST');
    const renamed = Number(await aside.send('RENAMENX', key)) === 1;
    if (!renamed) throw invalid(`“${key}” is there already; load under another key.`);
  };
  try {
    await abortable(load(), signal);
  } catch (error) {
    await new ModuleKey(driver, aside.key, never).send('UNLINK').catch(() => {});
    throw error;
  }
  return new ModuleFilter(driver, key, chain);
}
