/**
 * An embedded time series: what happened in each second of the last hour, each ten of the last day and each five minutes of the last 35 days, in memory.
 *
 * Invariants: every resolution is given every sample, so a coarse step is exactly the sum of its fine ones. A sample is added to the step of its
 * wall time, whenever it comes: a clock that is set back makes nothing twice, and loses nothing that is within reach. What is
 * kept is what was added since the sample before; so a counter that began anew, or was not read for a while, adds what it grew.
 * Bounded: `seriesMax` series; beyond `memoryBytes` all of them reach less far back, and new ones are refused and counted, but for those few that
 * are `lasting`. How old something is, is measured by the clock that is never set.
 *
 * Cost: a sample some 300 ns (`npm run bench -- observe --only series`); memory in resolutions.ts.
 * What it is not: a database. It has one writer, and answers what dashboards and objectives ask.
 */
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import { atOnce, type Steps } from '../../kernel/steps.ts';
import { parseSize, type Size } from '../../kernel/units.ts';
import {
  addSample,
  type CounterEntry,
  createEntry,
  type Entry,
  ENTRY_BYTES,
  firstOf,
  isLike,
  isNewestStep,
  type Labels,
  type Sample,
  seriesKey,
  type SeriesIdentity,
} from './entry.ts';
import type { GaugeStep, HistogramStep } from './kinds.ts';
import { readRange, type SeriesQuery, type SeriesRange } from './range.ts';
import { keptSteps, resolutions, type SeriesDetail } from './resolutions.ts';
import { Restoring } from './restoring.ts';
import { totalOf } from './total.ts';

export interface SeriesOptions {
  /** Series at most, 1 to 1,000,000; further ones are refused, after those that have been idle for ten minutes have made room. @defaultValue 50,000 */
  readonly seriesMax?: number;
  /** Heap for what they hold, from 1 MB; beyond it what is kept reaches less far back. @defaultValue '256mb' */
  readonly memoryBytes?: Size | number;
  /** Names of series by which something is decided: never refused, never shortened, and they make no room for others. @defaultValue none */
  readonly lasting?: readonly string[];
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

export interface SeriesDefinition {
  readonly name: string;
  readonly labels?: Labels;
  /** @defaultValue 'full' */
  readonly detail?: SeriesDetail;
}

export interface HistogramDefinition extends SeriesDefinition {
  /** Upper bounds of its buckets, growing; the last is +Infinity. */
  readonly bounds: Float64Array;
}

/** Series to keep and to add to; `atMs` is wall time. */
export interface CounterSeries {
  /** How much it grew since the last sample, not what it is. */
  add(atMs: number, increment: number): void;
  /** What was added from `fromMs` to `toMs`, which is not included; at the ends of long ranges right to half a coarse step. */
  total(fromMs: number, toMs: number): number;
  /** Wall time of the first step that is known of it; null: nothing is. */
  firstMs(): number | null;
}
export interface GaugeSeries {
  set(atMs: number, value: number): void;
}
export interface HistogramSeries {
  add(atMs: number, increment: HistogramStep): void;
}

export interface SeriesStats {
  readonly series: number;
  readonly bytes: number;
  /** Series that there was no room for. */
  readonly refused: number;
  /** Samples that came later than anything reaches back. */
  readonly late: number;
  /** Series of which what was known was let go of, because they are counted otherwise now: by other buckets, as after an upgrade, or as another kind. */
  readonly replaced: number;
}

/** Counts the rounds in which samples were taken: a step without any is one of which nothing is known. */
const ROUNDS = 'series_rounds';
const noBounds = new Float64Array(0);
const IDLE_MS = 600_000;
/** Looking for idle ones is a walk over all. */
const LOOK_MS = 60_000;
/** Between two looks at how much memory there is: long enough for what was let go of to show. */
const REACH_MS = 20_000;
const REACH_MIN = 1 / 64;

export class Series {
  readonly #clock: Clock;
  readonly #seriesMax: number;
  readonly #bytesMax: number;
  readonly #lasting: ReadonlySet<string>;
  readonly #entries = new Map<string, Entry>();
  readonly #rounds: CounterEntry;
  #bytes = 0;
  #refused = 0;
  #late = 0;
  #replaced = 0;
  #second = Number.NaN;
  #listener: ((entry: Entry, sample: Sample) => void) | null = null;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Share of what tracks are long that there is memory for. */
  #reach = 1;
  #reachedMs = Number.NEGATIVE_INFINITY;
  #turns: Iterator<Entry>;

