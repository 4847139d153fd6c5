/**
 * A polygon made ready to be asked which positions are in it.
 *
 * **Edges** are straight lines in latitude and longitude, as on a map with a plain grid and as GeoJSON has it (RFC 7946 §3.1.1), and
 * take the shorter way round: one from 170 to −170 is 20 degrees long and crosses the antimeridian. **Inside** is from where a way
 * to the north pole crosses an odd number of edges; the direction of a ring does not matter. Only a ring that goes round a pole has a
 * pole on either side, and there it does: the polygon is on its left. Eastward along 60° is the cap round the north pole. **Boundaries**,
 * those of holes too, belong to the polygon.
 *
 * Exact: no position is misjudged by rounding (orientation.ts).
 * Cost: a look at the edges in the position's slice of longitude, some 5 ns each; for most rings about eight, however many there
 * are. 32 B an edge, and on average at most 36 B of slices.
 */
import { invalid } from '../kernel/options.ts';
import { edgesMeet, sideOf } from './orientation.ts';
import { boxContains, checkPosition, type Box, type Position } from './position.ts';

/** At least three corners; the first may be repeated at the end. */
export type Ring = readonly Position[];

/** The outer ring, then holes in it. */
export type Polygon = readonly Ring[];

export interface Region {
  /** The smallest box around it. */
  readonly bounds: Box;
  readonly contains: (lat: number, lon: number) => boolean;
  /** True if a way (`wayOf`) touches an edge. */
  readonly meets: (way: Float64Array) => boolean;
}

/** An edge: latitude and longitude of its western end, then of its eastern. */
const EDGE_WORDS = 4;
const EDGES_PER_SLICE = 4;
/** An edge is listed in each slice that it touches; with more than so many listings an edge there are fewer slices. */
const LISTINGS_PER_EDGE = 8;
const SLICES_MAX = 2 ** 16;

/** The edges that touch a slice of longitude are `listed[starts[slice] … starts[slice + 1]]`. */
interface Slices {
  readonly west: number;
  readonly perDegree: number;
  readonly starts: Uint32Array;
  readonly listed: Uint32Array;
}

interface PreparedRing {
  readonly edges: Float64Array;
  readonly slices: Slices;
  readonly bounds: Box;
  /** True if north of it, where no edge is crossed, is inside of it. */
  readonly northInside: boolean;
  readonly touchesNorth: boolean;
  readonly touchesSouth: boolean;
}

/** 180 and −180 are one meridian, which the rings know by −180. */
function wrapLon(lon: number): number {
  return lon === 180 ? -180 : lon;
}

/** Degrees eastward from one corner to the next, the shorter way, −180 to 180. */
function eastward(from: Position, to: Position, name: string): number {
  const run = to.lon - from.lon;
  if (Math.abs(run) === 180) {
    throw invalid(
      `${name} has an edge from longitude ${from.lon} to ${to.lon}, both ways round are as long: add a corner.`,
    );
  }
  return shorterWay(from, to);
}

function cornersOf(ring: Ring, name: string): Position[] {
  if (!Array.isArray(ring))
    throw invalid(`${name} is no list; expected [outer, ...holes], each a list of { lat, lon }.`);
  const corners: Position[] = [];
  for (const corner of ring as Ring) {
    checkPosition(`A corner of ${name}`, corner);
    const before = corners.at(-1);
    const lon = wrapLon(corner.lon);
    if (before?.lat === corner.lat && before.lon === lon) continue;
    corners.push({ lat: corner.lat, lon });
  }
  const [first] = corners;
  const last = corners.at(-1);
  if (corners.length > 1 && first!.lat === last!.lat && first!.lon === last!.lon) corners.pop();
  if (corners.length >= 3) return corners;
  throw invalid(`${name} has ${corners.length} different corners one after the other; expected at least 3.`);
}

