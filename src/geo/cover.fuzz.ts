/** Covers miss nothing: at the poles, across the antimeridian, of any size, on any grid. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { boundsOfCells, EARTH, pointAt, polar } from '../../test/geo/places.ts';
import { coverBox, coverCap, type Grid, type Run } from './cover.ts';
import { geohash } from './geohash.ts';
import { angleOf, EARTH_RADIUS_M, haversineOf } from './measure.ts';
import { boxContains, type Position } from './position.ts';
import { areaOfBox, areaOfCap, REDIS_LAT_MAX, redisPosition, redisScore, scoreRanges } from './z-order.ts';

const angles = fc.oneof(
  // Metres to half the Earth, each size as likely as the next.
  fc.double({ min: -7, max: 0.5, noNaN: true }).map((exponent) => Math.min(Math.PI, 10 ** exponent)),
  fc.constantFrom(0, 1e-12, Math.PI / 2, Math.PI),
);
/** A direction, and how far out of a circle: its rim more often than not. */
const bearings = fc.oneof(fc.double({ min: 0, max: 360, noNaN: true }), fc.constantFrom(0, 90, 180, 270));
const spots = fc.array(fc.tuple(bearings, fc.constantFrom(0, 0.5, 0.9, 1, 1)), { minLength: 30, maxLength: 30 });

/** In which direction a circle reaches its easternmost meridian, if it has one; a row is widest there. */
function tangents({ lat }: Position, angle: number): [bearing: number, share: number][] {
  const bearing = (Math.acos(Math.tan((lat * Math.PI) / 180) * Math.tan(angle)) * 180) / Math.PI;
  return Number.isNaN(bearing) || angle >= Math.PI / 2
    ? []
    : [
        [bearing, 1],
        [360 - bearing, 1],
      ];
}

test('a circle is covered: no position within it is in a cell that is missing', () => {
  const options = fc.record({ length: fc.integer({ min: 1, max: 12 }), cellsMax: fc.integer({ min: 32, max: 500 }) });
  fc.assert(
    fc.property(polar, angles, spots, options, (center, angle, spots, options) => {
      const cells = geohash.cover({ center, radiusM: angle * EARTH_RADIUS_M }, options);
      assert.ok(cells.length <= options.cellsMax);
      assert.ok(cells[0]!.length <= options.length);
      assert.deepEqual(cells, [...new Set(cells)].sort());
      const known = new Set(cells);
      for (const [bearing, share] of [...spots, ...tangents(center, angle)]) {
        const at = pointAt(center, bearing, angle * share);
        if (angleOf(haversineOf(center.lat, center.lon, at.lat, at.lon)) > angle) continue;
        assert.ok(known.has(geohash.encode(at, cells[0]!.length)), `${at.lat} ${at.lon} is in no cell`);
      }
    }),
    { numRuns: 2000 },
  );
});

test('a circle that ends exactly in the corner of a cell has the cell', () => {
  fc.assert(
    fc.property(polar, polar, fc.integer({ min: 1, max: 8 }), fc.boolean(), (center, place, length, above) => {
      const { south, west } = geohash.bounds(geohash.encode(place, length));
      // Rounding is nearest to doing harm where the corner is due north.
      const from = above ? { lat: center.lat, lon: west } : center;
      const angle = angleOf(haversineOf(from.lat, from.lon, south, west));
      const cells = geohash.cover({ center: from, radiusM: angle * EARTH_RADIUS_M }, { length, cellsMax: 1000 });
      assert.ok(cells.includes(geohash.encode({ lat: south, lon: west }, cells[0]!.length)));
    }),
    { numRuns: 3000 },
  );
});

const boxes = fc.tuple(polar, polar).map(([a, b]) => ({
  south: Math.min(a.lat, b.lat),
  west: a.lon,
  north: Math.max(a.lat, b.lat),
  east: b.lon,
}));

test('a box is covered, with both names of the antimeridian', () => {
  fc.assert(
    fc.property(boxes, fc.array(polar, { minLength: 20, maxLength: 20 }), (box, others) => {
      const cells = geohash.cover(box, { cellsMax: 200 });
      const known = new Set(cells);
      const corners = [
        { lat: box.south, lon: box.west },
        { lat: box.north, lon: box.east },
        { lat: box.south, lon: box.east === -180 ? 180 : box.east },
        { lat: box.north, lon: box.west === 180 ? -180 : box.west },
      ];
      for (const at of [...corners, ...others]) {
        if (!boxContains(box, at.lat, at.lon)) continue;
        assert.ok(known.has(geohash.encode(at, cells[0]!.length)), `${at.lat} ${at.lon} is in no cell`);
      }
    }),
    { numRuns: 2000 },
  );
});

