/**
 * Multi-window, multi-burn-rate alerts (The Site Reliability Workbook, chapter 5). Pure.
 *
 * A burn rate of 1 spends the budget exactly over the window of the objective. An alert fires while the share of failures is above
 * its burn rate in a long window, so that it is worth waking for, and in a short one, so that it ends soon after its cause.
 * For 30 days these are 14.4 (1 h and 5 min, 2 % of the budget), 6 (6 h and 30 min, 5 %), 3 (1 d and 2 h, 10 %) and 1 (3 d and
 * 6 h, 10 %). For other windows of an objective the factors stay and the windows of the alerts grow or shrink with it, so that an
 * alert means the same part of the budget. They always roll: who is woken does not depend on the day of the month. So of a calendar an objective has the alerts of its nominal window,
 * of a day those of a week, of a year those of 90 days.
 */
import { errorBudget, exact, type Slo } from './objective.ts';

export type Severity = 'page' | 'ticket';

export interface BurnAlert {
  readonly severity: Severity;
  /** How many times too fast. */
  readonly burn: number;
  /** Part of the whole budget that is gone when it fires, if nothing else failed. */
  readonly budgetShare: number;
  readonly longS: number;
  readonly shortS: number;
  /** Share of failures above which it fires. */
  readonly threshold: number;
  /** Even if everything fails the burn rate is no more than 1 / (1 − objective): an alert at or above that never fires. */
  readonly reachable: boolean;
}

const kinds = [
  { severity: 'page', burn: 14.4, budgetShare: 0.02 },
  { severity: 'page', burn: 6, budgetShare: 0.05 },
  { severity: 'ticket', burn: 3, budgetShare: 0.1 },
  { severity: 'ticket', burn: 1, budgetShare: 0.1 },
] as const;

export const DAY_MS = 86_400_000;
/** Shorter, and the short window of the fastest alert would hold fewer than two scrapes; longer than what Prometheus keeps. */
export const WINDOW_DAYS = { min: 7, max: 90 } as const;
/** Four scrapes of every 30 s: with fewer than two there is no rate at all. */
const SHORT_S_MIN = 120;

/** The window of which an objective has the alerts. */
export function alertedMs({ windowMs }: Pick<Slo, 'windowMs'>): number {
  return Math.min(Math.max(windowMs, WINDOW_DAYS.min * DAY_MS), WINDOW_DAYS.max * DAY_MS);
}

/** The four alerts of an objective, the most urgent first, those that can never fire included. */
export function burnAlerts(slo: Pick<Slo, 'objective' | 'windowMs'>): readonly BurnAlert[] {
  const budget = errorBudget(slo);
  const windowS = slo.windowMs / 1000;
  const alertsS = alertedMs(slo) / 1000;
  return kinds.map(({ severity, burn, budgetShare: share }): BurnAlert => {
    const longS = Math.round((alertsS * share) / burn);
    const threshold = exact(burn * budget);
    const shortS = Math.max(Math.round(longS / 12), SHORT_S_MIN);
    const budgetShare = exact((share * alertsS) / windowS);
    return { severity, burn, budgetShare, longS, shortS, threshold, reachable: threshold < 1 };
  });
}

/** Those that are compiled: that can fire, and that are wanted. */
export function firingAlerts(slo: Slo): readonly BurnAlert[] {
  return burnAlerts(slo).filter(({ reachable, severity }) => reachable && slo.alerts[severity].enabled);
}

/** Every window that alerts look back over, the shortest first. */
export function alertWindowsS(slo: Pick<Slo, 'objective' | 'windowMs'>): readonly number[] {
  const windows = burnAlerts(slo).flatMap(({ longS, shortS }) => [longS, shortS]);
  return [...new Set(windows)].toSorted((one, other) => one - other);
}
