import assert from 'node:assert/strict';
import { test } from 'node:test';

import { knowing, stale, world } from '../../test/cache/world.ts';

test('stale: served at once while one load in the background makes it new', async () => {
  const { clock, cache, source } = await knowing({ stale });
  clock.pass(89_999);
  for (let caller = 0; caller < 10; caller++) assert.equal(await cache.get('k', source.load), 'old');
  assert.equal(cache.peek('k'), 'old');
  assert.equal(source.asked.length, 1);
  await source.answer('new');
  assert.equal(await cache.get('k', source.load), 'new');
  assert.deepEqual([cache.counts.stale, cache.counts.hit, cache.counts.loads], [10, 1, 1]);
});

test('beyond whileRevalidate who asks waits, and joins a refresh that is under way', async () => {
  const { clock, cache, source } = await knowing({ stale, deadline: '1h' });
  clock.pass(60_000);
  await cache.get('k', source.load);
  clock.pass(30_000);
  assert.equal(cache.peek('k'), undefined);
  const caller = cache.get('k', source.load);
  assert.equal(source.asked.length, 1);
  await source.answer('new');
  assert.equal(await caller, 'new');
});

test('who leaves a refresh in the background does not stop it', async () => {
  const { clock, cache, source } = await knowing({ stale, deadline: '1h' });
  clock.pass(60_000);
  await cache.get('k', source.load);
  clock.pass(30_000);
  const leaver = new AbortController();
  const caller = cache.get('k', source.load, { signal: leaver.signal });
  leaver.abort();
  await assert.rejects(caller);
  assert.equal(source.asked[0]!.signal.aborted, false);
  await source.answer('new');
  assert.equal(cache.peek('k'), 'new');
});

test('loading fails: the old value is served to who waits; after that nobody waits, and one load a second tries', async () => {
  const { clock, cache, source } = await knowing({ stale });
  clock.pass(120_000);
  const waiting = [cache.get('k', source.load), cache.get('k', source.load)];
  await source.fail(new Error('no database'));
  assert.deepEqual(await Promise.all(waiting), ['old', 'old']);
  assert.equal(cache.peek('k'), 'old');
  clock.pass(999);
  assert.equal(await cache.get('k', source.load), 'old');
  assert.equal(source.asked.length, 1);
  clock.pass(1);
  assert.equal(await cache.get('k', source.load), 'old');
  assert.equal(source.asked.length, 2);
  await source.answer('new');
  assert.equal(await cache.get('k', source.load), 'new');
  assert.deepEqual([cache.counts.stale_error, cache.counts.hit], [4, 1]);
});

test('a load that is late is one that fails: the old value is served', async () => {
  const { clock, cache, source } = await knowing({ stale, deadline: '5s' });
  clock.pass(120_000);
  const waiting = cache.get('k', source.load);
  clock.pass(5000);
  assert.equal(await waiting, 'old');
});

test('beyond ifError the failure is the answer', async () => {
  const { clock, cache, source } = await knowing({ stale });
  clock.pass(660_000);
  const waiting = cache.get('k', source.load);
  await source.fail(new Error('no database'));
  await assert.rejects(waiting, /no database/);
});

test('a refresh in the background that fails is counted, refused to nobody, and begun again after a second', async () => {
  const { clock, cache, source } = await knowing({ stale });
  clock.pass(60_000);
  await cache.get('k', source.load);
  await source.fail(new Error('no database'));
  for (let caller = 0; caller < 5; caller++) assert.equal(await cache.get('k', source.load), 'old');
  assert.equal(source.asked.length, 1);
  assert.equal(cache.counts.refreshesFailed, 1);
  clock.pass(1000);
  await cache.get('k', source.load);
  assert.equal(source.asked.length, 2);
});

test('at most a hundred refreshes in the background at a time; the rest are served and tried at the next request', async () => {
  const { clock, cache, source } = world({ stale });
  const keys = Array.from({ length: 150 }, (_, at) => `k${at}`);
  for (const key of keys) await cache.set(key, 'old');
  clock.pass(60_000);
  for (const key of keys) assert.equal(await cache.get(key, source.load), 'old');
  assert.equal(source.asked.length, 100);
  await source.answer('new', 0);
  assert.equal(await cache.get('k149', source.load), 'old');
  assert.equal(source.asked.length, 101);
});

test('early: a busy key is loaded again before it ends, in the background, by how long its load takes', async () => {
  const { clock, cache, source } = world({ earlyRefresh: 1 });
  const first = cache.get('k', source.load);
  clock.pass(50);
  await source.answer('first');
  await first;
  // So long before the end that no draw can refresh, and no load lasts.
  clock.pass(60_000 - 50 * 23);
  for (let request = 0; request < 1000; request++) await cache.get('k', source.load);
  assert.equal(source.asked.length, 1);
  let servedMs = 0;
  while (source.asked.length === 1) {
    assert.equal(await cache.get('k', source.load), 'first');
    clock.pass(1);
    servedMs += 1;
  }
  assert.ok(servedMs < 50 * 23, 'before its end');
  await source.answer('second');
  assert.equal(await cache.get('k', source.load), 'second');
  assert.equal(cache.counts.miss, 1);
});

test('what is not there is known for its own time, never served stale, and is no hit', async () => {
  const { clock, cache, source } = world({ stale, absentTtl: '2s' });
  const first = cache.get('k', source.load);
  await source.answer(null);
  assert.equal(await first, null);
  clock.pass(1999);
  assert.equal(await cache.get('k', source.load), null);
  assert.deepEqual([cache.counts.absent, cache.counts.hit, source.asked.length], [1, 0, 1]);
  clock.pass(1);
  const second = cache.get('k', source.load);
  await source.fail(new Error('no database'));
  await assert.rejects(second, /no database/);
});

test('with absentTtl 0 what is not there is asked for again each time, by all callers of a moment together', async () => {
  const { cache, source } = world({ absentTtl: 0 });
  const callers = [cache.get('k', source.load), cache.get('k', source.load)];
  await source.answer(null);
  assert.deepEqual(await Promise.all(callers), [null, null]);
  assert.equal(cache.entries, 0);
});

test('absent is known for five seconds, or for the ttl if that is shorter', async () => {
  for (const [ttl, knownMs] of [
    ['60s', 5000],
    ['2s', 2000],
  ] as const) {
    const { clock, cache } = world({ ttl });
    await cache.set('k', null);
    clock.pass(knownMs - 1);
    assert.equal(cache.peek('k'), null);
    clock.pass(1);
    assert.equal(cache.peek('k'), undefined);
  }
});

test('a failure that is over is forgotten: who asks when the next value has lapsed waits for a load again', async () => {
  const { clock, cache, source } = await knowing({ stale });
  clock.pass(120_000);
  const first = cache.get('k', source.load);
  await source.fail(new Error('no database'));
  await first;
  await cache.set('k', 'second');
  clock.pass(120_000);
  assert.equal(cache.peek('k'), undefined);
  const waiting = cache.get('k', source.load);
  await source.answer('third');
  assert.equal(await waiting, 'third');
});
