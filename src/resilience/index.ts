/** `spillway/resilience`: what keeps the trouble of one thing from becoming that of everything. */
export { type Breaker, type BreakerCall, type BreakerOutcome, createBreaker, type RunOptions } from './breaker.ts';
export type { BreakerPhase } from './breaker-life.ts';
export type { BreakerOptions, BreakerReading, CallVerdict, Settled, SpanSource } from './breaker-options.ts';
