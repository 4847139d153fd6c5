/** One series: its name, labels and kind, and a track for each resolution at which it is kept. */
import type { Clock } from '../../kernel/clock.ts';
import {
  counterKind,
  gaugeKind,
  type GaugeStep,
  histogramKind,
  type HistogramStep,
  type SeriesKind,
  type StepKind,
} from './kinds.ts';
import { keptSteps, resolutions, type SeriesDetail } from './resolutions.ts';
import { Track } from './track.ts';

export type Labels = Readonly<Record<string, string>>;

/** What a series takes before it holds anything much: its labels, and the objects of its tracks, as measured. */
export const ENTRY_BYTES = 2400;

interface EntryOf<Kind extends SeriesKind, Step> {
  readonly kind: Kind;
  readonly name: string;
  readonly labels: Labels;
  /** Of its name and labels: what it is known by. */
  readonly key: string;
  readonly detail: SeriesDetail;
  /** Upper bounds of the buckets of a histogram; empty for others. */
  readonly bounds: Float64Array;
  /** In the order of `resolutions`; null where it is not kept. */
  readonly tracks: readonly (Track<Step> | null)[];
  /** Wall time of its newest sample. */
  lastMs: number;
  /** When that came, by the clock that is never set. */
  cameMs: number;
  /** Wall time at which the steps end that were read from disk: before it, seconds do not know all. */
  restoredToMs: number;
  /** Not any more once it made room for others. */
  isKept: boolean;
}

export type CounterEntry = EntryOf<'counter', number>;
export type GaugeEntry = EntryOf<'gauge', GaugeStep>;
export type HistogramEntry = EntryOf<'histogram', HistogramStep>;
export type Entry = CounterEntry | GaugeEntry | HistogramEntry;

export interface SeriesIdentity {
  readonly kind: SeriesKind;
  readonly name: string;
  readonly labels: Labels;
  readonly detail: SeriesDetail;
  readonly bounds: Float64Array;
}

/** The same for the same name and labels, in whatever order they are given. */
export function seriesKey(name: string, labels: Labels): string {
  const pairs = Object.entries(labels).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([name, ...pairs]);
}

export function createEntry(identity: SeriesIdentity, onBytes: (bytes: number) => void): Entry {
  const { kind, name, labels, detail } = identity;
  const known = {
    name,
    labels,
    detail,
    bounds: identity.bounds,
    key: seriesKey(name, labels),
    lastMs: 0,
    cameMs: 0,
    restoredToMs: 0,
    isKept: true,
  };
  switch (kind) {
    case 'counter':
      return { kind, ...known, tracks: tracksOf(counterKind, detail, onBytes) };
    case 'gauge':
      return { kind, ...known, tracks: tracksOf(gaugeKind, detail, onBytes) };
    case 'histogram':
      return { kind, ...known, tracks: tracksOf(histogramKind, detail, onBytes) };
    default:
      return kind satisfies never;
  }
}

/** In the order of `resolutions`; null where it is not kept. `onBytes` is told by how much their memory has grown or shrunk. */
export function tracksOf<Step>(
  kind: StepKind<Step>,
  detail: SeriesDetail,
  onBytes: (bytes: number) => void,
): readonly (Track<Step> | null)[] {
  return keptSteps[detail].map((steps) => (steps === 0 ? null : new Track({ kind, steps, onBytes })));
}

/** A sample, of the entry's kind, and when it was taken. */
export interface Sample {
  readonly atMs: number;
  readonly step: number | GaugeStep | HistogramStep;
}

/** Adds a sample to its step at each resolution. False if it was too late for all of them. */
export function addSample(entry: Entry, { atMs, step }: Sample, clock: Pick<Clock, 'wallMs'>): boolean {
  let isKept = false;
  for (const [at, track] of (entry.tracks as readonly (Track<typeof step> | null)[]).entries()) {
    if (track === null) continue;
    const { stepMs } = resolutions[at]!;
    const number = Math.floor(atMs / stepMs);
    if (track.add(number, step) || addAfterReturn(track, number, { step, now: Math.floor(clock.wallMs() / stepMs) })) {
      isKept = true;
    }
  }
  return isKept;
}

/** Whether what they hold can be added. */
export function isLike(
  one: Pick<SeriesIdentity, 'kind' | 'bounds'>,
  other: Pick<SeriesIdentity, 'kind' | 'bounds'>,
): boolean {
  if (one.kind !== other.kind) return false;
  return (
    one.bounds === other.bounds ||
    (one.bounds.length === other.bounds.length && one.bounds.every((bound, at) => bound === other.bounds[at]))
  );
}

/** Too late for what is there, which is because that is from a time that has not come yet: the clock was ahead. */
function addAfterReturn<Step>(
  track: Track<Step>,
  number: number,
  given: { readonly step: Step; readonly now: number },
): boolean {
  if ((track.last ?? 0) <= given.now) return false;
  track.forgetAfter(given.now);
  return track.add(number, given.step);
}

/** Whether the newest of its coarsest steps is that of `atMs`, or later. */
export function isNewestStep({ tracks }: Entry, atMs: number): boolean {
  const at = tracks.length - 1;
  return (tracks[at]?.last ?? 0) >= Math.floor(atMs / resolutions[at]!.stepMs);
}

/** Wall time at which the first step that is known of it began, as finely as it is known; null: none is. */
export function firstOf(entry: Entry | undefined): number | null {
  let found: { readonly fromMs: number; readonly toMs: number } | null = null;
  for (const [at, { stepMs }] of [...resolutions.entries()].toReversed()) {
    const fromMs = (entry?.tracks[at]?.firstWithin ?? Number.POSITIVE_INFINITY) * stepMs;
    // A finer one that begins later has let go of its first steps.
    if (found === null ? Number.isFinite(fromMs) : fromMs < found.toMs) found = { fromMs, toMs: fromMs + stepMs };
  }
  return found?.fromMs ?? null;
}
