/**
 * All of the Earth in a server that knows it up to ±85.05112878° only. What is farther north or south is kept in a second set, and there in
 * other coordinates: the globe is turned until the North Pole lies where the equator meets the prime meridian, and the South Pole opposite. A turned
 * globe has the same distances, so the same commands search both sets.
 */
import type { Position } from './position.ts';
import { isPolar, REDIS_LAT_MAX, redisPosition, redisScore, wrapLon } from './z-order.ts';

const DEGREE = Math.PI / 180;
/** In radians, 0.64 m: a position is kept no farther from where it is, so those beyond the limit may be kept on this side of it. */
export const KEPT_ANGLE = 1e-7;

function positionOf(x: number, y: number, z: number): Position {
  return { lat: Math.atan2(z, Math.hypot(x, y)) / DEGREE, lon: Math.atan2(y, x) / DEGREE };
}

/** A position on the globe with its poles on the equator. */
function turn({ lat, lon }: Position): Position {
  const across = Math.cos(lat * DEGREE);
  return positionOf(Math.sin(lat * DEGREE), across * Math.sin(lon * DEGREE), -across * Math.cos(lon * DEGREE));
}

export function turnBack({ lat, lon }: Position): Position {
  const across = Math.cos(lat * DEGREE);
  return positionOf(-Math.sin(lat * DEGREE), across * Math.sin(lon * DEGREE), across * Math.cos(lon * DEGREE));
}

/** What the server is told of a position. */
export function sent(position: Position): Position {
  const { lat, lon } = isPolar(position.lat) ? turn(position) : position;
  return { lat, lon: wrapLon(lon) };
}

/** Where a position is kept: at most 0.35 m from where it is. */
export function keptByRedis(position: Position): Position {
  const kept = redisPosition(redisScore(sent(position)));
  return isPolar(position.lat) ? turnBack(kept) : kept;
}

/** A centre as one of the sets has it. Angles in radians. */
export interface Frame {
  readonly set: 'plain' | 'polar';
  readonly center: Position;
  /** A smaller circle holds nothing of the set. */
  readonly fromAngle: number;
  /** Up to here `GEOSEARCH` is complete. */
  readonly completeAngle: number;
}

/**
 * `GEOSEARCH` looks in nine cells around the centre. They are so large that they hold the circle, but for one toward a pole: there meridians
 * come together, and east and west of the centre more is needed. By the choice of cells in geohash_helper.c, they are wide enough where the
 * circle stays below these latitudes; beyond, a circle that reaches round the pole may miss most of what it holds.
 */
function completeAngle(lat: number): number {
  const north = Math.abs(lat);
  const limit = north > 80 ? 86 : north > 66 ? 82 : 75;
  return north > 85 ? 0 : (limit - north) * DEGREE;
}

/** The two ways to see a circle's centre. */
export function framesOf(center: Position): readonly Frame[] {
  const frame = (set: Frame['set'], { lat, lon }: Position, fromAngle: number): Frame => {
    return {
      set,
      center: { lat, lon: wrapLon(lon) },
      fromAngle: Math.max(0, fromAngle),
      completeAngle: completeAngle(lat),
    };
  };
  const beyond = (Math.abs(center.lat) - REDIS_LAT_MAX) * DEGREE;
  return [frame('plain', center, beyond), frame('polar', turn(center), -beyond - KEPT_ANGLE)];
}
