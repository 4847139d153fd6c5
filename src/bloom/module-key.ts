/**
 * One key of RedisBloom in Redis: the commands about it, and what its errors mean.
 *
 * The module has no codes: what it says is known by its words, those of rebloom.c. A reply about many keys has an error in the place of
 * the key that it is about, and ends there.
 */
import type { RedisDriver } from '../drivers/redis.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { type Chain, decodeChain } from './chain.ts';
import { damaged } from './image.ts';

/** What the server said where an error comes from. */
function replyOf(error: unknown): string {
  return error instanceof Error && error.cause instanceof Error ? error.cause.message : '';
}

const isMissing = (error: unknown): boolean => replyOf(error).endsWith('not found');

/** An error of the module as one of ours. */
function moduleError(error: unknown, key: string): unknown {
  const said = replyOf(error);
  if (/^ERR unknown command/i.test(said)) {
    return new SpillwayError(
      'STORE_REFUSED',
      `This Redis has no RedisBloom, or not all of it (${said}). It is part of Redis 8 and Redis Stack; \`redisFilter\` works without.`,
      { cause: error },
    );
  }
  if (isMissing(error)) return gone(key, error);
  if (/filter is full/.test(said)) {
    return new SpillwayError(
      'FILTER_FULL',
      `The filter “${key}” has as many keys as it was made for and does not grow.`,
      { cause: error },
    );
  }
  return error;
}

export function gone(key: string, cause?: unknown): SpillwayError {
  return damaged(
    `“${key}” is gone from Redis (evicted, flushed or removed), or is no filter of RedisBloom any more`,
    cause,
  );
}

export class ModuleKey {
  readonly key: string;
  readonly #driver: RedisDriver;
  readonly #signal: AbortSignal;

  constructor(driver: RedisDriver, key: string, signal: AbortSignal) {
    this.#driver = driver;
    this.key = key;
    this.#signal = signal;
  }

  /** What a command about the key answers; `name` and what follows the key. */
  async send(name: string, ...args: (string | Buffer)[]): Promise<unknown> {
    return this.#ask(false, name, args);
  }

  async #ask(bytes: boolean, name: string, args: (string | Buffer)[]): Promise<unknown> {
    const { key } = this;
    try {
      return await this.#driver.command({
        command: [name, key, ...args],
        key,
        bytes,
        waiting: { signal: this.#signal },
      });
    } catch (error) {
      throw moduleError(error, key);
    }
  }

  /** A piece of the filter, and from where on it is asked for the next. */
  async dump(from: number): Promise<{ readonly next: number; readonly piece: Buffer }> {
    const [next, piece] = (await this.#ask(true, 'BF.SCANDUMP', [String(from)])) as [unknown, Buffer | null];
    return { next: Number(next), piece: piece ?? Buffer.alloc(0) };
  }

  /** The header of the filter; null if there is none. */
  async header(): Promise<Chain | null> {
    const { piece } = await this.dump(0).catch((error: unknown) => {
      if (isMissing(error)) return { piece: null };
      throw error;
    });
    return piece === null ? null : decodeChain(piece);
  }

  /** Makes a filter that does not grow, unless somebody else was first. */
  async reserve({ capacity, rate }: { readonly capacity: number; readonly rate: number }): Promise<void> {
    try {
      await this.send('BF.RESERVE', String(rate), String(capacity), 'NONSCALING');
    } catch (error) {
      if (!replyOf(error).endsWith('item exists')) throw error;
    }
  }

  /** A command whose answer says something of each of some keys. */
  async each(name: string, ...args: (string | Buffer)[]): Promise<boolean[]> {
    const answers = (await this.send(name, ...args)) as readonly unknown[];
    return answers.map((answer) => {
      // An error of one key is in its place.
      if (answer instanceof Error) {
        throw moduleError(
          new SpillwayError('STORE_REFUSED', `Redis refused ${name}: ${answer.message}`, { cause: answer }),
          this.key,
        );
      }
      return Number(answer) === 1;
    });
  }
}
