/**
 * Where things are: positions and boxes in degrees of WGS84, and the refusal of what is none.
 *
 * A longitude of 180 and one of −180 are the same meridian. A box whose west is above its east crosses that meridian, and one
 * with `west: -180, east: 180` goes all the way round. All boundaries belong to what they bound.
 */
import { invalid, shown } from '../kernel/options.ts';

export interface Position {
  /** Latitude in degrees, −90 to 90, north positive. */
  readonly lat: number;
  /** Longitude in degrees, −180 to 180, east positive. */
  readonly lon: number;
}

export interface Box {
  readonly south: number;
  /** West of `east`, or above it if the box crosses the antimeridian. */
  readonly west: number;
  readonly north: number;
  readonly east: number;
}

/** A text is refused too, such as databases give for a number: it compares as one, and adds as a text. */
function isBetween(value: number, least: number, most: number): boolean {
  return typeof value === 'number' && value >= least && value <= most;
}

export function isPosition(lat: number, lon: number): boolean {
  return isBetween(lat, -90, 90) && isBetween(lon, -180, 180);
}

function checkLat(what: string, lat: number): void {
  if (isBetween(lat, -90, 90)) return;
  throw invalid(`${what} has latitude ${shown(lat)}; expected degrees from -90 to 90.`);
}

function checkLon(what: string, lon: number): void {
  if (isBetween(lon, -180, 180)) return;
  throw invalid(`${what} has longitude ${shown(lon)}; expected degrees from -180 to 180.`);
}

export function checkObject(what: string, given: unknown, expected: string): void {
  if (typeof given === 'object' && given !== null) return;
  throw invalid(`${what} is ${shown(given)}; expected ${expected} in degrees.`);
}

export function checkPosition(what: string, position: Position): void {
  checkObject(what, position, '{ lat, lon }');
  checkLat(what, position.lat);
  checkLon(what, position.lon);
}

export function checkBox(box: Box): void {
  checkObject('The box', box, '{ south, west, north, east }');
  const { south, west, north, east } = box;
  checkLat('The south of the box', south);
  checkLat('The north of the box', north);
  checkLon('The west of the box', west);
  checkLon('The east of the box', east);
  if (south <= north) return;
  throw invalid(`The south of the box, ${south}, is above its north, ${north}.`);
}

/** A distance: 0 or more, infinite for no bound. */
export function checkDistance(what: string, distanceM: number): void {
  if (isBetween(distanceM, 0, Number.POSITIVE_INFINITY)) return;
  throw invalid(`${what} is ${shown(distanceM)}; expected metres, 0 or more.`);
}

/** How many are asked for: a whole number of at least 1, infinite for all. */
export function checkCount(what: string, count: number): void {
  if (count === Number.POSITIVE_INFINITY || (Number.isSafeInteger(count) && count >= 1)) return;
  throw invalid(`${what} is ${shown(count)}; expected a whole number of at least 1.`);
}

/** True if a longitude is on the way from `west` eastward to `east`. */
export function lonBetween(lon: number, west: number, east: number): boolean {
  if (west > east) return lon >= west || lon <= east;
  // One meridian with two names.
  return (lon >= west && lon <= east) || (lon === 180 && west === -180) || (lon === -180 && east === 180);
}

export function boxContains({ south, west, north, east }: Box, lat: number, lon: number): boolean {
  if (!(lat >= south && lat <= north)) return false;
  // A pole is at every longitude.
  return lat === 90 || lat === -90 || lonBetween(lon, west, east);
}
