/** Filters in real Redis, one server and a cluster, through every client: the bytes and the answers are those of memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { NodeRedisClient, RedisClient } from '../../src/drivers/redis.ts';
import { createFilter, redisFilter } from '../../src/bloom/index.ts';
import { clients, clusterClients } from '../servers/redis-clients.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';
import { waitsAsLongAsItsSignal } from './silent-server.ts';

const size = { capacity: 3000, falsePositiveRate: 0.01 };
const keys = (count: number, word = 'key') => Array.from({ length: count }, (_, index) => `${word} ${index}`);

const gone = { code: 'FILTER_DAMAGED', message: /gone from Redis/ };

/** What must hold wherever it is. */
async function likeMemory(client: RedisClient, name: string): Promise<void> {
  const segments = { ...size, name, segmentBytes: 1024, seed: [1, 2] as const };
  const filter = await redisFilter(client, segments);
  const memory = createFilter({ ...size, seed: [1, 2] });
  assert.equal(await filter.addMany(keys(1000)), memory.addMany(keys(1000)));
  assert.equal(await filter.add('one'), memory.add('one'));
  assert.equal(await filter.add('one'), false);
  assert.equal(await filter.has('one'), true);
  assert.deepEqual(await filter.hasMany(keys(3000)), memory.hasMany(keys(3000)));
  assert.deepEqual((await filter.download()).toBytes(), memory.toBytes());

  const more = createFilter({ ...size, seed: [1, 2] });
  more.addMany(keys(1000, 'merged'));
  await filter.merge(more);
  memory.merge(more);
  assert.deepEqual((await filter.download()).toBytes(), memory.toBytes());

  // Another process opens the same one.
  const again = await redisFilter(client, segments);
  assert.equal(again.capacity, 3000);
  assert.deepEqual(await again.hasMany(keys(1000, 'merged')), new Uint8Array(1000).fill(1));
  await filter.remove();
  await assert.rejects(again.has('one'), { code: 'FILTER_DAMAGED' });
  assert.equal(await (await redisFilter(client, segments)).has('one'), false);
  await assert.rejects(again.has('one'), { code: 'FILTER_DAMAGED' }, 'this one has none of the keys that were added');
}

test('on one server, through each client, it is the filter in memory', async () => {
  await using server = await RedisServer.start();
  for (const [name, open] of Object.entries(clients)) {
    await using each = await open(server.port);
    await likeMemory(each.client, name.replace(' ', '-'));
  }
});

test('in a cluster, through each client, it is the filter in memory, and its segments are on all servers', async () => {
  await using cluster = await RedisCluster.start();
  const ports = cluster.nodes.map(({ port }) => port);
  for (const [name, open] of Object.entries(clusterClients)) {
    await using each = await open(ports);
    await likeMemory(each.client, name.replace(' ', '-'));
  }
  const counts = await Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
  assert.ok(
    counts.every((count) => count > 0),
    String(counts),
  );
});

test('whatever is added, one by one or many at once, the bytes are those of memory', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  let number = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.string(), { maxLength: 300 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 2000 }),
      fc.constantFrom(64, 192, '4kb' as const, '1mb' as const),
      fc.constantFrom(0.3, 0.01, 0.000_01),
      async (batches, capacity, segmentBytes, falsePositiveRate) => {
        const same = { capacity, falsePositiveRate };
        const filter = await redisFilter(open.client, { ...same, name: `any-${number++}`, segmentBytes });
        const memory = createFilter(same);
        for (const batch of batches) {
          assert.equal(await filter.addMany(batch), memory.addMany(batch));
          assert.equal((await filter.hasMany(batch)).indexOf(0), -1);
        }
        assert.deepEqual((await filter.download()).toBytes(), memory.toBytes());
        await filter.remove();
      },
    ),
    { numRuns: 40 },
  );
  assert.equal(await server.admin.dbsize(), 0);
});

