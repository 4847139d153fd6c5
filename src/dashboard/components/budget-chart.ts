/** The burn-down of a budget and its cone, from what was counted in each step of the window. */
import { h } from 'preact';
import type { SeriesAnswer } from '../../gateway/admin/series-api.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { changes } from '../changes.ts';
import { budgetLeft, horizonMs, projection } from '../charts/burn-down.ts';
import { LineChart } from '../charts/line-chart.ts';
import type { ChartData, ChartLine } from '../charts/reading.ts';
import { usePolled } from '../polled.ts';
import { askSeries, countsOf } from '../series.ts';
import type { View } from '../view.ts';

/** A window is drawn in some two hundred steps, of what is kept that long: five minutes at least. */
const STEPS = 200;
const STEP_MS = 300_000;
const PERIOD_MS = 10_000;

const lines: readonly ChartLine[] = [
  { label: 'left', color: '--line-rate', filled: true },
  { label: 'at best', color: '--line-quiet', dash: true },
  { label: 'at the rate of the last hour', color: '--line-error', dash: true },
  { label: 'at worst', color: '--line-quiet', dash: true },
];
const BEST = 1;
const WORST = 3;

export function BudgetChart({ status }: { readonly status: SloStatus }): View {
  const { id, windowMs } = status;
  const { value } = usePolled(id, PERIOD_MS, (signal) => askWindow(id, windowMs, signal));
  return h('section', { class: 'panel' }, [
    value === null
      ? h('p', { class: 'dim' }, 'Asking the gateway…')
      : h(LineChart, {
          ...{ title: 'Budget', unit: 'share', lines, marks: changes.value, height: 180, least: 1 },
          data: dataOf(status, value),
          band: [BEST, WORST],
        }),
  ]);
}

function askWindow(slo: string, windowMs: number, signal: AbortSignal): Promise<SeriesAnswer> {
  const stepMs = Math.ceil(windowMs / STEPS / STEP_MS) * STEP_MS;
  return askSeries(
    { name: 'spillway_slo_events', labels: { slo } },
    { id: '', title: '', spanMs: windowMs, stepMs },
    signal,
  );
}

/** The past as it was counted, ending at what the status says is left; then what the cone says, step by step. */
function dataOf(status: SloStatus, answer: SeriesAnswer): ChartData {
  const { fromMs, stepMs, sampled } = answer;
  const [all, bad] = ['all', 'bad'].map((outcome) => countsOf(answer, { outcome }));
  const good = all!.map((count, at) => count - bad![at]!);
  const since = Math.max(0, sampled.indexOf(true));
  const left = budgetLeft({ good, bad: bad! }, status.objective);
  const times = left.map((_, at) => fromMs + at * stepMs);
  const past = left.map((share, at): number | null =>
    at < since ? null : at === left.length - 1 ? status.budget.share : share,
  );
  const ahead = projection(status, horizonMs(status));
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
  };
}

/** At a share of the way through evenly spaced values. */
function between(values: readonly number[], share: number): number {
  const at = share * (values.length - 1);
  const [low, high] = [values[Math.floor(at)]!, values[Math.ceil(at)]!];
  return low + (high - low) * (at - Math.floor(at));
}
