/** The side of an edge against whole numbers of any length, where floating point by itself is wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sideOf } from './orientation.ts';

/** Exact for what is no smaller than 2^-59: scaling by a power of two rounds nothing. */
const whole = (value: number): bigint => BigInt(value * 2 ** 112);
const TURN = whole(360);

type Ends = readonly [westLat: number, westLon: number, eastLat: number, eastLon: number];

function exactly([westLat, westLon, eastLat, eastLon]: Ends, lat: number, lon: number): number {
  const from = whole(westLon);
  const eastward = (to: number): bigint => (whole(to) - from + TURN) % TURN;
  const rise = whole(eastLat) - whole(westLat);
  const side = eastward(eastLon) * (whole(lat) - whole(westLat)) - rise * eastward(lon);
  return side > 0n ? 1 : side < 0n ? -1 : 0;
}

function naively([westLat, westLon, eastLat, eastLon]: Ends, lat: number, lon: number): number {
  const eastward = (to: number): number => (to < westLon ? to - westLon + 360 : to - westLon);
  return Math.sign(eastward(eastLon) * (lat - westLat) - (eastLat - westLat) * eastward(lon));
}

/** Degrees with all their bits, none of them near 0. */
const degrees = (min: number, max: number) => fc.double({ min, max, noNaN: true });

for (const [name, shift] of [
  ['', 0],
  [', over the antimeridian', 170],
] as const) {
  test(`the side is that of exact arithmetic, in the middle of an edge and beside it${name}`, () => {
    let misjudged = 0;
    let on = 0;
    fc.assert(
      fc.property(
        degrees(1, 5),
        degrees(1, 5),
        degrees(15, 25),
        degrees(15, 25),
        degrees(0, 1),
        fc.integer({ min: -3, max: 3 }),
        (westLat, westAt, eastLat, eastAt, share, nudge) => {
          const turned = (lon: number): number => (lon > 180 ? lon - 360 : lon);
          const ends: Ends = [westLat, turned(westAt + shift), eastLat, turned(eastAt + shift)];
          const lon = turned(westAt + (eastAt - westAt) * share + shift);
          const lat = westLat + (eastLat - westLat) * share + nudge * 2 ** -50;
          const expected = exactly(ends, lat, lon);
          assert.equal(Math.sign(sideOf(...ends, lat, lon)), expected);
          if (naively(ends, lat, lon) !== expected) misjudged++;
          if (expected === 0) on++;
        },
      ),
      { numRuns: 5000 },
    );
    // Else this would show nothing.
    assert.ok(misjudged > 50, `floating point alone was wrong ${misjudged} times, ${on} were on the edge`);
  });
}

test('positions in a raster of last bits round a line are on the right side of it', () => {
  let misjudged = 0;
  for (let north = 0; north < 64; north++) {
    for (let east = 0; east < 64; east++) {
      const ends: Ends = [0.5 + north * 2 ** -53, 0.5 + east * 2 ** -53, 24, 24];
      const expected = exactly(ends, 12, 12);
      assert.equal(Math.sign(sideOf(...ends, 12, 12)), expected);
      if (naively(ends, 12, 12) !== expected) misjudged++;
    }
  }
  assert.ok(misjudged > 100, `${misjudged}`);
});
