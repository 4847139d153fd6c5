/**
 * How an objective stands at a moment: what was counted in its window, what is left of its budget, how fast it goes, and which alerts are
 * on. Plain data: the answer of `GET /api/slo`, what a gate judges, what a dashboard draws.
 *
 * Shares, burn rates and alerts mean what the compiled rules mean by them, once a service is not young any more: without traffic there is no share and no alert.
 */
import type { Severity } from '../burn-alerts.ts';
import type { Period } from '../calendar.ts';
import type { BudgetLevel, BudgetPolicy } from '../policy.ts';

export interface SloStatus {
  /** As rules and alerts know it: `shop-availability`. */
  readonly id: string;
  readonly service: string;
  readonly name: string;
  /** 0.999 is 99.9 %. */
  readonly objective: number;
  /** Of a calendar, how long the period is that it is now. */
  readonly windowMs: number;
  /** The same in words, after `over`: `30d`, `each month (Europe/Berlin)`. */
  readonly window: string;
  /** Of a calendar, that which it is now; null: the window rolls. */
  readonly period: Period | null;
  /** What is measured, in words: `answers of shop within 196.608ms`. */
  readonly measures: string;
  /** Wall time that this is about. */
  readonly atMs: number;
  /** Wall time of the first events that are known, at most a window ago, be that of this period or of one before; null: none yet. */
  readonly sinceMs: number | null;
  /** Events of the window, those of excluded times left out. */
  readonly good: number;
  readonly bad: number;
  readonly budget: BudgetStatus;
  /** What follows when the budget runs low, and how far that is; no freeze while too little is known. */
  readonly policy: BudgetPolicy;
  readonly level: BudgetLevel;
  /** Each window that alerts look back over, the shortest first. */
  readonly burn: readonly BurnStatus[];
  /** Those that are compiled to rules, the most urgent first. */
  readonly alerts: readonly AlertStatus[];
  /** Until the budget is gone at the burn rate of the last hour (for 30 days), if nothing of it came back; null: not within a window. */
  readonly exhaustionMs: number | null;
  /** Until a page, if everything failed from now on and traffic stayed as it is; 0: it pages already. Null: it would not page. */
  readonly timeToPageMs: number | null;
}

export interface BudgetStatus {
  /** Of a total outage: 43.2 for 99.9 % over 30 days. */
  readonly minutes: number;
  /** Below zero if more is gone than there was; so are the others. */
  readonly minutesLeft: number;
  /** Failures that the events of the window allow; of a period that goes on, those that it will have if they come as they did. */
  readonly events: number;
  readonly eventsLeft: number;
  /** Part that is left: 1 is all of it. 1 too if nothing was counted yet. */
  readonly share: number;
}

export interface BurnStatus {
  readonly windowS: number;
  /** Share of events that failed, over the budget: 1 spends it exactly in the objective's window. Null without events. */
  readonly value: number | null;
  /** The least burn rate of an alert that looks back over this window. */
  readonly threshold: number;
  /** Whether it is above that. */
  readonly firing: boolean;
}

/**
 * `pending`: above in its short window and not yet in its long one, or too little is known of that (known-window.ts). `resolved`: it fired, and no longer
 * does, until a quarter of an hour has passed. Rules have no `for`, so in Prometheus none of these alerts is ever pending.
 */
export type AlertPhase = 'inactive' | 'pending' | 'firing' | 'resolved';

export interface AlertStatus {
  readonly severity: Severity;
  /** How many times too fast; with the severity it tells the alerts of an objective apart. */
  readonly burn: number;
  readonly longS: number;
  readonly shortS: number;
  readonly state: AlertPhase;
  /** Wall time at which it came to be so; null if it has been since the beginning. */
  readonly sinceMs: number | null;
  /** Share of events that failed in its windows; null without events. */
  readonly longShare: number | null;
  readonly shortShare: number | null;
}

/** Wall time at which the window began. */
export function windowFromMs({ atMs, windowMs, period }: Pick<SloStatus, 'atMs' | 'windowMs' | 'period'>): number {
  return period?.fromMs ?? atMs - windowMs;
}
