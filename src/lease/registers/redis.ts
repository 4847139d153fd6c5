/**
 * A fenced register in Redis or Valkey: a hash per key, compared and written by one script. As durable as the server: one that forgets its data, or
 * fails over before replication, forgets tokens too. Keys have no end, and stay until somebody deletes them.
 */
import { checkRedisName, type RedisClient, RedisDriver, RedisScript } from '../../drivers/redis.ts';
import { checkKeys } from '../../kernel/options.ts';
import type { Fenced, FencedRegister } from '../fenced.ts';

export interface RedisRegisterOptions {
  /** What its keys begin with: 1 to 64 of `a-z A-Z 0-9 _ . : -`. @defaultValue 'spillway' */
  readonly prefix?: string;
}

// Tokens are compared as text: a number of Lua is exact to 53 bits only.
const WRITE = `
local known = redis.call('HGET', KEYS[1], 'token')
if known and (#known > #ARGV[1] or #known == #ARGV[1] and known > ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'value', ARGV[2])
return 1
`;

class Redis implements FencedRegister {
  readonly #driver: RedisDriver;
  readonly #prefix: string;
  readonly #script = new RedisScript(WRITE);

  constructor(client: RedisClient, prefix: string) {
    this.#driver = new RedisDriver(client);
    this.#prefix = prefix;
  }

  async read(key: string, options?: { readonly signal?: AbortSignal }): Promise<Fenced | null> {
    const [at, waiting] = [this.#keyOf(key), waitingOf(options)];
    const answer = await this.#driver.command({ command: ['hmget', at, 'token', 'value'], key: at, waiting });
    const [token, value] = answer as [string | null, string];
    return token === null ? null : { value, token: BigInt(token) };
  }

  async write(key: string, { value, token }: Fenced, options?: { readonly signal?: AbortSignal }): Promise<boolean> {
    const keys = [this.#keyOf(key)];
    const args = [String(token), value];
    return (await this.#driver.run({ script: this.#script, keys, args, waiting: waitingOf(options) })) === 1;
  }

  #keyOf(key: string): string {
    return `${this.#prefix}:fenced:${key}`;
  }
}

function waitingOf({ signal }: { readonly signal?: AbortSignal } = {}): { readonly signal: AbortSignal } {
  signal?.throwIfAborted();
  return { signal: signal ?? new AbortController().signal };
}

/** Through your own client, of ioredis or node-redis, to one server or a cluster. */
export function redisRegister(client: RedisClient, options: RedisRegisterOptions = {}): FencedRegister {
  checkKeys('redisRegister', options, ['prefix']);
  const { prefix = 'spillway' } = options;
  checkRedisName('redisRegister: prefix', prefix);
  return new Redis(client, prefix);
}
