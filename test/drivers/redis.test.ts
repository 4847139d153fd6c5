/** How calls of Redis leave: what one tick asks is few writes by ioredis, the first of them short, and one by node-redis. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { createClient } from 'redis';
import { type RedisClient, RedisDriver, RedisScript } from '../../src/drivers/redis.ts';
import { RedisServer } from '../servers/redis.ts';

const CALLS = 100;
const script = new RedisScript('return ARGV[1]');
const waiting = { signal: new AbortController().signal };

async function readsOf(server: RedisServer): Promise<number> {
  return Number(/^total_reads_processed:(\d+)/m.exec(await server.admin.info('stats'))?.[1]);
}

async function check(server: RedisServer, client: RedisClient, writes: number): Promise<void> {
  const driver = new RedisDriver(client);
  const ask = (each: number): Promise<unknown> => driver.run({ script, keys: ['key'], args: [String(each)], waiting });
  await ask(0);
  const before = await readsOf(server);
  const asked = Array.from({ length: CALLS }, (_, each) => each);
  assert.deepEqual(await Promise.all(asked.map(ask)), asked.map(String));
  const reads = (await readsOf(server)) - before;
  // One of them reads the question how many there were; one more if a read ended within a write.
  assert.ok(reads <= writes + 2, `the server read ${reads} times for ${CALLS} calls of one tick`);
}

test('calls of one tick leave in few writes', async (t) => {
  await using server = await RedisServer.start();
  const versions = { 'ioredis 6': (port: number) => new Redis(port), 'ioredis 5': (port: number) => new Redis5(port) };
  for (const [name, connect] of Object.entries(versions)) {
    await t.test(name, async () => {
      const client = connect(server.port);
      try {
        // 8, 32 and 60 calls.
        await check(server, client, 3);
      } finally {
        client.disconnect();
      }
    });
  }
  await t.test('node-redis', async () => {
    const client = await createClient({ url: server.url }).connect();
    try {
      await check(server, client, 1);
    } finally {
      client.destroy();
    }
  });
});
