/**
 * What the stores have in common: a server, or a quadtree in its place, finds candidates, and here the questions are answered from them, by the
 * same measure and in the same order as in an index.
 *
 * Invariant: a backend may find too much, never too little; what it finds is where the server keeps it. So an answer is exact for what is
 * kept, whatever sphere, rounding or order the server computes with. An answer is bounded: a question that finds more than `answersMax`
 * candidates fails, for half a town is no answer and a server's memory is everybody's.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { checkInteger, checkKeys, invalid, shown } from '../kernel/options.ts';
import type {
  FilterOptions,
  Found,
  GeoStore,
  NearestOptions,
  Placed,
  StoreCallOptions,
  WithinOptions,
} from './geo-index.ts';
import { checkMeasure, type Measure } from './measure.ts';
import {
  type Box,
  boxContains,
  checkBox,
  checkCount,
  checkDistance,
  checkObject,
  checkPosition,
  type Position,
} from './position.ts';
import { createRegion, type Polygon } from './region.ts';

/** Where to look for the nearest. Angles are in radians. */
export interface Search {
  readonly center: Position;
  readonly k: number;
  /** Nothing farther away is asked for. */
  readonly angleMax: number;
  /** Whatever is within this times the angle of the k-th nearest must be found. */
  readonly stretch: number;
}

/** A server's part. Each answer may hold more than was asked for. */
export interface Backend {
  set(placed: readonly Placed<string>[], signal: AbortSignal): Promise<void>;
  remove(id: string, signal: AbortSignal): Promise<boolean>;
  /** All within an angle of a position. */
  around(center: Position, angle: number, signal: AbortSignal): Promise<Placed<string>[]>;
  /** All of a search; if there are fewer than `k` within `angleMax`, all of those. */
  nearest(search: Search, signal: AbortSignal): Promise<Placed<string>[]>;
  inBox(box: Box, signal: AbortSignal): Promise<Placed<string>[]>;
}

const CALL_OPTIONS = ['filter', 'signal'];
/** Some 10 MB of answer. */
export const ANSWERS_MAX = 100_000;
const ANSWERS_MAX_MOST = 10_000_000;
/** An id is in every answer. */
const ID_LENGTH_MAX = 512;

export function tooMany(answersMax: number): SpillwayError {
  return new SpillwayError(
    'ANSWER_TOO_LARGE',
    `More than ${answersMax} were found, which is answersMax of this store; ask for a smaller area, or for the nearest few.`,
  );
}

export function checkAnswersMax(answersMax: number): void {
  checkInteger('answersMax', answersMax, 1, ANSWERS_MAX_MOST);
}

function checkId(id: string): void {
  const expected = `a string of 1 to ${ID_LENGTH_MAX} characters`;
  if (typeof id !== 'string') throw invalid(`The id is a ${typeof id}; expected ${expected}.`);
  if (id === '' || id.length > ID_LENGTH_MAX)
    throw invalid(`The id has ${id.length} characters; expected ${expected}.`);
  // UTF-8 has no halves of characters, all would become one id; and PostgreSQL's text has no NUL.
  if (id.isWellFormed() && !id.includes('\0')) return;
  throw invalid(`The id is ${JSON.stringify(id)}; expected no NUL, and no half of a surrogate pair.`);
}

function byId(a: Placed<string>, b: Placed<string>): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

function byDistance(a: Found<string>, b: Found<string>): number {
  return a.distanceM - b.distanceM || byId(a, b);
}

export class ServerStore implements GeoStore {
  readonly #backend: Backend;
  readonly #measure: Measure;

  constructor(backend: Backend, measure: Measure) {
    checkMeasure(measure);
    this.#backend = backend;
    this.#measure = measure;
  }

  async set(id: string, position: Position, options: StoreCallOptions = {}): Promise<void> {
    checkId(id);
    checkPosition(`“${id}”`, position);
    await this.setMany([{ id, lat: position.lat, lon: position.lon }], options);
  }

  async setMany(placed: readonly Placed<string>[], options: StoreCallOptions = {}): Promise<void> {
    checkKeys('setMany', options, ['signal']);
    if (!Array.isArray(placed)) throw invalid(`What to set is ${shown(placed)}; expected a list of { id, lat, lon }.`);
    for (const each of placed) {
      checkObject('A thing to set', each, '{ id, lat, lon }');
      checkId(each.id);
      checkPosition(`“${each.id}”`, each);
    }
    if (placed.length > 0) await this.#backend.set(placed, signalOf(options.signal));
  }

