import assert from 'node:assert/strict';
import { test } from 'node:test';

import { world } from '../../test/cache/world.ts';
import { memoryCache } from './index.ts';

test('entries and bytes are bounded, and what is larger than all of it is given and not kept', async () => {
  const memory = memoryCache({ entriesMax: 3, bytesMax: 2000, sizeOf: (value) => (value as string).length });
  const { cache } = world({ memory });
  for (let at = 0; at < 10; at++) await cache.set(`k${at}`, 'x');
  assert.deepEqual([cache.entries, memory.entries, cache.counts.evictions], [3, 3, 7]);
  await cache.set('k', 'x'.repeat(1000));
  assert.ok(memory.bytes <= 2000 && cache.peek('k') !== undefined);
  assert.equal(await cache.get('huge', () => 'x'.repeat(2000)), 'x'.repeat(2000));
  assert.equal(cache.peek('huge'), undefined);
});

test('an entry that grows makes room for itself', async () => {
  const memory = memoryCache({ bytesMax: 2000, sizeOf: (value) => (value as string).length });
  const { cache } = world({ memory });
  for (const key of ['a', 'b', 'c']) await cache.set(key, 'x');
  await cache.set('c', 'x'.repeat(1500));
  assert.ok(memory.bytes <= 2000);
  assert.equal(cache.bytes, memory.bytes);
});

test('caches in one memory have their own keys and one bound', async () => {
  const memory = memoryCache({ entriesMax: 4 });
  const [one, other] = [world({ memory }).cache, world({ memory }).cache];
  await one.set('k', 'of one');
  await other.set('k', 'of other');
  assert.deepEqual([one.peek('k'), other.peek('k')], ['of one', 'of other']);
  for (let at = 0; at < 10; at++) await other.set(`k${at}`, 'x');
  assert.equal(memory.entries, 4);
  assert.equal(one.entries + other.entries, 4);
  await other.clear();
  assert.equal(memory.entries, one.entries);
});
