/**
 * What a step of a series holds, by the kind of series, and how two of them become one. All that is kept can be added: so a coarse step is
 * exactly what its fine ones are together, whatever the order in which they came.
 *
 * - *counter*: how much was added.
 * - *gauge*: the value it was set to last, and the highest.
 * - *histogram*: how much was added to which buckets, those without anything left out; and the sum of all values.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';

export type SeriesKind = 'counter' | 'gauge' | 'histogram';

export interface GaugeStep {
  last: number;
  max: number;
}

export interface HistogramStep {
  /** Numbers of buckets, growing, and how many values are in each. */
  buckets: number[];
  counts: number[];
  sum: number;
}

export interface StepKind<Step> {
  readonly word: SeriesKind;
  copy(step: Step): Step;
  /** `later` came after `into`, which may be changed. */
  add(into: Step, later: Step): Step;
  write(out: ByteWriter, step: Step): void;
  read(from: ByteReader): Step;
  /** What a run of steps is added up to beside them. */
  amount(step: Step): number;
}

export const counterKind: StepKind<number> = {
  word: 'counter',
  copy: (step) => step,
  add: (into, later) => into + later,
  write: (out, step) => out.number(step),
  read: (from) => from.number(),
  amount: (step) => step,
};

export const gaugeKind: StepKind<GaugeStep> = {
  word: 'gauge',
  copy: ({ last, max }) => ({ last, max }),
  add(into, { last, max }) {
    into.last = last;
    into.max = Math.max(into.max, max);
    return into;
  },
  write(out, { last, max }) {
    out.number(last);
    // Mostly the one is the other.
    out.varint(max === last ? 0 : 1);
    if (max !== last) out.number(max);
  },
  read(from) {
    const last = from.number();
    return { last, max: from.varint() === 0 ? last : from.number() };
  },
  amount: () => 0,
};

export const histogramKind: StepKind<HistogramStep> = {
  word: 'histogram',
  copy: ({ buckets, counts, sum }) => ({ buckets: [...buckets], counts: [...counts], sum }),
  add: (into, later) => merged(into, later),
  write(out, { buckets, counts, sum }) {
    out.varint(buckets.length);
    let before = 0;
    for (const [at, bucket] of buckets.entries()) {
      out.varint(bucket - before);
      out.number(counts[at] ?? 0);
      before = bucket;
    }
    out.number(sum);
  },
  read(from) {
    const length = from.varint();
    const step: HistogramStep = { buckets: [], counts: [], sum: 0 };
    let bucket = 0;
    for (let at = 0; at < length; at++) {
      bucket += from.varint();
      step.buckets.push(bucket);
      step.counts.push(from.number());
    }
    step.sum = from.number();
    return step;
  },
  amount: () => 0,
};

export type AnyStep = number | GaugeStep | HistogramStep;

const kinds = { counter: counterKind, gauge: gaugeKind, histogram: histogramKind } as const;

/** Whoever has the step of an entry has it of its kind. */
export function kindOf(word: SeriesKind): StepKind<AnyStep> {
  return kinds[word];
}

function merged(one: HistogramStep, other: HistogramStep): HistogramStep {
  const step: HistogramStep = { buckets: [], counts: [], sum: one.sum + other.sum };
  let [left, right] = [0, 0];
  while (left < one.buckets.length || right < other.buckets.length) {
    const [a = Number.POSITIVE_INFINITY, b = Number.POSITIVE_INFINITY] = [one.buckets[left], other.buckets[right]];
    step.buckets.push(Math.min(a, b));
    step.counts.push((a <= b ? (one.counts[left++] ?? 0) : 0) + (b <= a ? (other.counts[right++] ?? 0) : 0));
  }
  return step;
}
