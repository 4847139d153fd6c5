/**
 * How far apart two positions are: on a sphere, or on the ellipsoid of WGS84.
 *
 * An index searches by the angle between two positions, seen from the centre of a sphere, and then asks the measure. So it
 * must know between which bounds a distance lies for an angle: `radiusMinM × angle ≤ distance ≤ radiusMaxM × angle`. On the sphere both are
 * its radius. On the ellipsoid they are its smallest and largest radius of curvature: no step along any path is shorter or longer than by these,
 * so no path is.
 *
 * The haversine is at most 0.56 % off the ellipsoid, at worst along meridians near a pole; for "which driver is nearest" that is nothing, for a
 * fee by distance it may be.
 *
 * The ellipsoid's own distance is not computed here. Vincenty's short formula does not converge for points nearly opposite each other; Karney's
 * does, to 15 nanometres, takes a thousand lines with its series, and has been kept by its author for as many years as it needs: the package
 * `geographiclib-geodesic` is handed in.
 *
 * Cost: haversine some 40 ns, geodesic 1.5 µs. Source: R. W. Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984);
 * C. F. F. Karney, "Algorithms for geodesics", J. Geodesy 87 (2013).
 */
import { checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { checkPosition, type Position } from './position.ts';

/** The mean radius of the Earth (IUGG), in metres. */
export const EARTH_RADIUS_M = 6_371_008.8;

const DEGREE = Math.PI / 180;
/** Some 1.8 degrees: up to here what follows in the series of `sine` is less than rounding. */
const SMALL = 2 ** -5;

/** Meridional radius at the equator and at the poles, the least and the largest of WGS84: a(1 − e²) and a²/b, rounded outward. */
const WGS84_RADIUS_MIN_M = 6_335_439;
const WGS84_RADIUS_MAX_M = 6_399_594;

export interface Measure {
  /** Metres between two positions in degrees. Symmetric; 0 only for the same place. */
  readonly distanceM: (latA: number, lonA: number, latB: number, lonB: number) => number;
  /** No distance is less than this times the angle between the positions, in radians on a sphere. */
  readonly radiusMinM: number;
  /** No distance is more than this times that angle. */
  readonly radiusMaxM: number;
}

/** Refuses what is no measure: answers by it would be empty, or in no order. */
export function checkMeasure(measure: Measure): void {
  const { distanceM, radiusMinM, radiusMaxM } = measure ?? {};
  const isMeasure =
    typeof distanceM === 'function' && radiusMinM > 0 && radiusMaxM >= radiusMinM && Number.isFinite(radiusMaxM);
  if (!isMeasure) throw invalid('The measure is none; expected haversine(), geodesic(…) or one of your own.');
}

/**
 * The squared sine of half the angle between two positions: grows with distance, is exact for small ones, and needs one
 * root and one arc sine to be an angle.
 */
export function haversineOf(latA: number, lonA: number, latB: number, lonB: number): number {
  return haversineFrom(Math.cos(latA * DEGREE), latA, lonA, latB, lonB);
}

/** The same, of many from one position, whose latitude's cosine is at hand. */
export function haversineFrom(cosLatA: number, latA: number, lonA: number, latB: number, lonB: number): number {
  const sinLat = sine((latB - latA) * (DEGREE / 2));
  const sinLon = sine((lonB - lonA) * (DEGREE / 2));
  return sinLat * sinLat + cosLatA * Math.cos(latB * DEGREE) * sinLon * sinLon;
}

/** Of a small angle by its series, which takes less than a call: things asked about are near each other as a rule. */
function sine(x: number): number {
  if (Math.abs(x) > SMALL) return Math.sin(x);
  const square = x * x;
  return x - x * square * (1 / 6 - square * (1 / 120 - square / 5040));
}

/** The angle, in radians, with this squared sine of its half. Between antipodes rounding may carry that above 1. */
export function angleOf(haversine: number): number {
  return 2 * Math.asin(Math.min(1, Math.sqrt(haversine)));
}

/**
 * Great-circle distances on a sphere. Redis computes with a radius of 6,372,797.560856 m.
 *
 * @example
 * const { distanceM } = haversine();
 * console.log(Math.round(distanceM(52.5163, 13.3777, 48.8584, 2.2945) / 1000)); // 879
 */
export function haversine(options: { readonly radiusM?: number } = {}): Measure {
  checkKeys('haversine', options, ['radiusM']);
  const { radiusM = EARTH_RADIUS_M } = options;
  if (!(typeof radiusM === 'number' && radiusM > 0 && radiusM < Number.POSITIVE_INFINITY)) {
    throw invalid(`radiusM is ${textOfGiven(radiusM)}; expected metres above 0.`);
  }
  return {
    distanceM: (latA, lonA, latB, lonB) => radiusM * angleOf(haversineOf(latA, lonA, latB, lonB)),
    radiusMinM: radiusM,
    radiusMaxM: radiusM,
  };
}

/** What `geodesic` needs of the package `geographiclib-geodesic`: its `Geodesic.WGS84`. */
export interface GeodesicSolver {
  Inverse(latA: number, lonA: number, latB: number, lonB: number): { readonly s12?: number };
}

/**
 * Distances along the surface of the ellipsoid:
 *
 *     import geodesicLibrary from 'geographiclib-geodesic';
 *     const measure = geodesic(geodesicLibrary.Geodesic.WGS84);
 */
export function geodesic(wgs84: GeodesicSolver): Measure {
  if (typeof wgs84?.Inverse !== 'function') throw invalid('This is not `Geodesic.WGS84` of geographiclib-geodesic.');
  return {
    distanceM: (latA, lonA, latB, lonB) => wgs84.Inverse(latA, lonA, latB, lonB).s12 ?? Number.NaN,
    radiusMinM: WGS84_RADIUS_MIN_M,
    radiusMaxM: WGS84_RADIUS_MAX_M,
  };
}

/** Metres between two positions on the mean sphere. */
export function distanceM(a: Position, b: Position): number {
  checkPosition('The first position', a);
  checkPosition('The second position', b);
  return EARTH_RADIUS_M * angleOf(haversineOf(a.lat, a.lon, b.lat, b.lon));
}
