/** The answer to a take, as callers see it. */
import type { Outcome } from './algorithm.ts';

/**
 * Who decided:
 *
 * - `store`: the counters.
 * - `cache`: this process, which knows from the store that there can be nothing yet.
 * - `reserve`: this process, from what it has taken ahead.
 * - `fallback`: a local limiter, because the store did not answer.
 * - `open`, `closed`: nobody, because the store did not answer: allowed or refused as the limiter's `outage` says.
 */
export type DecisionSource = 'store' | 'cache' | 'reserve' | 'fallback' | 'open' | 'closed';

/** A value also when the answer is no. */
export interface Decision {
  /** Go on, or not. In shadow mode always true. */
  readonly allowed: boolean;
  /** What was taken: the cost, or less of it from `takeUpTo`, or 0. */
  readonly granted: number;
  /** The most that can be taken at once. */
  readonly limit: number;
  /** What can still be taken now. */
  readonly remaining: number;
  /**
   * Whole milliseconds until the same take is granted if nobody else takes meanwhile; one less does not do. 0 if it was granted, and
   * `Infinity` if it never will be, its cost being above the limit.
   */
  readonly retryAfterMs: number;
  /** Whole milliseconds until everything has come back if nobody takes meanwhile. */
  readonly resetAfterMs: number;
  /** The name of the limiter. */
  readonly policy: string;
  readonly source: DecisionSource;
  /** It would have been refused if the limiter were not in shadow mode. */
  readonly shadowed: boolean;
}

/** The decision of a limiter with leases. */
export interface LeaseDecision extends Decision {
  /** What `release` and `renew` need; 0 if nothing was granted. */
  readonly lease: number;
}

/** What is the same in all decisions that a limiter takes in one way. */
export interface DecisionFrame {
  readonly name: string;
  readonly limit: number;
  readonly shadow: boolean;
  readonly source: DecisionSource;
}

export function decide(frame: DecisionFrame, out: Outcome, granted: number, enough: boolean): Decision {
  return {
    allowed: enough || frame.shadow,
    granted,
    limit: frame.limit,
    remaining: out.remaining,
    retryAfterMs: Math.ceil(out.retryAfterUs / 1000),
    resetAfterMs: Math.ceil(out.resetAfterUs / 1000),
    policy: frame.name,
    source: frame.source,
    shadowed: !enough && frame.shadow,
  };
}

export function withLease(decision: Decision, lease: number): LeaseDecision {
  return { ...decision, lease };
}

export interface TakeOptions {
  /** What it costs: an integer, 0 (always granted, takes nothing) or more. @defaultValue 1 */
  readonly cost?: number;
  /** Gives up: the call rejects with its reason. What a remote store was asked meanwhile may still count. */
  readonly signal?: AbortSignal;
}
