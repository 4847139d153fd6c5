/**
 * The questions, the same for every index in memory and every store: who is within a radius, who are the nearest, who is in
 * a box, who is in a polygon.
 *
 * All of them answer as brute force over the same positions would, at the poles and across the antimeridian too, and in
 * one order: by distance, then by id; what has no distance (box, polygon) by id. What lies exactly on a boundary is inside.
 */
import type { Box, Position } from './position.ts';
import type { Polygon } from './region.ts';

/** Something that an index has, and where. */
export interface Placed<Id = number> extends Position {
  readonly id: Id;
}

/** Something found, and how far from where was asked. */
export interface Found<Id = number> extends Placed<Id> {
  readonly distanceM: number;
}

export interface FilterOptions<Id = number> {
  /** Only those for which this is true are found; the others do not count. One that changes the index, or asks it a question, is refused. @defaultValue all */
  readonly filter?: (id: Id) => boolean;
}

export interface WithinOptions<Id = number> extends FilterOptions<Id> {
  /** At most so many, the nearest. @defaultValue all */
  readonly limit?: number;
}

export interface NearestOptions<Id = number> extends FilterOptions<Id> {
  /** None that is farther away, in metres. @defaultValue any distance */
  readonly maxDistanceM?: number;
}

/** Where `nearestInto` puts what it finds; as many as the shorter of the two arrays holds. */
export interface Hits {
  readonly ids: Uint32Array;
  readonly distancesM: Float64Array;
}

/** An index in memory: ids are whole numbers from 0 to 2^32 − 1, and answers are there at once. */
export interface GeoIndex {
  /** How many it has. */
  readonly size: number;
  /** All within `radiusM` metres of a position. */
  within(center: Position, radiusM: number, options?: WithinOptions): Found[];
  /** The `k` nearest to a position; fewer if there are not so many. */
  nearest(center: Position, k: number, options?: NearestOptions): Found[];
  inBox(box: Box, options?: FilterOptions): Placed[];
  inPolygon(polygon: Polygon, options?: FilterOptions): Placed[];
  /** `nearest` without an object made for the answer: fills the arrays, returns how many were found. */
  nearestInto(center: Position, into: Hits, options?: NearestOptions): number;
}

export interface StoreCallOptions {
  readonly signal?: AbortSignal;
}

/** An index that others may share, on a server as a rule: ids are well-formed strings of 1 to 512 characters without NUL, and answers take a round trip. */
export interface GeoStore {
  /** Puts something where it is now, whether it was there before or not. */
  set(id: string, position: Position, options?: StoreCallOptions): Promise<void>;
  /** Puts many in as few round trips as that takes. Another's question may see some of them there and others not yet. */
  setMany(placed: readonly Placed<string>[], options?: StoreCallOptions): Promise<void>;
  /** True if it was there. */
  remove(id: string, options?: StoreCallOptions): Promise<boolean>;
  within(
    center: Position,
    radiusM: number,
    options?: WithinOptions<string> & StoreCallOptions,
  ): Promise<Found<string>[]>;
  nearest(center: Position, k: number, options?: NearestOptions<string> & StoreCallOptions): Promise<Found<string>[]>;
  inBox(box: Box, options?: FilterOptions<string> & StoreCallOptions): Promise<Placed<string>[]>;
  inPolygon(polygon: Polygon, options?: FilterOptions<string> & StoreCallOptions): Promise<Placed<string>[]>;
}
