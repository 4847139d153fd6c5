/**
 * Metrics as text, a bit at a time (`page.ts`). A series is read in one go, so its buckets, sum and count agree. Series that appear meanwhile
 * are in this page or in the next.
 */
import {
  type Bucket,
  type Exemplar,
  formatEnd,
  formatHead,
  formatHistogram,
  formatPairs,
  formatSample,
  type MetricFormat,
} from '../prometheus.ts';
import { inChunks, type Step } from '../page.ts';
import { type Arena, refusalCauses } from './arena.ts';
import { readExemplar } from './exemplar.ts';
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
  yield { text: formatOwn(registry, format) + formatEnd(format), lines: 10 };
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
  const counts = readCounts(arena, metric, series);
  const { bounds } = metric.buckets!;
  const buckets: Bucket[] = [];
  let bucket = 0;
  let count = 0;
  for (const le of [...metric.definition.bounds, Number.POSITIVE_INFINITY]) {
    while (bucket < bounds.length && bounds[bucket]! <= le) count += counts[bucket++]!;
    const exemplar = format === 'openmetrics' ? newestTrace(arena, metric, series, buckets.length) : null;
    buckets.push({ le, count, exemplar });
  }
  return buckets;
}

/** Of all threads, in the shown bucket `at`. */
function newestTrace(arena: Arena, metric: Metric, { lines }: Series, at: number): Exemplar | null {
  let newest: Exemplar | null = null;
  for (const line of lines) {
    const exemplar = readExemplar(arena, arena.slotOf(line) + metric.buckets!.bounds.length + 1, at);
    if (exemplar !== null && (newest === null || exemplar.timeS > newest.timeS)) newest = exemplar;
  }
  return newest;
}

/** What metrics say of themselves. */
function formatOwn({ arena }: Registry, format: MetricFormat): string {
  const refused = 'spillway_metrics_refused_total';
  const used = 'spillway_metrics_memory_bytes';
  const limit = 'spillway_metrics_memory_limit_bytes';
  const refusedHelp =
    'What was not counted where it belongs: a series beyond its limit, a series without memory, a value that is no number.';
  return [
    formatHead({ name: refused, type: 'counter', help: refusedHelp }, format),
    ...refusalCauses.map((cause) => formatSample(refused, formatPairs([['cause', cause]]), arena.refused(cause))),
    formatHead({ name: used, type: 'gauge', help: 'Memory that metrics have used.' }, format),
    formatSample(used, '', arena.bytesUsed),
    formatHead({ name: limit, type: 'gauge', help: 'Memory that metrics may use.' }, format),
    formatSample(limit, '', arena.memory.byteLength),
  ].join('');
}
