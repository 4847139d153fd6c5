/** Distances against values known elsewhere, and the bounds by which an index searches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createFences } from './fences.ts';
import { angleOf, distanceM, EARTH_RADIUS_M, geodesic, haversine, haversineOf } from './measure.ts';
import { memoryStore } from './memory.ts';
import { createPoints } from './points.ts';
import type { Position } from './position.ts';

const lat = fc.double({ min: -90, max: 90, noNaN: true });
const lon = fc.double({ min: -180, max: 180, noNaN: true });

test('a quarter of a great circle is a quarter, at the equator and over a pole', () => {
  const quarter = (EARTH_RADIUS_M * Math.PI) / 2;
  const { distanceM } = haversine();
  for (const [latA, lonA, latB, lonB] of [
    [0, 0, 0, 90],
    [0, 135, 0, -135],
    [45, 20, 45, -160],
    [90, 7, 0, 99],
  ] as const) {
    assert.ok(Math.abs(distanceM(latA, lonA, latB, lonB) - quarter) < 1e-6);
  }
});

test('between what is no position there is no distance', () => {
  const here = { lat: 1, lon: 1 };
  for (const none of [
    null,
    { lat: 91, lon: 0 },
    { lat: 0, lon: Number.NaN },
    { lat: '1', lon: 0 },
  ] as unknown as Position[]) {
    assert.throws(() => distanceM(none, here), { code: 'OPTIONS_INVALID', message: /^The first position / });
    assert.throws(() => distanceM(here, none), { code: 'OPTIONS_INVALID', message: /^The second position / });
  }
});

test('positions opposite each other are half a circle apart, not NaN', () => {
  fc.assert(
    fc.property(lat, lon, (lat, lon) => {
      const angle = angleOf(haversineOf(lat, lon, -lat, lon > 0 ? lon - 180 : lon + 180));
      assert.ok(Math.abs(angle - Math.PI) < 1e-6);
    }),
  );
});

test('a millimetre is a millimetre', () => {
  const step = 1e-3 / ((EARTH_RADIUS_M * Math.PI) / 180);
  assert.ok(Math.abs(haversine().distanceM(0, 0, 0, step) - 1e-3) < 1e-12);
});

test('the sines of small angles, by their series, are those of Math to the last bits', () => {
  const half = (degrees: number): number => Math.sin((degrees * Math.PI) / 360) ** 2;
  fc.assert(
    fc.property(fc.double({ min: -15, max: 1.5, noNaN: true }), (exponent) => {
      const apart = 10 ** exponent;
      for (const found of [haversineOf(0, 0, apart, 0), haversineOf(0, 0, 0, apart), haversineOf(0, apart, 0, 0)]) {
        assert.ok(Math.abs(found / half(apart) - 1) < 1e-15, `${apart}: ${found}`);
      }
    }),
    { numRuns: 10_000 },
  );
});

test('the radius is an option, and refused if it is none', () => {
  const redis = haversine({ radiusM: 6_372_797.560856 });
  // GEODIST of Palermo and Catania in the documentation of Redis, by the positions that it stores.
  const found = redis.distanceM(38.115556395496299, 13.361389338970184, 37.50266842333162, 15.087267458438873);
  assert.ok(Math.abs(found - 166_274.1516) < 1e-3);
  for (const radiusM of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => haversine({ radiusM }), { code: 'OPTIONS_INVALID' });
  }
  const text: object = { radiusM: '6371000' };
  assert.throws(() => haversine(text), { code: 'OPTIONS_INVALID' });
  const misspelt: object = { radius: 1 };
  assert.throws(() => haversine(misspelt), /no option “radius”.*Did you mean radiusM/);
});

test('what is no solver and no measure is refused before the first answer', () => {
  for (const library of [undefined, null, {}, { WGS84: {} }]) {
    assert.throws(() => geodesic(library as never), { code: 'OPTIONS_INVALID', message: /Geodesic\.WGS84/ });
  }
  const { distanceM } = haversine();
  for (const none of [
    null,
    {},
    { radiusMinM: 1, radiusMaxM: 1 },
    { distanceM },
    { distanceM, radiusMinM: 2, radiusMaxM: 1 },
    { distanceM, radiusMinM: 0, radiusMaxM: 1 },
  ]) {
    const measure = none as never;
    const refused = { code: 'OPTIONS_INVALID', message: /measure is none/ };
    assert.throws(() => createPoints([], { measure }), refused);
    assert.throws(() => createFences({ measure }), refused);
    assert.throws(() => memoryStore({ capacity: 1, measure }), refused);
  }
});
