/** Regions against a model in whole numbers that has neither slices nor floating point, and the cases that are easy to get wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import type { Position } from './position.ts';
import { createRegion, type Ring } from './region.ts';

const turned = (lon: number): number => ((((lon + 180) % 360) + 360) % 360) - 180;

/** Whole degrees, so that positions often lie on edges and corners; the model is exact by construction. */
const lat = fc.oneof(fc.integer({ min: -90, max: 90 }), fc.constantFrom(-90, 0, 90));
const corner = fc.record({ lat, lon: fc.integer({ min: -180, max: 180 }) });
const ring = fc.uniqueArray(corner, {
  minLength: 3,
  maxLength: 40,
  selector: ({ lat, lon }) => `${lat} ${turned(lon)}`,
});

/** Crossings of the way north, by definition: each edge once for each turn of the position's longitude. */
function modelKeeps(ring: Ring, at: Position, hole: boolean): boolean {
  let across = turned(ring[0]!.lon);
  const start = across;
  let crossed = 0;
  for (const [index, from] of ring.entries()) {
    const to = ring[(index + 1) % ring.length]!;
    const next = across + turned(to.lon - from.lon);
    const [west, westLat, east, eastLat] =
      across <= next ? [across, from.lat, next, to.lat] : [next, to.lat, across, from.lat];
    for (let lon = turned(at.lon) - 3600; lon <= 3600; lon += 360) {
      if (lon < west || lon > east) continue;
      const side = (east - west) * (at.lat - westLat) - (eastLat - westLat) * (lon - west);
      const within = at.lat >= Math.min(from.lat, to.lat) && at.lat <= Math.max(from.lat, to.lat);
      if (side === 0 && (west < east || within)) return true;
      if (west < east && lon < east && side < 0) crossed++;
    }
    across = next;
  }
  if (Math.abs(at.lat) === 90 && ring.some(({ lat }) => lat === at.lat)) return true;
  const turns = (across - start) / 360;
  const north = hole ? turns !== -1 : turns === 1;
  return north !== (crossed % 2 === 1);
}

function usable(ring: Ring): boolean {
  let across = 0;
  for (const [index, from] of ring.entries()) {
    const run = turned(ring[(index + 1) % ring.length]!.lon - from.lon);
    if (run === -180) return false;
    across += run;
  }
  return Math.abs(across) <= 360;
}

test('a region has exactly what the model has, on edges and corners too, wherever it lies', () => {
  let inside = 0;
  fc.assert(
    fc.property(ring, fc.array(corner, { minLength: 20, maxLength: 20 }), (corners, positions) => {
      fc.pre(usable(corners));
      const region = createRegion([corners]);
      for (const at of [...positions, ...corners]) {
        const expected = modelKeeps(corners, at, false);
        inside += Number(expected);
        assert.equal(region.contains(at.lat, at.lon), expected, `${at.lat} ${at.lon}`);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(inside > 1000);
});

test('holes are taken out, their boundaries are not', () => {
  fc.assert(
    fc.property(ring, ring, fc.array(corner, { minLength: 20, maxLength: 20 }), (outer, hole, positions) => {
      fc.pre(usable(outer) && usable(hole));
      const region = createRegion([outer, hole]);
      for (const at of [...positions, ...hole]) {
        const expected = modelKeeps(outer, at, false) && modelKeeps(hole, at, true);
        assert.equal(region.contains(at.lat, at.lon), expected, `${at.lat} ${at.lon}`);
      }
    }),
    { numRuns: 1000 },
  );
});

test('the bounds have all that is inside', () => {
  fc.assert(
    fc.property(ring, fc.array(corner, { minLength: 50, maxLength: 50 }), (corners, positions) => {
      fc.pre(usable(corners));
      const { bounds } = createRegion([corners]);
      const { south, north, west, east } = bounds;
      for (const { lat, lon } of positions.filter((at) => modelKeeps(corners, at, false))) {
        const between = west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
        assert.ok(
          lat >= south && lat <= north && (between || Math.abs(lon) === 180 || Math.abs(lat) === 90),
          JSON.stringify(bounds),
        );
      }
    }),
  );
});

test('a ring without an area is its boundary', () => {
  const region = createRegion([[0, 5, 2].map((lat) => ({ lat, lon: 7 }))]);
  assert.deepEqual(
    [
      [3, 7],
      [5, 7],
      [6, 7],
      [3, 7.1],
    ].map(([lat, lon]) => region.contains(lat!, lon!)),
    [true, true, false, false],
  );
});

test('a coast of many corners has what the same coast asked edge by edge has', () => {
  const random = seededRandom(9);
  const corners = Array.from({ length: 5000 }, (_, at) => {
    const angle = (at / 5000) * 2 * Math.PI;
    const reach = 8 + random.unit();
    return { lat: 10 + reach * Math.sin(angle), lon: turned(178 + reach * Math.cos(angle)) };
  });
  const region = createRegion([corners]);
  for (let asked = 0; asked < 300; asked++) {
    const at = { lat: random.unit() * 20, lon: turned(168 + random.unit() * 20) };
    assert.equal(region.contains(at.lat, at.lon), modelKeeps(corners, at, false));
  }
});

test('a ring all of whose edges go from side to side is made ready without listing them everywhere', () => {
  // Each of them in each of so many slices would be 2.5 billion listings.
  const corners = Array.from({ length: 100_000 }, (_, at) => ({ lat: at / 2000 - 25, lon: at % 2 === 0 ? -80 : 80 }));
  const region = createRegion([corners]);
  for (const at of [corners[777]!, { lat: 0, lon: 79.9 }, { lat: 26, lon: 0 }, { lat: 0.0003, lon: -1 }]) {
    assert.equal(region.contains(at.lat, at.lon), modelKeeps(corners, at, false), `${at.lat} ${at.lon}`);
  }
});

test('a position is on the side of an edge that exact arithmetic says, however near', () => {
  const unit = fc.integer({ min: -(2 ** 20), max: 2 ** 20 }).map((parts) => parts / 2 ** 20);
  fc.assert(
    fc.property(
      unit,
      unit,
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: -2, max: 2 }),
      (lat, lon, parts, nudge) => {
        // The middle of an edge whose parts are few bits is on it exactly; some last bits beside it is not.
        const [rise, run] = [parts / 1024, (1001 - parts) / 1024];
        const corner = { lat, lon };
        const on = { lat: corner.lat + rise, lon: corner.lon + run };
        const far = { lat: on.lat + rise, lon: on.lon + run };
        const ulp = 2 ** -52;
        const asked = on.lat + nudge * ulp * 4;
        const region = createRegion([[corner, far, { lat: corner.lat - 3, lon: far.lon }]]);
        assert.equal(region.contains(asked, on.lon), asked <= on.lat);
      },
    ),
    { numRuns: 2000 },
  );
});
