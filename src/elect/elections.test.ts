import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryLeases } from '../lease/index.ts';
import { createElections, type Leadership } from './index.ts';

test('one leads, the next follows when it resigns, with a greater term', async () => {
  const store = memoryLeases();
  await using one = createElections(store, { holder: 'one' });
  await using two = createElections(store, { holder: 'two' });
  const first = await one.campaign('scheduler');
  const second = two.campaign('scheduler');
  first.assertLeader();
  assert.equal(await first.resign(), true);
  assert.throws(() => first.assertLeader(), { code: 'LEASE_LOST' });
  assert.ok((await second).term > first.term);
});

test('an observer sees who leads, and each change', async () => {
  const store = memoryLeases();
  await using one = createElections(store, { holder: 'one' });
  const stop = new AbortController();
  const seen: Leadership[] = [];
  const changes = one.observe('scheduler', { signal: stop.signal })[Symbol.asyncIterator]();
  const next = async (): Promise<void> => void seen.push((await changes.next()).value as Leadership);
  await next();
  const term = await one.campaign('scheduler');
  await next();
  await term.resign();
  await next();
  const none = { leader: null, term: null };
  assert.deepEqual(seen, [none, { leader: 'one', term: term.term }, none]);
  const end = changes.next();
  stop.abort();
  assert.deepEqual(await end, { done: true, value: undefined });
});

test('work runs in one term at a time, and again after a loss', async () => {
  const store = memoryLeases();
  await using elections = createElections(store);
  const terms: bigint[] = [];
  const done = await elections.whileLeader('scheduler', { ttl: 40 }, async ({ term, signal, assertLeader }) => {
    terms.push(term);
    if (terms.length > 1) return 'done';
    // Nothing of this process runs for longer than the ttl.
    const untilMs = performance.now() + 80;
    while (performance.now() < untilMs);
    assert.throws(assertLeader, { code: 'LEASE_LOST' });
    signal.throwIfAborted();
    return 'too late';
  });
  assert.equal(done, 'done');
  assert.ok(terms[1]! > terms[0]!);
});

test('work that fails ends it and leaves the seat; so does the signal', async () => {
  await using elections = createElections(memoryLeases());
  await assert.rejects(
    elections.whileLeader('scheduler', {}, async () => {
      throw new Error('no schedule');
    }),
    /no schedule/,
  );
  const stop = new AbortController();
  const stopped = elections.whileLeader('scheduler', { signal: stop.signal }, async ({ signal }) => {
    queueMicrotask(() => stop.abort(new Error('shutting down')));
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  });
  await assert.rejects(stopped, /shutting down/);
  await (await elections.campaign('scheduler')).resign();
});