/** How a ring lies on the rolled-up plane: its box, and how often it goes round the north pole, eastward. */
function windingOf(corners: readonly Position[], name: string): { turns: number; bounds: Box } {
  let across = 0;
  let [westmost, eastmost] = [0, 0];
  let [west, east] = [corners[0]!.lon, corners[0]!.lon];
  let [south, north] = [90, -90];
  for (const [at, from] of corners.entries()) {
    const to = corners[(at + 1) % corners.length]!;
    south = Math.min(south, from.lat);
    north = Math.max(north, from.lat);
    across += eastward(from, to, name);
    if (across < westmost) [westmost, west] = [across, to.lon];
    if (across > eastmost) [eastmost, east] = [across, to.lon];
  }
  const turns = Math.round(across / 360);
  if (Math.abs(turns) > 1) throw invalid(`${name} goes ${Math.abs(turns)} times round a pole; expected once at most.`);
  if (turns === 1) north = 90;
  if (turns === -1) south = -90;
  // Rounding must not make a ring that nearly closes one that does.
  if (turns !== 0 || eastmost - westmost > 359.999) [west, east] = [-180, 180];
  return { turns, bounds: { south, west, north, east: east === -180 && west > east ? 180 : east } };
}

function edgesOf(corners: readonly Position[], name: string): Float64Array {
  const edges = new Float64Array(corners.length * EDGE_WORDS);
  for (const [at, from] of corners.entries()) {
    const to = corners[(at + 1) % corners.length]!;
    const [western, eastern] = eastward(from, to, name) >= 0 ? [from, to] : [to, from];
    edges.set([western.lat, western.lon, eastern.lat, eastern.lon], at * EDGE_WORDS);
  }
  return edges;
}

/** Which slice a longitude is in: never fewer for one farther east, so all between an edge's ends is in a slice of the edge. */
function sliceOf(lon: number, west: number, perDegree: number): number {
  const along = lon - west;
  return Math.floor((along < 0 ? along + 360 : along) * perDegree);
}

function slicesOf(edges: Float64Array, { west, east }: Box): Slices {
  const edgeCount = edges.length / EDGE_WORDS;
  const width = west <= east ? east - west : east - west + 360;
  let count = edgeCount <= 2 * EDGES_PER_SLICE ? 1 : Math.min(SLICES_MAX, Math.ceil(edgeCount / EDGES_PER_SLICE));
  for (; ; count = Math.ceil(count / 2)) {
    const grid = { west, perDegree: width === 0 ? 0 : count / width, count };
    // Edges may touch all slices each: their listings are added up before any is made.
    let listings = 0;
    eachSpan(edges, grid, (_edge, first, last) => (listings += last - first + 1));
    if (count > 1 && listings > LISTINGS_PER_EDGE * edgeCount) continue;
    // Rounding may put the eastern end into one slice more.
    const starts = new Uint32Array(count + 2);
    eachSpan(edges, grid, (_edge, first, last) => {
      for (let slice = first; slice <= last; slice++) starts[slice + 1]!++;
    });
    for (let slice = 0; slice <= count; slice++) starts[slice + 1]! += starts[slice]!;
    const listed = new Uint32Array(listings);
    const next = starts.slice();
    eachSpan(edges, grid, (edge, first, last) => {
      for (let slice = first; slice <= last; slice++) listed[next[slice]!++] = edge;
    });
    return { west, perDegree: grid.perDegree, starts, listed };
  }
}

/** The slices that each edge touches, from `first` to `last`: those of an edge over the seam of a ring that goes all round are two spans. */
function eachSpan(
  edges: Float64Array,
  { west, perDegree, count }: { readonly west: number; readonly perDegree: number; readonly count: number },
  visit: (edge: number, first: number, last: number) => void,
): void {
  for (let edge = 0; edge < edges.length; edge += EDGE_WORDS) {
    const from = Math.min(count, sliceOf(edges[edge + 1]!, west, perDegree));
    const to = Math.min(count, sliceOf(edges[edge + 3]!, west, perDegree));
    const isOverSeam = west === -180 && edges[edge + 1]! > edges[edge + 3]!;
    if (isOverSeam) {
      visit(edge, from, count);
      if (from > 0) visit(edge, 0, Math.min(to, from - 1));
    } else {
      visit(edge, Math.min(from, to), Math.max(from, to));
    }
  }
}

