/**
 * What a chart says in words and in a table: for whoever reads it by ear, by keyboard, or wants the number. Pure.
 */
import { clockText, dateText, type Unit, valueText } from './format.ts';

export interface ChartLine {
  readonly label: string;
  /** A variable of the style sheet: `--line-p99`. */
  readonly color: string;
  readonly dash?: boolean;
  /** Filled down to the axis. */
  readonly filled?: boolean;
}

/** A change that came at a moment: a config, a drain, an ejection. */
export interface Mark {
  /** Wall ms. */
  readonly atMs: number;
  readonly kind: string;
  readonly what: string;
}

/** Something with a value, that came at a moment and can be opened. */
export interface Dot {
  /** Wall ms. */
  readonly atMs: number;
  readonly value: number;
  readonly href: string;
  /** A line about it: `GET api, 102 ms`. */
  readonly what: string;
  readonly failed: boolean;
}

export interface ChartData {
  /** Wall ms at which each step begins, growing, evenly `stepMs` apart. */
  readonly times: readonly number[];
  readonly stepMs: number;
  /** For each line a value at each time; null: nothing is known. */
  readonly columns: readonly (readonly (number | null)[])[];
  /** The step that is not over yet: what it shows will still change. -1: there is none. */
  readonly partial: number;
  /** The step that is told while nobody points, where it is not the newest: after it comes what is not yet. */
  readonly present?: number;
  /** In the order of time. */
  readonly dots?: readonly Dot[];
}

/** The step that holds a moment, or the nearest; -1 of no steps. */
export function stepAt({ times, stepMs }: ChartData, atMs: number): number {
  const first = times[0];
  return first === undefined ? -1 : Math.min(times.length - 1, Math.max(0, Math.floor((atMs - first) / stepMs)));
}

/** The step that is told while nobody points: the newest that is over, or that of now. */
export function newestWhole({ times, partial, present }: ChartData): number {
  if (present !== undefined) return present;
  return partial > 0 && partial === times.length - 1 ? partial - 1 : times.length - 1;
}

/** Where a key leads from a step; null: the key is not for the chart. */
export function stepAfterKey(key: string, from: number, steps: number): number | null {
  const keys: Readonly<Record<string, number>> = { ArrowLeft: from - 1, ArrowRight: from + 1, PageUp: from - 10, PageDown: from + 10, Home: 0, End: steps - 1 }; // prettier-ignore
  const to = Object.hasOwn(keys, key) ? keys[key] : undefined;
  return to === undefined || steps === 0 ? null : Math.min(steps - 1, Math.max(0, to));
}

export function marksIn(marks: readonly Mark[], { times, stepMs }: ChartData, step: number): Mark[] {
  const from = times[step];
  return from === undefined ? [] : marks.filter(({ atMs }) => atMs >= from && atMs < from + stepMs);
}

/** Of the dots of a step, and of so many before it, the one that is worth opening: one that failed, or else the highest. */
export function dotAt({ dots = [], times, stepMs }: ChartData, step: number, steps = 1): Dot | null {
  const from = times[step - steps + 1] ?? times[0];
  const until = (times[step] ?? Number.NEGATIVE_INFINITY) + stepMs;
  const members = from === undefined ? [] : dots.filter(({ atMs }) => atMs >= from && atMs < until);
  const failed = members.filter((dot) => dot.failed);
  return (failed.length > 0 ? failed : members).toSorted((one, other) => other.value - one.value)[0] ?? null;
}

/** With the day where a chart is longer than one. */
export function stepTimeText({ times, stepMs }: ChartData, step: number): string {
  const at = times[step];
  if (at === undefined) return '–';
  return stepMs * times.length > 86_400_000 ? dateText(at) : clockText(at);
}

/** `14:03:27: p50 1.20 ms, p99 12.3 ms, so far. Config 3 was put in force.` */
export function stepSentence(
  data: ChartData,
  step: number,
  {
    unit,
    lines,
    marks,
  }: { readonly unit: Unit; readonly lines: readonly ChartLine[]; readonly marks: readonly Mark[] },
): string {
  if (data.times[step] === undefined) return 'No data yet.';
  const values = lines.map(({ label }, line) => `${label} ${valueText(unit, data.columns[line]?.[step] ?? null)}`);
  const soFar = step === data.partial ? ', so far' : '';
  const changes = marksIn(marks, data, step).map(({ what }) => ` ${what}`);
  const dot = dotAt(data, step);
  const open = dot === null ? '' : ` Enter opens ${dot.what}.`;
  return `${stepTimeText(data, step)}: ${values.join(', ')}${soFar}.${changes.join('')}${open}`;
}

export interface ChartRow {
  readonly atMs: number;
  readonly cells: readonly string[];
  /** Of this row and of the steps up to the one below. */
  readonly dot: Dot | null;
}

/** More rows than anybody reads; of longer charts every second, third … step is in the table. */
const ROWS_MAX = 120;

/** The newest first. */
export function chartRows(data: ChartData, unit: Unit): ChartRow[] {
  const every = Math.ceil(data.times.length / ROWS_MAX);
  const rows: ChartRow[] = [];
  for (let step = data.times.length - 1; step >= 0; step -= every) {
    const values = data.columns.map((column) => valueText(unit, column[step] ?? null));
    const time = stepTimeText(data, step) + (step === data.partial ? ' (so far)' : '');
    rows.push({ atMs: data.times[step]!, cells: [time, ...values], dot: dotAt(data, step, every) });
  }
  return rows;
}
