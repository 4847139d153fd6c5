/**
 * Filters of RedisBloom through every client. Without the module: that it is missing is said. With it, all else. What needs neither, the
 * arithmetic against what the module recorded, is in src/bloom/chain.test.ts.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Redis } from 'ioredis';
import { redisBloomPath } from '../../scripts/servers.ts';
import type { RedisClient } from '../../src/drivers/redis.ts';
import { loadRedisBloom, openRedisBloomCopy, redisBloomFilter } from '../../src/bloom/index.ts';
import { clients, clusterClients } from '../servers/redis-clients.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';
import { waitsAsLongAsItsSignal } from './silent-server.ts';
import { absent, copyOfDump, keysOf, redisBloomDumps } from './redis-bloom-dumps.ts';

const size = { capacity: 3000, falsePositiveRate: 0.01 };
const gone = { code: 'FILTER_DAMAGED', message: /gone from Redis/ };

test('a Redis without the module says so, and what works without it', async () => {
  await using server = await RedisServer.start();
  for (const open of Object.values(clients)) {
    await using each = await open(server.port);
    const copy = copyOfDump(redisBloomDumps.fixed.dump);
    for (const call of [
      () => redisBloomFilter(each.client, { ...size, key: 'names' }),
      () => loadRedisBloom(each.client, { key: 'names', copy }),
    ]) {
      await assert.rejects(call(), {
        code: 'STORE_REFUSED',
        message: /has no RedisBloom.*`redisFilter` works without/,
      });
    }
  }
  assert.equal(await server.admin.dbsize(), 0);
});

test('options that mean nothing are refused before anything is sent', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  for (const wrong of [
    { ...size, key: '' },
    { ...size, key: 'x'.repeat(513) },
    { ...size, key: 'x', capacity: 0 },
    { ...size, key: 'x', falsePositiveRate: 1 },
    { ...size, key: 'x', falsePositiveRate: 0.3 },
    { key: 'x', falsePositiveRate: 0.01 },
  ]) {
    await assert.rejects(redisBloomFilter(open.client, wrong), { code: 'OPTIONS_INVALID' });
  }
  const copy = copyOfDump(redisBloomDumps.fixed.dump);
  const prefixed = new Redis(server.port, { keyPrefix: 'mine:', lazyConnect: true });
  for (const call of [
    () => redisBloomFilter(prefixed, { ...size, key: 'x' }),
    () => loadRedisBloom(prefixed, { key: 'x', copy }),
  ]) {
    await assert.rejects(call(), { code: 'OPTIONS_INVALID', message: /keyPrefix/ });
  }
  await assert.rejects(loadRedisBloom(open.client, { key: 'a}{b', copy }), {
    code: 'OPTIONS_INVALID',
    message: /braces/,
  });
});

/** What must hold wherever it is. */
async function likeItsCopy(client: RedisClient, key: string): Promise<void> {
  const filter = await redisBloomFilter(client, { ...size, key });
  assert.equal(await filter.add('one'), true);
  assert.equal(await filter.add('one'), false);
  assert.equal(await filter.add(Uint8Array.of(0xff, 0)), true);
  const fresh = await filter.addMany(keysOf(1000));
  assert.ok(fresh > 990 && fresh <= 1000, String(fresh));
  assert.equal((await filter.hasMany([...keysOf(1000), 'one', Uint8Array.of(0xff, 0)])).indexOf(0), -1);
  assert.equal(await filter.has('nobody'), false);

  // Another process opens the same one, also without knowing what it was made for.
  const again = await redisBloomFilter(client, { key });
  assert.deepEqual([again.capacity, again.falsePositiveRate], [3000, 0.01]);
  const { count, capacity, links, scales, falsePositiveRate } = await again.report();
  assert.deepEqual([count, capacity, links, scales], [fresh + 2, 3000, 1, false]);
  assert.ok(falsePositiveRate.now < falsePositiveRate.atCapacity);

  const copy = openRedisBloomCopy((await filter.download()).toBytes());
  const asked = [...keysOf(1000), ...absent, ...keysOf(2000, 'more')];
  assert.deepEqual(copy.hasMany(asked), await filter.hasMany(asked));

  const loaded = await loadRedisBloom(client, { key: `${key}-loaded`, copy });
  assert.deepEqual(await loaded.hasMany(asked), copy.hasMany(asked));
  assert.deepEqual((await loaded.download()).toBytes(), copy.toBytes());
  await assert.rejects(loadRedisBloom(client, { key, copy }), { code: 'OPTIONS_INVALID', message: /is there already/ });

  await filter.remove();
  await loaded.remove();
  for (const call of [
    () => again.has('one'),
    () => again.add('one'),
    () => again.addMany(['one']),
    () => again.report(),
    () => again.download(),
  ]) {
    await assert.rejects(call(), gone);
  }
  await assert.rejects(redisBloomFilter(client, { key }), { code: 'OPTIONS_INVALID', message: /There is no filter/ });
}

