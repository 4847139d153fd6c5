import assert from 'node:assert/strict';
import { test } from 'node:test';

import { knowing, stale, world } from '../../test/cache/world.ts';
import { isCoded } from '../kernel/errors.ts';
import { type Cache, memoryCache } from './index.ts';

test('a thousand callers when an entry ends are one load, and all get its value', async () => {
  const { clock, cache, source } = await knowing();
  clock.pass(60_000);
  const callers = Array.from({ length: 1000 }, () => cache.get('k', source.load));
  assert.equal(source.asked.length, 1);
  await source.answer('new');
  assert.deepEqual(new Set(await Promise.all(callers)), new Set(['new']));
  const { loads, miss, joined } = cache.counts;
  assert.deepEqual({ loads, miss, joined }, { loads: 1, miss: 1, joined: 999 });
});

test('fresh is answered without a load up to its end, and not at it', async () => {
  const { clock, cache, source } = await knowing();
  clock.pass(59_999);
  assert.equal(await cache.get('k', source.load), 'old');
  assert.equal(cache.peek('k'), 'old');
  clock.pass(1);
  assert.equal(cache.peek('k'), undefined);
  const asked = cache.get('k', source.load);
  await source.answer('new');
  assert.equal(await asked, 'new');
});

test('keys are apart', async () => {
  const { cache, source } = world();
  const [a, b] = [cache.get('a', source.load), cache.get('b', source.load)];
  await source.answer('of a', 0);
  await source.answer('of b', 1);
  assert.deepEqual(await Promise.all([a, b]), ['of a', 'of b']);
});

test('a load that fails is the failure of all who wait, with the error of the loader itself, and is not remembered', async () => {
  const { cache, source } = world();
  const callers = [cache.get('k', source.load), cache.get('k', source.load)];
  const error = new TypeError('no database');
  await source.fail(error);
  for (const caller of callers) await assert.rejects(caller, (thrown) => thrown === error);
  const again = cache.get('k', source.load);
  await source.answer('new');
  assert.equal(await again, 'new');
  assert.deepEqual([cache.counts.failed, cache.counts.loads], [2, 2]);
});

test('a loader that throws at once, or needs no time, is as good as any', async () => {
  const { cache } = world();
  const error = new Error('at once');
  const thrown = cache.get('k', () => {
    throw error;
  });
  await assert.rejects(thrown, (reason) => reason === error);
  assert.equal(await cache.get('k', () => 'new'), 'new');
});

test('one caller gives up: it is told at once, the others are answered, the load is not stopped', async () => {
  const { cache, source } = world();
  const leaver = new AbortController();
  const [left, stays] = [cache.get('k', source.load, { signal: leaver.signal }), cache.get('k', source.load)];
  const why = new Error('client has gone');
  leaver.abort(why);
  await assert.rejects(left, (reason) => reason === why);
  assert.equal(source.asked[0]!.signal.aborted, false);
  await source.answer('new');
  assert.equal(await stays, 'new');
  const { aborted, joined, miss } = cache.counts;
  assert.deepEqual({ aborted, joined, miss }, { aborted: 1, joined: 1, miss: 0 });
});

test('when all have gone the load is told to stop, what it brings is not kept, and who comes then begins another', async () => {
  const { cache, source } = world();
  const leavers = [new AbortController(), new AbortController()];
  const callers = leavers.map(({ signal }) => cache.get('k', source.load, { signal }));
  leavers[0]!.abort();
  await assert.rejects(callers[0]!);
  assert.equal(source.asked[0]!.signal.aborted, false);
  leavers[1]!.abort();
  await assert.rejects(callers[1]!);
  assert.equal(source.asked[0]!.signal.aborted, true);
  const next = cache.get('k', source.load);
  await source.answer('abandoned', 0);
  assert.equal(cache.peek('k'), undefined);
  await source.answer('new', 1);
  assert.equal(await next, 'new');
});

test('who comes with a signal that is aborted is refused, also where the value is known', async () => {
  const { cache, source } = await knowing();
  const signal = AbortSignal.abort(new Error('too late'));
  await assert.rejects(cache.get('k', source.load, { signal }), /too late/);
  await assert.rejects(cache.get('other', source.load, { signal }), /too late/);
  assert.equal(source.asked.length, 0);
  assert.equal(cache.counts.aborted, 2);
});

