/**
 * Which endpoints of a service get traffic, given what checks say about each.
 *
 * Down is out, with one exception. **A service never loses its last endpoints to timeouts alone**: a check that times out
 * often queued behind the very load that the endpoint is serving, and ejecting it turns a slow service into no service.
 * So when every endpoint is down, those whose failures were all timeouts are kept in, all of them: sending everything to the
 * one that happened to fall last would finish it. An endpoint that refuses, resets or answers wrongly is out in any case.
 * Endpoints of weight 0 get no work, so they do not count as left.
 *
 * Pure; O(n) for a service of n endpoints, and only run when one of them changes.
 */
import type { HealthState } from './active.ts';

export interface Candidate {
  /** Null if nothing checks it: it is always in. */
  readonly state: HealthState | null;
  readonly weight: number;
}

/** `kept`: down by its checks, in by the rule above. */
export type Eligibility = 'in' | 'kept' | 'out';

/** One answer for each candidate, in the same order. */
export function eligible(candidates: readonly Candidate[]): Eligibility[] {
  const someoneIsIn = candidates.some(({ state, weight }) => weight > 0 && state?.health !== 'down');
  return candidates.map(({ state }) => {
    if (state?.health !== 'down') return 'in';
    return !someoneIsIn && state.timeoutsOnly ? 'kept' : 'out';
  });
}