function withModule(path: string): void {
  const args = ['--loadmodule', path];

  test('through each client it is made, filled, asked, copied, loaded and removed', async () => {
    await using server = await RedisServer.start({ args });
    for (const [name, open] of Object.entries(clients)) {
      await using each = await open(server.port);
      await likeItsCopy(each.client, name);
    }
    assert.equal(await server.admin.dbsize(), 0);
  });

  test('in a cluster too, whatever the braces', async () => {
    await using cluster = await RedisCluster.start(3, args);
    const ports = cluster.nodes.map(({ port }) => port);
    for (const open of Object.values(clusterClients)) {
      await using each = await open(ports);
      for (const key of ['names', 'of:{team}:names']) await likeItsCopy(each.client, key);
    }
  });

  test('a recorded filter, made anew, has the recorded bytes and answers', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['ioredis 6'](server.port);
    for (const [key, { reserve, keys, dump, found }] of Object.entries(redisBloomDumps)) {
      await server.admin.call('BF.RESERVE', key, ...reserve);
      const filter = await redisBloomFilter(open.client, { key });
      await filter.addMany(keys);
      assert.deepEqual((await filter.download()).toBytes(), copyOfDump(dump).toBytes());
      const asked = await filter.hasMany(absent);
      assert.deepEqual(
        absent.flatMap((_, index) => (asked[index] === 1 ? [index] : [])),
        found,
      );
    }
  });

  test('whatever is added to filters that grow or not, a copy answers as the module does', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['node-redis 6'](server.port);
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.string(), { maxLength: 300 }),
        fc.array(fc.string(), { maxLength: 100 }),
        fc.integer({ min: 1, max: 100 }),
        fc.constantFrom('0.25', '0.01', '0.00001'),
        async (added, others, capacity, rate) => {
          const key = `any-${number++}`;
          await server.admin.call('BF.RESERVE', key, rate, String(capacity), 'EXPANSION', '2');
          const filter = await redisBloomFilter(open.client, { key, capacity, falsePositiveRate: Number(rate) });
          await filter.addMany(added);
          const copy = await filter.download();
          assert.equal(copy.hasMany(added).indexOf(0), -1);
          assert.deepEqual(copy.hasMany(others), await filter.hasMany(others));
          const loaded = await loadRedisBloom(open.client, { key: `${key}-loaded`, copy });
          // It goes on growing where the other would.
          assert.equal(await loaded.addMany(others), await filter.addMany(others));
          assert.deepEqual((await loaded.download()).toBytes(), (await filter.download()).toBytes());
        },
      ),
      { numRuns: 40 },
    );
  });

  test('a filter larger than a piece of a dump is copied and loaded whole', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['node-redis 5'](server.port);
    await server.admin.call('BF.RESERVE', 'large', '0.0001', '8000000', 'NONSCALING');
    const filter = await redisBloomFilter(open.client, { key: 'large' });
    await filter.addMany(keysOf(2000));
    const copy = await filter.download();
    assert.ok(copy.memory.byteLength > 16 * 2 ** 20);
    assert.equal(copy.hasMany(keysOf(2000)).indexOf(0), -1);
    const loaded = await loadRedisBloom(open.client, { key: 'loaded', copy });
    assert.equal((await loaded.hasMany(keysOf(2000))).indexOf(0), -1);
    assert.equal(await server.admin.pttl('loaded'), -1, 'it stays');
    assert.deepEqual((await loaded.download()).toBytes(), copy.toBytes());
  });

  test('a full filter that does not grow says so, and keeps what it has', async () => {
    await using server = await RedisServer.start({ args });
    for (const [key, open] of Object.entries(clients)) {
      await using each = await open(server.port);
      const filter = await redisBloomFilter(each.client, { key, capacity: 100 });
      await assert.rejects(filter.addMany(keysOf(1000)), { code: 'FILTER_FULL' });
      await assert.rejects(filter.addMany(keysOf(100, 'more')), { code: 'FILTER_FULL' });
      assert.equal((await filter.report()).count, 100);
      assert.equal((await filter.hasMany(keysOf(100))).indexOf(0), -1);
    }
  });

  test('one made for something else, or something else of that name, is refused', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['ioredis 5'](server.port);
    await redisBloomFilter(open.client, { ...size, key: 'same' });
    for (const other of [{ capacity: 3001 }, { falsePositiveRate: 0.02 }]) {
      await assert.rejects(redisBloomFilter(open.client, { ...size, ...other, key: 'same' }), {
        code: 'OPTIONS_INVALID',
        message: /was made for 3000 keys at a rate of 0.01/,
      });
    }
    await server.admin.lpush('list', 'x');
    await assert.rejects(redisBloomFilter(open.client, { ...size, key: 'list' }), { code: 'STORE_REFUSED' });
    const filter = await redisBloomFilter(open.client, { ...size, key: 'other' });
    await server.admin.set('other', 'x');
    await assert.rejects(filter.has('a'), gone);
  });

  test('what is no key is refused before any key is sent', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['ioredis 6'](server.port);
    const filter = await redisBloomFilter(open.client, { ...size, key: 'keys' });
    for (const wrong of [7, null, new Uint32Array(2)]) {
      await assert.rejects(filter.addMany([...keysOf(500), wrong as unknown as string]), { code: 'OPTIONS_INVALID' });
    }
    await assert.rejects(filter.addMany(new Uint32Array(4)), { code: 'OPTIONS_INVALID', message: /not its hash/ });
    assert.equal((await filter.report()).count, 0);
    assert.deepEqual(await filter.hasMany([]), new Uint8Array(0));
  });

  test('a filter that is made anew while it is copied is no whole filter', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['ioredis 6'](server.port);
    const filter = await redisBloomFilter(open.client, { ...size, key: 'anew' });
    await filter.addMany(keysOf(100));
    // Its answers come in the order in which it was asked: the header first, then this.
    const copied = filter.download();
    const replaced = open.client.call('UNLINK', 'anew');
    const made = open.client.call('BF.RESERVE', 'anew', '0.01', '3000', 'NONSCALING');
    await assert.rejects(copied, gone);
    await Promise.all([replaced, made]);
  });

  test('of all that make it and add a key at once, one is told that it was new', async () => {
    await using server = await RedisServer.start({ args });
    const opened = await Promise.all(Object.values(clients).map((open) => open(server.port)));
    try {
      const filters = await Promise.all(opened.map(({ client }) => redisBloomFilter(client, { ...size, key: 'race' })));
      for (const key of keysOf(50)) {
        const told = await Promise.all(filters.flatMap((filter) => [filter.add(key), filter.add(key)]));
        assert.ok(told.filter(Boolean).length <= 1);
        assert.ok(await filters[0]!.has(key));
      }
      assert.ok((await filters[0]!.report()).count > 45);
    } finally {
      await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()));
    }
  });

  test('a server that is silent is waited for as long as the signal lets one', async () => {
    await using server = await RedisServer.start({ args });
    await using open = await clients['ioredis 6'](server.port);
    await waitsAsLongAsItsSignal(server, await redisBloomFilter(open.client, { ...size, key: 'silent' }));
  });
}

const path = redisBloomPath();
if (path !== null) withModule(path);
else {
  // No package that is installed here has it: said aloud, so that nobody takes it for run.
  test('without the module, what was not run is said', (t) => {
    t.diagnostic(
      'NOT RUN: the contract against RedisBloom itself. Set SPILLWAY_REDISBLOOM=/path/redisbloom.so (docs/hacking.md) to run it.',
    );
  });
}
