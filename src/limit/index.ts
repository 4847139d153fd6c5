/** `spillway/limit`: who may go on, how often, and when again. */
export type { Algorithm, Ask, LeaseAlgorithm, Outcome, RateAlgorithm } from './algorithm.ts';
export { fixedWindow, type WindowOptions } from './fixed-window.ts';
export { gcra, type GcraOptions } from './gcra.ts';
export { concurrency, type ConcurrencyOptions } from './concurrency.ts';
export type { Decision, DecisionSource, LeaseDecision } from './decision.ts';
export { createLimiter } from './limiter.ts';
export type {
  Leases,
  Limiter,
  LimiterCounts,
  LimiterOf,
  LimiterOptions,
  Rates,
  SyncLeases,
  SyncLimiter,
  SyncRates,
  TakeOptions,
} from './limiter.ts';
export { memoryStore, type MemoryStore, type MemoryStoreOptions } from './memory.ts';
export { slidingLog } from './sliding-log.ts';
export { slidingWindow } from './sliding-window.ts';
export type { Counters, LocalPart, LocalStore, Question, RemotePart, RemoteStore, Store } from './store.ts';
export { tokenBucket, type TokenBucketOptions } from './token-bucket.ts';
