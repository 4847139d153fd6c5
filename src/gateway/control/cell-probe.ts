/**
 * Adds what a cell has counted since the last time to series. Nothing is made before it is needed: a thing on which nothing happens costs a probe
 * and the views of its lanes.
 *
 * Cost of a sample: reading the slots, some 0.1 µs a lane for an endpoint and 0.5 µs with durations, and some 0.3 µs for each series of which
 * something is to be said (`npm run bench -- observe --only series`).
 */
import { type Cell, cellLanes, type Lane, sumSlot } from '../../kernel/cells.ts';
import type { SeriesDetail } from '../../observe/series/resolutions.ts';
import type { CounterSeries, GaugeSeries, HistogramSeries, Series } from '../../observe/series/series.ts';
import { BUCKETS, durationBuckets } from '../durations.ts';

type Labels = Readonly<Record<string, string>>;

/** What is sampled of one kind of thing. */
export interface CellSpec {
  /** Of a lane of its cell. */
  readonly slots: number;
  readonly counters: readonly {
    readonly slot: number;
    readonly name: string;
    readonly labels?: Labels;
    /** @defaultValue that of the thing */
    readonly detail?: SeriesDetail;
  }[];
  readonly gauges: readonly { readonly slot: number; readonly name: string }[];
  /** Buckets from slot `first`, the sum in ms in slot `sum`. */
  readonly durations: {
    readonly name: string;
    readonly first: number;
    readonly sum: number;
    readonly detail?: SeriesDetail;
  } | null;
}

export interface Probed {
  readonly cell: Cell;
  readonly spec: CellSpec;
  readonly labels: Labels;
  readonly detail: SeriesDetail;
}

const boundsS: Float64Array = durationBuckets.bounds.map((bound) => bound / 1000);

export class CellProbe {
  readonly probed: Probed;
  /** What each slot grew by in the last round; of a gauge it means nothing. */
  readonly grown: Float64Array;
  readonly #series: Series;
  readonly #before: Float64Array;
  readonly #counters: CounterSeries[] = [];
  readonly #gauges: GaugeSeries[] = [];
  #durations: HistogramSeries | null = null;
  #lanes: readonly Lane[] | null = null;

  /** `before` is what the cell was sampled by until now, if it was. */
  constructor(probed: Probed, series: Series, before: CellProbe | null) {
    const { spec } = probed;
    const read = Math.max(-1, ...[...spec.counters, ...spec.gauges].map(({ slot }) => slot)) + 1;
    this.probed = probed;
    this.#series = series;
    this.#before = new Float64Array(spec.durations === null ? read : spec.slots);
    this.grown = new Float64Array(this.#before.length);
    if (before === null) return;
    this.#lanes = before.#lanes;
    // Of slots that were not read before it is not known when they grew: they begin as they are.
    for (let slot = 0; slot < this.#before.length; slot++) {
      this.#before[slot] = before.#before[slot] ?? (this.#lanes === null ? 0 : sumSlot(this.#lanes, slot));
    }
  }

  sample(atMs: number): void {
    const { cell, spec } = this.probed;
    this.#lanes ??= cellLanes(cell, spec.slots);
    // From the last on: what is a part of something is counted after it, in a later slot, and must not be read as more than it is a part of.
    for (let slot = this.grown.length - 1; slot >= 0; slot--) {
      const now = sumSlot(this.#lanes, slot);
      const before = this.#before[slot]!;
      this.grown[slot] = now < before ? now : now - before;
      this.#before[slot] = now;
    }
    for (const [at, { slot }] of spec.counters.entries()) {
      if (this.grown[slot]! > 0) this.#counterAt(at).add(atMs, this.grown[slot]!);
    }
    for (const [at, { slot }] of spec.gauges.entries()) {
      // One that never was above zero needs no series to read as that.
      if (this.#gauges[at] !== undefined || this.#before[slot] !== 0) this.#gaugeAt(at).set(atMs, this.#before[slot]!);
    }
    if (spec.durations !== null) this.#sampleDurations(atMs, spec.durations);
  }

  #sampleDurations(atMs: number, { name, first, sum, detail }: NonNullable<CellSpec['durations']>): void {
    const step: { buckets: number[]; counts: number[]; sum: number } = { buckets: [], counts: [], sum: 0 };
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      const count = this.grown[first + bucket]!;
      if (count === 0) continue;
      step.buckets.push(bucket);
      step.counts.push(count);
    }
    if (step.buckets.length === 0) return;
    step.sum = this.grown[sum]! / 1000;
    const { labels, detail: whole } = this.probed;
    this.#durations ??= this.#series.histogram({ name, labels, detail: detail ?? whole, bounds: boundsS });
    this.#durations.add(atMs, step);
  }

  #counterAt(at: number): CounterSeries {
    const { spec, labels, detail: whole } = this.probed;
    const { name, labels: own, detail = whole } = spec.counters[at]!;
    return (this.#counters[at] ??= this.#series.counter({ name, labels: { ...labels, ...own }, detail }));
  }

  #gaugeAt(at: number): GaugeSeries {
    const { spec, labels, detail } = this.probed;
    return (this.#gauges[at] ??= this.#series.gauge({ name: spec.gauges[at]!.name, labels, detail }));
  }
}
