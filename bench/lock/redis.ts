/**
 * Locks in Redis, beside `redlock` and `redis-semaphore` and beside the floor: `SET NX PX`, and a script that compares and deletes, by the same client.
 * One server on this machine. On one hot name the floor is the same by callers who wait for each other in a local line: two round trips a hand-over.
 * Those who poll have a table of their own there, of few pairs, as each takes them milliseconds; a turn of as few by those who wait in line is over
 * before it says anything.
 *
 * Not equal: only Spillway has a fencing token, and waits in an order; `redis-semaphore` has a timer for each lock, as Spillway has,
 * `redlock` has none unless it is used by `using`.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { Mutex } from 'redis-semaphore';
import Redlock4 from 'redlock';
import Redlock5 from 'redlock-5';

import { type Claim, type LeaseStore, redisLeases } from '../../src/lease/index.ts';
import { WHOLE } from '../../src/lease/store.ts';
import { createLocks, type Locks } from '../../src/lock/index.ts';
import { RedisServer } from '../../test/servers/redis.ts';
import { type Case, compare, type Contender, type ServerUse, TTL_MS, WAIT_MS } from './pairs.ts';
import { leastLocks } from './redis-least.ts';
import type { Print } from './report.ts';

export const COMPARE_AND_DELETE = "return redis.call('get', KEYS[1]) == ARGV[1] and redis.call('del', KEYS[1])";
const scripts = ['evalsha', 'eval'];

export function spillway(name: string, locks: Locks): Contender {
  return {
    name,
    take: async (lock) => {
      const lease = await locks.acquire(lock, { ttl: TTL_MS, wait: WAIT_MS });
      return () => lease.release();
    },
    commands: scripts,
  };
}

/** How much of a lock its store is: the same questions by the same client, and nobody who renews, stands in a line or looks at clocks. Does not wait. */
function storeAlone(store: LeaseStore): Contender {
  const waiting = { signal: new AbortController().signal };
  return {
    name: 'spillway, the store alone',
    take: async (key) => {
      const id = randomUUID().replaceAll('-', '');
      const claim: Claim = { key, id, holder: 'me', share: WHOLE, of: WHOLE, ttlMs: TTL_MS, queue: true };
      const { granted } = await store.try(claim, waiting);
      if (!granted) throw new Error('the store alone must not meet a lock that is taken');
      return () => store.release(claim, waiting);
    },
    commands: scripts,
  };
}

/** `redlock`, both majors, and `redis-semaphore`, on one server or on several. */
export function redlocks(clients: readonly Redis[]): readonly Contender[] {
  const [v4, v5] = [new Redlock4(clients, { retryCount: -1 }), new Redlock5(clients, { retryCount: -1 })];
  v4.on('clientError', () => {});
  v5.on('error', () => {});
  return [
    {
      name: 'redlock 4.2',
      take: async (name) => {
        const lock = await v4.lock(`four:${name}`, TTL_MS);
        return () => lock.unlock();
      },
      commands: scripts,
    },
    {
      name: 'redlock 5 beta',
      take: async (name) => {
        const lock = await v5.acquire([`five:${name}`], TTL_MS);
        return () => lock.release();
      },
      commands: scripts,
    },
  ];
}

export async function serverUse(admin: Redis): Promise<ServerUse> {
  const info = String(await admin.call('info', 'cpu', 'commandstats'));
  const seconds = (name: string): number => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
  const counts = info.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm);
  return {
    cpuMs: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1000,
    commands: new Map([...counts].map(([, command, calls]) => [command!, Number(calls)])),
  };
}

function semaphore(client: Redis): Contender {
  const options = { lockTimeout: TTL_MS, acquireTimeout: WAIT_MS };
  return {
    name: 'redis-semaphore',
    take: async (name) => {
      const mutex = new Mutex(client, name, options);
      await mutex.acquire();
      return () => mutex.release();
    },
    commands: ['set', ...scripts],
  };
}

interface Raw {
  readonly take: (name: string, id: string) => Promise<unknown>;
  readonly giveBack: (name: string, id: string) => Promise<unknown>;
}

