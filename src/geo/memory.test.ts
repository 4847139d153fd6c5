/** The store in memory: what every store answers, and what is its own, that it has an end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import geodesicLibrary from 'geographiclib-geodesic';
import { polar, withIds } from '../../test/geo/places.ts';
import { geoContract } from '../testing/geo-contract.ts';
import type { Placed } from './geo-index.ts';
import { geodesic } from './measure.ts';
import { memoryStore } from './memory.ts';
import type { Position } from './position.ts';

const everywhere = { south: -90, west: -180, north: 90, east: 180 };
const here = { lat: 1, lon: 1 };

for (const [name, measured, questions] of [
  ['in memory', {}, 20_000],
  ['in memory, on the ellipsoid', { measure: geodesic(geodesicLibrary.Geodesic.WGS84) }, 300],
] as const) {
  const contract = geoContract<string>({
    name,
    async create(positions) {
      const store = memoryStore({ capacity: Math.max(1, positions.length), ...measured });
      await store.setMany(withIds(positions));
      return store;
    },
    ...measured,
    questions,
  });
  for (const { name, run } of contract) test(name, run);
}

test('set, setMany and remove are those of a map, full or not', async () => {
  const capacity = 5;
  const id = fc.constantFrom('anna', 'ben', 'cem', 'dora', 'emil', 'fay', 'geo');
  const batch = fc.array(fc.tuple(id, polar), { maxLength: 4 });
  const step = fc.oneof(batch, id);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const store = memoryStore({ capacity });
      let model = new Map<string, Placed<string>>();
      for (const step of steps) {
        if (typeof step === 'string') {
          assert.equal(await store.remove(step), model.delete(step));
        } else {
          const placed = step.map(([id, { lat, lon }]) => ({ id, lat, lon }));
          const next = new Map([...model, ...placed.map((each) => [each.id, each] as const)]);
          if (next.size > capacity) {
            await assert.rejects(store.setMany(placed), { code: 'STORE_REFUSED', message: /capacity, 5: remove some/ });
          } else {
            await store.setMany(placed);
            model = next;
          }
        }
        const sorted = [...model.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
        assert.deepEqual(await store.inBox(everywhere), sorted);
      }
    }),
    { numRuns: 300 },
  );
});

test('of those equally far the first by its text is the nearest, whoever came first', async () => {
  const store = memoryStore({ capacity: 3 });
  for (const id of ['c', 'b', 'a']) await store.set(id, here);
  assert.deepEqual(
    (await store.nearest(here, 1)).map(({ id }) => id),
    ['a'],
  );
  assert.deepEqual(
    (await store.within(here, 1, { limit: 2 })).map(({ id }) => id),
    ['a', 'b'],
  );
});

test('an answer is bounded, and says so', async () => {
  const store = memoryStore({ capacity: 11, answersMax: 10 });
  await store.setMany(withIds(Array.from({ length: 11 }, () => here)));
  const tooLarge = { code: 'ANSWER_TOO_LARGE' };
  await assert.rejects(store.within(here, 1), tooLarge);
  await assert.rejects(store.nearest(here, 3), tooLarge);
  await assert.rejects(store.inBox(everywhere), tooLarge);
  await store.remove('000000');
  assert.equal((await store.nearest(here, 3)).length, 3);
});

test('what cannot be meant is refused, and what is not wanted any more is not done', async () => {
  const invalid = { code: 'OPTIONS_INVALID' };
  for (const capacity of [0, 1.5, 2 ** 27]) assert.throws(() => memoryStore({ capacity }), invalid);
  assert.throws(() => memoryStore({ capacity: 1, answersMax: 0 }), invalid);
  const misspelt = { capacity: 1, answerMax: 1 };
  assert.throws(() => memoryStore(misspelt), { ...invalid, message: /Did you mean answersMax/ });
  const store = memoryStore({ capacity: 2 });
  await assert.rejects(store.set('', here), invalid);
  await assert.rejects(store.set('a', { lat: 91, lon: 0 }), invalid);
  await assert.rejects(store.set('a', null as unknown as Position), { ...invalid, message: /^“a” is null/ });
  const noThing = [{ id: 'a', ...here }, null] as unknown as Placed<string>[];
  await assert.rejects(store.setMany(noThing), { ...invalid, message: /^A thing to set is null/ });
  const signal = AbortSignal.abort(new Error('no longer wanted'));
  await assert.rejects(store.set('a', here, { signal }), /no longer wanted/);
  await assert.rejects(store.nearest(here, 1, { signal }), /no longer wanted/);
  assert.deepEqual(await store.inBox(everywhere), []);
});
