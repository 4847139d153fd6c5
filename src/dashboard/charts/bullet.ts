/**
 * The four alerts of an objective as bullet bars: how far each of its two windows is on the way to the threshold, all on one scale on which the
 * thresholds are at the same place, so that one line is to be crossed. Pure.
 */
import { burnAlerts, type Severity } from '../../observe/slo/burn-alerts.ts';
import { errorBudget } from '../../observe/slo/objective.ts';
import type { AlertPhase, SloStatus } from '../../observe/slo/live/status.ts';

/** Where the threshold is on the bar; what is beyond its end is cut, and said in numbers. */
export const thresholdAt = 0.5;

export interface BulletWindow {
  readonly windowS: number;
  /** How many times too fast; null without events. */
  readonly burn: number | null;
  /** Part of the bar, 0 to 1. */
  readonly length: number;
  readonly cut: boolean;
}

export interface Bullet {
  readonly severity: Severity;
  /** The burn rate that both windows must be above. */
  readonly threshold: number;
  readonly long: BulletWindow;
  readonly short: BulletWindow;
  /** Null: this objective has no such alert, because it was not wanted. `unreachable`: it could never fire. */
  readonly state: AlertPhase | 'unreachable' | null;
  readonly sinceMs: number | null;
}

export function bullets(status: SloStatus): Bullet[] {
  const budget = errorBudget(status);
  return burnAlerts(status).map(({ severity, burn, longS, shortS, reachable }): Bullet => {
    const alert = status.alerts.find((one) => one.severity === severity && one.burn === burn);
    const window = (windowS: number, share: number | null | undefined): BulletWindow => {
      const known = status.burn.find((one) => one.windowS === windowS)?.value;
      const value = typeof share === 'number' ? share / budget : (known ?? null);
      const ratio = value === null ? 0 : (value / burn) * thresholdAt;
      return { windowS, burn: value, length: Math.min(1, Math.max(0, ratio)), cut: ratio > 1 };
    };
    return {
      severity,
      threshold: burn,
      long: window(longS, alert?.longShare),
      short: window(shortS, alert?.shortShare),
      state: alert?.state ?? (reachable ? null : 'unreachable'),
      sinceMs: alert?.sinceMs ?? null,
    };
  });
}
