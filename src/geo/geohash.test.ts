import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as fc from 'fast-check';
import ngeohash from 'ngeohash';
import { geohash, type GeohashNeighbours } from './geohash.ts';
import { EARTH_RADIUS_M } from './measure.ts';

const places = fc.record({
  lat: fc.oneof(fc.double({ min: -90, max: 90, noNaN: true }), fc.constantFrom(-90, -0, 0, 45, 90, -1e-300, 1e-300)),
  lon: fc.oneof(fc.double({ min: -180, max: 180, noNaN: true }), fc.constantFrom(-180, -0, 0, 90, 180, -1e-300)),
});
const lengths = fc.integer({ min: 1, max: 12 });

test('what is known of old is so', () => {
  assert.equal(geohash.encode({ lat: 57.64911, lon: 10.40744 }, 11), 'u4pruydqqvj');
  assert.equal(geohash.encode({ lat: 42.6, lon: -5.6 }, 5), 'ezs42');
  assert.equal(geohash.encode({ lat: 0, lon: 0 }, 6), 's00000');
  assert.equal(geohash.encode({ lat: 90, lon: 180 }, 12), 'zzzzzzzzzzzz');
  assert.equal(geohash.encode({ lat: -90, lon: -180 }, 12), '000000000000');
  assert.deepEqual(geohash.bounds('s'), { south: 0, west: 0, north: 45, east: 45 });
  assert.deepEqual(geohash.decode('EZS42'), { lat: 42.60498046875, lon: -5.60302734375 });
});

/** The definition: halving, letter by letter. */
function halving(lat: number, lon: number, length: number): string {
  const range: Record<'lat' | 'lon', [number, number]> = { lat: [-90, 90], lon: [-180, 180] };
  let hash = '';
  for (let bit = 0, letter = 0; hash.length < length; bit++) {
    const [axis, value] = bit % 2 === 0 ? (['lon', lon] as const) : (['lat', lat] as const);
    const [low, high] = range[axis];
    const middle = (low + high) / 2;
    const upper = value >= middle;
    range[axis] = upper ? [middle, high] : [low, middle];
    letter = letter * 2 + Number(upper);
    if (bit % 5 === 4) {
      hash += '0123456789bcdefghjkmnpqrstuvwxyz'[letter];
      letter = 0;
    }
  }
  return hash;
}

test('a geohash is what halving the Earth gives, to the last letter and on every boundary', () => {
  fc.assert(
    fc.property(places, lengths, ({ lat, lon }, length) => {
      const hash = geohash.encode({ lat, lon }, length);
      assert.equal(hash, halving(lat, lon, length));
      // A corner of a cell is of the cell.
      const { south, west } = geohash.bounds(hash);
      assert.equal(geohash.encode({ lat: south, lon: west }, length), hash);
      assert.equal(geohash.encode(geohash.decode(hash), length), hash);
    }),
    { numRuns: 2000 },
  );
});

test('between boundaries it is what ngeohash gives', () => {
  const between = fc.record({
    lat: fc.integer({ min: -89_999_999, max: 89_999_999 }).map((n) => n / 1e6 + 1e-7),
    lon: fc.integer({ min: -179_999_999, max: 179_999_999 }).map((n) => n / 1e6 + 1e-7),
  });
  fc.assert(
    fc.property(between, lengths, ({ lat, lon }, length) => {
      assert.equal(geohash.encode({ lat, lon }, length), ngeohash.encode(lat, lon, length));
    }),
    { numRuns: 1000 },
  );
});

const opposite = {
  north: 'south',
  northEast: 'southWest',
  east: 'west',
  southEast: 'northWest',
  south: 'north',
  southWest: 'northEast',
  west: 'east',
  northWest: 'southEast',
} as const satisfies Record<keyof GeohashNeighbours, keyof GeohashNeighbours>;

