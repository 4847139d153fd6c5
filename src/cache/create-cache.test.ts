import assert from 'node:assert/strict';
import { test } from 'node:test';

import { world } from '../../test/cache/world.ts';
import { isCoded } from '../kernel/errors.ts';
import { type CacheOptions, createCache, memoryCache } from './index.ts';

test('options and arguments that mean nothing are refused, with their name and value', async () => {
  const bad: [Record<string, unknown>, RegExp][] = [
    [{ name: 'a b' }, /name is “a b”/],
    [{ ttl: undefined }, /ttl is “undefined”/],
    [{ ttl: Number.NaN }, /ttl is NaN/],
    [{ ttl: 0 }, /ttl is 0/],
    [{ ttl: -1 }, /ttl is -1/],
    [{ ttl: '60' }, /ttl is “60”/],
    [{ ttl: Infinity }, /ttl is Infinity/],
    [{ absentTtl: -1 }, /absentTtl is -1/],
    [{ absentTtl: Number.NaN }, /absentTtl is NaN/],
    [{ stale: { whileRevalidate: -1 } }, /stale.whileRevalidate is -1/],
    [{ stale: { ifError: 'long' } }, /stale.ifError is “long”/],
    [{ stale: { iferror: 1 } }, /Did you mean ifError/],
    [{ earlyRefresh: -1 }, /earlyRefresh is -1/],
    [{ earlyRefresh: Number.NaN }, /earlyRefresh is NaN/],
    [{ earlyRefresh: 11 }, /earlyRefresh is 11/],
    [{ jitter: '60%' }, /jitter is “60%”/],
    [{ jitter: 0.1 }, /jitter is “0.1”/],
    [{ deadline: 0 }, /deadline is 0/],
    [{ deadline: Number.NaN }, /deadline is NaN/],
    [{ memory: new Map() }, /memory is none/],
    [{ shared: {} }, /shared.store is none/],
    [{ shared: { store: { ask: () => {} }, wait: -1 } }, /shared.wait is -1/],
    [{ shared: { store: { ask: () => {} }, deadline: 0 } }, /shared.deadline is 0/],
    [{ shared: { store: { ask: () => {} }, deadline: Number.NaN } }, /shared.deadline is NaN/],
    [{ shared: { prefix: 'x' } }, /no option “prefix”/],
    [{ store: 1 }, /no option “store”/],
  ];
  for (const [options, message] of bad) {
    const given = { name: 'c', ttl: '1s', ...options } as unknown as CacheOptions;
    assert.throws(() => createCache(given), (error) => isCoded(error, 'OPTIONS_INVALID') && message.test(error.message), String(message)); // prettier-ignore
  }
  for (const options of [{ entriesMax: 0 }, { entriesMax: 1.5 }, { entriesMax: Number.NaN }, { bytesMax: '1b' }, { bytesMax: Number.NaN }, { bytesMax: 'big' }, { bytesMax: -1 }, { sizeOf: 3 }, { max: 3 }]) // prettier-ignore
    assert.throws(() => memoryCache(options as never), (error) => isCoded(error, 'OPTIONS_INVALID'), JSON.stringify(options)); // prettier-ignore
  const { cache, source } = world();
  const refused = (work: Promise<unknown>): Promise<void> =>
    assert.rejects(work, (error) => isCoded(error, 'OPTIONS_INVALID'));
  for (const key of ['', 7, null] as string[]) {
    await refused(cache.get(key, source.load));
    await refused(cache.set(key, 'v'));
    await refused(cache.delete(key));
    assert.throws(() => cache.peek(key), (error) => isCoded(error, 'OPTIONS_INVALID')); // prettier-ignore
  }
  await refused(cache.get('k', 'no function' as never));
  await refused(cache.set('k', Promise.resolve('v') as never));
});
