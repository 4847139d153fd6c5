/**
 * What a metric is: its name, type, labels and buckets, checked before anything is counted. Names are given by code and a wrong one is
 * refused with an error; label values come with traffic, so they are never refused: whatever they hold is cut to a bound and escaped.
 * Source: the data model of OpenMetrics 1.0 (§4) and the naming of Prometheus.
 */
import { exponentialBounds } from '../../kernel/buckets.ts';
import { checkInteger, checkKeys, invalid, textOfGiven } from '../../kernel/options.ts';

export interface MetricOptions<Label extends string = never> {
  /** Letters, digits and `_`, with the unit last; that of a counter ends in `_total`. */
  readonly name: string;
  /** One sentence for whoever meets the series without knowing the code. */
  readonly help: string;
  /** Label names; a series is one combination of their values. @defaultValue none */
  readonly labels?: readonly Label[];
  /**
   * The most series this metric may have, over all threads, from 1 to 1,000,000. What is bound beyond is counted together in one
   * series with the label `overflow="true"`, so sums stay right. @defaultValue 1000
   */
  readonly seriesMax?: number;
}

export interface HistogramOptions<Label extends string = never> extends MetricOptions<Label> {
  /**
   * The `le` of the exposed text, at most 64, each exact: a threshold that you promise belongs here.
   * @defaultValue those of OpenTelemetry for seconds: 0.005 to 10
   */
  readonly bounds?: readonly number[];
  /**
   * The least and the greatest value that quantiles must be right for, to 2.2 %. Below, the least is read; above, Infinity. A doubling
   * takes 128 B for each series and thread. @defaultValue [0.000001, 4096], for seconds
   */
  readonly range?: readonly [min: number, max: number];
}

const rowsShown = ['greatest', 'least', 'sum'] as const;
export type RowsShown = (typeof rowsShown)[number];

/** Of a gauge whose series come and go. */
export interface RowsOptions<Label extends string = never> extends Omit<MetricOptions<Label>, 'seriesMax'> {
  /** The most rows that are open at once in each thread, from 1 to 1,000. */
  readonly rowsMax: number;
  /** What is shown of rows that have equal labels, as those of two threads may: the greatest value, the least, or their sum. @defaultValue 'greatest' */
  readonly shown?: RowsShown;
}

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** As it is written down for other threads. */
export interface Definition {
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
  readonly seriesMax: number;
  /** Its series come and go (rows.ts), and what is shown of equal ones; null if they stay. */
  readonly rows: RowsShown | null;
  readonly help: string;
  readonly bounds: readonly number[];
  readonly range: readonly [number, number];
}

/** 16 buckets to a doubling: at most 2.17 % off. */
export const SCALE = 4;
const SERIES_DEFAULT = 1000;
const SERIES_MAX = 1_000_000;
/** Each is looked at when another is opened. */
const ROWS_MAX = 1000;
const LABELS_MAX = 16;
/** Longer than any name or route that people write; a series of ten such labels is still some kilobytes. */
const LENGTH_MAX = 256;
const CUT_MARK = '…';
const BOUNDS_MAX = 64;
const RANGE_DEFAULT = [1e-6, 4096] as const;
const BOUNDS_DEFAULT = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

const NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;
/** Endings that the formats give a meaning of their own. */
const RESERVED_END = /_(?:total|count|sum|bucket|created|info)$/;
const RESERVED_LABELS: readonly string[] = ['le', 'quantile', 'overflow'];

export function defineMetric(type: MetricType, options: HistogramOptions<string>): Definition {
  const what = `metrics.${type}`;
  const known = ['name', 'help', 'labels', 'seriesMax', ...(type === 'histogram' ? ['bounds', 'range'] : [])];
  checkKeys(what, options, known);
  const { name, help, labels = [] } = options;
  checkName(what, type, name);
  if (typeof help !== 'string' || help.trim() === '') {
    throw invalid(`${what} ${name}: help is empty; expected a sentence for whoever meets the series.`);
  }
  checkLabels(`${what} ${name}`, labels);
  const seriesMax = checkInteger(`${what} ${name}: seriesMax`, options.seriesMax ?? SERIES_DEFAULT, 1, SERIES_MAX);
  const isHistogram = type === 'histogram';
  return {
    name,
    type,
    labels: [...labels],
    seriesMax,
    rows: null,
    help,
    bounds: isHistogram ? checkBounds(`${what} ${name}`, options.bounds ?? BOUNDS_DEFAULT) : [],
    range: isHistogram ? checkRange(`${what} ${name}`, options.range ?? RANGE_DEFAULT) : [0, 0],
  };
}

