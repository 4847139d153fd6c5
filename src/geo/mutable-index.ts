/** What an index whose contents change can do besides answering. */
import { invalid } from '../kernel/options.ts';
import type { GeoIndex } from './geo-index.ts';
import type { Position } from './position.ts';

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

export function checkId(id: number, capacity: number): void {
  if (id >>> 0 === id && id < capacity) return;
  throw invalid(`The id is ${String(id)}; expected a whole number below the capacity, ${capacity}.`);
}
