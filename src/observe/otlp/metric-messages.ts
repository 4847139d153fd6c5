/**
 * Metrics as OTLP has them: `ExportMetricsServiceRequest` and what is in it.
 *
 * Source: opentelemetry-proto 1.x, metrics.proto and metrics_service.proto, by field numbers. Times are milliseconds here, nanoseconds on the
 * wire. Not here: summaries, which are no longer sent.
 */
import { type KeyValue, keyValue, type Resource, resource, scope } from './attribute-messages.ts';
import { MessageType } from './message-type.ts';

export interface OtlpExemplar {
  readonly timeUnixNano?: number;
  readonly asDouble?: number;
  readonly asInt?: number;
  readonly spanId?: string;
  readonly traceId?: string;
}

interface OtlpPoint {
  readonly attributes?: readonly KeyValue[];
  readonly startTimeUnixNano?: number;
  readonly timeUnixNano?: number;
  readonly exemplars?: readonly OtlpExemplar[];
  readonly flags?: number;
}

export interface OtlpNumber extends OtlpPoint {
  readonly asDouble?: number;
  readonly asInt?: number;
}

export interface OtlpHistogram extends OtlpPoint {
  readonly count?: number;
  readonly sum?: number;
  readonly bucketCounts?: readonly number[];
  readonly explicitBounds?: readonly number[];
}

interface OtlpBuckets {
  readonly offset?: number;
  readonly bucketCounts?: readonly number[];
}

export interface OtlpExponential extends OtlpPoint {
  readonly count?: number;
  readonly sum?: number;
  readonly scale?: number;
  readonly zeroCount?: number;
  readonly positive?: OtlpBuckets;
  readonly negative?: OtlpBuckets;
  readonly zeroThreshold?: number;
}

interface Cumulated<Point> {
  readonly dataPoints?: readonly Point[];
  /** 1 is delta, 2 cumulative. */
  readonly aggregationTemporality?: number;
}

export interface OtlpMetric {
  readonly name?: string;
  readonly description?: string;
  readonly unit?: string;
  readonly gauge?: { readonly dataPoints?: readonly OtlpNumber[] };
  readonly sum?: Cumulated<OtlpNumber> & { readonly isMonotonic?: boolean };
  readonly histogram?: Cumulated<OtlpHistogram>;
  readonly exponentialHistogram?: Cumulated<OtlpExponential>;
}

export interface MetricsRequest {
  readonly resourceMetrics?: readonly {
    readonly resource?: Resource;
    readonly scopeMetrics?: readonly { readonly scope?: object; readonly metrics?: readonly OtlpMetric[] }[];
  }[];
}

const exemplar = new MessageType({
  timeUnixNano: [2, 'nanoseconds'],
  asDouble: [3, 'double'],
  spanId: [4, 'id'],
  traceId: [5, 'id'],
  asInt: [6, 'sfixed64'],
  filteredAttributes: [7, () => keyValue, 'repeated'],
});
const numberPoint = new MessageType({
  startTimeUnixNano: [2, 'nanoseconds'],
  timeUnixNano: [3, 'nanoseconds'],
  asDouble: [4, 'double'],
  exemplars: [5, () => exemplar, 'repeated'],
  asInt: [6, 'sfixed64'],
  attributes: [7, () => keyValue, 'repeated'],
  flags: [8, 'uint32'],
});
const histogramPoint = new MessageType({
  startTimeUnixNano: [2, 'nanoseconds'],
  timeUnixNano: [3, 'nanoseconds'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  bucketCounts: [6, 'fixed64', 'repeated'],
  explicitBounds: [7, 'double', 'repeated'],
  exemplars: [8, () => exemplar, 'repeated'],
  attributes: [9, () => keyValue, 'repeated'],
  flags: [10, 'uint32'],
});
const buckets = new MessageType({ offset: [1, 'sint32'], bucketCounts: [2, 'uint64', 'repeated'] });
const exponentialPoint = new MessageType({
  attributes: [1, () => keyValue, 'repeated'],
  startTimeUnixNano: [2, 'nanoseconds'],
  timeUnixNano: [3, 'nanoseconds'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  scale: [6, 'sint32'],
  zeroCount: [7, 'fixed64'],
  positive: [8, () => buckets],
  negative: [9, () => buckets],
  flags: [10, 'uint32'],
  exemplars: [11, () => exemplar, 'repeated'],
  zeroThreshold: [14, 'double'],
});
const gauge = new MessageType({ dataPoints: [1, () => numberPoint, 'repeated'] });
const sum = new MessageType({
  dataPoints: [1, () => numberPoint, 'repeated'],
  aggregationTemporality: [2, 'int32'],
  isMonotonic: [3, 'bool'],
});
const histogram = new MessageType({
  dataPoints: [1, () => histogramPoint, 'repeated'],
  aggregationTemporality: [2, 'int32'],
});
const exponentialHistogram = new MessageType({
  dataPoints: [1, () => exponentialPoint, 'repeated'],
  aggregationTemporality: [2, 'int32'],
});
const metric = new MessageType({
  name: [1, 'string'],
  description: [2, 'string'],
  unit: [3, 'string'],
  gauge: [5, () => gauge],
  sum: [7, () => sum],
  histogram: [9, () => histogram],
  exponentialHistogram: [10, () => exponentialHistogram],
});
const scopeMetrics = new MessageType({
  scope: [1, () => scope],
  metrics: [2, () => metric, 'repeated'],
  schemaUrl: [3, 'string'],
});
const resourceMetrics = new MessageType({
  resource: [1, () => resource],
  scopeMetrics: [2, () => scopeMetrics, 'repeated'],
  schemaUrl: [3, 'string'],
});
export const metricsRequest = new MessageType<MetricsRequest>({
  resourceMetrics: [1, () => resourceMetrics, 'repeated'],
});