  constructor(options: SeriesOptions) {
    const { seriesMax = 50_000, memoryBytes = '256mb', lasting = [], clock = systemClock } = options;
    checkKeys('createSeries', options, ['seriesMax', 'memoryBytes', 'lasting', 'clock']);
    this.#clock = clock;
    this.#seriesMax = checkInteger('createSeries: seriesMax', seriesMax, 1, 1_000_000);
    this.#bytesMax = checkBytes(memoryBytes);
    this.#lasting = new Set([ROUNDS, ...lasting]);
    // Not one of those that are counted.
    const rounds = createEntry(
      { kind: 'counter', name: ROUNDS, labels: {}, detail: 'full', bounds: noBounds },
      () => {},
    );
    this.#rounds = rounds as CounterEntry;
    this.#entries.set(rounds.key, rounds);
    this.#turns = this.#entries.values();
  }

  counter(definition: SeriesDefinition): CounterSeries {
    const find = this.#binder({ kind: 'counter', bounds: noBounds, ...definition });
    const key = seriesKey(definition.name, definition.labels ?? {});
    return {
      add: (atMs, increment) => {
        if (increment > 0) this.#add(find(), atMs, increment);
      },
      total: (fromMs, toMs) => {
        const entry = this.#entries.get(key);
        if (entry?.kind !== 'counter') return 0;
        return totalOf(entry, { fromMs, toMs, nowMs: this.#clock.wallMs(), rounds: this.#rounds });
      },
      firstMs: () => firstOf(this.#entries.get(key)),
    };
  }

  gauge(definition: SeriesDefinition): GaugeSeries {
    const find = this.#binder({ kind: 'gauge', bounds: noBounds, ...definition });
    return {
      set: (atMs, value) => {
        const entry = find();
        // Nothing reads as zero, unless there is something in the step already.
        if (value !== 0 || (entry !== null && isNewestStep(entry, atMs))) {
          this.#add(entry, atMs, { last: value, max: value });
        }
      },
    };
  }

  histogram(definition: HistogramDefinition): HistogramSeries {
    const find = this.#binder({ kind: 'histogram', ...definition });
    return {
      add: (atMs, increment) => {
        if (increment.buckets.length > 0) this.#add(find(), atMs, increment);
      },
    };
  }

  /** Samples were taken at this moment, also if none of them showed anything. Those that did say so by themselves. */
  round(atMs: number): void {
    const second = Math.floor(atMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#rounds.cameMs = this.#clock.nowMs();
    addSample(this.#rounds, { atMs, step: 1 }, this.#clock);
    this.#listener?.(this.#rounds, { atMs, step: 1 });
  }

  range(query: SeriesQuery): SeriesRange {
    return atOnce(this.rangeInSteps(query));
  }

  /** The same for whoever has others wait: of ten thousand series a range is a second's work. */
  rangeInSteps(query: SeriesQuery): Steps<SeriesRange> {
    return readRange(this.#counted(), query, { nowMs: this.#clock.wallMs(), rounds: this.#rounds });
  }

  *#counted(): Generator<Entry> {
    for (const entry of this.#entries.values()) if (entry !== this.#rounds) yield entry;
  }

  /** Every sample from now on is told to `listener`: who keeps them on disk. */
  listen(listener: ((entry: Entry, sample: Sample) => void) | null): void {
    this.#listener = listener;
  }

  /** Begins to take up what was kept on disk. */
  restoring(): Restoring {
    return new Restoring({
      clock: this.#clock,
      find: (identity) => {
        const key = seriesKey(identity.name, identity.labels);
        const known = this.#entries.get(key);
        // What it was before gives way to what it is.
        const isHeld = known?.tracks.some((track) => typeof track?.last === 'number') === true;
        const isOther = isHeld && !isLike(known, identity);
        const entry = isOther ? null : this.#find(key, identity);
        if (isOther) this.#replaced++;
        else if (entry === null) this.#refused++;
        return entry;
      },
      // What it takes in is counted as its own is.
      onBytes: (entry, bytes) => {
        if (entry !== this.#rounds) this.#bytes += bytes;
      },
    });
  }

  get stats(): SeriesStats {
    const { size } = this.#entries;
    const [refused, late, replaced] = [this.#refused, this.#late, this.#replaced];
    return { series: size - 1, bytes: this.#bytes, refused, late, replaced };
  }

  #add(entry: Entry | null, atMs: number, step: number | GaugeStep | HistogramStep): void {
    if (entry === null) {
      this.#refused++;
      return;
    }
    this.round(atMs);
    entry.lastMs = atMs;
    entry.cameMs = this.#clock.nowMs();
    this.#tend(entry.cameMs);
    if (!addSample(entry, { atMs, step }, this.#clock)) this.#late++;
    this.#listener?.(entry, { atMs, step });
  }

  /** Finds or makes the series whenever it has a sample; null while there is no room. */
  #binder(given: SeriesDefinition & Pick<SeriesIdentity, 'kind' | 'bounds'>): () => Entry | null {
    const { kind, bounds, name, labels = {}, detail = 'full' } = given;
    const key = seriesKey(name, labels);
    let found: Entry | null = null;
    return () => {
      if (found?.isKept !== true) found = this.#find(key, { kind, name, labels, detail, bounds });
      return found;
    };
  }

  #find(key: string, identity: SeriesIdentity): Entry | null {
    const known = this.#entries.get(key);
    if (known !== undefined) {
      if (isLike(known, identity)) return known;
      // The same name for something else: what it was cannot be added to what it is.
      this.#replaced++;
      this.#forget(known);
    }
    if (!this.#lasting.has(identity.name)) {
      if (this.#entries.size > this.#seriesMax) this.#makeRoom();
      if (this.#entries.size > this.#seriesMax || this.#bytes > this.#bytesMax) return null;
    }
    const entry = createEntry(identity, (bytes) => void (this.#bytes += bytes));
    this.#bytes += ENTRY_BYTES;
    this.#entries.set(key, entry);
    return entry;
  }

  #makeRoom(): void {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = nowMs;
    for (const entry of this.#entries.values()) {
      if (!this.#lasting.has(entry.name) && nowMs - entry.cameMs > IDLE_MS) this.#forget(entry);
    }
  }

  /** With every sample one series has its turn, so that nothing ever waits for all of them. */
  #tend(nowMs: number): void {
    if (nowMs - this.#reachedMs >= REACH_MS) {
      this.#reachedMs = nowMs;
      if (this.#bytes > this.#bytesMax) this.#reach = Math.max(REACH_MIN, this.#reach * 0.9);
      else if (this.#bytes < 0.8 * this.#bytesMax) this.#reach = Math.min(1, this.#reach / 0.95);
    }
    const { value: entry, done } = this.#turns.next();
    if (done === true) this.#turns = this.#entries.values();
    else this.#tendTo(entry, nowMs - entry.cameMs);
  }

  #tendTo(entry: Entry, idleMs: number): void {
    let isEmpty = true;
    for (const [at, track] of entry.tracks.entries()) {
      if (track === null) continue;
      if (idleMs > keptSteps[entry.detail][at]! * resolutions[at]!.stepMs) track.clear();
      else {
        isEmpty = false;
        if (this.#reach < 1 && !this.#lasting.has(entry.name)) track.shorten(this.#reach);
      }
    }
    if (isEmpty && entry !== this.#rounds) this.#forget(entry);
  }

  #forget(entry: Entry): void {
    entry.isKept = false;
    for (const track of entry.tracks) track?.clear();
    this.#entries.delete(entry.key);
    this.#bytes -= ENTRY_BYTES;
  }
}

/** Makes a time series in memory. */
export function createSeries(options: SeriesOptions = {}): Series {
  return new Series(options);
}

function checkBytes(given: Size | number): number {
  const parsed = typeof given === 'string' ? parseSize(given) : { ok: true as const, value: given };
  const bytes = parsed.ok ? parsed.value : Number.NaN;
  if (Number.isSafeInteger(bytes) && bytes >= 1_000_000) return bytes;
  throw invalid(`createSeries: memoryBytes is ${String(given)}; expected a size of at least 1mb, such as '256mb'.`);
}
