/** A page of Prometheus's protobuf as `protoc` reads it. */
import assert from 'node:assert/strict';
import { ProtobufReader, ProtobufWriter, wire } from '../../src/observe/otlp/protobuf.ts';
import { protocDecode } from './protoc.ts';
import { type ProtoMessage, readProtoText } from './proto-text.ts';

/** What Prometheus sends when it keeps native histograms. */
export const protobufAsked =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,application/openmetrics-text;version=1.0.0;q=0.8,*/*;q=0.1';

/** Each family, without its length. */
function familiesIn(page: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < page.length;) {
    const length = new ProtobufReader(page, at).varint();
    const from = at + Buffer.from(page.subarray(at)).findIndex((byte) => byte < 0x80) + 1;
    at = from + length;
    assert.ok(at <= page.length, 'a family is cut short');
    found.push(page.subarray(from, at));
  }
  return found;
}

/** Each family in the text format. */
export function familyTexts(page: Buffer): string[] {
  return familiesIn(page).map((family) => protocDecode('MetricFamily', family, 'client-model'));
}

/** All of them at once: `protoc` takes a while to begin. */
function readFamilies(page: Buffer): ProtoMessage[] {
  const fields = familiesIn(page).map((family) => {
    const writer = new ProtobufWriter();
    writer.tag(1, wire.bytes);
    writer.varint(family.length);
    return Buffer.concat([writer.written, family]);
  });
  return readProtoText(protocDecode('Page', Buffer.concat(fields), 'client-model')).all('family');
}

export interface ClientHistogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly sum: number;
  readonly schema: number;
  readonly zeroCount: number;
  /** By the upper bound. */
  readonly classic: ReadonlyMap<number, number>;
  readonly exemplars: readonly string[];
  /** By index: what is at most 2^(index/2^schema). */
  readonly native: ReadonlyMap<number, number>;
}

export interface ClientPage {
  /** As text 0.0.4 shows it, by name and labels; those of histograms are their exact bounds. */
  readonly samples: ReadonlyMap<string, number>;
  readonly histograms: ReadonlyMap<string, readonly ClientHistogram[]>;
}

/** The name and the labels of a sample as one text, whatever their order. */
export function sampleKey(name: string, labels: Readonly<Record<string, string>>): string {
  return `${name} ${JSON.stringify(Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1)))}`;
}

export function readClientPage(page: Buffer): ClientPage {
  const samples = new Map<string, number>();
  const histograms = new Map<string, ClientHistogram[]>();
  for (const family of readFamilies(page)) {
    const name = family.text('name');
    for (const metric of family.all('metric')) {
      const labels = labelsOf(metric);
      const plain = metric.all('gauge')[0] ?? metric.all('counter')[0];
      if (plain !== undefined) samples.set(sampleKey(name, labels), plain.number('value'));
      const [histogram] = metric.all('histogram');
      if (histogram === undefined) continue;
      const read = histogramOf(labels, histogram);
      histograms.set(name, [...(histograms.get(name) ?? []), read]);
      for (const [le, count] of read.classic)
        samples.set(sampleKey(`${name}_bucket`, { ...labels, le: le === Infinity ? '+Inf' : String(le) }), count);
      samples.set(sampleKey(`${name}_count`, labels), read.count).set(sampleKey(`${name}_sum`, labels), read.sum);
    }
  }
  return { samples, histograms };
}

function labelsOf(of: ProtoMessage): Record<string, string> {
  return Object.fromEntries(of.all('label').map((pair) => [pair.text('name'), pair.text('value')]));
}

function histogramOf(labels: Readonly<Record<string, string>>, of: ProtoMessage): ClientHistogram {
  const native = new Map<number, number>();
  const deltas = of.numbers('positive_delta');
  let [index, count] = [0, 0];
  for (const span of of.all('positive_span')) {
    index += span.number('offset');
    for (let left = span.number('length'); left > 0; left--) native.set(index++, (count += deltas.shift()!));
  }
  assert.equal(deltas.length, 0, 'a count is in no span');
  const buckets = of.all('bucket');
  return {
    labels,
    count: of.number('sample_count'),
    sum: of.number('sample_sum'),
    schema: of.number('schema'),
    zeroCount: of.number('zero_count'),
    classic: new Map(buckets.map((each) => [each.number('upper_bound'), each.number('cumulative_count')])),
    exemplars: buckets.flatMap((each) => each.all('exemplar').map((exemplar) => labelsOf(exemplar)['trace_id'] ?? '')),
    native,
  };
}
