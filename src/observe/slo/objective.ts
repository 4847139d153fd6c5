/**
 * What a service promises: one objective, the window it holds for, and the indicator it is measured by. Pure.
 *
 * Three kinds of file mean the same and become this: OpenSLO v1, Sloth's `prometheus/v1`, and what `defineSlo` takes.
 * Shares are between 0 and 1: an objective of 100 % has no budget to spend, and one of 0 % promises nothing.
 */
import { formatDuration } from '../../kernel/units.ts';
import { type Calendar, formatEvery, periodAt } from './calendar.ts';
import type { GatewayIndicator } from './gateway-indicator.ts';
import type { BudgetPolicy } from './policy.ts';

export interface Slo {
  readonly service: string;
  readonly name: string;
  readonly description: string | null;
  /** 0.999 is 99.9 %. */
  readonly objective: number;
  /** Whole days; of a calendar, what stands for all of its periods: 30 for a month. */
  readonly windowMs: number;
  /** Null: the window rolls. Else the budget is one of the period that it is now. */
  readonly calendar: Calendar | null;
  /** What is promised to others beside it, always less. */
  readonly sla: number | null;
  /** On every rule and alert. */
  readonly labels: Readonly<Record<string, string>>;
  readonly indicator: Indicator;
  readonly alerts: SloAlerts;
  /** What follows when the budget runs low. */
  readonly policy: BudgetPolicy;
}

/** What is counted. `$window` in a query is the time it looks back over. */
export type Indicator =
  | {
      /** Bad and all events, as PromQL that gives events a second. */
      readonly kind: 'events';
      readonly bad: string;
      readonly total: string;
      /** The gateway's own counters, if it is made of those. */
      readonly gateway: GatewayIndicator | null;
    }
  /** PromQL that gives the share of bad events itself. */
  | { readonly kind: 'ratio'; readonly error: string };

export interface SloAlerts {
  /** `alertname` of all of them. */
  readonly name: string;
  readonly page: AlertTarget;
  readonly ticket: AlertTarget;
  /** An alert needs that many failures within its long window; 1 lets the share alone decide. */
  readonly failuresMin: number;
}

export interface AlertTarget {
  readonly enabled: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** Everything on, nothing added. */
export const plainTarget: AlertTarget = { enabled: true, labels: {}, annotations: {} };
export const alertName: string = 'SloBudgetBurn';

/** What a file holds. */
export interface SloFile {
  /** As it was named. */
  readonly file: string;
  readonly service: string;
  readonly slos: readonly Slo[];
}

/** The name an SLO has in Prometheus: of its service and its own. */
export function sloId({ service, name }: Pick<Slo, 'service' | 'name'>): string {
  return `${service}-${name}`;
}

/** The gateway's own counters that it is measured by; null: only Prometheus can. */
export function gatewayIndicatorOf({ indicator }: Pick<Slo, 'indicator'>): GatewayIndicator | null {
  return indicator.kind === 'events' ? indicator.gateway : null;
}

/** A window in words, after `over`: `30d`, `each month (Europe/Berlin)`. */
export function formatWindow({ windowMs, calendar }: Pick<Slo, 'windowMs' | 'calendar'>): string {
  return calendar === null ? formatDuration(windowMs) : `${formatEvery(calendar)} (${calendar.timeZone})`;
}

/** How long it is at a moment. */
export function windowLengthMs({ windowMs, calendar }: Pick<Slo, 'windowMs' | 'calendar'>, atMs: number): number {
  if (calendar === null) return windowMs;
  const { fromMs, toMs } = periodAt(calendar, atMs);
  return toMs - fromMs;
}

/** 1 − objective, without what binary fractions add: 0.001, not 0.0010000000000000009. */
export function errorBudget({ objective }: Pick<Slo, 'objective'>): number {
  return exact(1 - objective);
}

/** A sum or product of shares as it is written by hand. */
export function exact(value: number): number {
  return Number(value.toFixed(12));
}

/** `99.9%`, with as many nines as there are. */
export function formatObjective(share: number): string {
  return `${Number((share * 100).toFixed(8))}%`;
}
