/**
 * Metrics to OTLP and back, in protobuf and in JSON.
 *
 * Sent are exponential histograms, which have all the buckets that are counted, and cumulative counts, so that a push that is lost loses nothing.
 * Received are those and histograms with bounds, from anybody: what comes out are buckets whose bounds grow and whose counts are whole, whatever
 * was sent. What cannot be that (deltas, which somebody would have to add up; buckets below zero; summaries) is counted as rejected, what is no
 * OTLP at all throws `OTLP_INVALID`. Cost: O(bytes).
 */
import { packageVersion } from '../../kernel/version.ts';
import type { MetricBatch, CollectedHistogram, CollectedSeries } from '../metrics/collect.ts';
import type { Exemplar } from '../prometheus.ts';
import { BoundAttributes, cutText, NAME_LENGTH_MAX, TEXT_LENGTH_MAX } from '../trace/span-bounds.ts';
import type { Attributes } from '../trace/span-record.ts';
import { fromAnyValue, type KeyValue, type Resource, toKeyValues } from './attribute-messages.ts';
import {
  metricsRequest,
  type MetricsRequest,
  type OtlpExemplar,
  type OtlpExponential,
  type OtlpHistogram,
  type OtlpMetric,
  type OtlpNumber,
} from './metric-messages.ts';
import type { HistogramValue, MetricExemplar, MetricPoint, MetricRecord } from './metric-record.ts';
import { atOnce, type Steps } from '../../kernel/steps.ts';

/** Whose metrics they are, and since when they count. */
export interface MetricsSource {
  readonly service: string;
  /** Tells processes of one service apart; empty if there is one. */
  readonly instance: string;
  /** Said of all of them beside that. */
  readonly resource: Attributes;
  readonly startMs: number;
  /** How far the clock was set back since: what began by it is said to have begun so much earlier. @defaultValue 0 */
  readonly setBackMs?: number;
}

export interface DecodedMetrics {
  readonly metrics: MetricRecord[];
  /** Points that could not be used. */
  readonly rejected: number;
}

const CUMULATIVE = 2;
/** A point with this flag says that there is no value. */
const NO_VALUE = 1;
/** More are no histogram that anybody could show; OpenTelemetry's own have 160. */
const BUCKETS_MAX = 4096;
const EXEMPLARS_MAX = 128;
/** In a step: of such histograms a millisecond. */
const POINTS_STEP = 8;
const SCALE_MIN = -10;
const SCALE_MAX = 20;

export function encodeMetrics(batches: readonly MetricBatch[], source: MetricsSource): Uint8Array<ArrayBuffer> {
  return metricsRequest.encode(requestOf(batches, source));
}

export function encodeMetricsJson(batches: readonly MetricBatch[], source: MetricsSource): string {
  return JSON.stringify(metricsRequest.toJson(requestOf(batches, source)));
}

const JSON_START = '{"resourceMetrics":[';
const JSON_END = ']}';

/** Requests as one: a resource of theirs after the other, which is what their bytes say one behind the other, and their lists of JSON joined. */
export function joinMetrics(requests: readonly Uint8Array[], encoding: 'protobuf' | 'json'): Uint8Array<ArrayBuffer> {
  if (encoding === 'protobuf') return Buffer.concat(requests);
  const lists = requests.map((json) => Buffer.from(json).toString().slice(JSON_START.length, -JSON_END.length));
  return new TextEncoder().encode(`${JSON_START}${lists.join(',')}${JSON_END}`);
}

/** Of protobuf, or of JSON, which is a text. */
export function decodeMetrics(encoded: Uint8Array | string): DecodedMetrics {
  return atOnce(decodingMetrics(encoded));
}

/** The same, in steps. */
export function* decodingMetrics(encoded: Uint8Array | string): Steps<DecodedMetrics> {
  return yield* recordsOf(yield* metricsRequest.decoding(encoded));
}

/** The unit that a name ends in, as UCUM has it. */
function unitOf(name: string): string {
  if (/_seconds(?:_total)?$/.test(name)) return 's';
  return /_bytes(?:_total)?$/.test(name) ? 'By' : '';
}

