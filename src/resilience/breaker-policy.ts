/** When a breaker opens, for how long, and what it takes to close: numbers that are resolved and fit each other. Plain, so that any shell can have one. */

import { formatDuration } from '../kernel/units.ts';

export interface BreakerPolicy {
  /** How far back calls are looked at. */
  readonly windowMs: number;
  /** With fewer calls in the window no share of them says anything. */
  readonly callsMin: number;
  /** Share of calls that fail at which it opens, above 0 to 1; null: no share of failures opens it. */
  readonly failureRatio: number | null;
  /** Null: it does not matter how long calls take. */
  readonly slow: {
    /** A call that takes at least so long is slow, however it ends. */
    readonly overMs: number;
    /** Share of calls that are slow at which it opens, above 0 to 1. */
    readonly ratio: number;
  } | null;
  /** Failures without a good call between them that open it, however few calls there are; null: no row is long enough. */
  readonly failuresInRow: number | null;
  /** The shortest that it is open. */
  readonly openMs: number;
  /** The longest, however often it opened before. */
  readonly openMaxMs: number;
  /** How many calls a trial has. */
  readonly trialCalls: number;
  /** After so long a trial call without a result has failed. */
  readonly trialMs: number;
}

/** Calls that ended, by how: those that failed, and those that were slow, some of them both. */
export interface CallCounts {
  readonly calls: number;
  readonly failures: number;
  readonly slow: number;
}

/** Why these calls are too bad, in words; null if they are not, or too few. */
export function faultOf({ calls, failures, slow }: CallCounts, policy: BreakerPolicy): string | null {
  if (calls < policy.callsMin) return null;
  if (policy.failureRatio !== null && failures >= shareOf(policy.failureRatio, calls)) {
    return `${percent(failures, calls)} of ${calls} calls failed`;
  }
  if (policy.slow !== null && slow >= shareOf(policy.slow.ratio, calls)) {
    return `${percent(slow, calls)} of ${calls} calls took ${formatDuration(policy.slow.overMs)} or longer`;
  }
  return null;
}

/**
 * What a trial says as soon as the calls that are left cannot turn it any more: `fault` if it failed, `passed` if it did not. A policy
 * without a share of failures has a trial fail by half of its calls.
 */
export function trialVerdict(
  { calls, failures, slow }: CallCounts,
  policy: BreakerPolicy,
): { readonly passed: boolean; readonly fault: string | null } {
  // Of another policy meanwhile there may be fewer.
  const left = Math.max(0, policy.trialCalls - calls);
  const failuresMin = shareOf(policy.failureRatio ?? 0.5, policy.trialCalls);
  const slowMin = policy.slow === null ? Number.POSITIVE_INFINITY : shareOf(policy.slow.ratio, policy.trialCalls);
  if (failures >= failuresMin) return { passed: false, fault: `${failures} of ${calls} trial calls failed` };
  if (slow >= slowMin) return { passed: false, fault: `${slow} of ${calls} trial calls were slow` };
  return { passed: failures + left < failuresMin && slow + left < slowMin, fault: null };
}

/** The fewest of `calls` that are this share of them: 7 % of 100 are 7, also where the product is 7.000000000000001. */
function shareOf(ratio: number, calls: number): number {
  return Math.ceil(ratio * calls - 1e-9);
}

function percent(part: number, whole: number): string {
  return `${Math.round((100 * part) / whole)} %`;
}
