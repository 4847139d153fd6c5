/** `spillway/limit`: who may go on, how often, and when again. */
export type { Algorithm, AlgorithmKind, Ask, LeaseAlgorithm, Outcome } from './algorithm.ts';
export { gcra, type GcraOptions } from './gcra.ts';
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
export type { Counters, LocalPart, LocalStore, Question, RemotePart, RemoteStore, Store } from './store.ts';
export { tokenBucket, type TokenBucketOptions } from './token-bucket.ts';
