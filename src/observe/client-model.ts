/**
 * `io.prometheus.client`, the messages that Prometheus scrapes instead of text: what of them is written here.
 *
 * Source: prometheus/client_model, metrics.proto, by field numbers.
 */
import { MessageType } from './otlp/message-type.ts';

const label = new MessageType({ name: [1, 'string'], value: [2, 'string'] });
const timestamp = new MessageType({ seconds: [1, 'int64'], nanos: [2, 'int32'] });
const exemplar = new MessageType({
  label: [1, () => label, 'repeated'],
  value: [2, 'double'],
  timestamp: [3, () => timestamp],
});
const bucket = new MessageType({
  cumulativeCount: [1, 'uint64'],
  upperBound: [2, 'double'],
  exemplar: [3, () => exemplar],
});
const bucketSpan = new MessageType({ offset: [1, 'sint32'], length: [2, 'uint32'] });
const histogram = new MessageType({
  sampleCount: [1, 'uint64'],
  sampleSum: [2, 'double'],
  bucket: [3, () => bucket, 'repeated'],
  schema: [5, 'sint32'],
  zeroThreshold: [6, 'double'],
  zeroCount: [7, 'uint64'],
  positiveSpan: [12, () => bucketSpan, 'repeated'],
  positiveDelta: [13, 'sint64', 'repeated'],
});
const value = new MessageType({ value: [1, 'double'] });
const metric = new MessageType({
  label: [1, () => label, 'repeated'],
  gauge: [2, () => value],
  counter: [3, () => value],
  histogram: [7, () => histogram],
});

export const metricTypes = { counter: 0, gauge: 1, histogram: 4 } as const;

export const metricFamily = new MessageType({
  name: [1, 'string'],
  help: [2, 'string'],
  type: [3, 'int32'],
  metric: [4, () => metric, 'repeated'],
});
