import assert from 'node:assert/strict';
import { test } from 'node:test';

import { settle } from '../../test/limit/distant-store.ts';
import type { Clock } from '../kernel/clock.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import type { Outcome } from './algorithm.ts';
import { createLimiter, fixedWindow, type RemoteStore } from './index.ts';

/** A limiter whose store answers when the test says so, in a process that may be too busy to run its timers. */
function blockable() {
  const simulated = new SimulatedClock();
  let blockedMs = 0;
  const clock: Clock = {
    nowMs: () => simulated.nowMs() + blockedMs,
    wallMs: () => simulated.wallMs() + blockedMs,
    after: (delayMs, run) => simulated.after(delayMs, run),
    every: (periodMs, run) => simulated.every(periodMs, run),
  };
  const { promise, resolve } = Promise.withResolvers<readonly (readonly Outcome[])[]>();
  const store: RemoteStore = { local: false, name: 'slow', clock, ask: () => promise };
  const limit = fixedWindow({ limit: 5, per: '1m' });
  return {
    clock: simulated,
    api: createLimiter({ name: 'api', algorithm: limit, store, outage: { answer: 'closed', deadline: 100 } }),
    answer: () => resolve([[{ granted: 1, remaining: 4, retryAfterUs: 0, resetAfterUs: 60_000_000 }]]),
    /** Nothing runs meanwhile, neither timers nor what reads sockets. */
    block: (ms: number) => (blockedMs += ms),
  };
}

test('a process that was too busy to hear an answer hears it before it calls the store late', async () => {
  const { clock, api, answer, block } = blockable();
  const decision = api.take('ann');
  await settle();
  block(5000);
  clock.pass(100);
  await settle();
  answer();
  assert.deepEqual([(await decision).source, api.outage], ['store', null]);
});

test('a store that is silent is late all the same, after one more deadline', async () => {
  const { clock, api, block } = blockable();
  const decision = api.take('ann');
  await settle();
  block(5000);
  clock.pass(199);
  await settle();
  assert.equal(api.outage, null);
  block(5000);
  clock.pass(1);
  assert.equal((await decision).source, 'closed');
});

test('a store that is asked whether anybody still waits hears of the deadline, whenever it looks', async () => {
  const clock = new SimulatedClock();
  const given: { readonly signal: AbortSignal }[] = [];
  const store: RemoteStore = {
    local: false,
    name: 'silent',
    clock,
    ask: (_, options) => {
      given.push(options);
      return Promise.withResolvers<never>().promise;
    },
  };
  const algorithm = fixedWindow({ limit: 5, per: '1m' });
  const api = createLimiter({ name: 'api', algorithm, store, outage: { answer: 'closed', deadline: 100 } });
  const decision = api.take('ann');
  await settle();
  const early = createLimiter({ name: 'early', algorithm, store, outage: { answer: 'closed', deadline: 200 } });
  const other = early.take('ann');
  await settle();
  const looked = given[1]!.signal;
  assert.equal(looked.aborted, false);
  clock.pass(200);
  assert.deepEqual([(await decision).source, (await other).source], ['closed', 'closed']);
  assert.match(String(looked.reason), /no answer within 200 ms/);
  assert.match(String(given[0]!.signal.reason), /no answer within 100 ms/);
});
