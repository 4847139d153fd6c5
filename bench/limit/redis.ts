/**
 * Limits in Redis, beside rate-limiter-flexible and beside the floor: the least that any limiter on Redis could do, which is a script that
 * returns 1, called for each decision by the same client; node-redis has a floor of its own. One server on this machine.
 *
 * No limiter can be as fast as the floor where nothing is shared, for it has to keep something. What that alone costs show two scripts that decide
 * nothing: one reads a key and writes it with an end, which is the least that any limiter asks; the other reads the clock too, and answers as ours.
 */
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { createClient } from 'redis';

import { createLimiter, redisStore, slidingWindow, tokenBucket } from '../../src/limit/index.ts';
import { RedisServer } from '../../test/servers/redis.ts';
import { compare, type Contender, EACH } from './callers.ts';

/** Never reached: what is refused costs rate-limiter-flexible an exception, and us nothing, not even a round trip. */
const LIMIT = 1e8;

/** A state as long as a token bucket's, with an end in the year 2096. */
const KEEPING = {
  script:
    "local time = redis.call('TIME') local raw = redis.call('GET', KEYS[1]) " +
    "redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2]) return { time[1] + 0, raw and 1 or 0, 0, 0 }",
  args: ['x'.repeat(24), '4000000000000'],
} as const;

/** The same without the clock, and with one number for an answer. */
const LEAST = "redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1], 'PX', 10000) return 1";

async function serverCpuMs(admin: Redis): Promise<number> {
  const info = await admin.info('cpu');
  const seconds = (name: string): number => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1000;
}

export async function redisPart(): Promise<void> {
  await using server = await RedisServer.start();
  const io = new Redis(server.port);
  const node = createClient({ url: server.url });
  await node.connect();
  try {
    const algorithm = tokenBucket({ capacity: LIMIT, refillPerSecond: 1000 });
    const outage = { answer: 'closed', deadline: '30s' } as const;
    const limiters = [io, node].map((client, index) =>
      createLimiter({ name: `api-${index}`, algorithm, store: redisStore(client), outage }),
    );
    const peer = new RateLimiterRedis({ storeClient: io, points: LIMIT, duration: 3600 });
    const sha = String(await io.script('LOAD', 'return 1'));
    const keeping = String(await io.script('LOAD', KEEPING.script));
    const least = String(await io.script('LOAD', LEAST));
    const floors = { io: 'floor, ioredis', node: 'floor, node-redis' };
    const contenders: readonly Contender[] = [
      { name: 'spillway, ioredis', floor: floors.io, ask: (key) => limiters[0]!.take(key) },
      { name: 'rate-limiter-flexible, ioredis', floor: floors.io, peer: true, ask: (key) => peer.consume(key) },
      { name: floors.io, floor: floors.io, ask: (key) => io.evalsha(sha, 1, key) },
      { name: 'reads and writes, ioredis', floor: floors.io, ask: (key) => io.evalsha(least, 1, key, KEEPING.args[0]) },
      { name: 'keeps a state, ioredis', floor: floors.io, ask: (key) => io.evalsha(keeping, 1, key, ...KEEPING.args) },
      { name: 'spillway, node-redis', floor: floors.node, ask: (key) => limiters[1]!.take(key) },
      { name: floors.node, floor: floors.node, ask: (key) => node.evalSha(sha, { keys: [key] }) },
    ];
    await compare(contenders, { name: 'Redis', cpuMs: () => serverCpuMs(server.admin) });
    await exact(io);
  } finally {
    io.disconnect();
    node.destroy();
  }
}

/** That what is fast on a hot key is also right. */
async function exact(client: Redis): Promise<void> {
  const algorithm = slidingWindow({ limit: 10_000, per: '366d' });
  const limiter = createLimiter({ name: 'exact', algorithm, store: redisStore(client), outage: { deadline: '30s' } });
  let granted = 0;
  await Promise.all(
    Array.from({ length: 1024 }, async () => {
      for (let asked = 0; asked < EACH; asked++) if ((await limiter.take('hot')).allowed) granted += 1;
    }),
  );
  process.stdout.write(`\n  of ${1024 * EACH} takes of 1024 callers, a limit of 10000 granted ${granted}\n`);
  if (granted !== 10_000) throw new Error('not exact');
}
