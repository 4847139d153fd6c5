/**
 * Objectives, evaluated where events are counted and without Prometheus: budgets, burn rates and alerts as the compiled rules have them, each
 * second, from an embedded time series.
 *
 * What is kept of an objective are two counters, of all events and of bad ones, so that a ledger, a backtest and this read the same stream.
 * In agreement with Prometheus on the same samples: exactly where a window begins at a sample and at a step of the series; else
 * what differs is the events of half a step at most, a second within an hour, ten within a day, five minutes beyond. Without
 * events in a window there is no share and no alert. While less is known than a window has, an alert waits for more than Prometheus asks
 * (known-window.ts). What is first seen after a gap counts from when it was seen; Prometheus
 * forgets it if the window begins in the gap (test/slo/live-prometheus.test.ts).
 *
 * Cost of an objective: some 20 sums over a series, about 0.1 ms (`npm run bench -- observe --only series`).
 */
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { invalid } from '../../../kernel/options.ts';
import { formatDuration } from '../../../kernel/units.ts';
import type { CounterSeries, Series } from '../../series/series.ts';
import { alertWindowsS, type BurnAlert, burnAlerts, firingAlerts } from '../burn-alerts.ts';
import { type Period, periodAt } from '../calendar.ts';
import { errorBudget, exact, formatWindow, gatewayIndicatorOf, type Slo, sloId } from '../objective.ts';
import { budgetLevel } from '../policy.ts';
import { type AlertMoment, firstPhase, nextPhase } from './alert-phase.ts';
import { apart, ClockSettings, type Moment, type TimeRange, wallOf } from './clock-settings.ts';
import { exhaustion, secondsToFire } from './outlook.ts';
import type { AlertStatus, SloStatus } from './status.ts';
import { isProven, type WindowCount } from './known-window.ts';

/** What was counted since the evaluation before; times are wall times. */
export interface SloStep extends TimeRange {
  readonly good: number;
  readonly bad: number;
}

export interface SloEvaluatorOptions {
  readonly slos: readonly Slo[];
  readonly series: Series;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  /** Times that are left out of every window, such as planned maintenance; of an objective, by its id. */
  readonly excluded?: (id: string) => readonly TimeRange[];
  /** Once an evaluation, for each objective. */
  readonly onStep?: (slo: Slo, step: SloStep) => void;
  /** An alert has begun to fire, or ended. */
  readonly onAlert?: (status: SloStatus, alert: AlertStatus) => void;
}

/** Of an objective, and kept when a new config has it too. */
interface Live {
  slo: Slo;
  alerts: readonly BurnAlert[];
  windowsS: readonly number[];
  readonly all: CounterSeries;
  readonly bad: CounterSeries;
  readonly since: { all: number; bad: number; wallMs: number; nowMs: number };
  /** When the first of it was counted, by the clock that is never set; null: nothing was. */
  beganNowMs: number | null;
  readonly phases: Map<number, AlertMoment>;
  /** Of a calendar, that of the last evaluation. */
  period: Period | null;
  status: SloStatus | null;
}

/** What is counted of objectives: a budget is no better than what is left of these. */
export const SLO_EVENTS = 'spillway_slo_events';

export class SloEvaluator {
  readonly #options: SloEvaluatorOptions;
  readonly #clock: Clock;
  readonly #settings: ClockSettings;
  #live = new Map<string, Live>();

  constructor(options: SloEvaluatorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#settings = new ClockSettings({ nowMs: this.#clock.nowMs(), wallMs: this.#clock.wallMs() });
    this.replace(options.slos);
  }

