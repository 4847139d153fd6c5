/** Boxes round circles and in space: nothing inside is left out, and they are not larger than they must be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { hardBox, hardPosition } from '../testing/geo-world.ts';
import { circleBox, unitBounds } from './bounds.ts';
import { angleOf, haversineOf } from './measure.ts';
import { boxContains } from './position.ts';

const DEGREE = Math.PI / 180;

test('all within an angle is in the box, wherever', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = seededRandom(seed);
      const center = hardPosition(random);
      for (let tried = 0; tried < 50; tried++) {
        const { lat, lon } = hardPosition(random);
        const angle = angleOf(haversineOf(center.lat, center.lon, lat, lon));
        const box = circleBox(center.lat, center.lon, angle);
        assert.ok(boxContains(box, lat, lon), JSON.stringify({ center, lat, lon, box }));
      }
    }),
    { numRuns: 2000 },
  );
});

test('the box touches the circle on each side', () => {
  // The farthest east of a circle of 20° round 60° north lies north of the centre.
  const { south, west, north, east } = circleBox(60, 179, 20 * DEGREE);
  assert.ok(Math.abs(south - 40) < 1e-8 && Math.abs(north - 80) < 1e-8);
  const half = Math.asin(Math.sin(20 * DEGREE) / Math.cos(60 * DEGREE)) / DEGREE;
  assert.ok(Math.abs(east - (179 + half - 360)) < 1e-8 && Math.abs(west - (179 - half)) < 1e-8);
});

test('round a pole there are all longitudes, and of more than half of the Earth everything', () => {
  assert.deepEqual(circleBox(80, 5, 10 * DEGREE + 1e-6).west, -180);
  const all = { south: -90, west: -180, north: 90, east: 180 };
  assert.deepEqual(circleBox(0, 0, Math.PI), all);
});

test('the unit vectors of a box are within its bounds in space', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (seed, up, along) => {
        const box = hardBox(seededRandom(seed));
        const width = box.west <= box.east ? box.east - box.west : box.east - box.west + 360;
        const lat = (box.south + (box.north - box.south) * up) * DEGREE;
        const lon = (box.west + width * along) * DEGREE;
        const vector = [Math.cos(lat) * Math.cos(lon), Math.cos(lat) * Math.sin(lon), Math.sin(lat)];
        const bounds = unitBounds(box);
        for (const [axis, value] of vector.entries()) {
          assert.ok(value >= bounds[axis]! - 1e-15 && value <= bounds[axis + 3]! + 1e-15, JSON.stringify(box));
        }
      },
    ),
    { numRuns: 3000 },
  );
});
