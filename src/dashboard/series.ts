/** What `/api/series` answers, as columns of charts: rates from counters, percentiles from buckets that were added first. Pure, but for asking. */
import type { SeriesAnswer, SeriesAnswerRow } from '../gateway/admin/series-answer.ts';
import { addSparse, quantile } from '../kernel/quantile.ts';
import { getJson } from './api.ts';
import type { SparseStep } from './charts/heat-cells.ts';
import type { ChartData } from './charts/reading.ts';

export interface TimeSpan {
  readonly id: string;
  readonly title: string;
  readonly spanMs: number;
  readonly stepMs: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Some two hundred steps each, that the gateway keeps: seconds of an hour, tens of a day, five minutes of 35 days. */
export const timeSpans: readonly TimeSpan[] = [
  { id: '5m', title: '5 min', spanMs: 5 * MINUTE, stepMs: SECOND },
  { id: '30m', title: '30 min', spanMs: 30 * MINUTE, stepMs: 10 * SECOND },
  { id: '3h', title: '3 h', spanMs: 3 * HOUR, stepMs: MINUTE },
  { id: '1d', title: '1 d', spanMs: DAY, stepMs: 5 * MINUTE },
  { id: '7d', title: '7 d', spanMs: 7 * DAY, stepMs: 30 * MINUTE },
  { id: '35d', title: '35 d', spanMs: 35 * DAY, stepMs: 4 * HOUR },
];

export function timeSpanOf(id: string): TimeSpan {
  return timeSpans.find((one) => one.id === id) ?? timeSpans[0]!;
}

/** How often it is told, in seconds: a step of seconds each second, else each five. */
export function everyOf({ stepMs }: TimeSpan): number {
  return stepMs <= SECOND ? 1 : 5;
}

export interface SeriesWanted {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly merged?: boolean;
}

export function askSeries(wanted: SeriesWanted, span: TimeSpan, signal: AbortSignal): Promise<SeriesAnswer> {
  return getJson<SeriesAnswer>(seriesPath(wanted, span), signal);
}

/** Where that is told. */
export function seriesPath(
  { name, labels = {}, merged = false }: SeriesWanted,
  { spanMs, stepMs }: Pick<TimeSpan, 'spanMs' | 'stepMs'>,
): string {
  const query = new URLSearchParams({ name, from: `-${spanMs / SECOND}s`, step: `${stepMs / SECOND}s`, rows: '1000' });
  if (merged) query.set('merged', 'true');
  for (const [label, value] of Object.entries(labels)) query.set(`label.${label}`, value);
  return `/api/series?${query}`;
}

/** What a chart has at least: a gateway that has just begun fills it from the right. */
const STEPS_MIN = 60;

/** Without the time before anything was sampled. */
export function sinceSampled(answer: SeriesAnswer): SeriesAnswer {
  const { fromMs, stepMs, sampled, rows } = answer;
  const first = sampled.indexOf(true);
  const cut = Math.min(first < 0 ? sampled.length : first, sampled.length - STEPS_MIN);
  if (cut <= 0) return answer;
  return {
    ...answer,
    fromMs: fromMs + cut * stepMs,
    sampled: sampled.slice(cut),
    rows: rows.map((row): SeriesAnswerRow => {
      switch (row.kind) {
        case 'counter':
          return { ...row, values: row.values.slice(cut) };
        case 'gauge':
          return { ...row, last: row.last.slice(cut), max: row.max.slice(cut) };
        case 'histogram':
          return { ...row, steps: row.steps.slice(cut) };
        default:
          return row satisfies never;
      }
    }),
  };
}

/** Of each step of `grid` what another answer has at that time: things that there are thousands of are kept less finely. */
export function alongside(
  grid: Pick<ChartData, 'times'>,
  { fromMs, stepMs }: SeriesAnswer,
  values: readonly (number | null)[],
): (number | null)[] {
  return grid.times.map((at) => values[Math.floor((at - fromMs) / stepMs)] ?? null);
}

/** The grid of an answer: the newest step is not over while its end is to come. */
export function gridOf({ fromMs, stepMs, sampled, nowMs }: SeriesAnswer): Omit<ChartData, 'columns'> {
  const times = sampled.map((_, at) => fromMs + at * stepMs);
  const last = times.length - 1;
  return { times, stepMs, partial: last >= 0 && times[last]! + stepMs > nowMs ? last : -1 };
}

/** How many a second; the step that is not over by the time that it has had. Null where nothing was sampled. */
export function ratesOf(answer: SeriesAnswer, values: readonly number[]): (number | null)[] {
  const { fromMs, stepMs, nowMs, sampled } = answer;
  return values.map((count, at) => {
    const had = Math.min(stepMs, Math.max(SECOND, nowMs - (fromMs + at * stepMs)));
    return sampled[at] === true ? (count / had) * SECOND : null;
  });
}

/** Of each step the sum of those rows of counters that have these labels. */
export function countsOf(answer: SeriesAnswer, labels: Readonly<Record<string, string>> = {}): number[] {
  const sums = answer.sampled.map(() => 0);
  for (const row of answer.rows) {
    if (row.kind !== 'counter' || !hasLabels(row, labels)) continue;
    for (const [at, count] of row.values.entries()) sums[at]! += count;
  }
  return sums;
}

function hasLabels(row: SeriesAnswerRow, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(labels).every(([label, value]) => row.labels[label] === value);
}

/**
 * How much of the time since `fromMs` anything was sampled in. Where that begins within a step, it is from when the process began; what was
 * kept from before that counts with the steps it is in.
 */
export function sampledMs(known: SeriesAnswer, fromMs: number, startedMs: number): number {
  return known.sampled.reduce((sum, isSampled, at) => {
    const begin = Math.max(known.fromMs + at * known.stepMs, fromMs);
    const end = Math.min(known.fromMs + (at + 1) * known.stepMs, known.nowMs);
    const isFirst = known.sampled[at - 1] !== true;
    const since = isFirst && startedMs > begin && startedMs < end ? startedMs : begin;
    return isSampled ? sum + Math.max(0, end - since) : sum;
  }, 0);
}

export interface Buckets {
  /** Upper bounds in ms; the last is +Infinity. */
  readonly bounds: readonly number[];
  /** Of each step; null: nothing was sampled. */
  readonly steps: readonly SparseStep[];
  /** Of all values of each step, in ms. */
  readonly sums: readonly number[];
}

/** The buckets of one row that was merged; null if there is none: nothing was ever counted. */
export function bucketsOf(answer: SeriesAnswer, row: SeriesAnswerRow | undefined = answer.rows[0]): Buckets | null {
  if (row?.kind !== 'histogram') return null;
  return {
    bounds: row.bounds.map((bound) => (bound === null ? Number.POSITIVE_INFINITY : bound * SECOND)),
    steps: answer.sampled.map((known, at) => {
      const step = row.steps[at] ?? null;
      if (step === null) return known ? [] : null;
      return step.buckets.flatMap((bucket, index) => [bucket, step.counts[index] ?? 0]);
    }),
    sums: answer.sampled.map((_, at) => (row.steps[at]?.sum ?? 0) * SECOND),
  };
}

const shares = [0.5, 0.9, 0.99, 0.999] as const;

/** A column for each share; null where nothing was answered. */
export function percentileColumns({ bounds, steps }: Buckets): (number | null)[][] {
  const columns = shares.map((): (number | null)[] => []);
  for (const step of steps) {
    const counts = new Float64Array(bounds.length);
    addSparse(counts, step ?? []);
    for (const [at, share] of shares.entries()) {
      const value = quantile(bounds, counts, share);
      columns[at]!.push(Number.isNaN(value) ? null : value);
    }
  }
  return columns;
}

/** All steps as one: for a table, how many there were and their percentiles. */
export function wholeOf({ bounds, steps, sums }: Buckets): {
  readonly count: number;
  readonly sumMs: number;
  readonly percentiles: readonly (number | null)[];
} {
  const counts = new Float64Array(bounds.length);
  for (const step of steps) addSparse(counts, step ?? []);
  const count = counts.reduce((all, one) => all + one, 0);
  const percentiles = shares.map((share) => (count === 0 ? null : quantile(bounds, counts, share)));
  return { count, sumMs: sums.reduce((all, one) => all + one, 0), percentiles };
}
