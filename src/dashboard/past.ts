/**
 * What the page did not see of the last two minutes, because it was just opened or hidden: from the seconds that the gateway keeps
 * (`/api/series`), each time the feed tells the whole. Routes are counted there by their answers and not by requests, listeners without
 * what failed, and of more than 1,000 rows nothing is asked again: their lines begin when the page was opened.
 */
import { effect } from '@preact/signals';
import type { SeriesAnswer } from '../gateway/admin/series-answer.ts';
import { beat, fillGaps, type Rates, type Remembered, rowKey, SECONDS } from './history.ts';
import { wholes } from './feed.ts';
import { askSeries } from './series.ts';

const span = { id: '', title: '', spanMs: SECONDS * 1000, stepMs: 1000 };

interface Kept {
  readonly table: Remembered;
  readonly name: string;
  /** The labels that name a row. */
  readonly labels: readonly string[];
  /** What counts as an error; null: that is not kept. */
  readonly errors: { readonly label: string; readonly values: readonly string[] } | null;
}

const serverErrors = { label: 'code_class', values: ['5xx'] };
const kept: readonly Kept[] = [
  { table: 'listeners', name: 'spillway_listener_requests_total', labels: ['listener'], errors: null },
  { table: 'routes', name: 'spillway_requests_total', labels: ['route'], errors: serverErrors },
  {
    table: 'endpoints',
    name: 'spillway_endpoint_requests_total',
    labels: ['service', 'endpoint'],
    errors: serverErrors,
  },
  {
    ...{ table: 'limits', name: 'spillway_limit_requests_total', labels: ['limit'] },
    errors: { label: 'outcome', values: ['refused', 'shadowed'] },
  },
];

export function followPast(): void {
  effect(() => {
    const asked = new AbortController();
    if (wholes.value > 0) for (const each of kept) void fill(each, asked.signal);
    return () => asked.abort();
  });
}

async function fill({ table, name, labels, errors }: Kept, signal: AbortSignal): Promise<void> {
  let answer: SeriesAnswer;
  try {
    answer = await askSeries({ name }, span, signal);
  } catch {
    // Lines begin when the page was opened, then.
    return;
  }
  if (answer.more > 0) return;
  const rows = Map.groupBy(answer.rows, (row) => rowKey(table, ...labels.map((label) => row.labels[label] ?? '')));
  for (const [key, members] of rows) {
    fillFrom(key, 'requests', answer, members);
    if (errors === null) continue;
    const failed = members.filter((row) => errors.values.includes(row.labels[errors.label] ?? ''));
    fillFrom(key, 'errors', answer, failed);
  }
  beat.value += 1;
}

// WHY four parameters: a row, and where it is from.
function fillFrom(key: string, of: keyof Rates, answer: SeriesAnswer, rows: SeriesAnswer['rows']): void {
  const { fromMs, stepMs, nowMs, sampled } = answer;
  fillGaps(key, of, (wallMs) => {
    const step = Math.floor((wallMs - fromMs) / stepMs);
    // The step that is not over has too little.
    if (sampled[step] !== true || fromMs + (step + 1) * stepMs > nowMs) return null;
    const count = rows.reduce((sum, row) => sum + (row.kind === 'counter' ? row.values[step]! : 0), 0);
    return count / (stepMs / 1000);
  });
}
