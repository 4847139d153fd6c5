/**
 * Metrics as Prometheus's protobuf, for which it asks when it keeps native histograms: families, each behind its length. A histogram has both its
 * exact bounds and all of its buckets, so what Prometheus computes is as exact as what is read here.
 *
 * A family is one message and so must be whole before its length is known: its series are written one by one, and the event loop turns after every
 * `WORK_MAX` of work. Cost: some bytes a bucket that has counts.
 * Source: the exposition formats of Prometheus, “Protobuf format”; native histograms, schema 4.
 */
import { metricFamily, metricTypes } from './client-model.ts';
import type { ExponentialHistogram } from './metrics/exponential.ts';
import { ProtobufWriter } from './otlp/protobuf.ts';
import { turn } from './page.ts';
import type { Exemplar, HistogramSample, MetricFamily, Sample } from './prometheus.ts';

/** In series of counters; a histogram is as much work as `HISTOGRAM_WORK` of them. */
const WORK_MAX = 256;
const HISTOGRAM_WORK = 16;

/** The whole page. Families without a sample are left out. */
export async function* protobufPage(families: Iterable<MetricFamily>): AsyncGenerator<Uint8Array, void> {
  let work = 0;
  for (const { name, help, type, samples } of families) {
    let writer: ProtobufWriter | null = null;
    for (const sample of samples) {
      if (sample === null) work += 1;
      else {
        if (writer === null)
          metricFamily.write((writer = new ProtobufWriter()), { name, help, type: metricTypes[type] });
        metricFamily.write(writer, { metric: [encodable(type, sample)] });
        work += 'buckets' in sample ? HISTOGRAM_WORK : 1;
      }
      if (work < WORK_MAX) continue;
      work = 0;
      await turn();
    }
    if (writer !== null) yield* delimited(writer.written);
  }
}

function* delimited(family: Uint8Array<ArrayBuffer>): Generator<Uint8Array> {
  const length = new ProtobufWriter();
  length.varint(family.length);
  yield length.written;
  yield family;
}

function encodable(type: MetricFamily['type'], sample: Sample | HistogramSample): object {
  const label = pairs(Object.entries(sample.labels));
  if (!('buckets' in sample)) return { label, [type]: { value: sample.value } };
  const bucket = sample.buckets.map(({ le, count, exemplar }) => ({
    cumulativeCount: count,
    upperBound: le,
    ...(exemplar && { exemplar: encodableExemplar(exemplar) }),
  }));
  return { label, histogram: { bucket, ...native(sample.exponential()) } };
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