async function rawIoredis(client: Redis): Promise<Raw> {
  const sha = String(await client.script('LOAD', COMPARE_AND_DELETE));
  return {
    take: (name, id) => client.set(name, id, 'PX', TTL_MS, 'NX'),
    giveBack: (name, id) => client.evalsha(sha, 1, name, id),
  };
}

type NodeRedis = Awaited<ReturnType<typeof connectNodeRedis>>;

function connectNodeRedis(url: string) {
  return createClient({ url }).connect();
}

async function rawNodeRedis(client: NodeRedis): Promise<Raw> {
  const sha = await client.scriptLoad(COMPARE_AND_DELETE);
  return {
    take: (name, id) => client.set(name, id, { expiration: { type: 'PX', value: TTL_MS }, condition: 'NX' }),
    giveBack: (name, id) => client.evalSha(sha, { keys: [name], arguments: [id] }),
  };
}

function floor(client: string, raw: Raw): Contender {
  const lines = new Map<string, Promise<unknown>>();
  return {
    name: `floor, ${client}`,
    take: async (name) => {
      // Only the last knows the line; on distinct names nobody waits.
      const before = lines.get(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      lines.set(name, promise);
      if (before !== undefined) await before;
      const id = randomUUID();
      if ((await raw.take(name, id)) === null) throw new Error('the floor must not meet a lock that is taken');
      return async () => {
        await raw.giveBack(name, id);
        if (lines.get(name) === promise) lines.delete(name);
        resolve();
      };
    },
    commands: ['set', 'evalsha'],
  };
}

type Size = Pick<Case, 'callers' | 'each' | 'rounds'>;

const distinct: readonly Size[] = [
  { callers: 1, each: 800, rounds: 5 },
  { callers: 64, each: 40, rounds: 5 },
  { callers: 1024, each: 4, rounds: 5 },
];
const hot: readonly Size[] = [
  { callers: 1, each: 800, rounds: 5 },
  { callers: 64, each: 30, rounds: 5 },
  { callers: 1024, each: 2, rounds: 5 },
];
/** Shorter turns and more of them: what they differ by is less than what the machine does meanwhile. */
const LEAST: Size = { callers: 1, each: 60, rounds: 60 };
/** Until every caller had them. */
const hotForPollers: readonly Size[] = [
  { callers: 64, each: 2, rounds: 3 },
  { callers: 1024, each: 1, rounds: 2 },
];

export async function redisPart(print: Print): Promise<void> {
  await using server = await RedisServer.start();
  const io = new Redis(server.port);
  const node = await connectNodeRedis(server.url);
  await using store = redisLeases(io);
  await using ours = createLocks(store);
  await using oursOnNode = createLocks(redisLeases(node, { prefix: 'node' }));
  try {
    const own = spillway('spillway, ioredis', ours);
    const pollers = [...redlocks([io]), semaphore(io)];
    const raw = await rawIoredis(io);
    const rawFloor = floor('ioredis', raw);
    const nodeRedis = [spillway('spillway, node-redis', oursOnNode), floor('node-redis', await rawNodeRedis(node))];
    const table = (contenders: readonly Contender[], size: Size, isHot: boolean, of = ''): Promise<void> => {
      const who = `${size.callers} ${size.callers === 1 ? 'caller' : 'callers'}`;
      const title = `Redis, ${who}, ${isHot ? 'one hot name' : 'distinct names'}${of}`;
      return compare(contenders, { ...size, hot: isHot, title, serverUse: () => serverUse(server.admin) }, print);
    };
    for (const size of distinct) {
      await table([storeAlone(store), own, ...pollers, rawFloor], size, false);
      await table(nodeRedis, size, false, ', by node-redis');
    }
    await table([...(await leastLocks(io, raw.giveBack)), own, rawFloor], LEAST, false, ', the least with a token');
    for (const size of hot) await table([own, rawFloor], size, true, ', in line');
    for (const size of hotForPollers) await table([...pollers, rawFloor], size, true, ', those who poll');
  } finally {
    io.disconnect();
    node.destroy();
  }
}
