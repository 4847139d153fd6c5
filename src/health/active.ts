/**
 * Active health: what a series of checks says about one endpoint. HAProxy's rise and fall, as a pure machine.
 *
 * `unknown` is not `down`: an endpoint nobody has checked yet is used. It takes `unhealthyAfter` failures in a row to be
 * down and `healthyAfter` successes in a row to be up again; a first success makes an unknown endpoint up at once, because
 * that decides only what it is called.
 *
 * Invariants: at most one of `successes` and `failures` is above 0; `sinceMs` moves only with `health`; `timeoutsOnly` is
 * true only while every failure of the current row was a timeout. Both counters stop at their threshold, so they never
 * grow without bound.
 *
 * What it is not: the decision whether an endpoint gets traffic. That also depends on its neighbours: `eligible.ts`.
 */

export type Health = 'unknown' | 'up' | 'down';

export interface CheckPolicy {
  /** Failures in a row until an endpoint is down; at least 1. */
  readonly unhealthyAfter: number;
  /** Successes in a row until a down endpoint is up; at least 1. */
  readonly healthyAfter: number;
}

/**
 * What was wrong, in a word: stable, for metrics and tests. `timeout`: it may be alive and only too busy to answer (see
 * `eligible.ts`). `connection`: none, or it was cut. `protocol`: what came is not what the check speaks. The rest: that part of an
 * answer was not as expected.
 */
export type CheckFailureCode =
  | 'timeout'
  | 'connection'
  | 'tls'
  | 'protocol'
  | 'status'
  | 'header'
  | 'body'
  | 'banner'
  | 'grpc';

export type CheckResult =
  | { readonly kind: 'success'; readonly reason: string }
  | { readonly kind: 'failure'; readonly code: CheckFailureCode; readonly reason: string };

export interface HealthState {
  readonly health: Health;
  /** Of the last check, for people. */
  readonly reason: string;
  /** What was wrong with it; null: nothing, or there was none. */
  readonly code: CheckFailureCode | null;
  /** When `health` became what it is. */
  readonly sinceMs: number;
  readonly successes: number;
  readonly failures: number;
  readonly timeoutsOnly: boolean;
}

export interface HealthTransition {
  readonly from: Health;
  readonly to: Health;
  readonly reason: string;
  /** How long it was `from`. */
  readonly afterMs: number;
}

/** What is known before the first check. */
export function initialHealth(nowMs: number): HealthState {
  return {
    health: 'unknown',
    reason: 'not checked yet',
    code: null,
    sinceMs: nowMs,
    successes: 0,
    failures: 0,
    timeoutsOnly: false,
  };
}

/** One check further. `transition` is null when the endpoint stays what it was. */
export function step(
  state: HealthState,
  result: CheckResult,
  policy: CheckPolicy,
  nowMs: number,
): { readonly state: HealthState; readonly transition: HealthTransition | null } {
  const code = result.kind === 'success' ? null : result.code;
  const { reason } = result;
  const counted = {
    ...(code === null ? succeeded(state, policy) : failed(state, policy, code === 'timeout')),
    reason,
    code,
  };
  const health = verdict(state.health, counted, policy);
  if (health === state.health) return { state: counted, transition: null };
  return {
    state: { ...counted, health, sinceMs: nowMs },
    transition: { from: state.health, to: health, reason, afterMs: nowMs - state.sinceMs },
  };
}

function succeeded(state: HealthState, policy: CheckPolicy): HealthState {
  const successes = Math.min(state.successes + 1, policy.healthyAfter);
  return { ...state, successes, failures: 0, timeoutsOnly: false };
}

function failed(state: HealthState, policy: CheckPolicy, timeout: boolean): HealthState {
  const failures = Math.min(state.failures + 1, policy.unhealthyAfter);
  return { ...state, successes: 0, failures, timeoutsOnly: timeout && (state.failures === 0 || state.timeoutsOnly) };
}

function verdict(health: Health, counted: HealthState, policy: CheckPolicy): Health {
  if (counted.failures >= policy.unhealthyAfter) return 'down';
  if (counted.successes >= policy.healthyAfter) return 'up';
  return health === 'unknown' && counted.successes > 0 ? 'up' : health;
}
