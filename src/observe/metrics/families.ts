/**
 * What a registry has as families, the one description that every format is made of. A series is read in one go when a reader comes to it, so its
 * buckets, sum and count agree. Series that appear meanwhile are shown this time or the next. What metrics say of themselves comes last.
 */
import { turn } from '../page.ts';
import type { Bucket, HistogramSample, MetricFamily, Sample } from '../prometheus.ts';
import { newestExemplar } from './exemplar.ts';
import { ownFamilies } from './own-metrics.ts';
import { readCounts, readSum } from './read.ts';
import type { Metric, Registry } from './registry.ts';
import { rowSamples } from './rows.ts';

/** Records that are looked at before others have their turn. */
const RECORDS_MAX = 256;

/** The families of `registry` as `show` has them, once it is known what other threads have named meanwhile: a bit at a time too. */
export async function* showing<Part>(
  registry: Registry,
  show: (families: Iterable<MetricFamily>) => AsyncIterable<Part>,
): AsyncGenerator<Part, void> {
  let learnt = 0;
  for (const _ of registry.learning()) if (++learnt % RECORDS_MAX === 0) await turn();
  yield* show(familiesOf(registry));
}

function* familiesOf(registry: Registry): Generator<MetricFamily> {
  for (const metric of registry.metrics()) {
    const { name, help, type } = metric.definition;
    if (type === 'histogram') yield { name, help, type, samples: histogramsOf(registry, metric) };
    else yield { name, help, type, samples: numbersOf(registry, metric) };
  }
  yield* ownFamilies(registry.arena);
}

function* numbersOf({ arena }: Registry, { definition, series }: Metric): Generator<Sample> {
  if (definition.rows !== null) {
    const lines = [...series.values()].flatMap((row) => row.lines);
    yield* rowSamples(arena, definition, lines);
    return;
  }
  for (const one of series.values()) {
    yield { labels: one.labels, pairs: one.pairs, value: readSum(arena, one, 0) };
  }
}

function* histogramsOf({ arena }: Registry, metric: Metric): Generator<HistogramSample> {
  for (const series of metric.series.values()) {
    const counts = readCounts(arena, metric, series);
    const sum = readSum(arena, series, metric.buckets!.bounds.length);
    const shown = atBounds(metric, counts);
    const buckets = shown.map((bucket, at): Bucket => ({
      ...bucket,
      exemplar: newestExemplar(arena, metric.buckets!, series.lines, at),
    }));
    const { labels, pairs } = series;
    yield { labels, pairs, buckets, sum, exponential: () => metric.exponential!.of(counts, sum) };
  }
}

/** How many were at most at each bound that is shown: exact. */
function atBounds({ buckets, definition }: Metric, counts: Float64Array): Pick<Bucket, 'le' | 'count'>[] {
  const { bounds } = buckets!;
  let bucket = 0;
  let count = 0;
  return [...definition.bounds, Number.POSITIVE_INFINITY].map((le) => {
    while (bucket < bounds.length && bounds[bucket]! <= le) count += counts[bucket++]!;
    return { le, count };
  });
}
