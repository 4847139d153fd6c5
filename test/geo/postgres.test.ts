/** A real PostgreSQL: a geohash in a B-tree, and PostGIS; both answer like brute force, and from their indexes. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import geodesicLibrary from 'geographiclib-geodesic';
import { geohash } from '../../src/geo/geohash.ts';
import { distanceM, geodesic } from '../../src/geo/measure.ts';
import { postgisStore } from '../../src/geo/postgis.ts';
import { postgresStore } from '../../src/geo/postgres.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { geoContract } from '../../src/testing/geo-contract.ts';
import { PostgresServer } from '../servers/postgres.ts';
import { withIds } from './places.ts';

const server = await PostgresServer.start();
after(() => server[Symbol.asyncDispose]());
const pool = server.pool();

const kinds = { postgres: postgresStore, postgis: postgisStore };
const ellipsoid = geodesic(geodesicLibrary.Geodesic.WGS84);
let tables = 0;

for (const [kind, open] of Object.entries(kinds)) {
  for (const [suffix, measured] of Object.entries({ '': {}, ' on the ellipsoid': { measure: ellipsoid } })) {
    const contract = geoContract({
      name: `${kind}${suffix}`,
      async create(positions) {
        const store = open(pool, { table: `world_${tables++}`, ...measured });
        await store.migrate();
        await store.setMany(withIds(positions));
        return store;
      },
      ...measured,
      // A zero comes back without its sign.
      kept: ({ lat, lon }) => ({ lat: lat + 0, lon: lon + 0 }),
      questions: suffix === '' ? 500 : 100,
    });
    for (const { name, run } of contract) test(name, run);
  }

  test(`${kind}: things come, move and go, also twice in one batch`, async () => {
    const store = open(pool, { table: `user_${kind}` });
    await Promise.all([store.migrate(), store.migrate()].map((each) => each.catch(() => {})));
    await store.migrate();
    await store.setMany([
      { id: 'a', lat: 1, lon: 1 },
      { id: 'b', lat: 2, lon: 2 },
      { id: 'a', lat: 90, lon: 7 },
    ]);
    assert.deepEqual(
      (await store.nearest({ lat: 90, lon: 0 }, 2)).map(({ id }) => id),
      ['a', 'b'],
    );
    await store.set('b', { lat: 2, lon: 180 });
    assert.deepEqual(await store.inBox({ south: 0, west: -180, north: 3, east: -179 }), [
      { id: 'b', lat: 2, lon: 180 },
    ]);
    assert.equal(await store.remove('b'), true);
    assert.equal(await store.remove('b'), false);
    assert.equal((await store.within({ lat: 0, lon: 0 }, 3e7)).length, 1);
  });

  test(`${kind}: an answer is bounded, and says so`, async () => {
    const store = open(pool, { table: `bounded_${kind}`, answersMax: 10 });
    await store.migrate();
    await store.setMany(withIds(Array.from({ length: 11 }, () => ({ lat: 1, lon: 1 }))));
    const tooLarge = { code: 'ANSWER_TOO_LARGE' };
    await assert.rejects(store.within({ lat: 1, lon: 1 }, 1), tooLarge);
    await assert.rejects(store.nearest({ lat: 1, lon: 1 }, 3), tooLarge);
    await assert.rejects(store.inBox({ south: 0, west: 0, north: 2, east: 2 }), tooLarge);
    await store.remove('000000');
    assert.equal((await store.nearest({ lat: 1, lon: 1 }, 3)).length, 3);
  });

  test(`${kind}: what cannot be meant is refused, and what is missing is said`, async () => {
    const invalid = { code: 'OPTIONS_INVALID' };
    assert.throws(() => open(pool, { table: 'a; DROP TABLE b' }), invalid);
    assert.throws(() => open(pool, { table: 'a', schema: 'A' }), invalid);
    assert.throws(() => open(pool, { table: 'a', answersMax: 0.5 }), invalid);
    assert.throws(() => open(pool, { table: 'a', limit: 1 } as { table: string }), /has no option “limit”/);
    await assert.rejects(open(pool, { table: 'nowhere' }).nearest({ lat: 0, lon: 0 }, 1), { code: 'STORE_REFUSED' });
  });
}

/** Fifty thousand around one town, and what the server plans for a statement that the store sends. */
const town = { lat: 52.52, lon: 13.405 };
const random = seededRandom(3);
const crowd = withIds(
  Array.from({ length: 50_000 }, () => ({ lat: town.lat + random.unit() - 0.5, lon: town.lon + random.unit() - 0.5 })),
);

async function plansOf(open: typeof postgresStore, table: string): Promise<string[]> {
  const plans: string[] = [];
  let explains = false;
  const client = {
    async query(text: string, values: unknown[] = []) {
      if (explains) {
        const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${text}`, values);
        plans.push(rows.map((row) => row['QUERY PLAN']).join('\n'));
      }
      return pool.query(text, values);
    },
  };
  const store = open(client, { table });
  await store.migrate();
  await store.setMany(crowd);
  await pool.query(`ANALYZE spillway.${table}`);
  explains = true;
  const nearest = crowd.toSorted((a, b) => distanceM(town, a) - distanceM(town, b)).slice(0, 10);
  assert.deepEqual(
    (await store.nearest(town, 10)).map(({ id }) => id),
    nearest.map(({ id }) => id),
  );
  await store.within(town, 500);
  await store.inBox({ south: 52.5, west: 13.4, north: 52.51, east: 13.41 });
  return plans;
}

test('postgres: every statement is answered from the B-tree of geohashes, as is a prefix of your own', async () => {
  const plans = await plansOf(postgresStore, 'crowd');
  assert.ok(plans.length >= 4);
  for (const plan of plans) {
    assert.match(plan, /Index (Only )?Scan (using|on) crowd_place|Bitmap Index Scan on crowd_place/);
    assert.doesNotMatch(plan, /Seq Scan/);
  }
  const prefix = geohash.encode(town, 6);
  const own = `SELECT id FROM spillway.crowd WHERE geohash LIKE '${prefix}%'`;
  const { rows } = await pool.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${own}`);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  assert.match(plan, /crowd_place/);
  assert.match(plan, /geohash >= /);
  const found = (await pool.query<{ id: string }>(own)).rows.map(({ id }) => id).sort();
  assert.deepEqual(
    found,
    crowd.filter((each) => geohash.encode(each, 6) === prefix).map(({ id }) => id),
  );
});

test('postgis: every statement is answered from a GiST index', async () => {
  const plans = await plansOf(postgisStore, 'crowd_gis');
  assert.ok(plans.length >= 4);
  for (const plan of plans) {
    assert.match(plan, /Index Scan (using|on) crowd_gis_(place|degrees)/);
    assert.doesNotMatch(plan, /Seq Scan/);
  }
});