test('of all that add a key at once, one is told that it was new', async () => {
  await using server = await RedisServer.start();
  const opened = await Promise.all(Object.values(clients).map((open) => open(server.port)));
  try {
    // All make it at once, too.
    const filters = await Promise.all(
      opened.map(({ client }) => redisFilter(client, { ...size, name: 'race', segmentBytes: 256 })),
    );
    for (let round = 0; round < 50; round++) {
      const told = await Promise.all(filters.flatMap((filter) => [filter.add(`${round}`), filter.add(`${round}`)]));
      // None only if it looks like one before it.
      assert.ok(told.filter(Boolean).length <= 1);
      assert.ok(await filters[0]!.has(`${round}`));
    }
    const fresh = await Promise.all(filters.map((filter) => filter.addMany(keys(500, 'many'))));
    const alone = createFilter(size);
    for (let round = 0; round < 50; round++) alone.add(`${round}`);
    assert.equal(
      fresh.reduce((sum, count) => sum + count, 0),
      alone.addMany(keys(500, 'many')),
    );
  } finally {
    await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()));
  }
});

test('what is added while another filter is merged is not lost, and nothing stays behind', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['node-redis 6'](server.port);
  const filter = await redisFilter(open.client, { ...size, capacity: 100_000, name: 'merge', segmentBytes: '16kb' });
  const other = createFilter({ ...size, capacity: 100_000 });
  other.addMany(keys(20_000, 'other'));
  const before = await server.admin.dbsize();
  await Promise.all([filter.merge(other), ...keys(500).map((key) => filter.add(key))]);
  assert.equal((await filter.hasMany([...keys(500), ...keys(20_000, 'other')])).indexOf(0), -1);
  assert.equal(await server.admin.dbsize(), before);
});

test('what is to be merged and is evicted on the way is an error, and merged the next time', async () => {
  await using server = await RedisServer.start();
  const { admin } = server;
  const large = { capacity: 1_000_000, falsePositiveRate: 0.01 };
  const other = createFilter(large);
  other.addMany(keys(1000));
  for (const before of ['SETRANGE', 'PTTL', 'BITOP']) {
    let evict = false;
    // A client of the real server, before whose last such command somebody takes away what has an end.
    const client: NodeRedisClient = {
      isReady: true,
      async sendCommand(command) {
        const [name = '', ...args] = command;
        if (evict && name === before && (name !== 'SETRANGE' || args[1] !== '0')) {
          for (const key of await admin.keys('*:merge:*')) await admin.del(key);
        }
        return admin.call(String(name), ...args);
      },
    };
    const filter = await redisFilter(client, { ...large, name: before });
    evict = true;
    await assert.rejects(filter.merge(other), { code: 'STORE_UNAVAILABLE', retryable: true }, before);
    evict = false;
    await filter.merge(other);
    assert.equal((await filter.hasMany(keys(1000))).indexOf(0), -1);
    assert.equal(await admin.dbsize(), 1);
    await filter.remove();
  }
});

test('a segment that is gone is an error, for those who ask, who add, who fetch and who open', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  const options = { ...size, name: 'evicted', segmentBytes: 64 };
  const filter = await redisFilter(open.client, options);
  await server.admin.del('{spillway:evicted:3}');
  const asked = keys(200);
  await assert.rejects(filter.hasMany(asked), gone);
  await assert.rejects(redisFilter(open.client, options), gone);
  await assert.rejects(filter.download(), gone);
  await assert.rejects(filter.merge(createFilter(size)), gone);
  await assert.rejects(filter.addMany(asked), gone);
  await assert.rejects(filter.hasMany(asked), gone, 'adding has not made it whole');
  await filter.remove();
  assert.equal(await (await redisFilter(open.client, options)).addMany(asked.slice(0, 10)), 10);
});

