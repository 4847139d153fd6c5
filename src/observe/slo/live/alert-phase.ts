/**
 * When an alert of an objective is on: a machine that is told each second whether both its windows are above the threshold. Pure.
 *
 * As the compiled rules: on at once when both are, off at once when one is not; rules have neither a `for` nor a `keep_firing_for`. What it says
 * beyond them is for people: that the short window is above already, and for a quarter of an hour that it was on, as long as Prometheus
 * goes on telling Alertmanager of one that is over.
 */
import type { AlertPhase } from './status.ts';

export interface AlertMoment {
  readonly state: AlertPhase;
  /** Wall time, for people; null: since it was first looked at. */
  readonly sinceMs: number | null;
  /** The same by the clock that is never set. */
  readonly sinceNowMs: number;
}

export interface AlertInput {
  /** Above in its long and in its short window, and enough failures in the long one, of which enough is known. */
  readonly isLong: boolean;
  readonly isShort: boolean;
}

const RESOLVED_MS = 900_000;

export function firstPhase(nowMs: number): AlertMoment {
  return { state: 'inactive', sinceMs: null, sinceNowMs: nowMs };
}

export function nextPhase(
  before: AlertMoment,
  { isLong, isShort }: AlertInput,
  { nowMs, wallMs }: { readonly nowMs: number; readonly wallMs: number },
): AlertMoment {
  const state = stateOf(before, { isLong, isShort }, nowMs);
  return state === before.state ? before : { state, sinceMs: wallMs, sinceNowMs: nowMs };
}

function stateOf(before: AlertMoment, { isLong, isShort }: AlertInput, nowMs: number): AlertPhase {
  if (isLong && isShort) return 'firing';
  if (before.state === 'firing') return 'resolved';
  // It has more to say than that one of two windows is above again.
  if (before.state === 'resolved' && nowMs - before.sinceNowMs < RESOLVED_MS) return 'resolved';
  return isShort ? 'pending' : 'inactive';
}
