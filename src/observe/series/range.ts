/**
 * What dashboards ask of series: a grid of steps over a range of time, and a row for each series, or one for all of them together. Pure.
 *
 * The step asked for is taken from the finest resolution that reaches back so far; where it must be coarser, the answer says which it is.
 * It is done in steps, a series each: what is asked about ten thousand endpoints holds nobody up. What is sampled meanwhile may be in the step of now.
 * Cost: some 40 ns for each step of each series that is in the range (`npm run bench -- observe --only series`).
 */
import { SpillwayError } from '../../kernel/errors.ts';
import { quantile } from '../../kernel/quantile.ts';
import { STEP, type Steps } from '../../kernel/steps.ts';
import { type CounterEntry, type Entry, isLike, type Labels } from './entry.ts';
import { histogramKind, type HistogramStep } from './kinds.ts';
import { resolutions } from './resolutions.ts';
import { hasOlder, reachOf } from './total.ts';

export interface SeriesQuery {
  readonly name: string;
  /** Only series that have these. @defaultValue all of the name */
  readonly labels?: Labels;
  /** Wall time. */
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  /** @defaultValue such that there are some 600 steps */
  readonly stepMs?: number;
  /** All of them as one row: counters and gauges added, histograms merged. @defaultValue false */
  readonly merged?: boolean;
  /** Rows at most, those with the newest samples first; fewer if all have more than a million steps. @defaultValue 100 */
  readonly rowsMax?: number;
}

export interface SeriesRange {
  /** Wall time at which the first step begins. */
  readonly fromMs: number;
  readonly stepMs: number;
  /** Of each step, whether anything was sampled in it: if not, its zeros are not known to be any. */
  readonly sampled: readonly boolean[];
  readonly rows: readonly SeriesRow[];
  /** Rows that were left out. */
  readonly more: number;
}

export type SeriesRow = { readonly labels: Labels } & (
  | { readonly kind: 'counter'; readonly values: Float64Array }
  | { readonly kind: 'gauge'; readonly last: Float64Array; readonly max: Float64Array }
  | { readonly kind: 'histogram'; readonly bounds: Float64Array; readonly steps: readonly (HistogramStep | null)[] }
);

/** As many as an hour has, twice: more than any screen has columns. */
const STEPS_MAX = 7200;
const STEPS_WANTED = 600;
/** Of all rows together: some megabytes, which whoever reads slowly holds. */
const CELLS_MAX = 1_000_000;

interface Known {
  readonly nowMs: number;
  readonly rounds: CounterEntry;
}

interface Grid {
  readonly at: number;
  /** Of the resolution. */
  readonly fine: number;
  readonly fromMs: number;
  readonly stepMs: number;
  readonly length: number;
}

export function* readRange(all: Iterable<Entry>, query: SeriesQuery, known: Known): Steps<SeriesRange> {
  const { labels = {}, merged = false } = query;
  const { found, matching } = yield* findEntries(all, query);
  const grid = yield* gridOf(query, found, known);
  const entries = merged ? found : found.slice(0, Math.max(1, Math.floor(CELLS_MAX / grid.length)));
  const rounds = yield* countersOf([known.rounds], grid);
  const rows = merged ? yield* rowOf(entries, labels, grid) : [];
  if (!merged) for (const entry of entries) rows.push(...(yield* rowOf([entry], entry.labels, grid)));
  return {
    fromMs: grid.fromMs,
    stepMs: grid.stepMs,
    sampled: Array.from(rounds, (count) => count > 0),
    rows,
    more: merged ? 0 : matching - entries.length,
  };
}

/** The value that the share `q` of all events of a step does not exceed; null without any. */
export function stepQuantiles(
  bounds: Float64Array,
  step: HistogramStep | null,
  shares: readonly number[],
): (number | null)[] {
  if (step === null) return shares.map(() => null);
  const counts = new Float64Array(bounds.length);
  for (const [at, bucket] of step.buckets.entries()) counts[bucket] = step.counts[at] ?? 0;
  return shares.map((share) => quantile(bounds, counts, share));
}

/** Those for the rows, the newest first; merged, all that can be added to the newest: that are of its kind, and count by the same buckets. */
function* findEntries(
  all: Iterable<Entry>,
  { name, labels = {}, merged = false, rowsMax = 100 }: SeriesQuery,
): Steps<{ readonly found: readonly Entry[]; readonly matching: number }> {
  const wanted = Object.entries(labels);
  const found: Entry[] = [];
  let [seen, matching] = [0, 0];
  for (const entry of all) {
    if (++seen % STEP === 0) yield;
    if (entry.name !== name || wanted.some(([label, value]) => entry.labels[label] !== value)) continue;
    matching++;
    found.push(entry);
    if (!merged && found.length >= rowsMax + STEP) newestFirst(found).length = rowsMax;
  }
  if (!merged) return { found: newestFirst(found).slice(0, rowsMax), matching };
  const newest = found.reduce((one, other) => (other.lastMs > one.lastMs ? other : one), found[0]!);
  return { found: found.filter((entry) => isLike(entry, newest)), matching };
}

