/** `spillway/limit`: who may go on, how often, and when again. */
export { type AllDecision, allOf, type AllOf, type AllTakeOptions, type SyncAllOf } from './all-of.ts';
export type { Algorithm, Ask, LeaseAlgorithm, Outcome, RateAlgorithm } from './algorithm.ts';
export { fixedWindow, type WindowOptions } from './fixed-window.ts';
export { gcra, type GcraOptions } from './gcra.ts';
export { concurrency, type ConcurrencyOptions } from './concurrency.ts';
export type { Decision, DecisionSource, LeaseDecision } from './decision.ts';
export { createLimiter } from './limiter.ts';
export type {
  Leases,
  Limiter,
  LimiterOf,
  LimiterOptions,
  Rates,
  StoreState,
  SyncLeases,
  SyncLimiter,
  SyncRates,
  TakeOptions,
} from './limiter.ts';
export type { Outage } from './line.ts';
export { memoryStore, type MemoryStore, type MemoryStoreOptions } from './memory.ts';
export type { OutageOptions } from './outage.ts';
export { createSharedMemory, sharedMemoryStore, type SharedMemoryOptions } from './shared.ts';
export { slidingLog } from './sliding-log.ts';
export { slidingWindow } from './sliding-window.ts';
export type { Counters, LocalPart, LocalStore, Question, RemotePart, RemoteStore, Store } from './store.ts';
export type { LimiterCounts } from './tally.ts';
export { tokenBucket, type TokenBucketOptions } from './token-bucket.ts';
export type { WaitOptions } from './waiting.ts';
