/**
 * The text formats that Prometheus scrapes: 0.0.4 and OpenMetrics 1.0. Pure: families in, text out.
 *
 * Names are as Prometheus 0.0.4 shows them, so a counter ends in `_total` here; OpenMetrics wants the family without
 * that ending and the sample with it (OpenMetrics §5.1), which is done on the way out. Label values may hold anything and are
 * escaped; names are given by code, never by traffic, and are checked by the test that holds docs/metrics.md equal.
 *
 * Cost: O(text). A scrape of 1,000 endpoints is about 1 MB and some 10 ms; it runs on the control thread.
 */

export type MetricFormat = 'prometheus' | 'openmetrics';

export const contentTypes: Readonly<Record<MetricFormat, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

export interface Labels {
  readonly [name: string]: string;
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface HistogramSample {
  readonly labels: Labels;
  /** Upper bounds with the count of everything at or below each, growing; the last bound is +Infinity. */
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
  readonly sum: number;
}

export type MetricFamily =
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'counter' | 'gauge';
      readonly samples: readonly Sample[];
    }
  | {
      readonly name: string;
      readonly help: string;
      readonly type: 'histogram';
      readonly samples: readonly HistogramSample[];
    };

/** Families without a sample are left out. */
export function formatMetrics(families: readonly MetricFamily[], format: MetricFormat): string {
  const lines: string[] = [];
  for (const family of families) if (family.samples.length > 0) writeFamily(lines, family, format);
  if (format === 'openmetrics') lines.push('# EOF');
  return lines.map((line) => `${line}\n`).join('');
}

/** OpenMetrics if the Accept field asks for it and not less than for plain text. */
export function chooseFormat(accept: string | undefined): MetricFormat {
  let openmetrics = 0;
  let plain = 0;
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const given = parameters.find((parameter) => parameter.startsWith('q='));
    const weight = given === undefined ? 1 : Number(given.slice(2));
    if (type === 'application/openmetrics-text') openmetrics = Math.max(openmetrics, weight);
    if (type === 'text/plain') plain = Math.max(plain, weight);
  }
  return openmetrics > 0 && openmetrics >= plain ? 'openmetrics' : 'prometheus';
}

function writeFamily(lines: string[], family: MetricFamily, format: MetricFormat): void {
  const { name, type, help } = family;
  const shown = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  lines.push(`# HELP ${shown} ${escapeHelp(help, format)}`, `# TYPE ${shown} ${type}`);
  switch (family.type) {
    case 'counter':
    case 'gauge':
      for (const { labels, value } of family.samples)
        lines.push(`${name}${formatLabels(labels)} ${formatNumber(value)}`);
      return;
    case 'histogram':
      for (const sample of family.samples) writeHistogram(lines, name, sample);
      return;
    default:
      family satisfies never;
  }
}

function writeHistogram(lines: string[], name: string, { labels, buckets, sum }: HistogramSample): void {
  for (const { le, count } of buckets) {
    lines.push(`${name}_bucket${formatLabels({ ...labels, le: formatNumber(le) })} ${formatNumber(count)}`);
  }
  const own = formatLabels(labels);
  lines.push(
    `${name}_sum${own} ${formatNumber(sum)}`,
    `${name}_count${own} ${formatNumber(buckets.at(-1)?.count ?? 0)}`,
  );
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
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
