/**
 * When alerts fire, computed without Prometheus: counters go in, the alerts that are on at a moment come out. Pure.
 *
 * It is what the generated tests expect of the rules, and so it shares no text with them: samples and arithmetic here, PromQL
 * there, and `promtool` in between.
 */
import { alertWindowsS, type BurnAlert, firingAlerts } from './burn-alerts.ts';
import { periodAt } from './calendar.ts';
import { errorBudget, type Slo } from './objective.ts';
import { type CounterSample, counterRate } from './prometheus-rate.ts';

/** A counter, and how often its growth is part of what failed and of all. */
export interface SloCounter {
  readonly samples: readonly CounterSample[];
  readonly bad: number;
  readonly total: number;
}

export interface Moment {
  readonly atS: number;
  /** As Prometheus 3 has windows. @defaultValue false */
  readonly leftOpen?: boolean;
}

export interface EventRates {
  readonly bad: number;
  readonly total: number;
}

/** Events a second over the last `lengthS`; null without two samples of any counter. */
export function eventRates(counters: readonly SloCounter[], lengthS: number, moment: Moment): EventRates | null {
  const { atS, leftOpen = false } = moment;
  let known = false;
  const rates = { bad: 0, total: 0 };
  for (const { samples, bad, total } of counters) {
    const rate = counterRate(samples, { endS: atS, lengthS, leftOpen });
    if (rate === null) continue;
    known = true;
    rates.bad += bad * rate;
    rates.total += total * rate;
  }
  return known ? rates : null;
}

/** The share of failures over the last `lengthS`; null without traffic. */
export function failureShare(counters: readonly SloCounter[], lengthS: number, moment: Moment): number | null {
  const rates = eventRates(counters, lengthS, moment);
  return rates === null || rates.total <= 0 ? null : rates.bad / rates.total;
}

/**
 * What is left of the budget of the period that it is now, of rates that were recorded each `stepS` from 0 on; null without traffic, and of
 * a window that rolls.
 */
export function periodLeft(slo: Slo, counters: readonly SloCounter[], moment: Moment, stepS: number): number | null {
  if (slo.calendar === null) return null;
  const [shortestS = 0] = alertWindowsS(slo);
  const { fromMs, toMs } = periodAt(slo.calendar, moment.atS * 1000);
  const sum = { bad: 0, total: 0 };
  for (let atS = Math.max(0, Math.ceil(fromMs / 1000 / stepS) * stepS); atS <= moment.atS; atS += stepS) {
    const rates = eventRates(counters, shortestS, { ...moment, atS });
    sum.bad += rates?.bad ?? 0;
    sum.total += rates?.total ?? 0;
  }
  const passed = (moment.atS * 1000 - fromMs) / (toMs - fromMs);
  return sum.total <= 0 ? null : 1 - (sum.bad / sum.total / errorBudget(slo)) * passed;
}

/** The alerts of an objective that are on. */
export function alertsOn(slo: Slo, counters: readonly SloCounter[], moment: Moment): readonly BurnAlert[] {
  return alertsAbove(slo, counters, moment, 0);
}

/** Rounding of sums and products, which is not the same in two programs. */
const ROUNDING = 1e-6;

/** The same, or null where rounding, or the end of a window that only some versions of Prometheus include, decides. */
export function alertsForSure(slo: Slo, counters: readonly SloCounter[], atS: number): readonly BurnAlert[] | null {
  const answers = [false, true].flatMap((leftOpen) =>
    [-ROUNDING, ROUNDING].map((slack) => alertsAbove(slo, counters, { atS, leftOpen }, slack)),
  );
  const [first = []] = answers;
  const same = answers.every(
    (each) => each.length === first.length && each.every(({ burn }, at) => burn === first[at]?.burn),
  );
  return same ? first : null;
}

function alertsAbove(slo: Slo, counters: readonly SloCounter[], moment: Moment, slack: number): readonly BurnAlert[] {
  const { failuresMin } = slo.alerts;
  return firingAlerts(slo).filter(({ longS, shortS, threshold }) => {
    // The short window first: it is the cheaper to read, and seldom above.
    const above = (lengthS: number) => (failureShare(counters, lengthS, moment) ?? 0) > threshold * (1 + slack);
    if (!above(shortS) || !above(longS)) return false;
    const failures = (eventRates(counters, longS, moment)?.bad ?? 0) * longS;
    return failuresMin <= 1 || failures >= (failuresMin - 0.5) * (1 + slack);
  });
}
