/**
 * Metrics as data, a bit at a time: what a push sends. Between two batches the event loop turns, as between the chunks of a page; a series is read
 * in one go. What metrics say of themselves comes last.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Exemplar } from '../prometheus.ts';
import type { MetricType } from './definition.ts';
import { newestExemplar } from './exemplar.ts';
import type { ExponentialHistogram } from './exponential.ts';
import { ownFamilies } from './own-metrics.ts';
import { readCounts, readSum } from './read.ts';
import type { Metric, Registry, Series } from './registry.ts';

export interface CollectedHistogram extends ExponentialHistogram {
  /** Of each bound that is shown, the last trace that fell under it. */
  readonly exemplars: readonly Exemplar[];
}

export interface CollectedSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number | CollectedHistogram;
}

/** Some series of one metric; the others of it are in other batches. */
export interface MetricBatch {
  readonly name: string;
  readonly help: string;
  readonly type: MetricType;
  /** When it was read, in milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly series: readonly CollectedSeries[];
}

/** Some 0.2 ms of work; one of histograms has fewer. */
const SERIES_MAX = 256;
const HISTOGRAMS_MAX = 16;

export async function* collect(registry: Registry, clock: Clock): AsyncGenerator<MetricBatch, void> {
  const timeMs = clock.wallMs();
  let learnt = 0;
  for (const _ of registry.learning()) if (++learnt % SERIES_MAX === 0) await turn();
  for (const metric of registry.metrics()) {
    const { name, help, type } = metric.definition;
    const most = type === 'histogram' ? HISTOGRAMS_MAX : SERIES_MAX;
    let series: CollectedSeries[] = [];
    for (const one of metric.series.values()) {
      series.push({ labels: labelsOf(metric, one), value: valueOf(registry, metric, one) });
      if (series.length < most) continue;
      yield { name, help, type, timeMs, series };
      series = [];
      await turn();
    }
    if (series.length > 0) yield { name, help, type, timeMs, series };
  }
  for (const { name, help, type, samples } of ownFamilies(registry.arena))
    yield { name, help, type, timeMs, series: samples };
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Those of the overflow are `{ overflow: 'true' }`. */
export function labelsOf({ definition: { labels } }: Metric, { values }: Series): Record<string, string> {
  if (values === null) return { overflow: 'true' };
  return Object.fromEntries(values.map((value, at) => [labels[at]!, value]));
}

function valueOf({ arena }: Registry, metric: Metric, series: Series): number | CollectedHistogram {
  if (metric.exponential === null) return readSum(arena, series, 0);
  const sum = readSum(arena, series, metric.buckets!.bounds.length);
  const shown = metric.definition.bounds.length + 1;
  const exemplars = Array.from({ length: shown }, (_, at) => newestExemplar(arena, metric.buckets!, series.lines, at));
  return {
    ...metric.exponential.of(readCounts(arena, metric, series), sum),
    exemplars: exemplars.filter((exemplar) => exemplar !== null),
  };
}
