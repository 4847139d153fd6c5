/**
 * Metrics as text, a bit at a time (`page.ts`). A series is read in one go, so its buckets, sum and count agree. Series that appear meanwhile
 * are in this page or in the next.
 */
import {
  type Bucket,
  formatHead,
  formatHistogram,
  formatMetrics,
  formatSample,
  type MetricFormat,
} from '../prometheus.ts';
import { inChunks, type Step } from '../page.ts';
import { newestExemplar } from './exemplar.ts';
import { ownFamilies } from './own-metrics.ts';
import { readCounts, readSum } from './read.ts';
import type { Metric, Registry, Series } from './registry.ts';

/** The whole page, in chunks. */
export function expose(registry: Registry, format: MetricFormat): AsyncGenerator<string, void> {
  return inChunks(steps(registry, format));
}

const LEARNT: Step = { text: '', lines: 1 };

function* steps(registry: Registry, format: MetricFormat): Generator<Step> {
  for (const _ of registry.learning()) yield LEARNT;
  for (const metric of registry.metrics()) {
    if (metric.series.size === 0) continue;
    yield { text: formatHead(metric.definition, format), lines: 2 };
    for (const series of metric.series.values()) yield formatSeries(registry, metric, series, format);
  }
  yield* formatMetrics(ownFamilies(registry.arena), format);
}

// WHY four parameters, here and below: an object for each of 50,000 series would say nothing more.
function formatSeries(registry: Registry, metric: Metric, series: Series, format: MetricFormat): Step {
  const { name, bounds, type } = metric.definition;
  if (type !== 'histogram') {
    return { text: formatSample(name, series.pairs, readSum(registry.arena, series, 0)), lines: 1 };
  }
  const sample = {
    buckets: shownBuckets(registry, metric, series, format),
    sum: readSum(registry.arena, series, metric.buckets!.bounds.length),
  };
  return { text: formatHistogram(name, series.pairs, sample, format), lines: bounds.length + 3 };
}

/** The exact counts at the bounds that are shown. */
function shownBuckets({ arena }: Registry, metric: Metric, series: Series, format: MetricFormat): Bucket[] {
  const shown = atBounds(metric, readCounts(arena, metric, series));
  if (format === 'prometheus') return shown;
  return shown.map((bucket, at) => ({ ...bucket, exemplar: newestExemplar(arena, metric.buckets!, series.lines, at) }));
}

/** How many were at most at each bound that is shown. */
export function atBounds(metric: Metric, counts: Float64Array): { readonly le: number; readonly count: number }[] {
  const { bounds } = metric.buckets!;
  let bucket = 0;
  let count = 0;
  return [...metric.definition.bounds, Number.POSITIVE_INFINITY].map((le) => {
    while (bucket < bounds.length && bounds[bucket]! <= le) count += counts[bucket++]!;
    return { le, count };
  });
}
