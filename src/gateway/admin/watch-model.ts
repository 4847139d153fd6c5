/**
 * What a page asks to be told beside the state, and how it is told: answers of this API that the live feed gives again when they are others. Both ends
 * import this file, so it imports nothing but types. Pure.
 *
 * A stretch of series is told once, and then only its newest steps: `spliced(known, news)` equals the whole answer. Cost: O(steps told), and a copy of
 * what is known in the page.
 */
import type { SeriesAnswer, SeriesAnswerRow } from './series-answer.ts';

/** Answers that belong together are told together. */
export interface Watch {
  /** As the page counts: another number is another watch. */
  readonly id: number;
  /** Such as `/api/slo`. */
  readonly paths: readonly string[];
  /** How often it is looked whether they are others, in seconds. */
  readonly everyS: number;
}

/** Of one path. */
export type AnswerNews =
  | { readonly kind: 'same' }
  | { readonly kind: 'whole'; readonly answer: unknown }
  /** What is before wall time `sinceMs` is over; what is known from `steps.fromMs` on was not yet all. */
  | { readonly kind: 'steps'; readonly sinceMs: number; readonly steps: SeriesAnswer };

/** The data of the event `answers`. */
export type WatchNews =
  | { readonly id: number; readonly answers: readonly AnswerNews[] }
  | { readonly id: number; readonly problem: { readonly status: number; readonly detail: string } };

/** Of one stream: more than any screen has. */
export const WATCHES_MAX = 24;
export const WATCH_PATHS_MAX = 8;
export const WATCH_PATH_LENGTH_MAX = 2048;
export const WATCH_EVERY_S_MAX = 60;

/** The rows of both are the same, in whichever order. */
export function spliced(known: SeriesAnswer, { sinceMs, steps }: Extract<AnswerNews, { kind: 'steps' }>): SeriesAnswer {
  const stepOf = (wallMs: number): number => Math.round((wallMs - known.fromMs) / known.stepMs);
  const [over, until] = [Math.max(0, stepOf(sinceMs)), stepOf(steps.fromMs)];
  const join = <Value>(old: readonly Value[], news: readonly Value[]): Value[] => [
    ...old.slice(over, until),
    // Of a page that was not told for long, some of the news is over too.
    ...news.slice(Math.max(0, over - until)),
  ];
  const before = new Map(known.rows.map((row) => [keyOf(row), row]));
  return {
    ...steps,
    fromMs: known.fromMs + over * known.stepMs,
    sampled: join(known.sampled, steps.sampled),
    rows: steps.rows.map((row) => withPast(row, before.get(keyOf(row)), join)),
  };
}

type Join = <Value>(old: readonly Value[], news: readonly Value[]) => Value[];

function withPast(row: SeriesAnswerRow, past: SeriesAnswerRow | undefined, join: Join): SeriesAnswerRow {
  if (row.kind === 'counter' && past?.kind === 'counter') return { ...row, values: join(past.values, row.values) };
  if (row.kind === 'gauge' && past?.kind === 'gauge')
    return { ...row, last: join(past.last, row.last), max: join(past.max, row.max) };
  if (row.kind === 'histogram' && past?.kind === 'histogram') return { ...row, steps: join(past.steps, row.steps) };
  throw new TypeError('A row of what is told is not among those that are known.');
}

function keyOf({ labels, kind }: SeriesAnswerRow): string {
  return kind + JSON.stringify(sortedLabels(labels));
}

/** The same for the same labels, in whichever order they were given. */
export function sortedLabels(labels: Readonly<Record<string, string>>): (readonly [string, string])[] {
  return Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1));
}
