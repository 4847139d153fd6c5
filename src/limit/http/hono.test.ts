/** Hono where it is given nothing but a `Request`; on Node's own server it is tested with the other frameworks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Hono } from 'hono';

import { concurrency } from '../concurrency.ts';
import { createLimiter } from '../limiter.ts';
import { honoLimit } from './hono.ts';

const settled = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

function service() {
  const limiter = createLimiter({ name: 'slots', algorithm: concurrency({ limit: 1, lease: '1h' }) });
  const app = new Hono();
  app.use(honoLimit(limiter, { key: () => 'ann' }));
  app.get('/text', (context) => context.text('hello'));
  app.get('/nothing', (context) => context.body(null, 204));
  app.get('/fails', () => {
    throw new Error('broken');
  });
  app.get('/breaks', () => {
    const body = new ReadableStream({ pull: () => Promise.reject(new Error('broken')) });
    return new Response(body);
  });
  app.onError((_error, context) => context.text('failed', 500));
  const free = async (): Promise<number> => {
    await settled();
    return limiter.peekSync('ann').remaining;
  };
  return { app, free };
}

test('a slot is held until the body has been read', async () => {
  const { app, free } = service();
  const response = await app.request('/text');
  assert.equal(await free(), 0);
  assert.equal(response.headers.get('ratelimit'), '"slots";r=0');
  assert.equal((await app.request('/text')).status, 429);
  assert.equal(await response.text(), 'hello');
  assert.equal(await free(), 1);
});

test('or is given up, or breaks, or is none', async () => {
  const { app, free } = service();
  await (await app.request('/text')).body!.cancel();
  assert.equal(await free(), 1);
  await assert.rejects((await app.request('/breaks')).text(), /broken/);
  assert.equal(await free(), 1);
  assert.equal((await app.request('/nothing')).status, 204);
  assert.equal(await free(), 1);
  assert.equal(await (await app.request('/fails')).text(), 'failed');
  assert.equal(await free(), 1);
});

test('a slot is given back when the function that is told of it fails', async () => {
  const limiter = createLimiter({ name: 'slots', algorithm: concurrency({ limit: 1, lease: '1h' }) });
  const app = new Hono();
  const onDecision = (): void => {
    throw new Error('broken');
  };
  app.use(honoLimit(limiter, { key: () => 'ann', onDecision }));
  app.onError((_error, context) => context.text('failed', 500));
  assert.equal((await app.request('/')).status, 500);
  await settled();
  assert.equal(limiter.peekSync('ann').remaining, 1);
});

test('a client that goes away is an aborted request', async () => {
  const { app, free } = service();
  const away = new AbortController();
  await app.request('/text', { signal: away.signal });
  assert.equal(await free(), 0);
  away.abort();
  assert.equal(await free(), 1);
});
