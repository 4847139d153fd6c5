/**
 * Metrics as Prometheus's protobuf, for which it asks when it keeps native histograms: families, each behind its length. A histogram has both its
 * exact bounds and all of its buckets, so what Prometheus computes is as exact as what is read here.
 *
 * A family is one message and so must be whole before its length is known: its series are written one by one, and the event loop turns after every
 * `WORK_MAX` of work. Cost: some bytes a bucket that has counts.
 * Source: the exposition formats of Prometheus, “Protobuf format”; native histograms, schema 4.
 */
import { ProtobufWriter } from '../otlp/protobuf.ts';
import type { Exemplar } from '../prometheus.ts';
import { metricFamily, metricTypes } from './client-model.ts';
import { newestExemplar } from './exemplar.ts';
import type { ExponentialHistogram } from './exponential.ts';
import { atBounds } from './exposition.ts';
import { ownFamilies } from './own-metrics.ts';
import { readCounts, readSum } from './read.ts';
import type { Metric, Registry, Series } from './registry.ts';

/** In series of counters; a histogram is as much work as `HISTOGRAM_WORK` of them. */
const WORK_MAX = 256;
const HISTOGRAM_WORK = 16;

export async function* exposeProtobuf(registry: Registry): AsyncGenerator<Uint8Array, void> {
  let work = 0;
  const pause = async (more: number): Promise<void> => {
    work += more;
    if (work < WORK_MAX) return;
    work = 0;
    await new Promise((resolve) => setImmediate(resolve));
  };
  for (const _ of registry.learning()) await pause(1);
  for (const metric of registry.metrics()) {
    if (metric.series.size === 0) continue;
    const { name, help, type } = metric.definition;
    const writer = new ProtobufWriter();
    metricFamily.write(writer, { name, help, type: metricTypes[type] });
    for (const series of metric.series.values()) {
      metricFamily.write(writer, { metric: [encodable(registry, metric, series)] });
      await pause(type === 'histogram' ? HISTOGRAM_WORK : 1);
    }
    yield* delimited(writer.written);
  }
  for (const { name, help, type, samples } of ownFamilies(registry.arena)) {
    const metric = samples.map(({ labels, ...value }) => ({ label: pairs(Object.entries(labels)), [type]: value }));
    yield* delimited(metricFamily.encode({ name, help, type: metricTypes[type], metric }));
  }
}

function* delimited(family: Uint8Array<ArrayBuffer>): Generator<Uint8Array> {
  const length = new ProtobufWriter();
  length.varint(family.length);
  yield length.written;
  yield family;
}

function encodable({ arena }: Registry, metric: Metric, series: Series): object {
  const { labels, type } = metric.definition;
  const label =
    series.values === null
      ? pairs([['overflow', 'true']])
      : pairs(series.values.map((value, at) => [labels[at]!, value] as const));
  if (type !== 'histogram') return { label, [type]: { value: readSum(arena, series, 0) } };
  const counts = readCounts(arena, metric, series);
  const sum = readSum(arena, series, metric.buckets!.bounds.length);
  const bucket = atBounds(metric, counts).map(({ le, count }, at) => {
    const exemplar = newestExemplar(arena, metric.buckets!, series.lines, at);
    return {
      cumulativeCount: count,
      upperBound: le,
      ...(exemplar !== null && { exemplar: encodableExemplar(exemplar) }),
    };
  });
  return { label, histogram: { bucket, ...native(metric.exponential!.of(counts, sum)) } };
}

/** Buckets as Prometheus has them: the stretches that have counts, and each count as its difference to the one before. */
function native({ scale, count, sum, zeroThreshold, zeroCount, firstIndex, counts }: ExponentialHistogram): object {
  const positiveSpan: { offset: number; length: number }[] = [];
  const positiveDelta: number[] = [];
  let before = 0;
  let next = 0;
  let stretch: { offset: number; length: number } | null = null;
  for (const [at, one] of counts.entries()) {
    if (one === 0) {
      stretch = null;
      continue;
    }
    const index = firstIndex + at;
    if (stretch === null) positiveSpan.push((stretch = { offset: index - next, length: 0 }));
    stretch.length += 1;
    next = index + 1;
    positiveDelta.push(one - before);
    before = one;
  }
  return { sampleCount: count, sampleSum: sum, schema: scale, zeroThreshold, zeroCount, positiveSpan, positiveDelta };
}

function encodableExemplar({ traceId, value, timeS }: Exemplar): object {
  const seconds = Math.floor(timeS);
  const timestamp = { seconds, nanos: Math.floor((timeS - seconds) * 1e9) };
  return { label: pairs([['trace_id', traceId]]), value, timestamp };
}

function pairs(of: Iterable<readonly [name: string, value: string]>): { name: string; value: string }[] {
  return Array.from(of, ([name, value]) => ({ name, value }));
}