test('a filter that was flushed and made anew, alike or not, is not asked by those who had the old one open', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  const options = { ...size, name: 'anew', segmentBytes: 1024 };
  for (const other of [{}, { capacity: 30_000 }]) {
    const filter = await redisFilter(open.client, options);
    await filter.addMany(keys(3000));
    await server.admin.flushall();
    const anew = await redisFilter(open.client, { ...options, ...other });
    await assert.rejects(filter.has('key 1'), gone);
    await assert.rejects(filter.add('a'), gone);
    await assert.rejects(filter.download(), gone);
    await assert.rejects(filter.merge(createFilter(size)), gone);
    assert.equal(await anew.add('b'), true);
    await server.admin.flushall();
  }
});

test('of what is made only segments stay, without an end, also where somebody added to what was gone', async () => {
  await using server = await RedisServer.start();
  const opened = await Promise.all(Object.values(clients).map((each) => each(server.port)));
  try {
    const options = { ...size, name: 'made', segmentBytes: 1024 };
    const old = await redisFilter(opened[0]!.client, options);
    await old.remove();
    await assert.rejects(old.addMany(keys(100)), gone);
    const filters = await Promise.all(opened.map(({ client }) => redisFilter(client, options)));
    for (const filter of filters) assert.ok(!(await filter.hasMany(keys(100))).includes(1));
    const names = (await server.admin.keys('*')).sort();
    assert.deepEqual(names, Array.from({ length: names.length }, (_, at) => `{spillway:made:${at}}`).sort());
    assert.equal(names.length, Math.ceil(createFilter(size).bits.length / 1024));
    for (const name of names) assert.equal(await server.admin.pttl(name), -1, name);
  } finally {
    await Promise.all(opened.map((each) => each[Symbol.asyncDispose]()));
  }
});

test('a filter that was left half made is finished by the next that opens it', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  const options = { ...size, name: 'half', segmentBytes: 512 };
  const filter = await redisFilter(open.client, options);
  await filter.add('a');
  // As it is when the process that makes it ends after the first segment.
  const first = '{spillway:half:0}';
  const length = await server.admin.strlen(first);
  await server.admin.setrange(first, length - 1, 'm');
  await server.admin.del('{spillway:half:1}', '{spillway:half:2}');
  const opened = await redisFilter(open.client, options);
  assert.equal((await opened.hasMany(keys(100))).length, 100);
  assert.equal(await server.admin.getrange(first, length - 1, -1), 'r');
});

test('a filter of other options, or something else of that name, is refused', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  const options = { ...size, name: 'same' };
  await redisFilter(open.client, options);
  for (const other of [
    { capacity: 3001 },
    { falsePositiveRate: 0.02 },
    { seed: [1, 1] as const },
    { segmentBytes: 64 },
  ]) {
    await assert.rejects(redisFilter(open.client, { ...options, ...other }), { code: 'OPTIONS_INVALID' });
  }
  await server.admin.lpush('{spillway:list:0}', 'x');
  await assert.rejects(redisFilter(open.client, { ...size, name: 'list' }), { code: 'STORE_REFUSED' });
  const filter = await redisFilter(open.client, options);
  await assert.rejects(filter.merge(createFilter({ ...size, capacity: 9000 })), { message: /their size differs/ });
});

test('options that mean nothing are refused before anything is sent', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  for (const wrong of [
    { name: '' },
    { name: 'a{b}' },
    { prefix: 'ü' },
    { segmentBytes: 100 },
    { segmentBytes: '65mb' as const },
    { segmentBytes: 0 },
    { seed: 'random' as const },
    { capacity: 0 },
  ]) {
    await assert.rejects(redisFilter(open.client, { ...size, name: 'x', ...wrong }), { code: 'OPTIONS_INVALID' });
  }
  assert.equal(await server.admin.dbsize(), 0);
});

test('a server that is silent is waited for as long as the signal lets one', async () => {
  await using server = await RedisServer.start();
  await using open = await clients['ioredis 6'](server.port);
  await waitsAsLongAsItsSignal(server, await redisFilter(open.client, { ...size, name: 'silent' }));
});
