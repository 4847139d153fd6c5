/**
 * The shared tier of caches in Redis or Valkey: one hash a key, and one round trip a call.
 *
 * A key is gone when it would say nothing any more: its value has ended, and its lease too. Scripts (redis/*.lua) go by the server's own clock. About
 * 150 bytes a key beside its text; what a server does without room is its `maxmemory-policy`: `allkeys-lfu` or `volatile-ttl` are good ones, for every
 * key has an end. One that evicts nothing goes on answering what it knows and who is to load what it does not, and keeps nothing new. In a cluster
 * each key is where its name says.
 *
 * What it is not: durable. A failover may bring a deleted value back until its end, if the replica had not heard of the delete.
 */
import { readFileSync } from 'node:fs';
import { checkRedisName, type RedisClient, RedisDriver, RedisScript } from '../drivers/redis.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys } from '../kernel/options.ts';
import type { LeaseAsk, SharedAnswer, SharedCache, SharedValue, Waiting } from './shared.ts';

export interface RedisCacheOptions {
  /** What every key in Redis begins with, so that several programs can share a server: 1 to 64 of `a-z A-Z 0-9 _ . : -`. @defaultValue 'spillway:cache' */
  readonly prefix?: string;
}

function scriptOf(name: string): RedisScript {
  return new RedisScript(readFileSync(new URL(`./redis/${name}.lua`, import.meta.url), 'utf8'));
}

type ScriptName = 'ask' | 'fill' | 'release';
let scripts: Readonly<Record<ScriptName, RedisScript>> | null = null;

class RedisCache implements SharedCache {
  readonly name = 'redis';
  readonly #driver: RedisDriver;
  readonly #prefix: string;
  readonly #scripts = (scripts ??= { ask: scriptOf('ask'), fill: scriptOf('fill'), release: scriptOf('release') });

  constructor(client: RedisClient, prefix: string) {
    this.#driver = new RedisDriver(client);
    this.#prefix = `${prefix}:`;
  }

  async ask(key: string, { token, leaseMs, beyondMs }: LeaseAsk, waiting: Waiting): Promise<SharedAnswer> {
    const args = [token, String(Math.ceil(leaseMs)), String(Math.ceil(beyondMs))];
    const answer = await this.#driver.run({ script: this.#scripts.ask, keys: [this.#prefix + key], args, waiting });
    const [is, ms, tookMs, text] = Array.isArray(answer) ? (answer as unknown[]) : [];
    if (is === 1 && typeof text === 'string') return { is: 'known', freshMs: Number(ms), tookMs: Number(tookMs), text };
    if (is === 2) return { is: 'leased' };
    if (is === 3) return { is: 'taken', leaseMs: Number(ms) };
    // Not what it says: it may be somebody's.
    const kinds = Array.isArray(answer) ? answer.map((each) => typeof each).join(', ') : typeof answer;
    throw new SpillwayError(
      'STORE_REFUSED',
      `Redis answered a cache with ${kinds}; expected numbers and a text, as of a client that has no types of its own for them.`,
    );
  }

  async fill(key: string, token: string, value: SharedValue, waiting: Waiting): Promise<boolean> {
    return (await this.#fill(key, token, value, waiting)) !== 0;
  }

  async release(key: string, token: string, waiting: Waiting): Promise<void> {
    await this.#driver.run({ script: this.#scripts.release, keys: [this.#prefix + key], args: [token], waiting });
  }

  async set(key: string, value: SharedValue, waiting: Waiting): Promise<void> {
    await this.#fill(key, '', value, waiting);
  }

  async delete(key: string, waiting: Waiting): Promise<void> {
    const name = this.#prefix + key;
    await this.#driver.command({ command: ['del', name], key: name, waiting });
  }

  // WHY four parameters: those of `fill`.
  #fill(key: string, token: string, { text, freshMs, tookMs }: SharedValue, waiting: Waiting): Promise<unknown> {
    const args = [token, String(Math.floor(freshMs)), String(Math.ceil(tookMs)), text];
    return this.#driver.run({ script: this.#scripts.fill, keys: [this.#prefix + key], args, waiting });
  }
}

/**
 * Behind the memory of each process, Redis or Valkey, 7.0 or later, through your own client.
 *
 * `client`: of ioredis (`new Redis()`, `new Cluster()`) or node-redis (`createClient()`, `createCluster()`). The program that made it
 * also closes it, and listens to its `error` events.
 */
export function redisCache(client: RedisClient, options: RedisCacheOptions = {}): SharedCache {
  checkKeys('redisCache', options, ['prefix']);
  const { prefix = 'spillway:cache' } = options;
  checkRedisName('redisCache: prefix', prefix);
  return new RedisCache(client, prefix);
}
