/**
 * The last value of each series that services push: who leads what, how full a pool is; of counters also what it was a minute ago; and their exemplars.
 * No more history than that, which is the series' business.
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
const SERIES_BYTES = 400;
/** Each is in the key and in the series, and may take two bytes there. */
const CHARACTER_BYTES = 4;
/** Many times what is usual between two pushes. */
const FORGET_MS = 600_000;
const SHOWN_MAX = 2000;
/** What was is at least as old as that, once it is known for so long, and less than twice as old. */
const WAS_MS = 30_000;
/** Processes that are known to have been heard before. */
const PROCESSES_MAX = 1000;
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
  /**
   * Of a counter its value half a minute to a minute ago, 0 if it was not there; as long ago as it is known, if that is less; null if it is not. What
   * was not told for a minute has not grown.
   */
  readonly was?: number | null;
  readonly count?: number;
  readonly sum?: number;
  /** When it was so, as its service says. */
  readonly atMs: number;
}

export interface FoundSeries {
  readonly series: readonly ReceivedSeries[];
  readonly more: number;
}

/** Of a counter. */
interface Mark {
  readonly atMs: number;
  readonly value: number;
}

interface Kept {
  readonly series: ReceivedSeries;
  /** The one before the last is what it was; null of what is no counter, or where nothing is known of before. */
  readonly marks: readonly [Mark, Mark] | null;
  readonly toldMs: number;
  readonly bytes: number;
}

export class ReceivedMetrics {
  readonly #clock: Clock;
  /** The one that was told longest ago first. */
  readonly #series = new Map<string, Kept>();
  readonly #exemplars = new ReceivedExemplars();
  /** When processes were told of first. */
  readonly #processes = new Map<string, number>();
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(records: readonly MetricRecord[]): void {
    const toldMs = this.#clock.nowMs();
    for (const record of records) {
      this.#exemplars.add(record);
      const whose = JSON.stringify([record.service, record.instance, record.name]);
      const isKnown = this.#isKnown(record, toldMs);
      for (const point of record.points) {
        const said = seriesOf(record, point);
        const key = whose + JSON.stringify(sorted(said.labels));
        const known = this.#series.get(key);
        // A time that was wrong, as of a clock that was set back since, holds only until the series is forgotten.
        const isLate = known !== undefined && said.atMs < known.series.atMs && toldMs - known.toldMs < FORGET_MS;
        if (isLate) continue;
        const marks =
          record.type === 'counter' ? marksOf(known, said, isKnown || said.atMs - point.startMs < WAS_MS) : null;
        const series = record.type === 'counter' ? { ...said, was: marks?.[0].value ?? null } : said;
        const bytes = SERIES_BYTES + CHARACTER_BYTES * (key.length + series.unit.length);
        // Told just now it is among the last already; a map is slow with a key that is deleted again and again.
        if (known !== undefined && known.toldMs !== toldMs) this.#series.delete(key);
        this.#series.set(key, { series, marks, toldMs, bytes });
        this.#bytes += bytes - (known?.bytes ?? 0);
      }
    }
    // Once, not for each point: a look at the first of a map passes all that were deleted before it.
    this.#forget(toldMs);
  }

  /** Those whose names begin so, in the order of their names. */
  find(prefix: string, isWanted: (series: ReceivedSeries) => boolean = () => true): FoundSeries {
    const nowMs = this.#clock.nowMs();
    this.#forget(nowMs);
    const found = [...this.#series.values()].flatMap(({ series, toldMs }) => {
      if (!series.name.startsWith(prefix) || !isWanted(series)) return [];
      return typeof series.was === 'number' && nowMs - toldMs > 2 * WAS_MS
        ? [{ ...series, was: series.value }]
        : [series];
    });
    found.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));
    return { series: found.slice(0, SHOWN_MAX), more: Math.max(0, found.length - SHOWN_MAX) };
  }

  /** Of durations of requests, whether their traces are kept or not. */
  get exemplars(): readonly Exemplar[] {
    return this.#exemplars.all;
  }

  /** Whether this process was told of before this push. */
  #isKnown({ service, instance }: MetricRecord, toldMs: number): boolean {
    const process = JSON.stringify([service, instance]);
    const sinceMs = this.#processes.get(process) ?? toldMs;
    this.#processes.delete(process);
    this.#processes.set(process, sinceMs);
    if (this.#processes.size > PROCESSES_MAX) this.#processes.delete(this.#processes.keys().next().value!);
    return sinceMs < toldMs;
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

/** `isNew` says that a series which is not known was not there before, so it was 0. */
function marksOf(
  known: Kept | undefined,
  { atMs, value }: ReceivedSeries,
  isNew: boolean,
): readonly [Mark, Mark] | null {
  if (value === null) return null;
  const now = { atMs, value };
  if (known === undefined) return isNew ? [{ atMs, value: 0 }, now] : null;
  if (known.marks === null) return [{ atMs: known.series.atMs, value: known.series.value ?? 0 }, now];
  const [, last] = known.marks;
  // A process that began anew counts from 0.
  if (value < last.value) return [{ atMs, value: 0 }, now];
  return atMs - last.atMs < WAS_MS ? known.marks : [last, now];
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
