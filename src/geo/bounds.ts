/**
 * Boxes round what is asked for: of a circle on the sphere in degrees, and of a box of degrees in space.
 *
 * Neither is ever too small; they are too large by less than a millimetre, but for circles of nearly all of the Earth.
 */
import { haversineOf } from './measure.ts';
import type { Box } from './position.ts';

const DEGREE = Math.PI / 180;
/** In degrees a tenth of a millimetre; rounding here is a thousandth of that, */
const OUTWARD = 1e-9;
/** but near the antipode it is as large as a metre: what reaches beyond this, in radians, leaves nothing out. */
const NEARLY_ALL = 3;

/**
 * The smallest box that has all positions within an angle, in radians, of one. All longitudes once a pole is within; and in places
 * wider than the angle itself, for the meridians come together toward the poles.
 */
export function circleBox(lat: number, lon: number, angle: number): Box {
  if (angle > NEARLY_ALL) return { south: -90, west: -180, north: 90, east: 180 };
  const reach = angle / DEGREE + OUTWARD;
  const south = Math.max(-90, lat - reach);
  const north = Math.min(90, lat + reach);
  // Near the pole the arc sine below is too steep to be trusted.
  if (Math.abs(lat) + reach > 90 - 1e-6) return { south, west: -180, north, east: 180 };
  const half = Math.asin(Math.sin(reach * DEGREE) / Math.cos(lat * DEGREE)) / DEGREE + OUTWARD;
  if (half >= 180) return { south, west: -180, north, east: 180 };
  const west = lon - half;
  const east = lon + half;
  return { south, west: west < -180 ? west + 360 : west, north, east: east > 180 ? east - 360 : east };
}

/** Least and largest cosine between two angles in degrees, `from` not above `to`. */
function cosineRange(from: number, to: number): [number, number] {
  const ends = [Math.cos(from * DEGREE), Math.cos(to * DEGREE)];
  const has = (angle: number): boolean => Math.ceil((from - angle) / 360) * 360 + angle <= to;
  return [has(180) ? -1 : Math.min(...ends), has(0) ? 1 : Math.max(...ends)];
}

/** Between which x, y and z the unit vectors of a box lie: least of each, then largest of each. */
export function unitBounds({ south, west, north, east }: Box): Float64Array {
  const to = west <= east ? east : east + 360;
  const [cosLatMin, cosLatMax] = cosineRange(south, north);
  const bounds = new Float64Array(6);
  for (const [axis, [min, max]] of [cosineRange(west, to), cosineRange(west - 90, to - 90)].entries()) {
    bounds[axis] = Math.min(min * cosLatMin, min * cosLatMax);
    bounds[axis + 3] = Math.max(max * cosLatMin, max * cosLatMax);
  }
  bounds[2] = Math.sin(south * DEGREE);
  bounds[5] = Math.sin(north * DEGREE);
  return bounds;
}

/**
 * The least squared sine of half the angle from a position to any in a rectangle of degrees, twice as wide as high. Off its sides
 * the nearest is on the nearer meridian, and there where the great circle that meets it at a right angle does, or else at an end.
 */
export function haversineToBox(
  lat: number,
  lon: number,
  { south, west, height }: { readonly south: number; readonly west: number; readonly height: number },
): number {
  const north = south + height;
  if (lon >= west && lon <= west + 2 * height) {
    const sine = Math.sin(Math.max(0, south - lat, lat - north) * (DEGREE / 2));
    return sine * sine;
  }
  const aside = Math.min(turn(west - lon), turn(lon - west - 2 * height));
  const peak = Math.atan2(Math.sin(lat * DEGREE), Math.cos(lat * DEGREE) * Math.cos(aside * DEGREE)) / DEGREE;
  if (peak >= south && peak <= north) return haversineOf(lat, 0, peak, aside);
  return Math.min(haversineOf(lat, 0, south, aside), haversineOf(lat, 0, north, aside));
}

/** Degrees eastward, 0 to 360. */
function turn(degrees: number): number {
  return degrees < 0 ? degrees + 360 : degrees >= 360 ? degrees - 360 : degrees;
}
