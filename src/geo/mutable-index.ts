/**
 * An index whose contents change: the questions of searchable.ts, and putting, taking and looking up by id.
 *
 * Invariant: nothing changes while a search goes on. A filter that tries is refused, for the search would go on along lists that are
 * no more.
 */
import { invalid, textOfGiven } from '../kernel/options.ts';
import type { GeoIndex } from './geo-index.ts';
import type { Measure } from './measure.ts';
import { checkPosition, type Position } from './position.ts';
import { createSearchable, type Shelf } from './searchable.ts';

export interface MutableGeoIndex extends GeoIndex {
  /** Ids are whole numbers below this. */
  readonly capacity: number;
  /** Puts something where it is now, whether it was there before or not. */
  set(id: number, position: Position): void;
  /** True if it was there. */
  remove(id: number): boolean;
  /** Where something is; null if nowhere. */
  get(id: number): Position | null;
}

/** What an index has to do itself; ids and positions are checked before. */
export interface Contents {
  readonly capacity: number;
  put(id: number, lat: number, lon: number): void;
  /** True if it was there. */
  take(id: number): boolean;
  at(id: number): Position | null;
}

export function checkId(id: number, capacity: number): void {
  if (typeof id === 'number' && id >>> 0 === id && id < capacity) return;
  throw invalid(`The id is ${textOfGiven(id)}; expected a whole number below the capacity, ${capacity}.`);
}

/** To be called before anything is changed. */
export function checkStill(shelf: Shelf): void {
  if (shelf.isSearched) throw invalid('A filter has changed the index that is calling it; change it after the answer.');
}

export function createMutable(shelf: Shelf, contents: Contents, measure?: Measure): MutableGeoIndex {
  const { capacity } = contents;
  return Object.assign(createSearchable(shelf, measure), {
    capacity,
    set(id: number, position: Position): void {
      checkStill(shelf);
      checkId(id, capacity);
      checkPosition('The position', position);
      contents.put(id, position.lat, position.lon);
    },
    remove(id: number): boolean {
      checkStill(shelf);
      checkId(id, capacity);
      return contents.take(id);
    },
    get(id: number): Position | null {
      checkId(id, capacity);
      return contents.at(id);
    },
  });
}
