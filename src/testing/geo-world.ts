/**
 * Places that are hard on geospatial indexes, questions about them, and the answers by brute force.
 *
 * A world has points all over, in a town, round both poles and on them, on both sides of the antimeridian, several at one place, and
 * on whole degrees, where many are equally far. Questions are asked from such places too, with radii from millimetres to
 * more than half of the Earth, and often exactly as far as a point is.
 */
import { boxContains, type Box, type Position } from '../geo/position.ts';
import { EARTH_RADIUS_M, type Measure } from '../geo/measure.ts';
import type { Random } from '../kernel/random.ts';

const DEGREE = Math.PI / 180;

function between(random: Random, from: number, to: number): number {
  return from + random.unit() * (to - from);
}

function roundIn(lon: number): number {
  return lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon;
}

/** A position of one of the hard kinds. */
export function hardPosition(random: Random): Position {
  const near = 10 ** between(random, -7, 1);
  switch (Math.floor(random.unit() * 7)) {
    case 0:
      return { lat: Math.asin(between(random, -1, 1)) / DEGREE, lon: between(random, -180, 180) };
    case 1:
      return { lat: 52.5 + between(random, -0.1, 0.1), lon: 13.4 + between(random, -0.1, 0.1) };
    case 2:
      return { lat: (random.unit() < 0.5 ? -1 : 1) * (90 - near), lon: between(random, -180, 180) };
    case 3:
      return { lat: between(random, -80, 80), lon: roundIn(180 + (random.unit() < 0.5 ? -near : near)) };
    case 4:
      return { lat: Math.round(between(random, -90, 90)), lon: Math.round(between(random, -180, 180)) };
    case 5:
      return { lat: 10 * Math.round(between(random, -9, 9)), lon: 60 * Math.round(between(random, -3, 3)) };
    default:
      return { lat: between(random, -1, 1) * near, lon: between(random, -1, 1) * near };
  }
}

export function hardWorld(random: Random, count: number): Position[] {
  const positions: Position[] = [];
  for (let at = 0; at < count; at++) {
    const again = positions.length > 0 && random.unit() < 0.05;
    positions.push(again ? positions[Math.floor(random.unit() * at)]! : hardPosition(random));
  }
  return positions;
}

/** A centre, often at a point, and a radius, often exactly to one. */
export function hardCircle(
  random: Random,
  positions: readonly Position[],
  measure: Measure,
): { center: Position; radiusM: number } {
  const any = (): Position => positions[Math.floor(random.unit() * positions.length)]!;
  const center = random.unit() < 0.3 && positions.length > 0 ? any() : hardPosition(random);
  const kind = random.unit();
  if (kind < 0.3 && positions.length > 0) {
    const edge = any();
    return { center, radiusM: measure.distanceM(center.lat, center.lon, edge.lat, edge.lon) };
  }
  if (kind < 0.4) return { center, radiusM: between(random, 0, 1.1) * Math.PI * EARTH_RADIUS_M };
  return { center, radiusM: kind < 0.42 ? 0 : 10 ** between(random, -3, 7.3) };
}

export function hardBox(random: Random): Box {
  const [a, b] = [hardPosition(random), hardPosition(random)];
  return { south: Math.min(a.lat, b.lat), north: Math.max(a.lat, b.lat), west: a.lon, east: b.lon };
}

/** The corners of a box as a polygon's, with so many between that each edge is a short one. */
export function boxRing({ south, west, north, east }: Box): Position[] {
  const width = west <= east ? east - west : east - west + 360;
  const steps = Math.ceil(width / 90);
  const side = Array.from({ length: steps + 1 }, (_, step) => roundIn(west + (width * step) / Math.max(1, steps)));
  return [...side.map((lon) => ({ lat: south, lon })), ...side.reverse().map((lon) => ({ lat: north, lon }))];
}

export interface Answer {
  readonly id: number;
  readonly distanceM: number;
}

/** All within a radius, by distance and then by id. */
export function bruteForce(
  positions: readonly Position[],
  { center, radiusM, measure }: { readonly center: Position; readonly radiusM: number; readonly measure: Measure },
): Answer[] {
  const answers: Answer[] = [];
  for (const [id, { lat, lon }] of positions.entries()) {
    const distanceM = measure.distanceM(center.lat, center.lon, lat, lon);
    if (distanceM <= radiusM) answers.push({ id, distanceM });
  }
  return answers.sort((a, b) => a.distanceM - b.distanceM || a.id - b.id);
}

export function bruteForceBox(positions: readonly Position[], box: Box): number[] {
  return [...positions.keys()].filter((id) => boxContains(box, positions[id]!.lat, positions[id]!.lon));
}
