/**
 * Metrics as data, as they are sent and received: what a service says of itself at a moment. Cumulative: a counter or a histogram counts since
 * `startMs`. Plain, as `SpanRecord` is.
 */
import type { Attributes } from '../trace/span-record.ts';

export interface MetricExemplar {
  readonly traceId: string;
  readonly spanId: string;
  readonly value: number;
  readonly timeMs: number;
}

/**
 * How values are spread, in growing buckets: of `counts[i]` the values are above `bounds[i - 1]` and at most `bounds[i]`, the last without an
 * end. So exponential ones and others are read alike.
 */
export interface HistogramValue {
  readonly count: number;
  readonly sum: number;
  /** One less than `counts`. */
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly exemplars: readonly MetricExemplar[];
}

export interface MetricPoint {
  readonly attributes: Attributes;
  readonly startMs: number;
  readonly timeMs: number;
  readonly value: number | HistogramValue;
}

export interface MetricRecord {
  /** Whose it is: `service.name`. */
  readonly service: string;
  /** Which of its processes: `service.instance.id`, or empty. */
  readonly instance: string;
  readonly name: string;
  /** As UCUM has it (`s`, `By`), or empty. */
  readonly unit: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly points: readonly MetricPoint[];
}