export function defineRows(given: RowsOptions<string>): Definition {
  checkKeys('metrics.rows', given, ['name', 'help', 'labels', 'rowsMax', 'shown']);
  const { rowsMax, shown = 'greatest', ...options } = given;
  const definition = defineMetric('gauge', options);
  const seriesMax = checkInteger(`metrics.rows ${definition.name}: rowsMax`, rowsMax, 1, ROWS_MAX);
  if (!rowsShown.includes(shown)) {
    throw invalid(
      `metrics.rows ${definition.name}: shown is “${textOfGiven(shown)}”; expected one of ${rowsShown.join(', ')}.`,
    );
  }
  return { ...definition, rows: shown, seriesMax };
}

/** The family that a name belongs to in OpenMetrics: two metrics may not share it. */
export function familyOf(name: string): string {
  return name.replace(/_total$/, '');
}

/** All bounds of a histogram: those that are shown, and between them enough for quantiles. */
export function bucketBounds({ bounds, range }: Definition): number[] {
  return [...bounds, ...exponentialBounds(...range, SCALE)];
}

/** A label's value as it is kept: well-formed Unicode of at most so many characters, the last of them … if it was cut. */
export function labelValue(value: string | number, lengthMax = LENGTH_MAX): string {
  const text = typeof value === 'string' ? value : textOfGiven(value);
  if (text.length <= lengthMax) return text.toWellFormed();
  const cut = text.slice(0, lengthMax - CUT_MARK.length);
  // A pair that the cut has divided is one character too many, not half of one.
  return (/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut).toWellFormed() + CUT_MARK;
}

function checkName(what: string, type: MetricType, name: unknown): void {
  if (typeof name !== 'string' || !NAME.test(name) || name.length > LENGTH_MAX) {
    throw invalid(`${what}: the name is ${shown(name)}; expected letters, digits and _, not a digit first.`);
  }
  if (type === 'counter') {
    if (!name.endsWith('_total')) throw invalid(`${what}: “${name}” does not end in _total, as counters do.`);
  } else if (RESERVED_END.test(name)) {
    throw invalid(`${what}: “${name}” ends in what counters, sums and buckets end in; choose another ending.`);
  }
}

function checkLabels(what: string, labels: readonly unknown[]): void {
  if (!Array.isArray(labels) || labels.length > LABELS_MAX) {
    throw invalid(`${what}: labels is ${shown(labels)}; expected a list of at most ${LABELS_MAX} names.`);
  }
  for (const label of labels as readonly unknown[]) {
    const isName = typeof label === 'string' && NAME.test(label) && label.length <= LENGTH_MAX;
    if (!isName) throw invalid(`${what}: a label is ${shown(label)}; expected letters, digits and _.`);
    if (label.startsWith('__') || RESERVED_LABELS.includes(label)) {
      throw invalid(`${what}: the label ${label} has a meaning of its own (${RESERVED_LABELS.join(', ')}, __…).`);
    }
  }
  if (new Set(labels).size < labels.length) throw invalid(`${what}: a label is there twice: ${labels.join(', ')}.`);
}

function checkBounds(what: string, bounds: readonly number[]): number[] {
  const isList = Array.isArray(bounds) && bounds.length > 0 && bounds.length <= BOUNDS_MAX;
  const grows = isList && bounds.every((bound, at) => Number.isFinite(bound) && bound > (bounds[at - 1] ?? 0));
  if (grows) return [...bounds];
  throw invalid(`${what}: bounds is ${shown(bounds)}; expected 1 to ${BOUNDS_MAX} numbers above 0, growing.`);
}

function checkRange(what: string, range: readonly number[]): [number, number] {
  const [min = 0, max = 0] = Array.isArray(range) ? (range as readonly number[]) : [];
  // 64 doublings are 8 KB for each series and thread.
  const isRange = Number.isFinite(min) && Number.isFinite(max) && min > 0 && min < max && max / min <= 2 ** 64;
  if (isRange) return [min, max];
  throw invalid(`${what}: range is ${shown(range)}; expected [min, max], above 0 and at most 64 doublings apart.`);
}

function shown(value: unknown): string {
  return textOfJson(value).slice(0, 100);
}

function textOfJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? textOfGiven(value);
  } catch {
    return textOfGiven(value);
  }
}
