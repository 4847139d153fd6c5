/** What an index whose contents change can do besides answering. */
import type { GeoIndex } from './geo-index.ts';
import { geoInvalid, type Position } from './position.ts';

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

export function checkCapacity(capacity: number, max: number): void {
  if (Number.isSafeInteger(capacity) && capacity >= 1 && capacity <= max) return;
  throw geoInvalid(`capacity is ${String(capacity)}; expected a whole number from 1 to ${max}.`);
}

export function checkId(id: number, capacity: number): void {
  if (id >>> 0 === id && id < capacity) return;
  throw geoInvalid(`The id is ${String(id)}; expected a whole number below the capacity, ${capacity}.`);
}
