/**
 * What an objective means in numbers, before anything is deployed: the budget, which alerts can fire at all, how long failures go on
 * before somebody is told, how little traffic makes one failure a page. Pure arithmetic; the time between two scrapes
 * and between two evaluations comes on top.
 */
import { alertedMs, alertWindowsS, type BurnAlert, burnAlerts, DAY_MS } from './burn-alerts.ts';
import { type Calendar, formatStart } from './calendar.ts';
import { errorBudget, exact, formatWindow, sloId, type Slo } from './objective.ts';
import { knownUntilMs } from './period-rules.ts';
import type { BudgetPolicy } from './policy.ts';

/** What fails, from a total outage to one request in a hundred. */
const failureShares = [1, 0.1, 0.01] as const;

export interface Detection {
  /** Share of requests that fail, from some moment on. */
  readonly failing: number;
  /** Seconds until the first page, and until anything; null: never. */
  readonly pageS: number | null;
  readonly alertS: number | null;
}

export interface AlertVerdict extends BurnAlert {
  readonly enabled: boolean;
  /** Seconds until it fires in a total outage; null: it cannot. */
  readonly outageS: number | null;
  /** With at most so many requests in its long window one failure fires it; 0: it takes more than one failure. */
  readonly requestsMax: number;
}

export interface SloVerdict {
  readonly id: string;
  readonly objective: number;
  readonly sla: number | null;
  /** Of a calendar, what stands for each of its periods: 30 for a month. */
  readonly windowDays: number;
  /** Null: the window rolls. */
  readonly calendar: CalendarVerdict | null;
  /** Of a latency that the gateway counts: how long an answer may take, by the bound that stands for it; else null. */
  readonly underS: number | null;
  readonly budget: {
    readonly share: number;
    /** Of a total outage. */
    readonly minutes: number;
    /** Of the SLA; null without one. */
    readonly slaMinutes: number | null;
    /** One failure in so many requests is within it. */
    readonly requestsPerFailure: number;
    /** At the rate that was given; null without one. */
    readonly failures: number | null;
  };
  readonly policy: BudgetPolicy;
  readonly alerts: readonly AlertVerdict[];
  readonly detection: readonly Detection[];
  /** False if nothing that fails could wake anybody. */
  readonly canPage: boolean;
}

/** What is other than with a window that rolls. */
export interface CalendarVerdict {
  /** `each month (Europe/Berlin)` */
  readonly window: string;
  /** `2026-01-01 00:00:00`, by the clocks of the zone. */
  readonly start: string;
  /** The window that rolls whose alerts it has. */
  readonly alertDays: number;
  /** What Prometheus counts for a new period although it was before. */
  readonly turnS: number;
  /** Until when compiled rules know the periods, wall time; null: for ever. */
  readonly knownUntilMs: number | null;
}

export interface Traffic {
  /** Requests a second. */
  readonly rate: number | null;
}

export function judgeSlo(slo: Slo, { rate }: Traffic): SloVerdict {
  const share = errorBudget(slo);
  const windowS = slo.windowMs / 1000;
  const { failuresMin } = slo.alerts;
  const gateway = slo.indicator.kind === 'events' ? slo.indicator.gateway : null;
  const alerts = burnAlerts(slo).map((alert): AlertVerdict => {
    const enabled = slo.alerts[alert.severity].enabled;
    const outageS = enabled ? detectionS(alert, 1) : null;
    return { ...alert, enabled, outageS, requestsMax: enabled && failuresMin <= 1 ? oneFailureMax(alert) : 0 };
  });
  const detection = failureShares.map((failing): Detection => {
    const wanted = alerts.filter(({ enabled }) => enabled);
    const pages = wanted.filter(({ severity }) => severity === 'page');
    return { failing, pageS: soonest(pages, failing), alertS: soonest(wanted, failing) };
  });
  return {
    id: sloId(slo),
    objective: slo.objective,
    sla: slo.sla,
    windowDays: windowS / 86_400,
    calendar: slo.calendar === null ? null : judgeCalendar(slo, slo.calendar),
    underS: gateway?.kind === 'latency' ? gateway.boundS : null,
    budget: {
      share,
      minutes: exact((share * windowS) / 60),
      slaMinutes: slo.sla === null ? null : exact((errorBudget({ objective: slo.sla }) * windowS) / 60),
      requestsPerFailure: Number((1 / share).toPrecision(12)),
      failures: rate === null ? null : Math.floor(exact(share * rate * windowS)),
    },
    policy: slo.policy,
    alerts,
    detection,
    canPage: detection.some(({ pageS }) => pageS !== null),
  };
}

function judgeCalendar(slo: Slo, calendar: Calendar): CalendarVerdict {
  return {
    window: formatWindow(slo),
    start: formatStart(calendar),
    alertDays: alertedMs(slo) / DAY_MS,
    turnS: alertWindowsS(slo)[0] ?? 0,
    knownUntilMs: knownUntilMs(calendar),
  };
}

/**
 * Seconds from the moment that this share of requests begins to fail until the share over the long window is above the
 * threshold, traffic being even; null if it never is. The short window is above before, being shorter.
 */
function detectionS({ threshold, longS }: BurnAlert, failing: number): number | null {
  return failing > threshold ? exact((threshold / failing) * longS) : null;
}

function soonest(alerts: readonly BurnAlert[], failing: number): number | null {
  const times = alerts.map((alert) => detectionS(alert, failing)).filter((time) => time !== null);
  return times.length === 0 ? null : Math.min(...times);
}

/** The most requests among which one failure is a share above the threshold. */
function oneFailureMax({ threshold, reachable }: BurnAlert): number {
  return reachable ? Math.ceil(exact(1 / threshold)) - 1 : 0;
}