test('a load that is not done at its deadline has failed: CACHE_LOAD_LATE, its signal, and nothing that it brings afterwards', async () => {
  const { clock, cache, source } = world({ deadline: '5s' });
  const caller = cache.get('k', source.load);
  const { signal } = source.asked[0]!;
  clock.pass(5000);
  await assert.rejects(caller, (error) => isCoded(error, 'CACHE_LOAD_LATE') && error.retryable && /“c”.*“k”.*5s/.test(error.message)); // prettier-ignore
  assert.equal(signal.aborted, true);
  await source.answer('late');
  assert.equal(cache.peek('k'), undefined);
  assert.equal(clock.timers, 0);
});

for (const [what, change, after] of [
  ['set', (cache) => cache.set('k', 'set'), 'set'],
  ['deleted', (cache) => cache.delete('k'), undefined],
  ['cleared', (cache) => cache.clear(), undefined],
] as [string, (cache: Cache<string | null>) => Promise<void>, string | undefined][]) {
  test(`a load that began before its key was ${what} is answered to who waits, and never kept`, async () => {
    const { cache, source } = world();
    const before = cache.get('k', source.load);
    await change(cache);
    const afterwards = what === 'set' ? null : cache.get('k', source.load);
    await source.answer('old', 0);
    assert.equal(await before, 'old');
    assert.equal(cache.peek('k'), after);
    if (afterwards !== null) {
      assert.equal(source.asked.length, 2, 'who asks afterwards does not join it');
      await source.answer('new', 1);
      assert.equal(await afterwards, 'new');
      assert.equal(cache.peek('k'), 'new');
    }
  });

  test(`a refresh in the background is stopped when its key is ${what}`, async () => {
    const { clock, cache, source } = await knowing({ stale });
    clock.pass(60_000);
    await cache.get('k', source.load);
    await change(cache);
    assert.equal(source.asked[0]!.signal.aborted, true);
    await source.answer('older');
    assert.equal(cache.peek('k'), after);
  });
}

test('an outdated load that fails is the failure of who waited for it, and nothing to who asks afterwards', async () => {
  const { cache, source } = world({ stale });
  const before = cache.get('k', source.load);
  await cache.set('k', 'set');
  await source.fail(new Error('no database'));
  await assert.rejects(before, /no database/);
  assert.equal(cache.counts.stale_error, 0);
});

test('a refresh that is outdated while somebody waits for it is stopped when he leaves', async () => {
  const { clock, cache, source } = await knowing({ stale, deadline: '1h' });
  clock.pass(60_000);
  await cache.get('k', source.load);
  clock.pass(30_000);
  const leaver = new AbortController();
  const caller = cache.get('k', source.load, { signal: leaver.signal });
  await cache.delete('k');
  assert.equal(source.asked[0]!.signal.aborted, false);
  leaver.abort();
  await assert.rejects(caller);
  assert.equal(source.asked[0]!.signal.aborted, true);
});

test('a ttl may be that of the value; of one that is 0 nothing is kept', async () => {
  const ttl = (value: string): number => (value === 'short' ? 10 : 0);
  const { clock, cache } = world({ ttl });
  await cache.set('k', 'short');
  clock.pass(9);
  assert.equal(cache.peek('k'), 'short');
  await cache.set('k', 'none');
  assert.equal(cache.peek('k'), undefined);
});

test('a ttl or a size that makes no sense refuses the value, and kills nothing', async () => {
  const { cache } = world({ ttl: () => Number.NaN });
  await assert.rejects(cache.set('k', 'v'), (error) => isCoded(error, 'OPTIONS_INVALID'));
  await assert.rejects(
    cache.get('k', () => 'v'),
    (error) => isCoded(error, 'OPTIONS_INVALID'),
  );
  const sized = world({ memory: memoryCache({ sizeOf: () => -1 }) });
  await assert.rejects(
    sized.cache.get('k', () => 'v'),
    /sizeOf of “k” is -1/,
  );
});

test('nothing is left running: no timer but the deadlines of loads', async () => {
  const { clock, cache, source } = world();
  for (let at = 0; at < 100; at++) await cache.set(`k${at}`, 'v');
  assert.equal(clock.timers, 0);
  const waiting = cache.get('k', source.load);
  assert.equal(clock.timers, 1);
  await source.answer('v');
  await waiting;
  assert.equal(clock.timers, 0);
});
