/**
 * What the records of an arena mean: definitions of metrics, and series of them, each a text that all threads write alike. Every thread
 * has a registry of its own over the same arena and learns from the list what others have added, when it binds or reads.
 *
 * Invariant: over all threads a metric has one definition and at most `seriesMax` series and the overflow. Both hold because a
 * record is only published onto a list whose every record was looked at.
 */
import { Buckets } from '../../kernel/buckets.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { formatPairs, type Labels } from '../prometheus.ts';
import { type Arena, NO_OWNER } from './arena.ts';
import { bucketBounds, type Definition, familyOf } from './definition.ts';
import { exemplarSlots } from './exemplar.ts';
import { ExponentialLayout } from './exponential.ts';
import { ROW_SLOTS } from './rows.ts';

/** What the text of the overflow series is; every other is a JSON list of label values, or of a row of rows.ts its number. */
export const OVERFLOW = 'null';

export interface Series {
  /** In the order of the definition's; those of the overflow are `{ overflow: 'true' }`. */
  readonly labels: Labels;
  /** As the text formats show them, without the braces. */
  readonly pairs: string;
  /** The lines of its records, one for each thread that counts it. */
  readonly lines: number[];
}

export class Metric {
  readonly definition: Definition;
  readonly line: number;
  /** How many float64 a series of it takes. */
  readonly slots: number;
  /** Of a histogram; else null. */
  readonly buckets: Buckets | null;
  /** As other formats count them. */
  readonly exponential: ExponentialLayout | null;
  readonly series = new Map<string, Series>();

  constructor(definition: Definition, line: number) {
    this.definition = definition;
    this.line = line;
    const isHistogram = definition.type === 'histogram';
    this.buckets = isHistogram ? new Buckets(bucketBounds(definition)) : null;
    this.exponential = this.buckets === null ? null : new ExponentialLayout(definition.range, this.buckets.bounds);
    const numbers = definition.rows === null ? 1 : ROW_SLOTS;
    this.slots =
      this.buckets === null ? numbers : this.buckets.bounds.length + 1 + exemplarSlots(definition.bounds.length);
  }
}

export class Registry {
  readonly arena: Arena;
  readonly #owner: number;
  readonly #metrics = new Map<string, Metric>();
  readonly #byLine = new Map<number, Metric>();
  #newest = 0;
  /** Records that were found and not looked at yet, the oldest last. */
  #found: number[] = [];

  constructor(arena: Arena, threadId: number) {
    this.arena = arena;
    this.#owner = threadId + 1;
  }

  metrics(): IterableIterator<Metric> {
    return this.#metrics.values();
  }

  /** The metric of this definition, which is written down if nobody has yet. */
  define(definition: Definition): Metric {
    const text = JSON.stringify(definition);
    let line = 0;
    while (true) {
      const newest = this.learn();
      const known = this.#metrics.get(familyOf(definition.name));
      if (known !== undefined) return checkSame(known, definition);
      line ||= this.arena.claim({ owner: NO_OWNER, metric: 0, slots: 0, text });
      if (line === 0) {
        throw new SpillwayError(
          'METRICS_FULL',
          `There is no room left to define ${definition.name}: ${this.arena.bytesUsed} of ${this.arena.memory.byteLength} ` +
            'bytes are used. Give createMetrics more memoryBytes, or metrics fewer series.',
        );
      }
      if (this.arena.publish(line, newest)) this.learn();
    }
  }

  /** The line of this thread's record of a series or row; -1 if the metric has too many, 0 if there is no memory left. */
  bind(metric: Metric, text: string): number {
    let line = 0;
    while (true) {
      const newest = this.learn();
      const series = metric.series.get(text);
      const own = this.#takeOver(series?.lines ?? []);
      if (own !== 0) return own;
      const count = metric.series.size - (metric.series.has(OVERFLOW) ? 1 : 0);
      if (series === undefined && text !== OVERFLOW && count >= metric.definition.seriesMax) return -1;
      line ||= this.arena.claim({ owner: this.#owner, metric: metric.line, slots: metric.slots, text });
      if (line === 0 || this.arena.publish(line, newest)) return line;
    }
  }

  /** Looks at what others have added, a record at each step. */
  *learning(): Generator<void> {
    this.#find();
    while (this.#found.length > 0) {
      this.#lookAt(this.#found.pop()!);
      yield;
    }
  }

  /** The records of a thread that has ended have no owner any more, and what it had in its gauges is gone. */
  threadEnded(threadId: number): void {
    this.learn();
    for (const { definition, series } of this.#metrics.values()) {
      for (const { lines } of series.values()) {
        for (const line of lines) {
          if (this.arena.ownerOf(line) !== threadId + 1) continue;
          if (definition.type === 'gauge') this.arena.numbers[this.arena.slotOf(line)] = 0;
          this.arena.disown(line);
        }
      }
    }
  }

  /** A record of these that is this thread's, or becomes it because its own thread has ended; 0 if there is none. */
  #takeOver(lines: readonly number[]): number {
    for (const line of lines) if (this.arena.ownerOf(line) === this.#owner) return line;
    return lines.find((line) => this.arena.adopt(line, this.#owner)) ?? 0;
  }

  /** Looks at all that was added. Returns the newest record: what is published onto it was decided knowing everything. */
  learn(): number {
    this.#find();
    while (this.#found.length > 0) this.#lookAt(this.#found.pop()!);
    return this.#newest;
  }

  #find(): void {
    const newest = this.arena.newest();
    const found: number[] = [];
    for (let line = newest; line !== this.#newest; line = this.arena.previous(line)) found.push(line);
    this.#newest = newest;
    this.#found = [...found, ...this.#found];
  }

  #lookAt(line: number): void {
    const text = this.arena.textOf(line);
    const metricLine = this.arena.metricOf(line);
    if (metricLine === 0) {
      const metric = new Metric(JSON.parse(text) as Definition, line);
      this.#byLine.set(line, metric);
      this.#metrics.set(familyOf(metric.definition.name), metric);
      return;
    }
    const metric = this.#byLine.get(metricLine)!;
    const known = metric.series.get(text);
    if (known !== undefined) {
      known.lines.push(line);
      return;
    }
    const values = JSON.parse(text) as readonly string[] | null;
    const { labels, rows } = metric.definition;
    // What a row is called is in its record, and another thing each time.
    const names = rows === null ? labels : [];
    const pairs =
      values === null ? [['overflow', 'true'] as const] : names.map((name, at) => [name, values[at]!] as const);
    metric.series.set(text, { labels: Object.fromEntries(pairs), pairs: formatPairs(pairs), lines: [line] });
  }
}

function checkSame(known: Metric, asked: Definition): Metric {
  const { help: _, ...was } = known.definition;
  const { help: __, ...is } = asked;
  if (JSON.stringify(was) === JSON.stringify(is)) return known;
  throw new SpillwayError(
    'METRIC_CONFLICT',
    `The metric ${asked.name} is there already, as ${JSON.stringify(was)}; now it is to be ${JSON.stringify(is)}. ` +
      'Use one definition, or another name.',
  );
}