/** Each cell as the least angle at which some of 9 × 9 positions in it lies. */
function nearestInCell(grid: Grid, row: number, column: number, center: { lat: number; lon: number }): number {
  const { south, west, north, east } = boundsOfCells(grid, row, column);
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= 8; i++) {
    for (let j = 0; j <= 8; j++) {
      const [lat, lon] = [south + ((north - south) * i) / 8, west + ((east - west) * j) / 8];
      least = Math.min(least, haversineOf(center.lat, center.lon, lat, lon));
    }
  }
  return angleOf(least);
}

test('a cover has every cell that the circle touches and none that is away from it', () => {
  const grids = fc.constantFrom<Grid>(
    { latMax: 90, rowBits: 4, columnBits: 4 },
    { latMax: 90, rowBits: 2, columnBits: 3 },
    { latMax: REDIS_LAT_MAX, rowBits: 4, columnBits: 4 },
  );
  fc.assert(
    fc.property(polar, fc.double({ min: 0, max: Math.PI, noNaN: true }), grids, (center, angle, grid) => {
      const runs = coverCap(grid, { center, angle }, EARTH);
      const has = cellsOf(runs!);
      const cellAngle = ((2 * grid.latMax) / 2 ** grid.rowBits / 180) * Math.PI;
      const cellWidth = (2 * Math.PI) / 2 ** grid.columnBits;
      for (let row = 0; row < 2 ** grid.rowBits; row++) {
        for (let column = 0; column < 2 ** grid.columnBits; column++) {
          const least = nearestInCell(grid, row, column, center);
          const covered = has.has(`${row} ${column}`);
          if (least <= angle) assert.ok(covered, `${row} ${column} is touched`);
          // Between samples a cell may come nearer by half the distance of two of them.
          else if (least > angle + (cellAngle + cellWidth) / 16) assert.ok(!covered, `${row} ${column} is away`);
        }
      }
    }),
    { numRuns: 200 },
  );
});

function cellsOf(runs: readonly Run[]): Set<string> {
  const cells = new Set<string>();
  for (const { row, first, last } of runs) {
    for (let column = first; column <= last; column++) {
      assert.ok(!cells.has(`${row} ${column}`), 'no cell twice');
      cells.add(`${row} ${column}`);
    }
  }
  return cells;
}

test('ranges of scores hold all of an area, are few, in order and apart', () => {
  const limits = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(polar, angles, spots, boxes, limits, (center, angle, spots, box, rangesMax) => {
      const round = scoreRanges({ latMax: REDIS_LAT_MAX, cover: areaOfCap({ center, angle }), rangesMax });
      const square = scoreRanges({ latMax: REDIS_LAT_MAX, cover: areaOfBox(box), rangesMax });
      for (const ranges of [round, square]) {
        assert.ok(ranges.length <= rangesMax);
        let before = -1;
        for (const { first, last } of ranges) {
          assert.ok(first > before + 1 || before < 0);
          assert.ok(last >= first && last < 2 ** 52);
          before = last;
        }
      }
      for (const [bearing, share] of spots) {
        const score = redisScore(pointAt(center, bearing, angle * share));
        if (Number.isNaN(score)) continue;
        const kept = redisPosition(score);
        const within = (some: typeof round): boolean => some.some(({ first, last }) => score >= first && score <= last);
        if (angleOf(haversineOf(center.lat, center.lon, kept.lat, kept.lon)) <= angle) assert.ok(within(round));
        if (boxContains(box, kept.lat, kept.lon)) assert.ok(within(square));
      }
    }),
    { numRuns: 1000 },
  );
});

test('an area beyond the grid has no cells', () => {
  const grid = { latMax: 85, rowBits: 8, columnBits: 8 };
  assert.deepEqual(coverCap(grid, { center: { lat: 89, lon: 0 }, angle: 0.01 }, EARTH), []);
  assert.deepEqual(coverBox(grid, { south: -90, west: -180, north: -86, east: 180 }, EARTH), []);
});