  /** Other objectives from now on. What is known of those that were there already stays, also if their numbers have changed. */
  replace(slos: readonly Slo[]): void {
    const before = this.#live;
    this.#live = new Map(
      slos.map((slo) => {
        const id = sloId(slo);
        const known = before.get(id);
        const isSame = known !== undefined && measuresOf(known.slo) === measuresOf(slo);
        const live = isSame ? known : this.#begin(slo);
        return [
          id,
          Object.assign(live, { slo, alerts: firingAlerts(slo), windowsS: alertWindowsS(slo), period: null }),
        ];
      }),
    );
  }

  /** Counts events since the last time, at this moment. An objective that is not there is refused. */
  count(id: string, { bad, total }: WindowCount): void {
    const live = this.#live.get(id);
    if (live === undefined)
      throw invalid(`There is no objective ${id}; there are ${[...this.#live.keys()].join(', ')}.`);
    const atMs = this.#clock.wallMs();
    live.all.add(atMs, total);
    live.bad.add(atMs, bad);
    live.since.all += total;
    live.since.bad += bad;
  }

  /** How each of them stands now; moves their alerts on. Once a second is right. */
  evaluate(): readonly SloStatus[] {
    const [nowMs, wallMs] = [this.#clock.nowMs(), this.#clock.wallMs()];
    this.#settings.look({ nowMs, wallMs });
    return [...this.#live].map(([id, live]) => {
      const { since, slo } = live;
      const fromMs = wallOf(since, { nowMs, wallMs });
      // Of a clock that was set back by less than a round there is no step yet.
      if (wallMs > fromMs) {
        const good = Math.max(0, since.all - since.bad);
        this.#options.onStep?.(slo, { fromMs, toMs: wallMs, good, bad: since.bad });
        Object.assign(since, { all: 0, bad: 0, nowMs, wallMs });
      }
      const before = new Map(live.phases);
      const status = this.#evaluate(id, live, { nowMs, wallMs });
      live.status = status;
      for (const alert of status.alerts) {
        const was = before.get(alert.burn)?.state ?? 'inactive';
        const isNews = alert.state !== was && (alert.state === 'firing' || was === 'firing');
        if (isNews) this.#options.onAlert?.(status, alert);
      }
      return status;
    });
  }

  /** How long there has been anything to count; null: nothing was counted. A clock that is set makes it neither longer nor shorter. */
  #knownMs(live: Live, { nowMs, toMs }: { readonly nowMs: number; readonly toMs: number }): number | null {
    const firstMs = live.all.firstMs();
    if (firstMs === null) {
      live.beganNowMs = null;
      return null;
    }
    const passedMs = this.#settings.passedMs(firstMs, toMs);
    // Set back, the clock has times again that were before the first; it is known from the looks before.
    const beganNowMs = this.#settings.isSet ? live.beganNowMs : null;
    const knownMs = beganNowMs === null ? passedMs : Math.max(passedMs, nowMs - beganNowMs);
    live.beganNowMs = nowMs - knownMs;
    return knownMs;
  }

  /** As of the last evaluation. */
  get statuses(): readonly SloStatus[] {
    return [...this.#live.values()].flatMap(({ status }) => (status === null ? [] : [status]));
  }

  #begin(slo: Slo): Live {
    const { series } = this.#options;
    const counted = { id: sloId(slo), measures: measuresOf(slo) };
    const since = { all: 0, bad: 0, nowMs: this.#clock.nowMs(), wallMs: this.#clock.wallMs() };
    const counters = { all: eventsOf(series, counted, 'all'), bad: eventsOf(series, counted, 'bad') };
    const known = { beganNowMs: null, phases: new Map(), period: null, status: null };
    return { slo, alerts: [], windowsS: [], ...counters, since, ...known };
  }

  #evaluate(id: string, live: Live, { nowMs, wallMs }: Moment): SloStatus {
    const { slo, alerts, windowsS, phases } = live;
    const excluded = this.#options.excluded?.(id) ?? [];
    // The second of this moment is the last one of every window.
    const toMs = Math.floor(wallMs / 1000) * 1000 + 1000;
    const counts = new Map(
      windowsS.map((seconds) => [seconds, countIn(live, this.#settings.pieces(seconds * 1000, toMs), excluded)]),
    );
    const count = (seconds: number): WindowCount => counts.get(seconds) ?? { bad: 0, total: 0 };
    const share = (seconds: number): number | null => shareOf(count(seconds));
    const period = periodOf(live, wallMs);
    const fromMs = period?.fromMs ?? toMs - slo.windowMs;
    const windowMs = period === null ? slo.windowMs : period.toMs - period.fromMs;
    // All of a window that rolls. A burn rate of 1 spends a budget in a whole period, and no more than this part of it so far.
    const passed = (toMs - fromMs) / windowMs;
    const knownMs = this.#knownMs(live, { nowMs, toMs });
    const sinceMs = knownMs === null ? null : Math.max(toMs - knownMs, Math.min(fromMs, toMs - slo.windowMs));
    const knownS = sinceMs === null ? 0 : (toMs - sinceMs) / 1000;
    const budget = errorBudget(slo);
    // A period of a calendar is one of the clock on the wall, as it is now.
    const pieces = period === null ? this.#settings.pieces(slo.windowMs, toMs) : [{ fromMs, toMs }];
    const whole = countIn(live, pieces, excluded);
    const failing = shareOf(whole);
    const left = failing === null ? 1 : exact(1 - (failing / budget) * passed);
    const hourShare = share(alerts[0]?.longS ?? windowsS.at(-1) ?? 0);
    const burnOf = (failed: number | null): number | null => (failed === null ? null : failed / budget);
    const isAbove = (seconds: number, threshold: number): boolean => (share(seconds) ?? 0) > threshold;
    const { failuresMin } = slo.alerts;
    const known = { knownS, historyS: slo.policy.historyMs / 1000, budget };
    const states = alerts.map((alert): AlertStatus => {
      const { severity, burn, longS, shortS, threshold } = alert;
      const was = phases.get(burn) ?? firstPhase(nowMs);
      const hasFailures = failuresMin <= 1 || count(longS).bad >= failuresMin - 0.5;
      // One that is on is off when the rules say so: an outage that is half over is not over.
      const isEnough = hasFailures && (was.state === 'firing' || isProven({ alert, long: count(longS), ...known }));
      const input = { isLong: isEnough && isAbove(longS, threshold), isShort: isAbove(shortS, threshold) };
      const phase = nextPhase(was, input, { nowMs, wallMs });
      phases.set(burn, phase);
      const { state, sinceMs } = phase;
      return { severity, burn, longS, shortS, state, sinceMs, longShare: share(longS), shortShare: share(shortS) };
    });
    const pages = alerts.flatMap((alert) => {
      if (alert.severity !== 'page') return [];
      if (phases.get(alert.burn)?.state === 'firing') return 0;
      const windows = { long: count(alert.longS), short: count(alert.shortS) };
      return secondsToFire({ alert, ...windows, ...known, failuresMin }) ?? [];
    });
    const { bad, total } = whole;
    const minutes = exact((budget * windowMs) / 60_000);
    const events = (budget * total) / passed;
    return {
      ...{ id, service: slo.service, name: slo.name, objective: slo.objective },
      ...{ windowMs, window: formatWindow(slo), period },
      ...{ measures: measuresOf(slo), atMs: wallMs, sinceMs, good: Math.max(0, total - bad), bad },
      budget: { minutes, minutesLeft: minutes * left, events, eventsLeft: events - bad, share: left },
      ...{ policy: slo.policy, level: budgetLevel(slo.policy, left, { knownMs: knownS * 1000, events }) },
      burn: windowsS.map((windowS) => {
        const using = burnAlerts(slo).filter(({ longS, shortS }) => longS === windowS || shortS === windowS);
        const threshold = Math.min(...using.map(({ burn }) => burn));
        return {
          windowS,
          value: burnOf(share(windowS)),
          threshold,
          firing: isAbove(windowS, exact(threshold * budget)),
        };
      }),
      alerts: states,
      exhaustionMs: exhaustion(left, burnOf(hourShare), {
        windowMs,
        untilMs: period === null ? windowMs : period.toMs - wallMs,
      }),
      timeToPageMs: pages.length === 0 ? null : Math.round(Math.min(...pages) * 1000),
    };
  }
}

/** Makes what evaluates objectives: `count` events as they happen, `evaluate` once a second. */
export function createSloEvaluator(options: SloEvaluatorOptions): SloEvaluator {
  return new SloEvaluator(options);
}

/** What is counted of an objective in a series: all of its events, or the bad ones. */
export function eventsOf(
  series: Pick<Series, 'counter'>,
  { id, measures }: Pick<SloStatus, 'id' | 'measures'>,
  outcome: 'all' | 'bad',
): CounterSeries {
  return series.counter({ name: SLO_EVENTS, labels: { slo: id, measures, outcome } });
}

/** Null without events. */
function shareOf({ bad, total }: WindowCount): number | null {
  return total <= 0 ? null : bad / total;
}

/** Asked of the calendar once a period, or if the clock was set. */
function periodOf(live: Live, atMs: number): Period | null {
  const { calendar } = live.slo;
  const isNow = live.period !== null && live.period.fromMs <= atMs && atMs < live.period.toMs;
  if (calendar !== null && !isNow) live.period = periodAt(calendar, atMs);
  return live.period;
}

function countIn({ all, bad }: Live, pieces: readonly TimeRange[], excluded: readonly TimeRange[]): WindowCount {
  const count = { bad: 0, total: 0 };
  for (const { fromMs, toMs } of pieces) {
    count.bad += bad.total(fromMs, toMs);
    count.total += all.total(fromMs, toMs);
    for (const range of apart(excluded)) {
      const [from, to] = [Math.max(fromMs, range.fromMs), Math.min(toMs, range.toMs)];
      if (from >= to) continue;
      count.bad -= bad.total(from, to);
      count.total -= all.total(from, to);
    }
  }
  return { bad: Math.max(0, count.bad), total: Math.max(0, count.total) };
}

/** What is counted, in words; another text is another thing, of which nothing is known yet. */
function measuresOf(slo: Slo): string {
  const gateway = gatewayIndicatorOf(slo);
  if (gateway === null) return `events of ${slo.service}`;
  const { requests } = gateway;
  const what = `answers of ${requests.service}${requests.route === null ? '' : ` by ${requests.route}`}`;
  return gateway.kind === 'availability' ? what : `${what} within ${formatDuration(exact(gateway.boundS * 1000))}`;
}
