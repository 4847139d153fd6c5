/** Fences against each fence by itself: what is inside, who enters, leaves and crosses, wherever it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Random, seededRandom } from '../kernel/random.ts';
import { boxRing, hardBox, hardPosition } from '../testing/geo-world.ts';
import { createFences, type Fence } from './fences.ts';
import { distanceM, EARTH_RADIUS_M, haversine, type Measure } from './measure.ts';
import type { Position } from './position.ts';
import { createRegion, wayOf } from './region.ts';

const invalid = { code: 'OPTIONS_INVALID' };

function hardFence(random: Random): Fence {
  if (random.unit() < 0.5) return { center: hardPosition(random), radiusM: 10 ** (random.unit() * 7.3) };
  for (;;) {
    const ring = random.unit() < 0.5 ? boxRing(hardBox(random)) : [1, 2, 3, 4].map(() => hardPosition(random));
    try {
      createRegion([ring]);
      return { polygon: [ring] };
    } catch {
      // A ring that is none: another.
    }
  }
}

function isIn(fence: Fence, position: Position): boolean {
  if ('polygon' in fence) return createRegion(fence.polygon).contains(position.lat, position.lon);
  return distanceM(fence.center, position) <= fence.radiusM;
}

test('a position is in exactly the fences that have it, while fences come and go', () => {
  let inside = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = seededRandom(seed);
      const fences = createFences();
      const model = new Map<number, Fence>();
      for (let step = 0; step < 60; step++) {
        const id = Math.floor(random.unit() * 20);
        if (random.unit() < 0.3) assert.equal(fences.remove(id), model.delete(id));
        else {
          const fence = hardFence(random);
          fences.add(id, fence);
          model.set(id, fence);
        }
        assert.equal(fences.size, model.size);
        const position = hardPosition(random);
        const expected = [...model.keys()].filter((id) => isIn(model.get(id)!, position)).sort((a, b) => a - b);
        inside += expected.length;
        assert.deepEqual(fences.at(position), expected, JSON.stringify(position));
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(inside > 10_000);
});

test('entered, left and inside are the differences of what the positions are in', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = seededRandom(seed);
      const fences = createFences();
      for (let id = 0; id < 20; id++) fences.add(id, hardFence(random));
      let before: number[] = [];
      for (let step = 0; step < 30; step++) {
        const position = hardPosition(random);
        const now = fences.at(position);
        const { inside, entered, left, crossed } = fences.move('van', position);
        assert.deepEqual(inside, now);
        assert.deepEqual(
          entered,
          now.filter((id) => !before.includes(id)),
        );
        assert.deepEqual(
          left,
          before.filter((id) => !now.includes(id)),
        );
        assert.ok(crossed.every((id) => !now.includes(id) && !before.includes(id)));
        before = now;
      }
    }),
  );
});

test('what a step by step walk goes through is crossed by the jump from its start to its end', () => {
  let crossings = 0;
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = seededRandom(seed);
      const fences = createFences();
      for (let id = 0; id < 20; id++) fences.add(id, hardFence(random));
      const from = hardPosition(random);
      const to = hardPosition(random);
      const run = to.lon - from.lon;
      const east = run > 180 ? run - 360 : run < -180 ? run + 360 : run;
      const met = new Set<number>();
      for (let step = 1; step < 200; step++) {
        const lon = from.lon + (east * step) / 200;
        const lat = from.lat + ((to.lat - from.lat) * step) / 200;
        for (const id of fences.at({ lat, lon: lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon })) met.add(id);
      }
      const ends = [...fences.at(from), ...fences.at(to)];
      fences.move(1, from);
      const { crossed } = fences.move(1, to);
      for (const id of met) if (!ends.includes(id)) assert.ok(crossed.includes(id), `${id} of ${crossed.join()}`);
      crossings += crossed.length;
    }),
    { numRuns: 300 },
  );
  assert.ok(crossings > 100);
});

test('a fence as thin as a wall is crossed, and one beside the way is not', () => {
  const wall = (lon: number): Fence => ({
    polygon: [
      [
        { lat: -1, lon },
        { lat: 1, lon },
        { lat: 1, lon: lon + 1e-9 },
        { lat: -1, lon: lon + 1e-9 },
      ],
    ],
  });
  const fences = createFences();
  fences.add(1, wall(179.5));
  fences.add(2, wall(-179.5));
  fences.add(3, wall(0));
  fences.add(4, { center: { lat: 0.001, lon: 179.9 }, radiusM: 112 });
  fences.add(5, { center: { lat: 0.001, lon: 179.9 }, radiusM: 111 });
  fences.move('ship', { lat: 0, lon: 179 });
  assert.deepEqual(fences.move('ship', { lat: 0, lon: -179 }).crossed, [1, 2, 4]);
});

test('a way along the rim of a circle is judged in bounded time', () => {
  const sphere = haversine();
  let looks = 0;
  const measure: Measure = {
    ...sphere,
    distanceM: (...ends) => {
      looks++;
      return sphere.distanceM(...ends);
    },
  };
  const fences = createFences({ measure });
  // Half of the Earth but for 2 cm, of which the rim is a meridian.
  fences.add(1, { center: { lat: 0, lon: 0 }, radiusM: (EARTH_RADIUS_M * Math.PI) / 2 - 0.02 });
  // A way round a pole, shorter by far than it would be at the equator.
  fences.add(2, { center: { lat: 89.9995, lon: 0 }, radiusM: 120 });
  fences.move('along', { lat: -80, lon: 90 });
  assert.deepEqual(fences.move('along', { lat: 80, lon: 90 }).crossed, [1]);
  assert.ok(looks < 110_000, `${looks} looks`);
  fences.remove(1);
  fences.move('round', { lat: 89.9987, lon: 100 });
  looks = 0;
  assert.deepEqual(fences.move('round', { lat: 89.9987, lon: -100 }).crossed, []);
  assert.ok(looks < 100, `${looks} looks`);
});

test('where both ways round are as long, circles and polygons are crossed on the same one', () => {
  for (const lon of [180, -180]) {
    const fences = createFences();
    const beside = lon / 2;
    const corners = [-1, 1].map((lat) => ({ lat, lon: beside }));
    fences.add(1, { center: { lat: 0, lon: beside }, radiusM: 1000 });
    fences.add(2, { polygon: [[...corners, { lat: 0, lon: beside + 1 }]] });
    fences.add(3, { center: { lat: 0, lon: -beside }, radiusM: 1000 });
    fences.move(1, { lat: 0, lon });
    assert.deepEqual(fences.move(1, { lat: 0, lon: 0 }).crossed, [1, 2]);
  }
});

test('ways meet where a model in whole numbers says so', () => {
  const end = fc.record({ lat: fc.integer({ min: -3, max: 3 }), lon: fc.integer({ min: -3, max: 3 }) });
  const shifted = ({ lat, lon }: Position, by: number): Position => ({ lat, lon: ((lon + by + 540) % 360) - 180 });
  const cross = (a: Position, b: Position, c: Position): number =>
    Math.sign((b.lon - a.lon) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lon - a.lon));
  const on = (a: Position, b: Position, c: Position): boolean =>
    cross(a, b, c) === 0 &&
    c.lat >= Math.min(a.lat, b.lat) &&
    c.lat <= Math.max(a.lat, b.lat) &&
    c.lon >= Math.min(a.lon, b.lon) &&
    c.lon <= Math.max(a.lon, b.lon);
  fc.assert(
    fc.property(end, end, end, end, end, fc.constantFrom(0, 179, 180, -178), (a, b, c, d, e, by) => {
      const ring = [c, d, e];
      fc.pre(new Set(ring.map(({ lat, lon }) => `${lat} ${lon}`)).size === 3);
      const expected = ring.some((from, at) => {
        const to = ring[(at + 1) % 3]!;
        if (on(a, b, from) || on(a, b, to) || on(from, to, a) || on(from, to, b)) return true;
        return cross(a, b, from) * cross(a, b, to) < 0 && cross(from, to, a) * cross(from, to, b) < 0;
      });
      const region = createRegion([ring.map((corner) => shifted(corner, by))]);
      assert.equal(region.meets(wayOf(shifted(a, by), shifted(b, by))), expected);
    }),
    { numRuns: 3000 },
  );
});

test('what cannot be meant is refused, and so is one thing too many', () => {
  const fences = createFences({ watchedMax: 1 });
  for (const id of [-1, 0.5, 2 ** 32]) {
    assert.throws(() => fences.add(id, { center: { lat: 0, lon: 0 }, radiusM: 1 }), invalid);
  }
  assert.throws(() => fences.add(1, { center: { lat: 91, lon: 0 }, radiusM: 1 }), invalid);
  assert.throws(() => fences.add(1, { center: { lat: 0, lon: 0 }, radiusM: -1 }), invalid);
  assert.throws(() => fences.add(1, { polygon: [[]] }), invalid);
  assert.throws(() => fences.add(1, null as never), { ...invalid, message: /The fence is null/ });
  assert.throws(() => fences.at({ lat: Number.NaN, lon: 0 }), invalid);
  assert.throws(() => createFences({ watchedMax: 0 }), invalid);
  const misspelt: object = { watchMax: 1 };
  assert.throws(() => createFences(misspelt), { ...invalid, message: /Did you mean watchedMax/ });
  fences.move('a', { lat: 0, lon: 0 });
  assert.throws(() => fences.move('b', { lat: 0, lon: 0 }), { ...invalid, message: /forget some/ });
  assert.equal(fences.forget('a'), true);
  assert.equal(fences.forget('a'), false);
  fences.move('b', { lat: 0, lon: 0 });
});
