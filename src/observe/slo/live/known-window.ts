/**
 * Whether what is known of a window is enough for an alert, while that is less than the window. Pure.
 *
 * Of a service that began ten seconds ago one slow request in twenty is a burn rate of fifty, and says nothing. So an alert whose long window
 * is not wholly known needs more than its shares: as a freeze does (policy.ts), that so much is known that one failure is allowed; or what would
 * be enough without a doubt, that the failures are as many as it takes with nothing but good answers in the rest of the window; or an outage,
 * for which nobody waits. It is asked until the alert is on; how long it is on the shares alone say. Invariant: it holds wherever the window is wholly known; so a page comes no later than it would of a service of long ago.
 */
import type { BurnAlert } from '../burn-alerts.ts';
import { EVENTS_MIN } from '../policy.ts';

/** What was counted over a window. */
export interface WindowCount {
  readonly bad: number;
  readonly total: number;
}

export interface KnownWindow {
  readonly alert: BurnAlert;
  /** In the long window, as far as it is known. */
  readonly long: WindowCount;
  /** How long there has been anything to count. */
  readonly knownS: number;
  /** What a freeze waits for. */
  readonly historyS: number;
  /** Share of events that may fail. */
  readonly budget: number;
}

/** More fail than do not, and not by chance. */
const OUTAGE = { failures: 10, share: 0.5 } as const;

export function isProven({ alert, long, knownS, historyS, budget }: KnownWindow): boolean {
  const { bad, total } = long;
  if (knownS >= alert.longS) return true;
  if (knownS >= historyS && budget * total >= EVENTS_MIN) return true;
  if (bad >= OUTAGE.failures && bad >= OUTAGE.share * total) return true;
  return bad * knownS > alert.threshold * total * alert.longS;
}

/** Seconds until it holds, if everything fails from now on and traffic stays at `rate`. */
export function secondsToProof({ alert, long, knownS, historyS, budget }: KnownWindow, rate: number): number {
  const { bad, total } = long;
  if (knownS >= alert.longS) return 0;
  const isKnown = Math.max(historyS - knownS, (EVENTS_MIN / budget - total) / rate);
  const isOutage = Math.max((OUTAGE.failures - bad) / rate, (OUTAGE.share * total - bad) / (rate * (1 - OUTAGE.share)));
  const isGone = alert.threshold * alert.longS - bad / rate;
  return Math.max(0, Math.min(alert.longS - knownS, isKnown, isOutage, isGone));
}
