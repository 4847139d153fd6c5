/**
 * Metrics as data, a bit at a time: what a push sends. Between two batches the event loop turns, as between the chunks of a page.
 */
import { turn } from '../page.ts';
import type { Exemplar, HistogramSample, MetricFamily, Sample } from '../prometheus.ts';
import type { MetricType } from './definition.ts';
import type { ExponentialHistogram } from './exponential.ts';

export interface CollectedHistogram extends ExponentialHistogram {
  /** Of each bound that is shown, the last trace that fell under it. */
  readonly exemplars: readonly Exemplar[];
}

export interface CollectedSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Since when it counts, in milliseconds since the Unix epoch, if that is another time than of all others. */
  readonly sinceMs?: number | undefined;
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

export async function* collect(families: Iterable<MetricFamily>, timeMs: number): AsyncGenerator<MetricBatch, void> {
  for (const { name, help, type, samples } of families) {
    const most = type === 'histogram' ? HISTOGRAMS_MAX : SERIES_MAX;
    let series: CollectedSeries[] = [];
    let seen = 0;
    for (const sample of samples) {
      if (sample !== null) series.push({ labels: sample.labels, sinceMs: sample.sinceMs, value: valueOf(sample) });
      seen += 1;
      if (seen < most) continue;
      if (series.length > 0) yield { name, help, type, timeMs, series };
      series = [];
      seen = 0;
      await turn();
    }
    if (series.length > 0) yield { name, help, type, timeMs, series };
  }
}

function valueOf(sample: Sample | HistogramSample): number | CollectedHistogram {
  if (!('buckets' in sample)) return sample.value;
  const exemplars = sample.buckets.flatMap(({ exemplar }) => exemplar ?? []);
  return { ...sample.exponential(), exemplars };
}
