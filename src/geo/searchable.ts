/**
 * The questions of `GeoIndex` for anything that can show a search its positions: what an index has to do itself is to leave out
 * those that cannot matter.
 */
import { checkKeys, checkParts, invalid } from '../kernel/options.ts';
import { Collector } from './collector.ts';
import type { FilterOptions, Found, GeoIndex, Hits, NearestOptions, Placed, WithinOptions } from './geo-index.ts';
import { checkMeasure, haversine, type Measure } from './measure.ts';
import {
  boxContains,
  checkBox,
  checkCount,
  checkDistance,
  checkPosition,
  type Box,
  type Position,
} from './position.ts';
import { createRegion, type Polygon } from './region.ts';

/** What is seen of each position. */
export type Visit = (id: number, lat: number, lon: number) => void;

export interface Shelf {
  readonly size: number;
  /** True while a search goes on, which calls filters of users. */
  isSearched: boolean;
  /** Offers at least each position whose squared sine of half the angle from here is at most the collector's bound, once. */
  offerNear(lat: number, lon: number, collector: Collector): void;
  /** Visits at least each position in the box, once. */
  visitBox(box: Box, visit: Visit): void;
}

const FILTER_OPTIONS = ['filter'];
const WITHIN_OPTIONS = ['filter', 'limit'];
const NEAREST_OPTIONS = ['filter', 'maxDistanceM'];

export interface MeasureOptions {
  /** How distances are measured. @defaultValue `haversine()`, great circles on the mean sphere */
  readonly measure?: Measure;
}

export function createSearchable(shelf: Shelf, measure: Measure = haversine()): GeoIndex {
  checkMeasure(measure);
  const collector = new Collector(measure);

  /** A search uses memory of the index, so there is one at a time. */
  const alone = (): void => {
    if (shelf.isSearched) {
      throw invalid('A filter has asked the index that is calling it; ask before, or another index.');
    }
    shelf.isSearched = true;
  };

  const search = (
    center: Position,
    countMax: number,
    distanceMaxM: number,
    filter: FilterOptions['filter'],
  ): Collector => {
    checkPosition('The centre', center);
    const { lat, lon } = center;
    alone();
    try {
      collector.begin({ lat, lon, countMax, distanceMaxM, filter });
      shelf.offerNear(lat, lon, collector);
    } finally {
      shelf.isSearched = false;
    }
    collector.finish();
    return collector;
  };

  const placed = (box: Box, options: FilterOptions, isIn: (lat: number, lon: number) => boolean): Placed[] => {
    const { filter } = options;
    const all: Placed[] = [];
    alone();
    try {
      shelf.visitBox(box, (id, lat, lon) => {
        if (isIn(lat, lon) && (filter === undefined || filter(id))) all.push({ id, lat, lon });
      });
    } finally {
      shelf.isSearched = false;
    }
    return all.sort((a, b) => a.id - b.id);
  };

  return {
    get size(): number {
      return shelf.size;
    },
    within(center: Position, radiusM: number, options: WithinOptions = {}): Found[] {
      checkKeys('within', options, WITHIN_OPTIONS);
      const { limit = Number.POSITIVE_INFINITY, filter } = options;
      checkDistance('radiusM', radiusM);
      checkCount('limit', limit);
      return search(center, limit, radiusM, filter).found();
    },
    nearest(center: Position, k: number, options: NearestOptions = {}): Found[] {
      checkKeys('nearest', options, NEAREST_OPTIONS);
      const { maxDistanceM = Number.POSITIVE_INFINITY, filter } = options;
      checkCount('k', k);
      checkDistance('maxDistanceM', maxDistanceM);
      return search(center, k, maxDistanceM, filter).found();
    },
    nearestInto(center: Position, into: Hits, options: NearestOptions = {}): number {
      checkKeys('nearestInto', options, NEAREST_OPTIONS);
      const { maxDistanceM = Number.POSITIVE_INFINITY, filter } = options;
      checkParts('What to write into', into, '{ ids, distancesM }', ['ids', 'distancesM']);
      const k = Math.min(into.ids.length, into.distancesM.length);
      checkCount('The length of the arrays', k);
      checkDistance('maxDistanceM', maxDistanceM);
      search(center, k, maxDistanceM, filter).copyInto(into);
      return collector.count;
    },
    inBox(box: Box, options: FilterOptions = {}): Placed[] {
      checkKeys('inBox', options, FILTER_OPTIONS);
      checkBox(box);
      return placed(box, options, (lat, lon) => boxContains(box, lat, lon));
    },
    inPolygon(polygon: Polygon, options: FilterOptions = {}): Placed[] {
      checkKeys('inPolygon', options, FILTER_OPTIONS);
      const { bounds, contains } = createRegion(polygon);
      return placed(bounds, options, contains);
    },
  };
}