function requestOf(batches: readonly MetricBatch[], source: MetricsSource): MetricsRequest {
  const { service, instance, resource } = source;
  const named = { 'service.name': service, ...(instance !== '' && { 'service.instance.id': instance }), ...resource };
  const scope = { name: 'spillway', version: packageVersion() };
  const metrics = batches.map((batch) => toOtlp(batch, source));
  return { resourceMetrics: [{ resource: { attributes: toKeyValues(named) }, scopeMetrics: [{ scope, metrics }] }] };
}

type Times = Pick<OtlpNumber, 'startTimeUnixNano' | 'timeUnixNano'>;

function toOtlp({ name, help, type, timeMs, series }: MetricBatch, source: MetricsSource): OtlpMetric {
  const { startMs, setBackMs = 0 } = source;
  const attributes = ({ labels }: CollectedSeries): { attributes: KeyValue[] } => ({ attributes: toKeyValues(labels) });
  // What counts began before it was read, whatever the clock did meanwhile.
  const times = ({ sinceMs = startMs }: CollectedSeries): Times => ({
    startTimeUnixNano: Math.min(sinceMs - setBackMs, timeMs),
    timeUnixNano: timeMs,
  });
  const unit = unitOf(name);
  const head = { name, description: help, ...(unit !== '' && { unit }) };
  if (type === 'histogram') {
    const dataPoints = series.map((one) => ({
      ...attributes(one),
      ...times(one),
      ...toExponential(one.value as CollectedHistogram),
    }));
    return { ...head, exponentialHistogram: { dataPoints, aggregationTemporality: CUMULATIVE } };
  }
  const dataPoints = series.map((one) => ({ ...times(one), asDouble: one.value as number, ...attributes(one) }));
  if (type === 'gauge') return { ...head, gauge: { dataPoints } };
  return { ...head, sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } };
}

function toExponential(histogram: CollectedHistogram): OtlpExponential {
  const { count, sum, scale, zeroCount, zeroThreshold, firstIndex, counts, exemplars } = histogram;
  return {
    count,
    sum,
    scale,
    zeroCount,
    // OTLP counts from the lower end of a bucket, as everybody else does from the upper.
    positive: { offset: firstIndex - 1, bucketCounts: counts },
    exemplars: exemplars.map(toExemplar),
    zeroThreshold,
  };
}

function toExemplar({ traceId, value, timeS }: Exemplar): OtlpExemplar {
  return { timeUnixNano: 1000 * timeS, asDouble: value, traceId };
}

function* recordsOf(request: MetricsRequest): Steps<DecodedMetrics> {
  const metrics: MetricRecord[] = [];
  let rejected = 0;
  for (const { resource, scopeMetrics = [] } of request.resourceMetrics ?? []) {
    const whose = {
      service: named(resource, 'service.name') || 'unknown_service',
      instance: named(resource, 'service.instance.id'),
    };
    for (const metric of scopeMetrics.flatMap((scope) => scope.metrics ?? [])) {
      const { type, points, rejected: bad } = yield* fromOtlp(metric);
      rejected += bad;
      const name = cutText(metric.name ?? '', NAME_LENGTH_MAX);
      if (points.length === 0) continue;
      if (name === '') {
        rejected += points.length;
        continue;
      }
      const unit = cutText(metric.unit ?? '', NAME_LENGTH_MAX);
      metrics.push({ ...whose, name, unit, help: cutText(metric.description ?? '', TEXT_LENGTH_MAX), type, points });
    }
  }
  return { metrics, rejected };
}

function named(resource: Resource | undefined, name: string): string {
  const found = resource?.attributes?.find(({ key }) => key === name);
  return cutText(String(fromAnyValue(found?.value)), NAME_LENGTH_MAX);
}

interface Points {
  readonly type: MetricRecord['type'];
  readonly points: MetricPoint[];
  readonly rejected: number;
}