  async remove(id: string, options: StoreCallOptions = {}): Promise<boolean> {
    checkKeys('remove', options, ['signal']);
    checkId(id);
    return this.#backend.remove(id, signalOf(options.signal));
  }

  async within(
    center: Position,
    radiusM: number,
    options: WithinOptions<string> & StoreCallOptions = {},
  ): Promise<Found<string>[]> {
    checkKeys('within', options, ['limit', ...CALL_OPTIONS]);
    checkPosition('The centre', center);
    checkDistance('radiusM', radiusM);
    const { limit, filter, signal } = options;
    if (limit !== undefined) {
      checkCount('limit', limit);
      return this.#nearest(center, limit, radiusM, filter, signalOf(signal));
    }
    const candidates = await this.#backend.around(center, this.#angleOf(radiusM), signalOf(signal));
    const found = this.#found(center, candidates, radiusM);
    return filter === undefined ? found : found.filter(({ id }) => filter(id));
  }

  async nearest(
    center: Position,
    k: number,
    options: NearestOptions<string> & StoreCallOptions = {},
  ): Promise<Found<string>[]> {
    checkKeys('nearest', options, ['maxDistanceM', ...CALL_OPTIONS]);
    const { maxDistanceM = Number.POSITIVE_INFINITY, filter, signal } = options;
    checkPosition('The centre', center);
    checkCount('k', k);
    checkDistance('maxDistanceM', maxDistanceM);
    return this.#nearest(center, k, maxDistanceM, filter, signalOf(signal));
  }

  async inBox(box: Box, options: FilterOptions<string> & StoreCallOptions = {}): Promise<Placed<string>[]> {
    checkKeys('inBox', options, CALL_OPTIONS);
    const { filter, signal } = options;
    checkBox(box);
    const candidates = await this.#backend.inBox(box, signalOf(signal));
    return candidates
      .filter(({ id, lat, lon }) => boxContains(box, lat, lon) && (filter === undefined || filter(id)))
      .sort(byId);
  }

  async inPolygon(polygon: Polygon, options: FilterOptions<string> & StoreCallOptions = {}): Promise<Placed<string>[]> {
    checkKeys('inPolygon', options, CALL_OPTIONS);
    const { filter, signal } = options;
    const region = createRegion(polygon);
    const candidates = await this.#backend.inBox(region.bounds, signalOf(signal));
    return candidates
      .filter(({ id, lat, lon }) => region.contains(lat, lon) && (filter === undefined || filter(id)))
      .sort(byId);
  }

  async #nearest(
    center: Position,
    k: number,
    maxDistanceM: number,
    filter: ((id: string) => boolean) | undefined,
    signal: AbortSignal,
  ): Promise<Found<string>[]> {
    const angleMax = this.#angleOf(maxDistanceM);
    const stretch = this.#measure.radiusMaxM / this.#measure.radiusMinM;
    // A filter is known here only: if it leaves too few, more are asked for. Beyond those asked for, candidates have gaps.
    for (let asked = k; ; asked *= 4) {
      const candidates = await this.#backend.nearest({ center, k: asked, angleMax, stretch }, signal);
      const nearest = this.#found(center, candidates, maxDistanceM).slice(0, asked);
      const found = filter === undefined ? nearest : nearest.filter(({ id }) => filter(id));
      if (found.length >= k || nearest.length < asked) return found.slice(0, k);
    }
  }

  /** An angle that nothing within a distance exceeds. */
  #angleOf(distanceM: number): number {
    return Math.min(Math.PI, distanceM / this.#measure.radiusMinM);
  }

  #found(center: Position, candidates: readonly Placed<string>[], radiusM: number): Found<string>[] {
    const found: Found<string>[] = [];
    for (const { id, lat, lon } of candidates) {
      const distanceM = this.#measure.distanceM(center.lat, center.lon, lat, lon);
      if (distanceM <= radiusM) found.push({ id, lat, lon, distanceM });
    }
    return found.sort(byDistance);
  }
}

function signalOf(signal: AbortSignal | undefined): AbortSignal {
  return signal ?? new AbortController().signal;
}
