/** A real Redis with a clock that the test sets: the contract of stores, and random questions. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { redisStore } from '../../src/limit/index.ts';
import { limitStoreContract } from '../../src/testing/index.ts';
import { clockedRedis } from '../servers/clocked-redis.ts';
import { RedisServer } from '../servers/redis.ts';
import { agrees } from './agreement.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());

/** Keys end by the server's own clock, and so long after any test. */
const lasting = { '(now + reset)': '(now + reset + 2000000000000000)' };

/** R6: whatever was asked, no key is left that would stay for ever. */
async function clear(): Promise<void> {
  for (const key of await server.admin.keys('*')) assert.ok((await server.admin.pttl(key)) > 0, key);
  await server.admin.flushall();
}

const contract = limitStoreContract({
  name: 'redis',
  async open(startUs) {
    await server.admin.flushall();
    let nowUs = startUs;
    const store = redisStore(clockedRedis(server.admin, () => nowUs, lasting));
    return { store, pass: (us) => void (nowUs += us), close: clear };
  },
});
for (const { name, run } of contract) test(name, run);

agrees(
  'redis',
  async (nowUs) => {
    await clear();
    return { store: redisStore(clockedRedis(server.admin, nowUs, lasting)), forgets: true };
  },
  300,
);
