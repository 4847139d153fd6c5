/**
 * Metrics: counters, gauges and histograms whose series are bound once and then updated in nanoseconds, in memory that all threads share.
 * Each thread makes its own `Metrics` over that memory, names the metrics it counts, and any of them can show everything.
 *
 * What is counted where: arena.ts and registry.ts. Cost: an update some nanoseconds, `bind` of a known series a lookup by its values,
 * below a microsecond; both by `npm run bench -- observe`.
 */
import { threadId, type Worker } from 'node:worker_threads';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { checkKeys, invalid, textOfGiven } from '../../kernel/options.ts';
import { parseSize } from '../../kernel/units.ts';
import { pageOf } from '../exposition.ts';
import { chooseFormat, contentTypes } from '../prometheus.ts';
import { Arena, createArenaMemory } from './arena.ts';
import { collect, type MetricBatch } from './collect.ts';
import {
  defineMetric,
  defineRows,
  type HistogramOptions,
  labelValue,
  type MetricOptions,
  type RowsOptions,
} from './definition.ts';
import { showing } from './families.ts';
import { Counter, Gauge, Histogram, nowhere, type Place } from './instruments.ts';
import { readCounts, readSum } from './read.ts';
import { HistogramReading } from './reading.ts';
import { type Metric, OVERFLOW, Registry, type Series } from './registry.ts';
import { Rows } from './rows.ts';

export type { Row } from './rows.ts';
export type { Rows };

export interface MetricsOptions {
  /** The memory of another thread's metrics, to count in: its `metrics.shared`. @defaultValue new memory */
  readonly shared?: SharedArrayBuffer;
  /**
   * How much new memory there is for all series of all threads, as `'64mb'` or in bytes, from 64 KB to 1 GB. The system hands it out as it
   * is used. When it is full, further series are not kept, which `spillway_metrics_refused_total{cause="memory"}` says. Not
   * together with `shared`. @defaultValue '64mb'
   */
  readonly memoryBytes?: number | string;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

/** A value for each label name. */
export type LabelValues<Label extends string> = Readonly<Record<Label, string | number>>;

type BindArguments<Label extends string> = [Label] extends [never] ? [] : [labels: LabelValues<Label>];

/** What all series of a metric say together, or those with certain labels. `Reading` is a number or, of histograms, their buckets. */
export interface Family<Instrument, Reading, Label extends string> {
  /**
   * The series with these labels, to keep and to update. A value may hold anything; beyond 256 characters it is cut and ends in `…`.
   * Beyond `seriesMax` it is the overflow series.
   */
  bind(...labels: BindArguments<Label>): Instrument;
  /** All series that have these labels, over all threads, as one. */
  read(labels?: Partial<LabelValues<Label>>): Reading;
  /** Each series, over all threads. The labels of the overflow are `{ overflow: 'true' }`. */
  series(): { readonly labels: Readonly<Record<string, string>>; readonly reading: Reading }[];
}

export interface Exposition<Chunk = string | Uint8Array> {
  readonly contentType: string;
  /** The page in chunks, between which the event loop turns: `Readable.from(body)`. */
  readonly body: AsyncIterable<Chunk>;
}

const MEMORY_DEFAULT = '64mb';
const MEMORY_MIN = 64 * 1024;
const MEMORY_MAX = 2 ** 30;

export class Metrics {
  readonly #arena: Arena;
  readonly #registry: Registry;
  /** What time is read from. */
  readonly clock: Clock;
  /** Since when it counts, in milliseconds since the Unix epoch; in memory that was another's, since it is counted here. */
  readonly startMs: number;

  constructor(arena: Arena, clock: Clock) {
    this.startMs = clock.wallMs();
    this.#arena = arena;
    this.#registry = new Registry(arena, threadId);
    this.clock = clock;
  }

  /** Hand it to the threads that count in it: `workerData`, then `createMetrics({ shared })`. */
  get shared(): SharedArrayBuffer {
    return this.#arena.memory;
  }

