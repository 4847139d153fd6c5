/** `spillway/bloom`: membership filters, "certainly not" or "probably yes" in a few bits a key. */
export { xxh64 } from '../kernel/xxh64.ts';
export {
  type BloomFilter,
  createFilter,
  filterFromBytes,
  type FilterOptions,
  type LayoutName,
  openFilter,
} from './bloom-filter.ts';
export type { AddableFilter, Filter, FilterReport } from './filter.ts';
export type { FilterKey, FilterKeys, SeedOption } from './filter-key.ts';
export type { FilterKind } from './image.ts';
