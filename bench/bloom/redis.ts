/**
 * A filter in Redis, beside what one writes without one: a SETBIT or GETBIT for each bit of a classic filter, in a pipeline. One server
 * on this machine. Contenders take turns; a figure is the best of them, CPU time of this process and of the server.
 */
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { redisFilter, xxh64 } from 'spillway/bloom';
import { RedisServer } from '../../test/servers/redis.ts';
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 5;
const KEYS = 16_384;
const CALLERS = 64;
const CAPACITY = 1_000_000;
/** Of a classic filter at 1 %. */
const PROBES = 7;
const BITS = Math.ceil(CAPACITY * 9.585);

interface Case {
  readonly name: string;
  readonly run: (keys: readonly string[]) => Promise<unknown>;
}

async function serverNs(admin: Redis): Promise<number> {
  const info = await admin.info('cpu');
  const seconds = (name: string): number => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e9;
}

/** One by one, by callers that each wait for an answer. */
async function each(keys: readonly string[], ask: (key: string) => Promise<unknown>): Promise<void> {
  await Promise.all(
    Array.from({ length: CALLERS }, async (_, caller) => {
      for (let at = caller; at < keys.length; at += CALLERS) await ask(keys[at]!);
    }),
  );
}

function byHand(client: Redis, verb: 'setbit' | 'getbit'): (key: string) => Promise<unknown> {
  const words = new Uint32Array(2);
  return (key) => {
    xxh64(key, 0, words);
    const pipeline = client.pipeline();
    for (let probe = 0; probe < PROBES; probe++) {
      const bit = (words[0]! + probe * words[1]!) % BITS;
      if (verb === 'setbit') pipeline.setbit('by-hand', bit, 1);
      else pipeline.getbit('by-hand', bit);
    }
    return pipeline.exec();
  };
}

export async function redisPart(): Promise<void> {
  await using server = await RedisServer.start();
  const io = new Redis(server.port);
  const node = createClient({ url: server.url });
  await node.connect();
  try {
    const options = { capacity: CAPACITY, falsePositiveRate: '1%', name: 'bench' } as const;
    const filters = { ioredis: await redisFilter(io, options), 'node-redis': await redisFilter(node, options) };
    const cases: Case[] = Object.entries(filters).flatMap(([name, filter]) => [
      { name: `addMany, ${name}`, run: (keys) => filter.addMany(keys) },
      { name: `hasMany, ${name}`, run: (keys) => filter.hasMany(keys) },
      { name: `add, ${CALLERS} callers, ${name}`, run: (keys) => each(keys, (key) => filter.add(key)) },
      { name: `has, ${CALLERS} callers, ${name}`, run: (keys) => each(keys, (key) => filter.has(key)) },
    ]);
    cases.push({
      name: `SETBIT by hand, ${CALLERS} callers, ioredis`,
      run: (keys) => each(keys, byHand(io, 'setbit')),
    });
    cases.push({
      name: `GETBIT by hand, ${CALLERS} callers, ioredis`,
      run: (keys) => each(keys, byHand(io, 'getbit')),
    });
    process.stdout.write(`\nRedis on this machine, ${CAPACITY.toLocaleString('en')} keys at 1 %\n`);
    const best = new Map(cases.map(({ name }) => [name, { ms: Infinity, client: Infinity, server: Infinity }]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, run } of cases) {
        const keys = Array.from({ length: KEYS }, (_, index) => `user:${round}:${name}:${index}`);
        const before = [await serverNs(server.admin), cpuNs(), performance.now()] as const;
        await run(keys);
        const took = [performance.now() - before[2], cpuNs() - before[1], (await serverNs(server.admin)) - before[0]];
        const least = best.get(name)!;
        best.set(name, {
          ms: Math.min(least.ms, took[0]!),
          client: Math.min(least.client, took[1]! / KEYS),
          server: Math.min(least.server, took[2]! / KEYS),
        });
      }
    }
    for (const [name, { ms, client, server: ns }] of best) {
      const perSecond = Math.round((KEYS / ms) * 1000).toLocaleString('en');
      process.stdout.write(
        `  ${name.padEnd(38)} ${perSecond.padStart(9)} /s   CPU: client ${(client / 1000).toFixed(1).padStart(5)} µs, server ${(ns / 1000).toFixed(1).padStart(5)} µs\n`,
      );
    }
  } finally {
    io.disconnect();
    node.destroy();
  }
}
