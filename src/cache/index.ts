/** `spillway/cache`: what is known is answered at once, what is not is loaded once. */
export type { Cache, GetOptions, Load } from './cache.ts';
export { createCache, type CacheOptions, type SharedOptions, type StaleOptions } from './create-cache.ts';
export type { LoadContext } from './flight.ts';
export { memoryCache, type MemoryCache, type MemoryCacheOptions } from './memory.ts';
export { redisCache, type RedisCacheOptions } from './redis.ts';
export type { LeaseAsk, SharedAnswer, SharedCache, SharedValue } from './shared.ts';
export type { CacheOutage } from './shared-tier.ts';
export type { CurrentSpan, EventSpan } from '../kernel/current-span.ts';
export type { CacheCounts, CacheResult } from './tally.ts';
