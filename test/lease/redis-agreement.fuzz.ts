/** A real Redis whose clock the test sets, asked at random beside table.ts; and each of its keys has an end. */
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Redis } from 'ioredis';
import { redisLeases } from '../../src/lease/index.ts';
import type { RedisLeasesClient } from '../../src/lease/redis.ts';
import { clockedRedis } from '../servers/clocked-redis.ts';
import { RedisServer } from '../servers/redis.ts';
import { agreesWithTable } from './agreement.ts';

const server = await RedisServer.start();
const listener = new Redis(server.port);
after(async () => {
  listener.disconnect();
  await server[Symbol.asyncDispose]();
});
const heard: string[] = [];
await listener.psubscribe('spillway:wake:*', 'spillway:heard');
listener.on('pmessage', (_pattern, _channel, id) => heard.push(id));

/** What was told by now: messages come in their order. */
async function told(): Promise<readonly string[]> {
  await server.admin.publish('spillway:heard', 'all');
  while (heard.at(-1) !== 'all') await new Promise<unknown>((resolve) => listener.once('pmessage', resolve));
  return heard.splice(0).slice(0, -1);
}

async function look(inUse: readonly string[], isAllBack: boolean): Promise<void> {
  const keys = await server.admin.keys('spillway:lease:*');
  for (const key of inUse) assert.ok(keys.includes(`spillway:lease:${key}`), `nothing is left of ${key}`);
  for (const key of keys) assert.ok((await server.admin.pttl(key)) > 0, 'it has an end');
  if (isAllBack) assert.deepEqual(keys, [], 'something is left');
}

agreesWithTable('redis', {
  unitUs: 1,
  tokensOfClock: true,
  tellsOnce: true,
  clockGoesBack: true,
  againMs({ queue }, us) {
    const againMs = Math.max(1, Math.ceil(us) / 1000);
    // Nothing tells it, so one that waits does not wait that long.
    return queue && againMs > 250 ? [250, 500] : [againMs, againMs];
  },
  async open(nowUs) {
    await server.admin.flushall();
    // It has nothing to listen by: this test does.
    const client = clockedRedis(server.admin, nowUs) as RedisLeasesClient;
    Object.assign(client, { duplicate: () => assert.fail('nothing waits') });
    const store = redisLeases(client);
    return { store, told, look, close: () => store[Symbol.asyncDispose]() };
  },
});