  /** What only grows: requests, bytes, seconds spent. */
  counter<const Label extends string = never>(options: MetricOptions<Label>): Family<Counter, number, Label> {
    const metric = this.#registry.define(defineMetric('counter', options));
    return this.#family(
      metric,
      (place) => new Counter(place),
      (series) => readSum(this.#arena, series, 0),
      addUp,
    );
  }

  /** What there is now: requests in flight, entries in a cache. Threads add up; for each by itself, make it a label. */
  gauge<const Label extends string = never>(options: MetricOptions<Label>): Family<Gauge, number, Label> {
    const metric = this.#registry.define(defineMetric('gauge', options));
    return this.#family(
      metric,
      (place) => new Gauge(place),
      (series) => readSum(this.#arena, series, 0),
      addUp,
    );
  }

  /**
   * What there is at the moment and has names without end: the locks that are held, the keys that are refused most. A row is opened with its labels,
   * set, and closed, and then its place is the next one's.
   */
  rows<const Label extends string = never>(options: RowsOptions<Label>): Rows<Label> {
    const metric = this.#registry.define(defineRows(options));
    const { labels, seriesMax } = metric.definition;
    const lineOf = (row: number): number => this.#registry.bind(metric, `[${row}]`);
    return new Rows({ arena: this.#arena, labels, rowsMax: seriesMax, lineOf });
  }

  /** How values are spread: durations, sizes. Quantiles of it are right to 2.2 %, over any series and threads together. */
  histogram<const Label extends string = never>(
    options: HistogramOptions<Label>,
  ): Family<Histogram, HistogramReading, Label> {
    const metric = this.#registry.define(defineMetric('histogram', options));
    const { bounds } = metric.buckets!;
    const read = (series: Series): HistogramReading =>
      new HistogramReading(
        bounds,
        readCounts(this.#arena, metric, series),
        readSum(this.#arena, series, bounds.length),
      );
    const nothing = new HistogramReading(bounds, new Float64Array(bounds.length), 0);
    return this.#family(
      metric,
      (place) => new Histogram(place, metric, this.clock),
      read,
      (readings) => readings.reduce((sum, reading) => sum.plus(reading), nothing),
    );
  }

  /**
   * Everything, as Prometheus reads it.
   * @param accept the request's `Accept` field: protobuf with native histograms or OpenMetrics for who prefers it, else text 0.0.4
   */
  expose(): Exposition<string>;
  expose(accept: string | undefined): Exposition;
  expose(accept?: string): Exposition {
    if (accept !== undefined && typeof accept !== 'string') {
      throw invalid(
        `metrics.expose: accept is ${textOfGiven(accept)}; expected the text of the request's Accept field.`,
      );
    }
    const format = chooseFormat(accept);
    const body = showing(this.#registry, (families) => pageOf(families, format));
    return { contentType: contentTypes[format], body };
  }

  /** Everything as data, in batches between which the event loop turns: what a push sends. */
  collect(): AsyncIterable<MetricBatch> {
    return showing(this.#registry, (families) => collect(families, this.clock.wallMs()));
  }

  /**
   * When `worker` ends, by whatever cause, what its gauges hold is taken away and its series are free for the next thread that counts them.
   * For workers that come and go: without it each would take memory of its own.
   */
  watch(worker: Worker): void {
    if (typeof worker?.once !== 'function') {
      throw invalid(`metrics.watch: the worker is ${textOfGiven(worker)}; expected a Worker of node:worker_threads.`);
    }
    const { threadId: watched } = worker;
    worker.once('exit', () => this.#registry.threadEnded(watched));
  }

  // WHY four parameters: they are the three ways in which types differ.
  #family<Instrument, Reading, Label extends string>(
    metric: Metric,
    make: (place: Place) => Instrument,
    read: (series: Series) => Reading,
    together: (readings: readonly Reading[]) => Reading,
  ): Family<Instrument, Reading, Label> {
    const { labels: names } = metric.definition;
    const bound = new Map<string, Instrument>();
    let uncounted: Instrument | null = null;
    const bindText = (text: string): Instrument => {
      const known = bound.get(text);
      if (known !== undefined) return known;
      const line = this.#registry.bind(metric, text);
      if (line === -1) {
        this.#arena.refuse('series');
        return bindText(OVERFLOW);
      }
      if (line === 0) {
        this.#arena.refuse('memory');
        // One for all of them, and none is kept by its labels: those that come may be without end.
        return (uncounted ??= make(nowhere(metric, this.#arena)));
      }
      const instrument = make({ arena: this.#arena, slot: this.#arena.slotOf(line), told: this.#arena });
      bound.set(text, instrument);
      return instrument;
    };
    return {
      bind: (labels = {} as LabelValues<Label>) => bindText(textOf(metric, labels)),
      read: (labels) => {
        this.#registry.learn();
        const wanted = Object.entries(labels ?? {}) as [string, string | number][];
        const unknown = wanted.find(([name]) => !names.includes(name));
        if (unknown !== undefined) throw unknownLabel(metric, unknown[0]);
        const isWanted = ({ labels: of }: Series): boolean =>
          wanted.every(([name, value]) => of[name] === labelValue(value));
        return together([...metric.series.values()].filter(isWanted).map(read));
      },
      series: () => {
        this.#registry.learn();
        return Array.from(metric.series.values(), (series) => ({
          labels: { ...series.labels },
          reading: read(series),
        }));
      },
    };
  }
}

/** Where a pattern counts: what it needs of metrics, so that any that have this will do. What is told in rows is not where there are none. */
export type MetricsSink = Pick<Metrics, 'counter' | 'gauge' | 'histogram'> & Partial<Pick<Metrics, 'rows'>>;

/**
 * Metrics of this process.
 *
 * @example
 * const metrics = createMetrics();
 * const requests = metrics.counter({ name: 'requests_total', help: 'Requests answered.', labels: ['route'] });
 * const home = requests.bind({ route: '/' });
 * home.add();
 * console.log(requests.read()); // 1
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  checkKeys('createMetrics', options, ['shared', 'memoryBytes', 'clock']);
  const { shared, memoryBytes, clock = systemClock } = options;
  if (shared !== undefined && memoryBytes !== undefined) {
    throw invalid('createMetrics: shared and memoryBytes are both given; memory that exists has its size.');
  }
  if (typeof clock?.wallMs !== 'function' || typeof clock.nowMs !== 'function') {
    throw invalid(`createMetrics: clock is ${textOfGiven(clock)}; expected one with nowMs() and wallMs().`);
  }
  return new Metrics(new Arena(shared ?? createArenaMemory(checkMemory(memoryBytes ?? MEMORY_DEFAULT))), clock);
}

function checkMemory(given: number | string): number {
  const parsed = typeof given === 'number' ? { ok: true as const, value: given } : parseSize(textOfGiven(given));
  if (parsed.ok && parsed.value >= MEMORY_MIN && parsed.value <= MEMORY_MAX) return parsed.value;
  throw invalid(`createMetrics: memoryBytes is ${textOfGiven(given)}; expected from 64kb to 1gb, or as many bytes.`);
}

/** The text of a series by its labels: a value for each name, and for no other. */
function textOf(metric: Metric, labels: Readonly<Record<string, string | number>>): string {
  const { name, labels: names } = metric.definition;
  if (labels === null) throw invalid(`${name}: its labels are null; expected an object with a value for each of them.`);
  const values = names.map((label) => {
    const value = labels[label];
    if (typeof value === 'string' || typeof value === 'number') return labelValue(value);
    throw invalid(`${name}: the label ${label} is ${textOfGiven(value)}; expected a string or a number.`);
  });
  for (const label in labels) if (!names.includes(label)) throw unknownLabel(metric, label);
  return JSON.stringify(values);
}

function unknownLabel({ definition: { name, labels } }: Metric, label: string): Error {
  return invalid(`${name} has no label ${label}; it has ${labels.join(', ') || 'none'}.`);
}

function addUp(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