test('neighbours touch, across the antimeridian too, and there is none beyond a pole', () => {
  fc.assert(
    fc.property(places, lengths, (place, length) => {
      const hash = geohash.encode(place, length);
      const own = geohash.bounds(hash);
      const around = geohash.neighbours(hash);
      for (const direction of Object.keys(opposite) as (keyof GeohashNeighbours)[]) {
        const neighbour = around[direction];
        const polar =
          (direction.startsWith('north') && own.north === 90) || (direction.startsWith('south') && own.south === -90);
        assert.equal(neighbour === null, polar, direction);
        if (neighbour === null) continue;
        assert.equal(geohash.neighbours(neighbour)[opposite[direction]], hash);
        const other = geohash.bounds(neighbour);
        if (/north/.test(direction)) assert.equal(other.south, own.north);
        if (/south/.test(direction)) assert.equal(other.north, own.south);
        if (/east/i.test(direction)) assert.equal(other.west, own.east === 180 ? -180 : own.east);
        if (/west/i.test(direction)) assert.equal(other.east, own.west === -180 ? 180 : own.west);
      }
    }),
  );
  // North of the northernmost cell other packages have the South Pole.
  assert.equal(geohash.neighbours('z').north, null);
  assert.equal(geohash.neighbours('bpbpb').north, null);
});

test('the guide has the sizes of cells as they are', () => {
  const guide = readFileSync(new URL('../../docs/guides/nearby.md', import.meta.url), 'utf8');
  const rows = [...guide.matchAll(/^\| (\d+) \| ([\d.]+) (\w+) × ([\d.]+) (\w+) \| ([\d.]+) (\w+) \|$/gm)];
  assert.deepEqual(
    rows.map(([, length]) => Number(length)),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
  const unit: Readonly<Record<string, number>> = { km: 1000, m: 1, cm: 0.01 };
  const metresADegree = (EARTH_RADIUS_M * Math.PI) / 180;
  for (const [, length, width, widthUnit, height, heightUnit, at50, at50Unit] of rows) {
    const { south, west, north, east } = geohash.bounds(geohash.encode({ lat: 0, lon: 0 }, Number(length)));
    const said = (size: string | undefined, of: string | undefined): number => Number(size) * unit[of ?? '']!;
    const close = (size: number, is: number): void => assert.ok(Math.abs(size / is - 1) < 0.03, `${length}: ${is}`);
    close(said(width, widthUnit), (east - west) * metresADegree);
    close(said(height, heightUnit), (north - south) * metresADegree);
    close(said(at50, at50Unit), (east - west) * metresADegree * Math.cos((50 * Math.PI) / 180));
  }
});

test('what means nothing is refused, with what was expected', () => {
  const refused = (run: () => unknown, message: RegExp): void => {
    assert.throws(run, (error: Error & { code?: string }) => {
      assert.equal(error.code, 'OPTIONS_INVALID');
      assert.match(error.message, message);
      return true;
    });
  };
  refused(() => geohash.encode({ lat: Number.NaN, lon: 0 }), /latitude NaN; expected degrees from -90 to 90/);
  refused(() => geohash.encode({ lat: 91, lon: 0 }), /latitude 91/);
  refused(() => geohash.encode({ lat: 0, lon: Number.POSITIVE_INFINITY }), /longitude Infinity/);
  refused(() => geohash.encode({ lat: 0, lon: 0 }, 13), /length of a geohash is 13; expected an integer from 1 to 12/);
  refused(() => geohash.decode(''), /“” is no geohash; expected 1 to 12 letters/);
  refused(() => geohash.bounds('u4a'), /“u4a” is no geohash: “a” is not among/);
  refused(() => geohash.neighbours('u4é'), /“é” is not among/);
  refused(() => geohash.cover({ center: { lat: 0, lon: 0 }, radiusM: -1 }), /radiusM is -1/);
  refused(() => geohash.cover(null as never), /The area is null; expected/);
  refused(() => geohash.cover({ south: 2, west: 0, north: 1, east: 1 }), /above its north/);
  refused(() => geohash.cover({ south: 0, west: 0, north: 1, east: 1 }, { cellsMax: 31 }), /cellsMax is 31/);
  const misspelt: object = { cells: 40 };
  refused(() => geohash.cover({ south: 0, west: 0, north: 1, east: 1 }, misspelt), /no option “cells”/);
});
