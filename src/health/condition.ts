/**
 * The one state of an endpoint that people, metrics and the balancer see: what its checks and its traffic say, combined.
 *
 * Checks come first: an endpoint that is down by them is down, whatever its traffic was. Otherwise traffic decides whether it
 * is out. A successful check does not end an ejection: a health page that answers while requests fail is what passive health
 * is for. `sinceMs` is when the condition became what it is, and `reason` is for people; both follow from the two states, so
 * nothing here can disagree with them. Pure, O(1).
 */
import type { CheckFailureCode, HealthState } from './active.ts';
import type { Ejection, EjectionCause } from './ejection.ts';

/** `trial`: in again, with a small share of its traffic, until that went well. */
export type Condition = 'unknown' | 'up' | 'down' | 'ejected' | 'trial';

/** The class of a reason: stable, for metrics. `check`: one that succeeded. `none`: nothing has said anything yet. */
export type HealthCause = CheckFailureCode | EjectionCause | 'check';

export interface EndpointHealth {
  readonly condition: Condition;
  readonly reason: string;
  readonly cause: HealthCause;
  readonly sinceMs: number;
  /** Whether anything checks it. What nothing checks stays unknown until its traffic says something. */
  readonly checked: boolean;
  /** Down by checks that all timed out: it may be alive and only too busy to answer. See `eligible.ts`. */
  readonly timeoutsOnly: boolean;
}

export interface ConditionTransition {
  readonly from: Condition;
  readonly to: Condition;
  readonly reason: string;
  readonly cause: HealthCause;
  /** How long it was `from`. */
  readonly afterMs: number;
}

/** Either is null where there is none: no checks, or no passive health. Without both, an endpoint is unknown for ever. */
export function conditionOf(active: HealthState | null, ejection: Ejection | null): EndpointHealth {
  const checked = active !== null;
  if (active?.health === 'down') {
    return {
      condition: 'down',
      reason: active.reason,
      cause: active.code ?? 'none',
      sinceMs: active.sinceMs,
      checked,
      timeoutsOnly: active.timeoutsOnly,
    };
  }
  if (ejection !== null && ejection.phase !== 'in') {
    const { phase, cause } = ejection;
    const reason = phase === 'trial' ? `on trial after ${ejection.reason}` : ejection.reason;
    // An ejection may outlast a time of being down: then it is out for this reason since it was up again.
    const sinceMs = Math.max(ejection.sinceMs, active?.sinceMs ?? 0);
    return { condition: phase, reason, cause, sinceMs, checked, timeoutsOnly: false };
  }
  const returned = ejection !== null && ejection.reason !== '';
  // An ejection that never was says only since when it is known, which matters where nothing else does.
  const sinceMs = Math.max(active?.sinceMs ?? 0, returned || active === null ? (ejection?.sinceMs ?? 0) : 0);
  // Back because nobody is better is not back because it is well.
  const isUp = active === null ? returned && ejection.cause !== 'no-better' : active.health === 'up';
  const condition = isUp ? 'up' : 'unknown';
  if (returned && ejection.sinceMs >= (active?.sinceMs ?? 0)) {
    return { condition, reason: ejection.reason, cause: ejection.cause, sinceMs, checked, timeoutsOnly: false };
  }
  const cause = isUp ? 'check' : 'none';
  return { condition, reason: active?.reason ?? 'not checked', cause, sinceMs, checked, timeoutsOnly: false };
}

/** Null if it stayed what it was. */
export function transitionOf(before: EndpointHealth, after: EndpointHealth, nowMs: number): ConditionTransition | null {
  const { condition: from } = before;
  const { condition: to, reason, cause } = after;
  return from === to ? null : { from, to, reason, cause, afterMs: nowMs - before.sinceMs };
}
