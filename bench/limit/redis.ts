/**
 * Limits in Redis, beside rate-limiter-flexible and beside the floor: the least that any limiter on Redis could do, which is a script that
 * returns 1, called for each decision by the same client. One server on this machine, callers that each wait for their answer
 * before they ask again. "Hot" is one key for all of them, "distinct" ten thousand keys.
 */
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { createClient } from 'redis';

import { createLimiter, redisStore, slidingWindow, tokenBucket } from '../../src/limit/index.ts';
import { RedisServer } from '../../test/servers/redis.ts';

const CALLERS = [1, 64, 1024];
const TURNS = 7;
const WARM_UP = 1;
/** So many are awaited by each caller in a turn, and at least so many by all. */
const EACH = 20;
const TOGETHER = 2000;
const KEYS = 10_000;
/** The place of rate-limiter-flexible among the contenders; the last is the floor. */
const PEER = 2;
/** Never reached: what is refused costs rate-limiter-flexible an exception, and us nothing, not even a round trip. */
const LIMIT = 1e8;

interface Contender {
  readonly name: string;
  /** One decision. */
  readonly ask: (key: string) => Promise<unknown>;
}

interface Turn {
  readonly perSecond: number;
  /** Of this process and of the server, in µs a decision. */
  readonly clientUs: number;
  readonly serverUs: number;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

async function serverCpuMs(admin: Redis): Promise<number> {
  const info = await admin.info('cpu');
  const seconds = (name: string): number => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1000;
}

async function turn({ ask }: Contender, callers: number, hot: boolean, admin: Redis): Promise<Turn> {
  const each = Math.max(EACH, Math.ceil(TOGETHER / callers));
  const serverBefore = await serverCpuMs(admin);
  const before = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let asked = 0; asked < each; asked++) {
        await ask(hot ? 'user:1' : `user:${(caller * 7919 + asked * 104_729) % KEYS}`);
      }
    }),
  );
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const count = callers * each;
  return {
    perSecond: (count / ms) * 1000,
    clientUs: (user + system) / count,
    serverUs: (((await serverCpuMs(admin)) - serverBefore) * 1000) / count,
  };
}

async function compare(contenders: readonly Contender[], callers: number, hot: boolean, admin: Redis): Promise<void> {
  const turns = contenders.map((): Turn[] => []);
  for (let round = 0; round < TURNS + WARM_UP; round++) {
    for (const [index, contender] of contenders.entries()) {
      const figures = await turn(contender, callers, hot, admin);
      if (round >= WARM_UP) turns[index]!.push(figures);
    }
  }
  process.stdout.write(
    `\nRedis, ${callers} ${callers === 1 ? 'caller' : 'callers'}, ${hot ? 'one hot key' : 'distinct keys'}\n`,
  );
  const [peer, floor] = [turns[PEER]!, turns.at(-1)!];
  for (const [index, { name }] of contenders.entries()) {
    const own = turns[index]!;
    const of = (figure: keyof Turn): number => median(own.map((each) => each[figure]));
    const against = (other: readonly Turn[]): string =>
      median(own.map(({ perSecond }, at) => perSecond / other[at]!.perSecond))
        .toFixed(2)
        .padStart(6);
    process.stdout.write(
      `  ${name.padEnd(31)}${of('perSecond').toFixed(0).padStart(8)} /s ${against(floor)} × floor ${against(peer)} × peer` +
        `   CPU: client ${of('clientUs').toFixed(2).padStart(6)} µs, server ${of('serverUs').toFixed(2).padStart(6)} µs\n`,
    );
  }
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
    const contenders: readonly Contender[] = [
      { name: 'spillway, ioredis', ask: (key) => limiters[0]!.take(key) },
      { name: 'spillway, node-redis', ask: (key) => limiters[1]!.take(key) },
      { name: 'rate-limiter-flexible, ioredis', ask: (key) => peer.consume(key) },
      { name: 'floor, node-redis', ask: (key) => node.evalSha(sha, { keys: [key] }) },
      { name: 'floor, ioredis', ask: (key) => io.evalsha(sha, 1, key) },
    ];
    for (const hot of [false, true]) {
      for (const callers of CALLERS) await compare(contenders, callers, hot, server.admin);
    }
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
