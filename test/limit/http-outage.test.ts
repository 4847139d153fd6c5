/** What clients are told while the store of a limit is down: a real Redis, a real server. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createLimiter, type Decision, fixedWindow, redisStore } from '../../src/limit/index.ts';
import { RedisServer } from '../servers/redis.ts';
import { clients } from '../servers/redis-clients.ts';
import { frameworks } from './frameworks.ts';

const redis = await RedisServer.start();
after(() => redis[Symbol.asyncDispose]());

const algorithm = fixedWindow({ limit: 2, per: '366d' });

test('the answer of the outage is the answer of the service, and the store is back by itself', async () => {
  await using opened = await clients['ioredis 6'](redis.port);
  const store = redisStore(opened.client);
  const sources: string[] = [];
  const options = { onDecision: ({ source }: Decision) => void sources.push(source) };
  const start = async (answer: 'closed' | 'open' | 'fallback') => {
    const limiter = createLimiter({ name: answer, algorithm, store, outage: { answer, deadline: '10s' } });
    const service = await frameworks['node:http']!({ work: async () => 'hello', limits: [limiter], options });
    return { service, ask: () => fetch(`http://127.0.0.1:${service.port}/`) };
  };
  const [closed, open, fallback] = [await start('closed'), await start('open'), await start('fallback')];
  await using _closed = closed.service;
  await using _open = open.service;
  await using _fallback = fallback.service;
  const first = await closed.ask();
  assert.match(String(first.headers.get('ratelimit')), /^"closed";r=1;t=\d+$/);
  await redis.kill();

  const refused = await closed.ask();
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal(refused.headers.get('ratelimit'), null);
  assert.equal(refused.headers.get('ratelimit-policy'), '"closed";q=2;w=31622400');
  const problem = (await refused.json()) as Record<string, unknown>;
  assert.equal(problem['type'], 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity');

  const passed = await open.ask();
  assert.equal(passed.status, 200);
  assert.equal(passed.headers.get('ratelimit'), null);

  const statuses = [await fallback.ask(), await fallback.ask(), await fallback.ask()].map(({ status }) => status);
  assert.deepEqual(statuses, [200, 200, 429]);
  assert.deepEqual(sources, ['store', 'closed', 'open', 'fallback', 'fallback', 'fallback']);

  await redis.restart();
  for (let source = ''; source !== 'store'; source = sources.at(-1)!) await closed.ask();
  assert.match(String((await closed.ask()).headers.get('ratelimit')), /^"closed";r=\d;t=\d+$/);
});
