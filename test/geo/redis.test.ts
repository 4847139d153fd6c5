/** A real Redis, with each client as users make them: scores bit for bit, and answers like those of brute force. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import geodesicLibrary from 'geographiclib-geodesic';
import { redisStore } from '../../src/geo/redis.ts';
import { keptByRedis } from '../../src/geo/redis-frames.ts';
import { isPolar, REDIS_LAT_MAX, redisPosition, redisScore, wrapLon } from '../../src/geo/z-order.ts';
import { geodesic, haversine } from '../../src/geo/measure.ts';
import { geoContract } from '../../src/testing/geo-contract.ts';
import { clients, clusterClients } from '../servers/redis-clients.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';
import { polar, withIds } from './places.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());

test('a score and a position are, bit for bit, what Redis makes of them', async () => {
  const { admin } = server;
  await fc.assert(
    fc.asyncProperty(polar, async ({ lat, lon }) => {
      if (isPolar(lat) || wrapLon(lon) !== lon) return;
      await admin.geoadd('one', lon, lat, 'a');
      const score = Number(await admin.zscore('one', 'a'));
      assert.equal(redisScore({ lat, lon }), score);
      const [at] = await admin.geopos('one', 'a');
      const own = redisPosition(score);
      // It prints 17 decimals.
      assert.ok(Math.abs(own.lat - Number(at![1])) < 1e-16 && Math.abs(own.lon - Number(at![0])) < 1e-16);
    }),
    { numRuns: 1000 },
  );
});

test('what is kept is at most 0.35 m from what was put in', () => {
  const measure = haversine();
  fc.assert(
    fc.property(polar, (position) => {
      const kept = keptByRedis(position);
      assert.ok(measure.distanceM(position.lat, position.lon, kept.lat, kept.lon) < 0.35);
    }),
    { numRuns: 5000 },
  );
});

const client = await clients['ioredis 6'](server.port);
after(() => client[Symbol.asyncDispose]());
let worlds = 0;
for (const [name, measured, questions] of [
  ['redis', {}, 2000],
  ['redis on the ellipsoid', { measure: geodesic(geodesicLibrary.Geodesic.WGS84) }, 500],
] as const) {
  const contract = geoContract({
    name,
    async create(positions) {
      const store = redisStore(client.client, { key: `world ${worlds++}`, ...measured });
      await store.setMany(withIds(positions));
      return store;
    },
    ...measured,
    kept: keptByRedis,
    questions,
  });
  for (const { name, run } of contract) test(name, run);
}

for (const [name, open] of Object.entries(clients)) {
  test(`${name}: things come, move over the limit of 85.05° and back, and go`, async () => {
    await using opened = await open(server.port);
    const store = redisStore(opened.client, { key: `moving ${name}` });
    for (const lat of [85, 86, 90, 85.051_128_78, -90, -85]) {
      await store.set('ship', { lat, lon: 180 });
      const [ship, ...others] = await store.nearest({ lat, lon: -180 }, 2);
      assert.equal(ship?.id, 'ship');
      assert.ok(ship.distanceM < 0.35, `${lat}: ${ship.distanceM} m`);
      assert.deepEqual(others, []);
    }
    assert.equal(await store.remove('ship'), true);
    assert.equal(await store.remove('ship'), false);
    assert.deepEqual(await store.within({ lat: 0, lon: 0 }, Number.POSITIVE_INFINITY), []);
  });
}

for (const [name, open] of Object.entries(clusterClients)) {
  test(`${name}: in a cluster both sets are on one node`, async () => {
    await using cluster = await RedisCluster.start();
    await using opened = await open(cluster.nodes.map(({ port }) => port));
    for (const key of ['fleet', 'fleet:{eu}:cars']) {
      const store = redisStore(opened.client, { key });
      await store.setMany(
        withIds([
          { lat: 85, lon: 1 },
          { lat: 86, lon: 1 },
        ]),
      );
      const found = await store.nearest({ lat: 85.9, lon: 1 }, 5);
      assert.deepEqual(
        found.map(({ id }) => Number(id)),
        [1, 0],
      );
    }
  });
}

test('a geo set of somebody else is searched as it is', async () => {
  const { admin } = server;
  await admin.geoadd('theirs', 13.361389, 38.115556, 'Palermo', 15.087269, 37.502669, 'Catania');
  await using opened = await clients['ioredis 6'](server.port);
  const found = await redisStore(opened.client, { key: 'theirs' }).nearest({ lat: 37, lon: 15 }, 2);
  assert.deepEqual(
    found.map(({ id, distanceM }) => `${id} ${(distanceM / 1000).toFixed(0)} km`),
    ['Catania 56 km', 'Palermo 190 km'],
  );
});

test('what is beyond the limit of 85.05° and kept before it, rounded, is found there', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const store = redisStore(opened.client, { key: 'rounded' });
  for (const side of [1, -1]) {
    const given = Array.from({ length: 200 }, (_, at) => ({ lat: side * (REDIS_LAT_MAX + 1e-9), lon: at / 2 }));
    const before = given.map(keptByRedis).findIndex(({ lat }) => side * lat < REDIS_LAT_MAX - 1e-6);
    const kept = keptByRedis(given[before]!);
    await store.set('ship', given[before]!);
    const ids = (found: readonly { readonly id: string }[]) => found.map(({ id }) => id);
    const around = { south: -90, west: -180, north: 90, east: 180 };
    assert.deepEqual(ids(await store.inBox(around)), ['ship']);
    const edge = side * (REDIS_LAT_MAX - 1e-7);
    const below = side > 0 ? { ...around, north: edge } : { ...around, south: edge };
    assert.deepEqual(ids(await store.inBox(below)), ['ship']);
    const center = { lat: kept.lat - side * 1e-5, lon: kept.lon };
    const { distanceM } = haversine();
    const radiusM = distanceM(center.lat, center.lon, kept.lat, kept.lon);
    assert.deepEqual(ids(await store.within(center, radiusM)), ['ship']);
    assert.deepEqual(ids(await store.nearest(center, 1, { maxDistanceM: radiusM })), ['ship']);
  }
});

test('an answer is bounded, and says so', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const store = redisStore(opened.client, { key: 'bounded', answersMax: 100 });
  await store.setMany(Array.from({ length: 101 }, (_, index) => ({ id: `${index}`, lat: 89, lon: 7 })));
  await store.setMany(Array.from({ length: 101 }, (_, index) => ({ id: `${1000 + index}`, lat: 1, lon: 7 })));
  const tooLarge = { code: 'ANSWER_TOO_LARGE', message: /More than 100 were found, which is answersMax/ };
  for (const center of [
    { lat: 89, lon: 7 },
    { lat: 1, lon: 7 },
  ]) {
    await assert.rejects(store.within(center, 1), tooLarge);
    // All are as near: who would be the first three?
    await assert.rejects(store.nearest(center, 3), tooLarge);
    const box = { south: center.lat - 1, west: 6, north: center.lat + 1, east: 8 };
    await assert.rejects(store.inBox(box), tooLarge);
    await store.remove(center.lat === 89 ? '0' : '1000');
    assert.equal((await store.within(center, 1)).length, 100);
    assert.equal((await store.nearest(center, 3)).length, 3);
    assert.equal((await store.inBox(box)).length, 100);
  }
});

test('what cannot be meant is refused', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const invalid = (message: RegExp) => ({ code: 'OPTIONS_INVALID', message });
  for (const key of ['', 'a}b', 'a{b', 'a{}b', '{a}{b}', 'x'.repeat(201)]) {
    assert.throws(() => redisStore(opened.client, { key }), invalid(/key is/));
  }
  assert.throws(() => redisStore(opened.client, { key: 'a', answersMax: 0 }), invalid(/answersMax is 0/));
  const store = redisStore(opened.client, { key: 'a' });
  await assert.rejects(store.set('', { lat: 0, lon: 0 }), invalid(/The id has 0 characters/));
  await assert.rejects(store.set('a\ud800', { lat: 0, lon: 0 }), invalid(/half of a surrogate pair/));
  await assert.rejects(store.remove('a\0'), invalid(/The id is "a\\u0000"; expected no NUL/));
  await assert.rejects(store.set('a', { lat: 90.1, lon: 0 }), invalid(/“a” has latitude 90.1/));
  await assert.rejects(store.within({ lat: 0, lon: Number.NaN }, 1), invalid(/longitude NaN/));
  await assert.rejects(store.nearest({ lat: 0, lon: 0 }, 0), invalid(/k is 0/));
});

test('a question ends with its signal, also when the server hangs', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const store = redisStore(opened.client, { key: 'any' });
  server.freeze();
  try {
    const abort = new AbortController();
    const asked = store.nearest({ lat: 0, lon: 0 }, 1, { signal: abort.signal });
    abort.abort(new Error('no longer wanted'));
    await assert.rejects(asked, /no longer wanted/);
  } finally {
    server.thaw();
  }
});
