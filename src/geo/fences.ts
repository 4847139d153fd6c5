/**
 * Fences: areas, and who enters and leaves them. A fence is a circle or a polygon; what moves is asked about at each of its positions.
 *
 * Between two positions a thing is taken to have gone straight in latitude and longitude, the shorter way. A fence on that way that it is in at neither end
 * has been *crossed*: a thin one is not missed because nothing was heard from within.
 *
 * Exact: edges and corners of polygons belong to them, as said in region.ts, and the rim of a circle to it. A way that comes within a millimetre of a circle may
 * count as crossing it, and so may one that runs along its rim, within a ten-thousandth of its length.
 *
 * Cost: a check looks at some cells of a grid (fence-grid.ts) and then at the fences there; `npm run bench -- geo` has 23,000 fences. 0.8 KB a circle,
 * 2.7 KB a polygon of 24 corners, 0.3 KB a thing that is watched.
 */
import { checkInteger, checkKeys, invalid, textOfGiven } from '../kernel/options.ts';
import { circleBox } from './bounds.ts';
import { FenceGrid } from './fence-grid.ts';
import { checkMeasure, haversine, type Measure } from './measure.ts';
import { boxContains, checkDistance, checkObject, checkPosition, type Box, type Position } from './position.ts';
import { createRegion, shorterWay, wayOf, type Polygon } from './region.ts';
import type { MeasureOptions } from './searchable.ts';

const DEGREE = Math.PI / 180;
/** 310 MB. */
const WATCHED_MAX = 1_000_000;
/** A way is cut no finer, in metres. */
const FINEST_M = 1e-3;
/** A way is measured in no more places: some milliseconds. Only one along a rim needs more than a hundred. */
const LOOKS_MAX = 100_000;

export type Fence = { readonly center: Position; readonly radiusM: number } | { readonly polygon: Polygon };

/** What a new position of a thing means; fences by their ids, in order. */
export interface FenceChanges {
  /** It is in them now. */
  readonly inside: readonly number[];
  /** It is in them now and was not before. A thing heard of for the first time enters all that it is in. */
  readonly entered: readonly number[];
  /** It was in them and is not any more; also those that were taken away. */
  readonly left: readonly number[];
  /** It went through them and is in them neither now nor before. */
  readonly crossed: readonly number[];
}

export interface FencesOptions extends MeasureOptions {
  /** How many things are watched at most; one more is refused. @defaultValue 1,000,000 */
  readonly watchedMax?: number;
}

export interface Fences {
  /** How many fences there are. */
  readonly size: number;
  /** Puts up a fence; one with the same id is replaced. Ids are whole numbers from 0 to 2^32 − 1. */
  add(id: number, fence: Fence): void;
  /** True if it was there. */
  remove(id: number): boolean;
  /** In which fences a position is, by their ids, in order. */
  at(position: Position): number[];
  /** Where a thing is now, and which fences that concerns. */
  move(thing: number | string, position: Position): FenceChanges;
  /** Watches a thing no longer. True if it was watched. */
  forget(thing: number | string): boolean;
}

interface Standing {
  readonly id: number;
  readonly bounds: Box;
  contains(lat: number, lon: number): boolean;
  isCrossedBy(from: Position, to: Position): boolean;
}

interface Watched {
  position: Position;
  inside: readonly number[];
}

const NONE: readonly number[] = [];

function circle(id: number, center: Position, radiusM: number, measure: Measure): Standing {
  checkPosition('The centre of the fence', center);
  checkDistance('The radius of the fence', radiusM);
  const { lat, lon } = center;
  const bounds = circleBox(lat, lon, Math.min(Math.PI, radiusM / measure.radiusMinM));
  let looks = 0;
  const isNear = (from: Position, dLat: number, dLon: number): boolean => {
    looks--;
    const middle = { lat: from.lat + dLat / 2, lon: turned(from.lon + dLon / 2) };
    const distanceM = measure.distanceM(lat, lon, middle.lat, middle.lon);
    if (distanceM <= radiusM) return true;
    // Nothing on the way is farther from its middle than half of its length, taken as long as it would be where it is nearest to the equator.
    const nearest = Math.max(0, Math.abs(middle.lat) - Math.abs(dLat / 2));
    const halfM = (Math.hypot(dLat, dLon * Math.cos(nearest * DEGREE)) / 2) * DEGREE * measure.radiusMaxM;
    if (distanceM - halfM > radiusM) return false;
    if (halfM < FINEST_M || looks < 0) return true;
    return isNear(from, dLat / 2, dLon / 2) || isNear(middle, dLat / 2, dLon / 2);
  };
  return {
    id,
    bounds,
    contains: (atLat, atLon) =>
      boxContains(bounds, atLat, atLon) && measure.distanceM(lat, lon, atLat, atLon) <= radiusM,
    isCrossedBy: (from, to) => {
      looks = LOOKS_MAX;
      return isNear(from, to.lat - from.lat, shorterWay(from, to));
    },
  };
}