function prepare(ring: Ring, index: number): PreparedRing {
  const name = index === 0 ? 'The outer ring' : `Hole ${index}`;
  const corners = cornersOf(ring, name);
  const { turns, bounds } = windingOf(corners, name);
  const edges = edgesOf(corners, name);
  return {
    edges,
    bounds,
    slices: slicesOf(edges, bounds),
    // A hole that does not go round a pole keeps what is outside of it.
    northInside: index === 0 ? turns === 1 : turns !== -1,
    touchesNorth: bounds.north === 90 && corners.some(({ lat }) => lat === 90),
    touchesSouth: bounds.south === -90 && corners.some(({ lat }) => lat === -90),
  };
}

/** True if a ring leaves a position in the polygon: it is on the ring, or on the right side of it. */
function keeps(ring: PreparedRing, lat: number, lon: number): boolean {
  if ((lat === 90 && ring.touchesNorth) || (lat === -90 && ring.touchesSouth)) return true;
  const { edges } = ring;
  const { starts, listed, west, perDegree } = ring.slices;
  // Behind the ring's own longitudes there is no slice, and nothing to be crossed.
  const slice = sliceOf(lon, west, perDegree);
  let inside = ring.northInside;
  for (let at = starts[slice]!; at < starts[slice + 1]!; at++) {
    const edge = listed[at]!;
    const westLat = edges[edge]!;
    const westLon = edges[edge + 1]!;
    const eastLat = edges[edge + 2]!;
    const eastLon = edges[edge + 3]!;
    if (westLon === eastLon) {
      if (lon === westLon && lat >= Math.min(westLat, eastLat) && lat <= Math.max(westLat, eastLat)) return true;
      continue;
    }
    if (lon === eastLon) {
      // The eastern end counts as an edge's own only on the boundary, so that a corner is not crossed twice.
      if (lat === eastLat) return true;
      continue;
    }
    if (westLon < eastLon ? lon < westLon || lon > eastLon : lon < westLon && lon > eastLon) continue;
    const side = sideOf(westLat, westLon, eastLat, eastLon, lat, lon);
    if (side === 0) return true;
    if (side < 0) inside = !inside;
  }
  return inside;
}

/**
 * A polygon, made ready. It is copied: later changes to what was given change nothing.
 *
 * @example
 * const corners = [{ lat: 0, lon: 170 }, { lat: 0, lon: -170 }, { lat: 20, lon: 180 }];
 * const region = createRegion([corners]);
 * console.log(region.contains(5, -179), region.contains(5, 0)); // true false
 */
export function createRegion(polygon: Polygon): Region {
  if (!Array.isArray(polygon) || polygon.length === 0) {
    throw invalid('The polygon has no ring; expected the outer ring, then holes.');
  }
  const rings = polygon.map((ring, index) => prepare(ring, index));
  const { bounds } = rings[0]!;
  return {
    bounds,
    contains: (lat, lon) => {
      if (!boxContains(bounds, lat, lon)) return false;
      const meridian = wrapLon(lon);
      for (const ring of rings) if (!keeps(ring, lat, meridian)) return false;
      return true;
    },
    meets: (way) => rings.some(({ edges }) => someEdgeMeets(edges, way)),
  };
}

function someEdgeMeets(edges: Float64Array, way: Float64Array): boolean {
  for (let edge = 0; edge < edges.length; edge += EDGE_WORDS) if (edgesMeet(edges, edge, way)) return true;
  return false;
}

/** The way from one position straight to another, the shorter way round, as an edge. */
export function wayOf(from: Position, to: Position): Float64Array {
  const [lonFrom, lonTo] = [wrapLon(from.lon), wrapLon(to.lon)];
  return shorterWay(from, to) >= 0
    ? Float64Array.of(from.lat, lonFrom, to.lat, lonTo)
    : Float64Array.of(to.lat, lonTo, from.lat, lonFrom);
}

/** Degrees eastward from one position to another, the shorter way, −180 to 180; where both are as long, the one that needs no antimeridian. */
export function shorterWay(from: Position, to: Position): number {
  const run = to.lon - from.lon;
  return run > 180 ? run - 360 : run < -180 ? run + 360 : run;
}
