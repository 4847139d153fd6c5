/**
 * `GET /api/series`: a stretch of what was kept, as JSON. What a histogram holds is told bucket by bucket, so that whoever asks adds and takes
 * percentiles as the gateway does; `bounds` are in the unit of the name, and the last, which is infinite, is null.
 */
import { parseDuration } from '../../kernel/units.ts';
import type { SeriesQuery, SeriesRange } from '../../observe/series/range.ts';

/** As JSON. Both ends import this. */
export interface SeriesAnswer {
  /** Wall time at which the first step begins. */
  readonly fromMs: number;
  readonly stepMs: number;
  /** Wall time of the answer: the step that holds it is not over. */
  readonly nowMs: number;
  /** Of each step, whether anything was sampled in it: if not, its zeros are not known to be any. */
  readonly sampled: readonly boolean[];
  readonly rows: readonly SeriesAnswerRow[];
  readonly more: number;
}

export type SeriesAnswerRow = { readonly labels: Readonly<Record<string, string>> } & (
  | { readonly kind: 'counter'; readonly values: readonly number[] }
  | { readonly kind: 'gauge'; readonly last: readonly number[]; readonly max: readonly number[] }
  | {
      readonly kind: 'histogram';
      readonly bounds: readonly (number | null)[];
      readonly steps: readonly ({
        readonly buckets: readonly number[];
        readonly counts: readonly number[];
        readonly sum: number;
      } | null)[];
    }
);

const ROWS_MAX = 1000;
const DAY_MS = 86_400_000;
const known = ['name', 'from', 'to', 'step', 'merged', 'rows'];
const LABEL = 'label.';

const seriesExample = '?name=spillway_requests_total&label.route=api&from=-15m&step=10s&merged=true';

/** What is wrong, in a sentence, if it cannot be understood. Times are wall ms, or before `nowMs` such as `-15m`. */
export function readSeriesQuery(query: URLSearchParams, nowMs: number): SeriesQuery | string {
  const name = query.get('name') ?? '';
  if (name === '') return `name is missing; expected such as ${seriesExample}.`;
  const labels: Record<string, string> = {};
  for (const [key, value] of query) {
    if (key.startsWith(LABEL)) labels[key.slice(LABEL.length)] = value;
    else if (!known.includes(key)) return `${key} is not known; expected ${known.join(', ')} and ${LABEL}NAME.`;
  }
  const fromMs = readTime(query.get('from') ?? '-15m', nowMs);
  const toMs = readTime(query.get('to') ?? '-0s', nowMs);
  if (fromMs === null || toMs === null) return 'from and to must be wall ms, or before now such as -15m.';
  if (!(toMs > fromMs) || toMs - fromMs > 40 * DAY_MS) return 'to must be after from, by 40 days at most.';
  const step = query.get('step');
  const stepMs = step === null ? null : readStep(step);
  if (stepMs === undefined) return 'step must be a duration such as 10s.';
  const rowsMax = Number(query.get('rows') ?? 100);
  if (!Number.isSafeInteger(rowsMax) || rowsMax < 1 || rowsMax > ROWS_MAX) return `rows must be from 1 to ${ROWS_MAX}.`;
  const merged = query.get('merged') ?? 'false';
  if (merged !== 'true' && merged !== 'false') return 'merged must be true or false.';
  return {
    ...{ name, labels, fromMs, toMs, rowsMax },
    merged: merged === 'true',
    ...(stepMs === null ? {} : { stepMs }),
  };
}

/** Null: it is none. */
export function readTime(text: string, nowMs: number): number | null {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const before = text.startsWith('-') ? parseDuration(text.slice(1)) : null;
  return before?.ok === true ? nowMs - before.value : null;
}

export function readStep(text: string): number | undefined {
  const parsed = parseDuration(text);
  return parsed.ok && parsed.value >= 1000 ? parsed.value : undefined;
}

export function seriesAnswer({ fromMs, stepMs, sampled, rows, more }: SeriesRange, nowMs: number): SeriesAnswer {
  return {
    ...{ fromMs, stepMs, nowMs, sampled, more },
    rows: rows.map((row): SeriesAnswerRow => {
      switch (row.kind) {
        case 'counter':
          return { ...row, values: [...row.values] };
        case 'gauge':
          return { ...row, last: [...row.last], max: [...row.max] };
        case 'histogram':
          return { ...row, bounds: Array.from(row.bounds, (bound) => (Number.isFinite(bound) ? bound : null)) };
        default:
          return row satisfies never;
      }
    }),
  };
}
