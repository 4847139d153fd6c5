/**
 * The last value of each series that services push: who leads what, how full a pool is; and their exemplars. No history, which is the series' business.
 *
 * Invariants: after each `add` at most `SERIES_MAX` series in `BYTES_MAX`, those that were told last; of a series what is newest, also where pushes
 * overtake each other; a series that nobody told for `FORGET_MS` is not shown any more, since who is gone does not say so.
 * Cost: `add` some 2 µs a point, 0.5 KB a series.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import { cutText } from '../../observe/trace/span-bounds.ts';
import type { Exemplar } from '../tracing/exemplars.ts';
import { ReceivedExemplars } from './received-exemplars.ts';

const SERIES_MAX = 10_000;
/** As estimated: of ordinary series there is room for all. A name or a label may be long, and there may be 128 of these. */
const BYTES_MAX = 32 * 2 ** 20;
const SERIES_BYTES = 300;
/** Each is in the key and in the series, and may take two bytes there. */
const CHARACTER_BYTES = 4;
/** Many times what is usual between two pushes. */
const FORGET_MS = 600_000;
const SHOWN_MAX = 2000;
/** Of a label's value, as those that we count have at most. */
const TEXT_MAX = 256;

export interface ReceivedSeries {
  readonly service: string;
  /** Which of its processes; '' if it does not say. */
  readonly instance: string;
  readonly name: string;
  readonly type: MetricRecord['type'];
  readonly unit: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of a histogram null, and `count` and `sum` are there. */
  readonly value: number | null;
  readonly count?: number;
  readonly sum?: number;
  /** When it was so, as its service says. */
  readonly atMs: number;
}

export interface FoundSeries {
  readonly series: readonly ReceivedSeries[];
  readonly more: number;
}

interface Kept {
  readonly series: ReceivedSeries;
  readonly toldMs: number;
  readonly bytes: number;
}

export class ReceivedMetrics {
  readonly #clock: Clock;
  /** The one that was told longest ago first. */
  readonly #series = new Map<string, Kept>();
  readonly #exemplars = new ReceivedExemplars();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(records: readonly MetricRecord[]): void {
    const toldMs = this.#clock.nowMs();
    for (const record of records) {
      this.#exemplars.add(record);
      const whose = JSON.stringify([record.service, record.instance, record.name]);
      for (const point of record.points) {
        const series = seriesOf(record, point);
        const key = whose + JSON.stringify(sorted(series.labels));
        const known = this.#series.get(key);
        // A time that was wrong, as of a clock that was set back since, holds only until the series is forgotten.
        const isLate = known !== undefined && series.atMs < known.series.atMs && toldMs - known.toldMs < FORGET_MS;
        if (isLate) continue;
        const bytes = SERIES_BYTES + CHARACTER_BYTES * (key.length + series.unit.length);
        // Told just now it is among the last already; a map is slow with a key that is deleted again and again.
        if (known !== undefined && known.toldMs !== toldMs) this.#series.delete(key);
        this.#series.set(key, { series, toldMs, bytes });
        this.#bytes += bytes - (known?.bytes ?? 0);
      }
    }
    // Once, not for each point: a look at the first of a map passes all that were deleted before it.
    this.#forget(toldMs);
  }

  /** Those whose names begin so, in the order of their names. */
  find(prefix: string, isWanted: (series: ReceivedSeries) => boolean = () => true): FoundSeries {
    this.#forget(this.#clock.nowMs());
    const found = [...this.#series.values()].flatMap(({ series }) =>
      series.name.startsWith(prefix) && isWanted(series) ? [series] : [],
    );
    found.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
    return { series: found.slice(0, SHOWN_MAX), more: Math.max(0, found.length - SHOWN_MAX) };
  }

  /** Of durations of requests, whether their traces are kept or not. */
  get exemplars(): readonly Exemplar[] {
    return this.#exemplars.all;
  }

  #forget(nowMs: number): void {
    for (const [key, { toldMs }] of this.#series) {
      const hasRoom = this.#series.size <= SERIES_MAX && this.#bytes <= BYTES_MAX;
      if (hasRoom && nowMs - toldMs < FORGET_MS) return;
      this.#delete(key);
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#series.get(key)?.bytes ?? 0;
    this.#series.delete(key);
  }
}

function seriesOf(record: MetricRecord, point: MetricRecord['points'][number]): ReceivedSeries {
  const { service, instance, name, type, unit } = record;
  const { value } = point;
  const labels = Object.fromEntries(
    Object.entries(point.attributes).map(([label, text]) => [label, cutText(String(text), TEXT_MAX)]),
  );
  const said = { service, instance, name, type, unit, labels, atMs: point.timeMs };
  return typeof value === 'number' ? { ...said, value } : { ...said, value: null, count: value.count, sum: value.sum };
}

function sorted(labels: Readonly<Record<string, string>>): (readonly [string, string])[] {
  return Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1));
}
