/** Where indexes of positions go wrong: the poles, the antimeridian, boundaries of cells; and everywhere else. */
import * as fc from 'fast-check';
import type { Grid } from '../../src/geo/cover.ts';
import type { Placed } from '../../src/geo/geo-index.ts';
import type { Box, Position } from '../../src/geo/position.ts';

/** More cells than any grid of these tests has. */
export const EARTH = 1e6;

const lats = fc.oneof(
  fc.double({ min: -90, max: 90, noNaN: true }),
  fc.double({ min: 84, max: 90, noNaN: true }),
  fc.double({ min: -90, max: -84, noNaN: true }),
  fc.constantFrom(-90, -85.051_128_78, -45, 0, 45, 85.051_128_78, 90),
);
const lons = fc.oneof(
  fc.double({ min: -180, max: 180, noNaN: true }),
  fc.double({ min: 179, max: 180, noNaN: true }),
  fc.double({ min: -180, max: -179, noNaN: true }),
  fc.constantFrom(-180, -90, 0, 90, 180),
);

/** A position; most are near a pole or the antimeridian. */
export const polar: fc.Arbitrary<Position> = fc.record({ lat: lats, lon: lons });

/** The position in a direction (degrees from north) at an angle (radians). */
export function pointAt({ lat, lon }: Position, bearing: number, angle: number): Position {
  const [phi, theta] = [(lat * Math.PI) / 180, (bearing * Math.PI) / 180];
  const sine = Math.sin(phi) * Math.cos(angle) + Math.cos(phi) * Math.sin(angle) * Math.cos(theta);
  const to = Math.asin(Math.max(-1, Math.min(1, sine)));
  const east = Math.atan2(
    Math.sin(theta) * Math.sin(angle) * Math.cos(phi),
    Math.cos(angle) - Math.sin(phi) * Math.sin(to),
  );
  const turned = (((lon + (east * 180) / Math.PI + 180) % 360) + 360) % 360;
  return { lat: Math.max(-90, Math.min(90, (to * 180) / Math.PI)), lon: turned - 180 };
}

export function boundsOfCells({ latMax, rowBits, columnBits }: Grid, row: number, column: number): Box {
  const [height, width] = [(2 * latMax) / 2 ** rowBits, 360 / 2 ** columnBits];
  return {
    south: row * height - latMax,
    west: column * width - 180,
    north: (row + 1) * height - latMax,
    east: (column + 1) * width - 180,
  };
}

/** Each with its number in the list as text that sorts like the number. */
export function withIds(positions: readonly Position[]): Placed<string>[] {
  return positions.map(({ lat, lon }, index) => ({ id: String(index).padStart(6, '0'), lat, lon }));
}
