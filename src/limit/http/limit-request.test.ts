import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SpillwayError } from '../../kernel/errors.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { allOf } from '../all-of.ts';
import { concurrency } from '../concurrency.ts';
import type { Decision } from '../decision.ts';
import { fixedWindow } from '../fixed-window.ts';
import { createLimiter } from '../limiter.ts';
import { memoryStore } from '../memory.ts';
import { type Caller, limitRequest } from './limit-request.ts';

function callerFrom(address: string, signal = new AbortController().signal): Caller<string> {
  return { request: address, peer: { address }, signal };
}

const perDay = (limit: number) => fixedWindow({ limit, per: '1d' });

/** Everything that has been started by what is done already. */
const settled = async (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test('a lease is renewed for as long as the request lives, and ends with it', async () => {
  const clock = new SimulatedClock();
  const algorithm = concurrency({ limit: 1, lease: '30s' });
  const limiter = createLimiter({ name: 'slots', algorithm, store: memoryStore({ clock }) });
  const decide = limitRequest(limiter, { key: () => 'ann' });
  const life = new AbortController();
  const verdict = await decide(callerFrom('192.0.2.1', life.signal));
  assert.deepEqual([verdict?.refusal, verdict?.holds], [null, true]);
  for (let minute = 0; minute < 10; minute++) {
    clock.pass(60_000);
    await settled();
    assert.equal(limiter.peekSync('ann').remaining, 0);
  }
  life.abort();
  await settled();
  assert.equal(limiter.peekSync('ann').remaining, 1);
  assert.equal(clock.timers, 0);
});

test('who leaves while the store decides leaves no lease behind, and is not answered', async () => {
  const store = memoryStore();
  const slots = createLimiter({ name: 'slots', algorithm: concurrency({ limit: 1, lease: '1h' }), store });
  const day = createLimiter({ name: 'day', algorithm: perDay(5), store });
  const life = new AbortController();
  const decided: Decision[] = [];
  const onDecision = (decision: Decision): void => void decided.push(decision);
  const pending = limitRequest(allOf(slots, day), { onDecision })(callerFrom('192.0.2.1', life.signal));
  life.abort();
  assert.equal(await pending, null);
  await settled();
  assert.equal(decided.length, 1, 'it was taken');
  assert.equal(slots.peekSync('192.0.2.1').remaining, 1);
  assert.equal(await limitRequest(day)(callerFrom('192.0.2.2', life.signal)), null);
  assert.equal(day.peekSync('192.0.2.2').remaining, 5, 'who is gone is not counted');
});

test('a lease is given back also if a function of the options fails after it was taken', async () => {
  const limiter = createLimiter({ name: 'slots', algorithm: concurrency({ limit: 1, lease: '1h' }) });
  const life = new AbortController();
  const onDecision = (): never => {
    throw new Error('no metrics');
  };
  await assert.rejects(limitRequest(limiter, { onDecision })(callerFrom('192.0.2.1', life.signal)), /no metrics/);
  life.abort();
  await settled();
  assert.equal(limiter.peekSync('192.0.2.1').remaining, 1);
});

test('each limiter has its own key and cost', async () => {
  const store = memoryStore();
  const user = createLimiter({ name: 'user', algorithm: perDay(5), store });
  const slots = createLimiter({ name: 'slots', algorithm: concurrency({ limit: 3, lease: '1h' }), store });
  const life = new AbortController();
  const decide = limitRequest(allOf(user, slots), { key: () => ['ann', 'all'], cost: async () => [4, 2] });
  const verdict = await decide(callerFrom('192.0.2.1', life.signal));
  assert.equal(verdict?.refusal, null);
  assert.equal(user.peekSync('ann').remaining, 1);
  assert.equal(slots.peekSync('all').remaining, 1);
  const refused = await decide(callerFrom('192.0.2.1', life.signal));
  assert.deepEqual(JSON.parse(refused!.refusal!.body)['violated-policies'], ['user', 'slots']);
  life.abort();
  await settled();
  assert.equal(slots.peekSync('all').remaining, 3);
});

test('the fields are those that are asked for', async () => {
  const clock = new SimulatedClock(1_790_000_000_000);
  const namesOf = async (fields?: Parameters<typeof limitRequest>[1]): Promise<string[]> => {
    const limiter = createLimiter({ name: 'api', algorithm: perDay(1), store: memoryStore({ clock }) });
    const verdict = await limitRequest(limiter, fields)(callerFrom('192.0.2.1'));
    return verdict!.fields.map(([name, value]) => `${name}: ${value}`);
  };
  assert.deepEqual(await namesOf(), ['RateLimit-Policy: "api";q=1;w=86400', 'RateLimit: "api";r=0;t=35200']);
  assert.deepEqual(await namesOf({ fields: [] }), []);
  assert.deepEqual(await namesOf({ fields: 'draft-6' }), [
    'RateLimit-Limit: 1',
    'RateLimit-Remaining: 0',
    'RateLimit-Reset: 35200',
  ]);
  assert.deepEqual((await namesOf({ fields: ['draft-7', 'x-ratelimit'] })).slice(1), [
    'RateLimit: limit=1, remaining=0, reset=35200',
    'X-RateLimit-Limit: 1',
    'X-RateLimit-Remaining: 0',
    'X-RateLimit-Reset: 1790035200',
  ]);
});

test('mistakes in options are refused when the limit is made, those of a request when it comes', async () => {
  const store = memoryStore();
  const one = createLimiter({ name: 'one', algorithm: perDay(1), store });
  const two = createLimiter({ name: 'two', algorithm: perDay(1), store });
  const isInvalid = (message: RegExp) => (error: unknown) =>
    error instanceof SpillwayError && error.code === 'OPTIONS_INVALID' && message.test(error.message);
  const made: [() => unknown, RegExp][] = [
    [() => limitRequest([one, two] as never), /expected a limiter made by createLimiter, or allOf/],
    [() => limitRequest(one, { keys: 1 } as object), /no option “keys”/],
    [() => limitRequest(one, { key: () => 'x', client: {} }), /leave out key or client/],
    [() => limitRequest(one, { client: { trustedProxies: ['here'] } }), /“here”/],
    [() => limitRequest(one, { fields: 'draft-8' as 'draft' }), /“draft-8”; expected draft, draft-7/],
    [() => limitRequest(one, { fields: ['draft', 'draft-7'] }), /take one/],
    [() => limitRequest(one, { maxWait: 'long' as '1s' }), /maxWait is “long”/],
    [() => limitRequest(allOf(one, two), { maxWait: '1s' }), /one limiter/],
  ];
  for (const [make, message] of made) assert.throws(make, isInvalid(message));
  const asked: [Parameters<typeof limitRequest>[1], Caller<unknown>, RegExp][] = [
    [{ key: () => '' }, callerFrom('192.0.2.1'), /not empty/],
    [{ key: () => ['a', 'b'] }, callerFrom('192.0.2.1'), /2 keys for one limiter/],
    [{ cost: () => -1 }, callerFrom('192.0.2.1'), /cost is -1/],
    [{}, { ...callerFrom('192.0.2.1'), peer: null }, /limits need a key/],
  ];
  for (const [options, caller, message] of asked) {
    await assert.rejects(limitRequest(one, options)(caller), isInvalid(message));
  }
});

test('the fields say whose quota it is if they are asked to: each limit by its own key, the same each time, and not the key', async () => {
  const store = memoryStore();
  const limiters = ['user', 'all'].map((name) => createLimiter({ name, algorithm: perDay(5), store }));
  const both = allOf(limiters[0]!, limiters[1]!);
  const partitions = async (user: string): Promise<string[]> => {
    const verdict = await limitRequest(both, { key: () => [user, 'all'], partition: true })(callerFrom('192.0.2.1'));
    return verdict!.fields.flatMap(([, value]) => [...value.matchAll(/;pk=:([\w+/]{16}):/g)].map(([, pk]) => pk!));
  };
  const [ann, everybody, ...again] = await partitions('ann');
  assert.deepEqual(again, [ann, everybody], 'in the policy and in the limit');
  assert.notEqual(ann, everybody);
  const bob = await partitions('bob');
  assert.equal(bob[1], everybody);
  assert.notEqual(bob[0], ann);
  assert.deepEqual((await limitRequest(both)(callerFrom('192.0.2.1')))!.fields.join().includes('pk'), false);
  assert.throws(() => limitRequest(both, { partition: true, fields: 'draft-6' }), { code: 'OPTIONS_INVALID' });
});
