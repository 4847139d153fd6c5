/**
 * The text formats that Prometheus scrapes: 0.0.4 and OpenMetrics 1.0. Pure: families in, text out.
 *
 * Names are as Prometheus 0.0.4 shows them, so a counter ends in `_total` here; OpenMetrics wants the family without
 * that ending and the sample with it (OpenMetrics §5.1), which is done on the way out. Label values may hold anything and are
 * escaped; names are given by code, never by traffic, and are checked by the test that holds docs/metrics.md equal.
 *
 * Cost: O(text), in steps of a sample; `inChunks` (`page.ts`) has the event loop turn between them.
 */
import type { ExponentialHistogram } from './metrics/exponential.ts';
import type { Step } from './page.ts';

export type MetricFormat = 'prometheus' | 'openmetrics';

/** What a scraper may ask for; protobuf is written in `protobuf-page.ts`. */
export type PageFormat = MetricFormat | 'protobuf';

export const contentTypes: Readonly<Record<PageFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  protobuf: 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited',
};

const PROTOBUF_MESSAGE = 'io.prometheus.client.metricfamily';

export interface Labels {
  readonly [name: string]: string;
}

interface Labelled {
  readonly labels: Labels;
  /** These as `formatPairs` makes them, if they are at hand. */
  readonly pairs?: string;
  /** Since when it counts, in milliseconds since the Unix epoch, if that is another time than of all others. A push tells it, a page does not. */
  readonly sinceMs?: number;
}

export interface Sample extends Labelled {
  readonly value: number;
}

/** One value that is in a bucket, and the trace of what it belongs to. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Unix seconds. */
  readonly timeS: number;
}

export interface Bucket {
  readonly le: number;
  /** Of everything at or below `le`. */
  readonly count: number;
  /** Not shown in 0.0.4, which has no place for it. */
  readonly exemplar?: Exemplar | null;
}

export interface HistogramSample extends Labelled {
  /** Upper bounds with the count of everything at or below each, growing; the last bound is +Infinity. */
  readonly buckets: readonly Bucket[];
  readonly sum: number;
  /** All that it counts, of the same moment, for formats that have room for it. */
  readonly exponential: () => ExponentialHistogram;
}

export type MetricFamily =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'counter' | 'gauge';
      /** Read once, in order; may be made on the way. Null: something that has none, of which there may be so many that to go over them takes turns. */
      readonly samples: Iterable<Sample | null>;
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'histogram';
      readonly samples: Iterable<HistogramSample | null>;
    };

const nothing: Step = { text: '', lines: 1 };

/** The whole page, a step for each sample. Families without a sample are left out. */
export function* formatMetrics(families: Iterable<MetricFamily>, format: MetricFormat): Generator<Step> {
  // Families of the same things share their labels.
  const known = new Map<Labels, string>();
  const pairsOf = (labels: Labels): string => {
    const pairs = known.get(labels) ?? formatPairs(Object.entries(labels));
    known.set(labels, pairs);
    return pairs;
  };
  // WHY one function: with `yield*` to another a page took half as long again.
  for (const family of families) {
    let isBegun = false;
    for (const sample of family.samples) {
      if (sample === null) {
        yield nothing;
        continue;
      }
      if (!isBegun) yield { text: formatHead(family, format), lines: 2 };
      isBegun = true;
      const pairs = sample.pairs ?? pairsOf(sample.labels);
      if ('buckets' in sample) {
        yield { text: formatHistogram(family.name, pairs, sample, format), lines: sample.buckets.length + 2 };
      } else yield { text: formatSample(family.name, pairs, sample.value), lines: 1 };
    }
  }
  yield { text: formatEnd(format), lines: 1 };
}

/** What comes before the samples of a family. */
function formatHead({ name, type, help }: Omit<MetricFamily, 'samples'>, format: MetricFormat): string {
  const shown = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  return `# HELP ${shown} ${escapeHelp(help, format)}\n# TYPE ${shown} ${type}\n`;
}

/** Labels as a sample shows them between its braces. */
export function formatPairs(pairs: Iterable<readonly [name: string, value: string]>): string {
  return Array.from(pairs, ([name, value]) => `${name}="${escapeLabel(value)}"`).join(',');
}

function formatSample(name: string, pairs: string, value: number): string {
  return `${name}${pairs === '' ? '' : `{${pairs}}`} ${formatNumber(value)}\n`;
}

/** The lines of one histogram; `pairs` are its labels by `formatPairs`. */
function formatHistogram(
  name: string,
  pairs: string,
  { buckets, sum }: Pick<HistogramSample, 'buckets' | 'sum'>,
  format: MetricFormat,
): string {
  const before = pairs === '' ? '' : `${pairs},`;
  let lines = '';
  for (const { le, count, exemplar } of buckets) {
    const mark = format === 'openmetrics' && exemplar ? ` # ${formatExemplar(exemplar)}` : '';
    lines += `${name}_bucket{${before}le="${formatBound(le, format)}"} ${formatNumber(count)}${mark}\n`;
  }
  return (
    lines + formatSample(`${name}_sum`, pairs, sum) + formatSample(`${name}_count`, pairs, buckets.at(-1)?.count ?? 0)
  );
}

/** What comes after the last family. */
function formatEnd(format: MetricFormat): string {
  return format === 'openmetrics' ? '# EOF\n' : '';
}

/**
 * Protobuf if the Accept field asks for it and for nothing more, as Prometheus does when it keeps native histograms; OpenMetrics if it asks for that
 * and not less than for plain text.
 */
export function chooseFormat(accept: string | undefined): PageFormat {
  const { protobuf, openmetrics, plain } = weightsOf(accept);
  if (protobuf > 0 && protobuf >= openmetrics && protobuf >= plain) return 'protobuf';
  return openmetrics > 0 && openmetrics >= plain ? 'openmetrics' : 'prometheus';
}

/** How much is asked for each format, from 0 to 1. */
function weightsOf(accept = ''): { protobuf: number; openmetrics: number; plain: number } {
  const weights = { protobuf: 0, openmetrics: 0, plain: 0 };
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const given = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = given === undefined ? 1 : Number(given.slice(2));
    if (type === 'application/openmetrics-text') weights.openmetrics = Math.max(weights.openmetrics, weight);
    if (type === 'text/plain') weights.plain = Math.max(weights.plain, weight);
    const isProtobuf = type === 'application/vnd.google.protobuf' && parameters.includes('encoding=delimited');
    if (isProtobuf && parameters.includes(`proto=${PROTOBUF_MESSAGE}`)) {
      weights.protobuf = Math.max(weights.protobuf, weight);
    }
  }
  return weights;
}

function formatExemplar({ traceId, value, timeS }: Exemplar): string {
  return `{${formatPairs([['trace_id', traceId]])}} ${formatNumber(value)} ${formatNumber(timeS)}`;
}

/** OpenMetrics writes a whole bound with a fraction (§4.1, canonical numbers), and a reader may compare the text. */
function formatBound(le: number, format: MetricFormat): string {
  return format === 'openmetrics' && Number.isInteger(le) && le < 1e6 ? le.toFixed(1) : formatNumber(le);
}

function formatNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** OpenMetrics escapes quotes in HELP too (§3.2.1); 0.0.4 does not. */
function escapeHelp(help: string, format: MetricFormat): string {
  const text = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? text.replaceAll('"', '\\"') : text;
}