function newestFirst(entries: Entry[]): Entry[] {
  return entries.sort((one, other) => other.lastMs - one.lastMs);
}

function* rowOf(entries: readonly Entry[], labels: Labels, grid: Grid): Steps<SeriesRow[]> {
  const [first] = entries;
  switch (first?.kind) {
    case 'counter':
      return [{ labels, kind: 'counter', values: yield* countersOf(entries as readonly CounterEntry[], grid) }];
    case 'gauge':
      return [{ labels, kind: 'gauge', ...(yield* gaugesOf(entries, grid)) }];
    case 'histogram':
      return [{ labels, kind: 'histogram', bounds: first.bounds, steps: yield* histogramsOf(entries, grid) }];
    case undefined:
      return [];
    default:
      return first satisfies never;
  }
}

function* countersOf(entries: readonly CounterEntry[], grid: Grid): Steps<Float64Array> {
  const values = new Float64Array(grid.length);
  for (const { tracks } of entries) {
    eachCell(tracks[grid.at], grid, (cell, value) => void (values[cell]! += value));
    yield;
  }
  return values;
}

function* gaugesOf(
  entries: readonly Entry[],
  grid: Grid,
): Steps<{ readonly last: Float64Array; readonly max: Float64Array }> {
  const [last, max] = [new Float64Array(grid.length), new Float64Array(grid.length)];
  const [ownLast, ownMax] = [new Float64Array(grid.length), new Float64Array(grid.length)];
  for (const entry of entries) {
    if (entry.kind !== 'gauge') continue;
    ownLast.fill(0);
    ownMax.fill(0);
    eachCell(entry.tracks[grid.at], grid, (cell, value) => {
      ownLast[cell] = value.last;
      ownMax[cell] = Math.max(ownMax[cell]!, value.max);
    });
    for (let cell = 0; cell < grid.length; cell++) {
      last[cell]! += ownLast[cell]!;
      max[cell]! += ownMax[cell]!;
    }
    yield;
  }
  return { last, max };
}

function* histogramsOf(entries: readonly Entry[], grid: Grid): Steps<(HistogramStep | null)[]> {
  const steps: (HistogramStep | null)[] = Array.from({ length: grid.length }, () => null);
  for (const entry of entries) {
    if (entry.kind !== 'histogram') continue;
    eachCell(entry.tracks[grid.at], grid, (cell, value) => {
      const before = steps[cell] ?? null;
      steps[cell] = before === null ? histogramKind.copy(value) : histogramKind.add(before, value);
    });
    yield;
  }
  return steps;
}

/** Each step of a track that is on the grid, and in which of its cells. */
function eachCell<Step>(
  track: { each(from: number, to: number, visit: (step: number, value: Step) => void): void } | null | undefined,
  { fine, fromMs, stepMs, length }: Grid,
  visit: (cell: number, value: Step) => void,
): void {
  const from = fromMs / fine;
  const perCell = stepMs / fine;
  track?.each(from, from + length * perCell - 1, (step, value) => visit(Math.floor((step - from) / perCell), value));
}

function* gridOf({ fromMs, toMs, stepMs }: SeriesQuery, entries: readonly Entry[], known: Known): Steps<Grid> {
  if (!(toMs > fromMs)) {
    throw new SpillwayError(
      'OPTIONS_INVALID',
      `The range ends at ${toMs}, which is not after ${fromMs}, where it begins.`,
    );
  }
  const least = Math.max(stepMs ?? (toMs - fromMs) / STEPS_WANTED, (toMs - fromMs) / STEPS_MAX);
  const reach = resolutions.map(() => Number.NEGATIVE_INFINITY);
  for (const [index, entry] of (entries.length === 0 ? [known.rounds] : entries).entries()) {
    if (index % STEP === STEP - 1) yield;
    for (const at of reach.keys()) reach[at] = Math.max(reach[at]!, reachOf({ ...known, entry, at }));
  }
  const choices = resolutions
    .map(({ stepMs: fine }, at) => ({ at, fine, reachMs: reach[at]! }))
    .filter(({ reachMs }) => reachMs !== Number.POSITIVE_INFINITY);
  const reaching = choices.filter(({ at, reachMs }) => reachMs <= fromMs || !hasOlder(known.rounds, at, reachMs));
  // The coarsest that is fine enough, else the finest; where none reaches so far, that which reaches furthest.
  const fineEnough = reaching.findLast(({ fine }) => fine <= least) ?? reaching[0];
  const furthest = choices.toSorted((one, other) => one.reachMs - other.reachMs)[0];
  const { at, fine } = fineEnough ?? furthest ?? { at: 0, fine: resolutions[0]!.stepMs };
  const step = Math.ceil(least / fine) * fine;
  const start = Math.floor(fromMs / step) * step;
  return { at, fine, fromMs: start, stepMs: step, length: Math.max(1, Math.ceil((toMs - start) / step)) };
}
