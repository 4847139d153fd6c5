/**
 * The least that a lock with a token could ask of Redis for a caller alone, each called as the floor is: no timer, no line, no entry that says who holds,
 * nobody who is told. Whatever a lock does beside that comes on top.
 */
import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';

import { type Contender, TTL_MS } from './pairs.ts';

/** A token that only grows as long as nothing is lost. */
const COUNTED = `if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', '${TTL_MS}') then return redis.call('INCR', KEYS[2]) end`;

/**
 * One that also outlives a failover that lost the last of them: the server's clock. The last one is read and put anew, as it must be, but not compared:
 * a real lock takes the larger of the two.
 */
const BY_CLOCK = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('SET', KEYS[2], string.format('%d', now), 'GET')
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', '${TTL_MS}') then return now end`;

/** `giveBack` is the floor's. */
export async function leastLocks(
  client: Redis,
  giveBack: (name: string, id: string) => Promise<unknown>,
): Promise<readonly Contender[]> {
  const byScript = async (text: string, last: string): Promise<(name: string, id: string) => Promise<unknown>> => {
    const sha = String(await client.script('LOAD', `#!lua\n${text}`));
    return (name, id) => client.evalsha(sha, 2, name, last, id);
  };
  const contender = (
    name: string,
    take: (lock: string, id: string) => Promise<unknown>,
    commands: readonly string[],
  ): Contender => ({
    name,
    take: async (lock) => {
      const id = randomUUID();
      if ((await take(lock, id)) === null) throw new Error(`${name} must not meet a lock that is taken`);
      return () => giveBack(lock, id);
    },
    commands,
  });
  const scripts = ['evalsha'];
  const multi = async (lock: string, id: string): Promise<unknown> => {
    const [taken] = (await client.multi().set(lock, id, 'PX', TTL_MS, 'NX').incr('least:multi').exec()) ?? [];
    return taken?.[1] ?? null;
  };
  return [
    contender('least, a counted token', await byScript(COUNTED, 'least:counted'), scripts),
    contender('least, a token by the clock', await byScript(BY_CLOCK, 'least:clock'), scripts),
    contender('least, MULTI SET INCR EXEC', multi, ['multi', 'exec', ...scripts]),
  ];
}