function* fromOtlp({ gauge, sum, histogram, exponentialHistogram }: OtlpMetric): Steps<Points> {
  if (gauge !== undefined) return yield* pointsOf('gauge', gauge.dataPoints, numberOf);
  const cumulated = sum ?? histogram ?? exponentialHistogram;
  if (cumulated === undefined) return { type: 'gauge', points: [], rejected: 0 };
  if (cumulated.aggregationTemporality !== CUMULATIVE) {
    return { type: 'gauge', points: [], rejected: cumulated.dataPoints?.length ?? 0 };
  }
  if (sum !== undefined)
    return yield* pointsOf(sum.isMonotonic === true ? 'counter' : 'gauge', sum.dataPoints, numberOf);
  if (histogram !== undefined) return yield* pointsOf('histogram', histogram.dataPoints, histogramOf);
  return yield* pointsOf('histogram', exponentialHistogram?.dataPoints, exponentialOf);
}

function* pointsOf<Point extends OtlpNumber>(
  type: Points['type'],
  given: readonly Point[] = [],
  valueOf: (point: Point) => MetricPoint['value'] | null,
): Steps<Points> {
  const points: MetricPoint[] = [];
  let rejected = 0;
  for (const [at, point] of given.entries()) {
    if (at % POINTS_STEP === 0) yield;
    if (((point.flags ?? 0) & NO_VALUE) !== 0) continue;
    const value = valueOf(point);
    if (value === null) {
      rejected += 1;
      continue;
    }
    const attributes = new BoundAttributes();
    for (const { key = '', value: of } of point.attributes ?? []) attributes.set(key, fromAnyValue(of));
    const { startTimeUnixNano: startMs = 0, timeUnixNano: timeMs = 0 } = point;
    points.push({ attributes: attributes.values, startMs, timeMs, value });
  }
  return { type, points, rejected };
}

function numberOf({ asDouble, asInt }: OtlpNumber): number | null {
  const value = asDouble ?? asInt ?? 0;
  return Number.isFinite(value) ? value : null;
}

function histogramOf(point: OtlpHistogram): HistogramValue | null {
  const { explicitBounds: bounds = [], bucketCounts = [], sum = 0 } = point;
  // Without buckets there is only a count.
  const counts = bucketCounts.length === 0 ? [point.count ?? 0] : bucketCounts;
  const grow = bounds.every((bound, at) => Number.isFinite(bound) && bound > (bounds[at - 1] ?? -Infinity));
  if (!grow || counts.length !== bounds.length + 1) return null;
  return valueOf({ bounds, counts, sum, exemplars: point.exemplars });
}

function exponentialOf(point: OtlpExponential): HistogramValue | null {
  const { scale = 0, zeroCount = 0, zeroThreshold = 0, positive = {}, negative = {}, sum = 0 } = point;
  if (!(scale >= SCALE_MIN && scale <= SCALE_MAX) || !(zeroThreshold >= 0 && zeroThreshold < Infinity)) return null;
  if ((negative.bucketCounts ?? []).some((count) => count > 0)) return null;
  const { offset = 0, bucketCounts = [] } = positive;
  if (bucketCounts.length > BUCKETS_MAX) return null;
  const bounds = [zeroThreshold];
  const counts = [zeroCount];
  for (let at = -1; at < bucketCounts.length; at++) {
    // The lower end of the first bucket first: between it and zero there is nothing.
    const bound = 2 ** ((offset + at + 1) / 2 ** scale);
    const count = bucketCounts[at] ?? 0;
    if (bound > bounds.at(-1)!) {
      bounds.push(bound);
      counts.push(count);
    } else if (at >= 0) counts[counts.length - 1]! += count;
  }
  return valueOf({ bounds, counts: [...counts, 0], sum, exemplars: point.exemplars });
}

interface Buckets {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly exemplars: readonly OtlpExemplar[] | undefined;
}

function valueOf({ bounds, counts, sum, exemplars = [] }: Buckets): HistogramValue | null {
  const isWhole = counts.length <= BUCKETS_MAX + 3 && counts.every((count) => count >= 0) && !Number.isNaN(sum);
  if (!isWhole || bounds.some((bound) => bound === Infinity)) return null;
  const count = counts.reduce((all, one) => all + one, 0);
  return { count, sum, bounds, counts, exemplars: exemplars.slice(0, EXEMPLARS_MAX).map(fromExemplar) };
}

function fromExemplar({
  traceId = '',
  spanId = '',
  timeUnixNano: timeMs = 0,
  asDouble,
  asInt,
}: OtlpExemplar): MetricExemplar {
  return { traceId, spanId, value: asDouble ?? asInt ?? 0, timeMs };
}
