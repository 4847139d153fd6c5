/** The burn-down of a budget and its cone, from what was counted in each step of the window. */
import { h } from 'preact';
import type { SeriesAnswer } from '../../gateway/admin/series-answer.ts';
import { type SloStatus, windowFromMs } from '../../observe/slo/live/status.ts';
import { changes } from '../changes.ts';
import { budgetLeft, horizonMs, projection } from '../charts/burn-down.ts';
import { LineChart } from '../charts/line-chart.ts';
import type { ChartData, ChartLine } from '../charts/reading.ts';
import { countsOf, seriesPath, sinceSampled, type TimeSpan } from '../series.ts';
import type { View } from '../view.ts';
import { useWatched } from '../watched.ts';
import { Asking } from './asking.ts';

/** What is drawn of the past, in steps that are kept that long. */
const STEPS = 200;
const EVERY_S = 10;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const lines: readonly ChartLine[] = [
  { label: 'left', color: '--line-rate', filled: true },
  { label: 'at best', color: '--line-quiet', dash: true },
  { label: 'at the rate of the last hour', color: '--line-error', dash: true },
  { label: 'at worst', color: '--line-quiet', dash: true },
];
const BEST = 1;
const WORST = 3;

export function BudgetChart({ status }: { readonly status: SloStatus }): View {
  const { id, sinceMs } = status;
  const span = spanOf(status);
  const { value, problem } = useWatched(
    EVERY_S,
    [seriesPath({ name: 'spillway_slo_events', labels: { slo: id } }, span)],
    ([answer]: readonly [SeriesAnswer]) => sinceSampled(answer),
  );
  if (sinceMs === null)
    return h(
      'section',
      { class: 'panel' },
      h('p', { class: 'dim' }, 'Nothing has been counted yet: the curve begins with the first request.'),
    );
  return h('section', { class: 'panel' }, [
    value === null
      ? h(Asking, { problem })
      : h(LineChart, {
          ...{ title: 'Budget', unit: 'share', lines, marks: changes.value, height: 180, least: 1 },
          data: dataOf(status, value, span.spanMs),
          band: [BEST, WORST],
        }),
  ]);
}

/** The window, or as much of it as something is known of: whole hours, so that it is seldom another. */
function spanOf(status: SloStatus): TimeSpan {
  const { windowMs, atMs } = status;
  const sinceMs = status.sinceMs === null ? null : Math.max(status.sinceMs, windowFromMs(status));
  const known = Math.ceil((atMs - (sinceMs ?? atMs) + 1) / HOUR_MS) * HOUR_MS;
  const spanMs = Math.min(windowMs, known);
  const kept = spanMs <= HOUR_MS ? 1000 : spanMs <= DAY_MS ? 10_000 : 300_000;
  return { id: '', title: '', spanMs, stepMs: Math.ceil(spanMs / STEPS / kept) * kept };
}

/** The past as it was counted, ending at what the status says is left; then what the cone says, step by step. */
function dataOf(status: SloStatus, answer: SeriesAnswer, spanMs: number): ChartData {
  const { fromMs, stepMs, sampled } = answer;
  const times = sampled.map((_, at) => fromMs + at * stepMs);
  const beginMs = windowFromMs(status);
  const since = sampled.findIndex((isKnown, at) => isKnown && times[at]! >= beginMs);
  const [all, bad] = ['all', 'bad'].map((outcome) =>
    countsOf(answer, { outcome }).map((count, at) => (times[at]! < beginMs ? 0 : count)),
  );
  const good = all!.map((count, at) => count - bad![at]!);
  const passed = (status.atMs - beginMs) / status.windowMs;
  const left = budgetLeft({ good, bad: bad! }, status.objective, passed);
  const past = left.map((share, at): number | null =>
    since < 0 || at < since ? null : at === left.length - 1 ? status.budget.share : share,
  );
  const ahead = projection(status, Math.min(horizonMs(status), spanMs));
  const steps = ahead === null ? 0 : Math.floor((ahead.times.at(-1)! - ahead.times[0]!) / stepMs);
  const later = Array.from({ length: steps }, (_, at) => at + 1);
  const along = (values: readonly number[] | undefined): (number | null)[] => [
    ...past.map((share, at) => (at === past.length - 1 ? share : null)),
    ...later.map((step) => (values === undefined ? null : between(values, step / steps))),
  ];
  return {
    times: [...times, ...later.map((step) => times.at(-1)! + step * stepMs)],
    stepMs,
    columns: [[...past, ...later.map(() => null)], along(ahead?.best), along(ahead?.middle), along(ahead?.worst)],
    partial: -1,
    present: past.length - 1,
  };
}

/** At a share of the way through evenly spaced values. */
function between(values: readonly number[], share: number): number {
  const at = share * (values.length - 1);
  const [low, high] = [values[Math.floor(at)]!, values[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}
