/** The durations of a cell as `/metrics` shows them: by bounds in round numbers, each with a trace that can be opened, if one is kept. */
import { type Cell, cellBornMs } from '../../kernel/cells.ts';
import type { HistogramReading } from '../../observe/metrics/reading.ts';
import type { Bucket, Exemplar, HistogramSample } from '../../observe/prometheus.ts';
import { type DurationSlots, readDurations } from '../control/read-durations.ts';
import { exponentialDurations } from '../durations.ts';

/** How the cells of one kind of thing have their durations. */
export interface TimedSpec {
  /** Of a lane. */
  readonly laneSlots: number;
  readonly slots: DurationSlots;
  /** Growing, in ms; each is one of those that are counted by. */
  readonly boundsMs: readonly number[];
}

/**
 * Of endpoints there are a thousand where there are ten routes, so they are shown by fewer bounds: those that OpenTelemetry advises for
 * `http.server.request.duration`, in ms. Nobody promises anything of one endpoint.
 */
export const endpointBoundsMs = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000] as const;

type Shown = Omit<HistogramSample, 'labels'>;
type BucketExemplars = readonly (Exemplar | undefined)[];

/** What is at or below each bound that is shown, and all of it. */
export function durations(cell: Cell, { laneSlots, slots, boundsMs }: TimedSpec, exemplars?: BucketExemplars): Shown {
  return shownDurations(readDurations([cell], laneSlots, slots), boundsMs, cellBornMs(cell), exemplars);
}

/** The same of a reading in ms, by some of its bounds. */
export function shownDurations(
  { bounds, counts, count, sum: sumMs }: HistogramReading,
  boundsMs: readonly number[],
  sinceMs: number,
  exemplars: BucketExemplars = [],
): Shown {
  const buckets: Bucket[] = [];
  const show = (leMs: number, below: number): void => {
    // A route that left and came again counts from nothing, and its traces are kept.
    const exemplar = below > (buckets.at(-1)?.count ?? 0) ? exemplars[buckets.length] : undefined;
    buckets.push({ le: leMs / 1000, count: below, exemplar: exemplar ?? null });
  };
  let below = 0;
  let bucket = 0;
  for (const le of boundsMs) {
    while (bounds[bucket]! <= le) below += counts[bucket++]!;
    show(le, below);
  }
  show(Number.POSITIVE_INFINITY, count);
  const sum = sumMs / 1000;
  return { sinceMs, buckets, sum, exponential: () => exponentialDurations.of(counts, sum) };
}