function turned(lon: number): number {
  return lon > 180 ? lon - 360 : lon < -180 ? lon + 360 : lon;
}

function area(id: number, polygon: Polygon): Standing {
  const region = createRegion(polygon);
  return {
    id,
    bounds: region.bounds,
    contains: region.contains,
    isCrossedBy: (from, to) => region.meets(wayOf(from, to)),
  };
}

function standing(id: number, fence: Fence, measure: Measure): Standing {
  if (typeof id !== 'number' || id >>> 0 !== id)
    throw invalid(`The fence has id ${textOfGiven(id)}; expected a whole number below 2^32.`);
  checkObject('The fence', fence, '{ center, radiusM } or { polygon }');
  return 'polygon' in fence ? area(id, fence.polygon) : circle(id, fence.center, fence.radiusM, measure);
}

/** The box of the way between two positions. */
function wayBox(from: Position, to: Position): Box {
  const [, west = 0, , east = 0] = wayOf(from, to);
  return { south: Math.min(from.lat, to.lat), west, north: Math.max(from.lat, to.lat), east };
}

/** Of two lists in order, what only the first has. */
function without(all: readonly number[], those: readonly number[]): readonly number[] {
  let at = 0;
  const rest = all.filter((id) => {
    while (those[at]! < id) at++;
    return those[at] !== id;
  });
  return rest.length === 0 ? NONE : rest;
}

class FenceBook implements Fences {
  readonly #grid = new FenceGrid();
  /** By their place in the grid. */
  readonly #standing: Standing[] = [];
  readonly #slots = new Map<number, number>();
  readonly #watched = new Map<number | string, Watched>();
  readonly #watchedMax: number;
  readonly #measure: Measure;

  constructor(measure: Measure, watchedMax: number) {
    this.#measure = measure;
    this.#watchedMax = watchedMax;
  }

  get size(): number {
    return this.#slots.size;
  }

  add(id: number, fence: Fence): void {
    const made = standing(id, fence, this.#measure);
    this.remove(id);
    const slot = this.#grid.add(made.bounds);
    this.#standing[slot] = made;
    this.#slots.set(id, slot);
  }

  remove(id: number): boolean {
    const slot = this.#slots.get(id);
    if (slot === undefined) return false;
    this.#slots.delete(id);
    this.#grid.remove(slot);
    return true;
  }

  at(position: Position): number[] {
    checkPosition('The position', position);
    const { lat, lon } = position;
    const inside: number[] = [];
    this.#grid.visit(lat, lon, (slot) => {
      const fence = this.#standing[slot]!;
      if (fence.contains(lat, lon)) inside.push(fence.id);
    });
    return inside.length > 1 ? inside.sort((a, b) => a - b) : inside;
  }

  move(thing: number | string, position: Position): FenceChanges {
    const now = this.at(position);
    const inside = now.length === 0 ? NONE : now;
    const { lat, lon } = position;
    const watched = this.#watched.get(thing);
    if (watched === undefined) {
      if (this.#watched.size >= this.#watchedMax) {
        throw invalid(`${this.#watchedMax} things are watched already, as many as watchedMax: forget some.`);
      }
      this.#watched.set(thing, { position: { lat, lon }, inside });
      return { inside, entered: inside, left: NONE, crossed: NONE };
    }
    const before = watched.inside;
    const met = this.#crossed(watched.position, position);
    watched.position = { lat, lon };
    watched.inside = inside;
    return {
      inside,
      entered: without(inside, before),
      left: without(before, inside),
      crossed: without(without(met, inside), before),
    };
  }

  /** Fences on the way, in order. */
  #crossed(from: Position, to: Position): number[] {
    const crossed: number[] = [];
    if (from.lat === to.lat && from.lon === to.lon) return crossed;
    this.#grid.visitBox(wayBox(from, to), (slot) => {
      const fence = this.#standing[slot]!;
      if (fence.isCrossedBy(from, to)) crossed.push(fence.id);
    });
    return crossed.sort((a, b) => a - b);
  }

  forget(thing: number | string): boolean {
    return this.#watched.delete(thing);
  }
}

/**
 * Fences, none at first.
 *
 * @example
 * const fences = createFences();
 * fences.add(1, { center: { lat: 48.2, lon: 16.37 }, radiusM: 500 });
 * fences.move('van', { lat: 48.19, lon: 16.37 });
 * console.log(fences.move('van', { lat: 48.201, lon: 16.37 }).entered); // [ 1 ]
 * console.log(fences.move('van', { lat: 48.22, lon: 16.37 }).left); // [ 1 ]
 * console.log(fences.move('van', { lat: 48.18, lon: 16.37 }).crossed); // [ 1 ]
 */
export function createFences(options: FencesOptions = {}): Fences {
  checkKeys('createFences', options, ['measure', 'watchedMax']);
  const { measure = haversine(), watchedMax = WATCHED_MAX } = options;
  checkInteger('watchedMax', watchedMax, 1, Number.MAX_SAFE_INTEGER);
  checkMeasure(measure);
  return new FenceBook(measure, watchedMax);
}
