/**
 * An alert that says what whoever it wakes will ask: what burns, since when, where most of it comes from, what is left and until when,
 * and what was changed just before. A value, and a text of it. Pure.
 *
 * Names of routes, services and endpoints are of a config, messages of changes may repeat what traffic says: all are text, of one line.
 */
import { formatPercentage } from '../../../kernel/units.ts';
import type { Severity } from '../burn-alerts.ts';
import type { AlertStatus, SloStatus } from '../live/status.ts';
import { errorBudget, formatObjective } from '../objective.ts';
import { promDuration } from '../promql.ts';

/** What one route or endpoint has to do with it. */
export interface Contribution {
  readonly kind: 'route' | 'endpoint';
  readonly name: string;
  readonly bad: number;
  readonly total: number;
  /** What is bad of them. */
  readonly what: 'failed' | 'late';
}

export interface ExplainedChange {
  readonly atMs: number;
  readonly what: string;
}

export interface AlertExplanation {
  readonly state: 'firing' | 'resolved';
  /** `shop-availability`. */
  readonly slo: string;
  readonly service: string;
  readonly name: string;
  readonly severity: Severity;
  /** Of the alert: how many times too fast it takes. */
  readonly burn: number;
  readonly summary: string;
  /** Wall time at which the alert came. */
  readonly sinceMs: number;
  /** Wall time at which the failures began that it is about; null if that is not known. */
  readonly beganMs: number | null;
  readonly endedMs: number | null;
  /** Shares of events that failed, in both windows; null without events. */
  readonly windows: readonly { readonly seconds: number; readonly share: number | null }[];
  readonly objective: number;
  readonly windowMs: number;
  /** In words, after `over`. */
  readonly window: string;
  readonly budget: Pick<SloStatus['budget'], 'share' | 'minutes' | 'minutesLeft'>;
  readonly level: SloStatus['level'];
  /** Until the budget is gone at this rate; null: it is not within a window of the objective. */
  readonly exhaustionMs: number | null;
  /** Where the failures are, the most first; at most five of a kind. */
  readonly contributions: readonly Contribution[];
  /** What was changed before they began, the newest first; at most three. */
  readonly changes: readonly ExplainedChange[];
}

export interface ExplanationInput {
  readonly status: SloStatus;
  readonly alert: AlertStatus;
  readonly state: AlertExplanation['state'];
  readonly nowMs: number;
  readonly beganMs: number | null;
  readonly contributions: readonly Contribution[];
  readonly changes: readonly ExplainedChange[];
}

const CONTRIBUTIONS_MAX = 5;
const CHANGES_MAX = 3;
/** A change longer ago is not what it is about. */
const CHANGE_MS = 30 * 60_000;
/** A step of what is counted, and the clocks of two threads. */
const SLACK_MS = 15_000;

export function explainAlert(input: ExplanationInput): AlertExplanation {
  const { status, alert, state, nowMs, beganMs } = input;
  const { id, service, name, objective, windowMs, window, budget, level, exhaustionMs } = status;
  const sinceMs = alert.sinceMs ?? nowMs;
  const fromMs = beganMs ?? sinceMs;
  return {
    ...{
      state,
      slo: id,
      service,
      name,
      severity: alert.severity,
      burn: alert.burn,
      sinceMs,
      beganMs,
      level,
      exhaustionMs,
    },
    summary: state === 'resolved' ? `${id} no longer spends its error budget too fast` : summaryOf(status, alert),
    endedMs: state === 'resolved' ? nowMs : null,
    windows: [
      { seconds: alert.longS, share: alert.longShare },
      { seconds: alert.shortS, share: alert.shortShare },
    ],
    ...{ objective, windowMs, window },
    budget: { share: budget.share, minutes: budget.minutes, minutesLeft: budget.minutesLeft },
    contributions: (['route', 'endpoint'] as const).flatMap((kind) => most(input.contributions, kind)),
    changes: input.changes
      .filter(({ atMs }) => atMs <= fromMs + SLACK_MS && atMs >= fromMs - CHANGE_MS)
      .toSorted((one, other) => other.atMs - one.atMs)
      .slice(0, CHANGES_MAX)
      .map(({ atMs, what }) => ({ atMs, what: oneLine(what) })),
  };
}

function summaryOf({ id, objective }: SloStatus, { longShare, burn }: AlertStatus): string {
  const times = longShare === null ? burn : longShare / errorBudget({ objective });
  return `${id} spends its error budget ${number(times)} times too fast`;
}

function most(given: readonly Contribution[], kind: Contribution['kind']): readonly Contribution[] {
  return given
    .filter((each) => each.kind === kind && each.bad > 0)
    .toSorted((one, other) => other.bad - one.bad)
    .slice(0, CONTRIBUTIONS_MAX);
}

/** The first line says what, the others why. */
export function alertLines(explanation: AlertExplanation): readonly string[] {
  const { state, severity, summary, budget, exhaustionMs, contributions, changes } = explanation;
  const head = state === 'firing' ? severity.toUpperCase() : 'RESOLVED';
  // What is gone already goes no more.
  const isGoing = exhaustionMs !== null && exhaustionMs > 0 && state === 'firing';
  const gone = !isGoing ? '' : `; at this rate gone in ${promDuration(exhaustionMs / 1000)}`;
  return [
    `${head} ${summary}`,
    ...(state === 'firing' ? [sharesLine(explanation)] : []),
    timesLine(explanation),
    `${budgetText(budget)}${gone}.`,
    ...(['route', 'endpoint'] as const).flatMap((kind) => contributionLine(contributions, kind)),
    ...changes.map(({ atMs, what }) => `Just before, ${time(atMs)}: ${what}`),
  ];
}

function budgetText({ minutes, minutesLeft, share }: AlertExplanation['budget']): string {
  const part = formatPercentage(Number(Math.abs(share).toFixed(4)));
  if (share < 0) return `The budget of ${number(minutes)} min is overdrawn by ${number(-minutesLeft)} min (${part})`;
  return `${number(minutesLeft)} of ${number(minutes)} min are left (${part})`;
}

function sharesLine({ windows, objective, window }: AlertExplanation): string {
  const shares = windows.map(
    ({ seconds, share }) =>
      `${share === null ? 'nothing' : formatPercentage(Number(share.toFixed(4)))} in the last ${promDuration(seconds)}`,
  );
  const allowed = formatObjective(errorBudget({ objective }));
  return `Failed: ${shares.join(', ')}; ${allowed} may (${formatObjective(objective)} over ${window}).`;
}

function timesLine({ beganMs, sinceMs, endedMs }: AlertExplanation): string {
  const began = beganMs === null ? '' : `Failures since ${time(beganMs)}, `;
  const alert = `${began === '' ? 'Alert' : 'alert'} since ${time(sinceMs)}`;
  return `${began}${alert}${endedMs === null ? '' : ` until ${time(endedMs)}`}.`;
}

function contributionLine(all: readonly Contribution[], kind: Contribution['kind']): readonly string[] {
  const own = all.filter((each) => each.kind === kind);
  const sum = own.reduce((total, { bad }) => total + bad, 0);
  if (own.length === 0) return [];
  const parts = own.map(
    ({ name, bad, total, what }) =>
      `${oneLine(name)} ${formatPercentage(Math.round((100 * bad) / sum) / 100)} (${bad} of ${total} ${what})`,
  );
  return [`By ${kind}: ${parts.join(', ')}.`];
}

function time(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

function number(value: number): string {
  return String(Number(value.toPrecision(3)));
}

const LINE_MAX = 300;

function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
  return line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line;
}
