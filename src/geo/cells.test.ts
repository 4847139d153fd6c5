/** Cells against brute force, for sizes from a ninth of the Earth to a town, and what they count. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import * as h3 from 'h3-js';
import { pointAt, polar } from '../../test/geo/places.ts';
import { geoContract } from '../testing/geo-contract.ts';
import { coverByCells, createCells } from './cells.ts';
import { geohashCells } from './geohash-cells.ts';
import { h3Cells } from './h3.ts';
import { angleOf, EARTH_RADIUS_M, haversine, haversineOf } from './measure.ts';

const systems = {
  'geohashes of 1': geohashCells(1),
  'geohashes of 3': geohashCells(3),
  'geohashes of 6': geohashCells(6),
  'hexagons of 0': h3Cells(h3, { resolution: 0 }),
  'hexagons of 2': h3Cells(h3, { resolution: 2 }),
  'hexagons of 7': h3Cells(h3, { resolution: 7 }),
};

for (const [name, system] of Object.entries(systems)) {
  const contract = geoContract<number>({
    name,
    create(positions) {
      const cells = createCells(system, { capacity: Math.max(1, positions.length) });
      // Most are somewhere else before, and some go and come back.
      for (const [id, { lat }] of positions.entries()) cells.set(id, { lat: -lat, lon: 10 });
      for (let id = 0; id < positions.length; id += 3) cells.remove(id);
      for (const [id, position] of positions.entries()) cells.set(id, position);
      return cells;
    },
    questions: 400,
  });
  for (const { name, run } of contract) test(name, run);

  test(`${name}: the circle of a cell has all of it, and a cover all of a circle`, () => {
    const radii = fc.double({ min: 0, max: 1, noNaN: true }).map((share) => share ** 3);
    const bearings = fc.array(fc.double({ min: 0, max: 360, noNaN: true }), { minLength: 20, maxLength: 20 });
    fc.assert(
      fc.property(polar, radii, bearings, (center, share, bearings) => {
        const own = system.circleOf(system.cellOf(center.lat, center.lon));
        assert.ok(angleOf(haversineOf(center.lat, center.lon, own.lat, own.lon)) <= own.angle + 1e-9);
        const angle = share * 8 * own.angle;
        let known: Set<string>;
        try {
          known = new Set(coverByCells(system, center, angle * EARTH_RADIUS_M));
        } catch (error) {
          // Round a pole there are as many geohashes as there are meridians.
          assert.match(String(error), /more than 10000 cells/);
          assert.ok(Math.abs(center.lat) > 80);
          return;
        }
        for (const bearing of bearings) {
          const at = pointAt(center, bearing, angle * 0.999_999);
          assert.ok(known.has(system.cellOf(at.lat, at.lon)));
        }
      }),
      { numRuns: 100 },
    );
  });
}

test('things are counted by cell, while they come, move and go', () => {
  const cells = createCells(h3Cells(h3, { resolution: 5 }), { capacity: 100 });
  const model = new Map<number, string>();
  const moves = fc.array(fc.record({ id: fc.nat(99), place: fc.option(polar) }), { minLength: 200, maxLength: 200 });
  fc.assert(
    fc.property(moves, (moves) => {
      for (const { id, place } of moves) {
        if (place === null) assert.equal(cells.remove(id), model.delete(id));
        else {
          cells.set(id, place);
          model.set(id, h3.latLngToCell(place.lat, place.lon, 5));
          assert.deepEqual(cells.get(id), { lat: place.lat, lon: place.lon });
        }
      }
      const counts = new Map<string, number>();
      for (const cell of model.values()) counts.set(cell, (counts.get(cell) ?? 0) + 1);
      assert.deepEqual(cells.counts(), counts);
      assert.equal(cells.size, model.size);
    }),
    { numRuns: 20 },
  );
});

test('what cannot be meant is refused', () => {
  const invalid = { code: 'OPTIONS_INVALID' };
  assert.throws(() => geohashCells(13), invalid);
  assert.throws(() => h3Cells(h3, { resolution: 16 }), invalid);
  assert.throws(() => h3Cells({} as typeof h3, { resolution: 1 }), /not h3-js/);
  assert.throws(() => createCells(geohashCells(5), { capacity: 0 }), invalid);
  const misspelt = { capacity: 1, measures: haversine() };
  assert.throws(() => createCells(geohashCells(5), misspelt), /no option “measures”/);
  const finer = { resolution: 1, finer: true };
  assert.throws(() => h3Cells(h3, finer), /no option “finer”/);
  const cells = createCells(geohashCells(5), { capacity: 3 });
  assert.throws(() => cells.set(3, { lat: 0, lon: 0 }), invalid);
  assert.throws(() => cells.set(1, { lat: 0, lon: Number.NaN }), invalid);
  assert.throws(() => coverByCells(geohashCells(12), { lat: 0, lon: 0 }, 1000), /more than 10000 cells/);
  assert.throws(() => coverByCells(geohashCells(5), { lat: 0, lon: 0 }, 1000, Number.NaN), invalid);
});
