/** `spillway/bloom`: membership filters, "certainly not" or "probably yes" in a few bits a key. */
export { xxh64 } from '../kernel/xxh64.ts';
export {
  type BloomFilter,
  createFilter,
  filterFromParquet,
  type FilterOptions,
  filterSize,
  type LayoutName,
  loadFilter,
  loadMemory,
  openFilter,
} from './bloom-filter.ts';
export { type CountingFilter, type CountingOptions, createCountingFilter, openCountingFilter } from './counting.ts';
export { createCuckooFilter, type CuckooOptions, openCuckooFilter } from './cuckoo.ts';
export { type FilterFile, type FilterFileOptions, openFilterFile } from './file-filter.ts';
export { type FileOptions, type LoadOptions, saveFilter } from './file-image.ts';
export type { AddableFilter, DeletableFilter, Filter, FilterReport, StoredFilter } from './filter.ts';
export type { FilterKey, FilterKeys, SeedOption } from './filter-key.ts';
export { createFuseFilter, FuseFilterBuilder, type FuseOptions, openFuseFilter } from './fuse.ts';
export type { FilterKind } from './image.ts';
export { openRedisBloomCopy, type RedisBloomCopy } from './chain.ts';
export { redisFilter, type RedisFilter, type RedisFilterOptions } from './redis.ts';
export { loadRedisBloom, redisBloomFilter } from './redis-bloom.ts';
export type { RedisBloomFilter, RedisBloomOptions, RedisBloomReport } from './redis-bloom.ts';
export { createScalableFilter, openScalableFilter, type ScalableOptions } from './scalable.ts';
export { createSlidingFilter, openSlidingFilter, type SlidingOptions } from './sliding.ts';
