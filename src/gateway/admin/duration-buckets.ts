/** The durations of a cell as `/metrics` shows them: by the bounds that people promise, each with a trace that can be opened, if one is kept. */
import { type Cell, cellBornMs } from '../../kernel/cells.ts';
import type { Bucket, Exemplar, HistogramSample } from '../../observe/prometheus.ts';
import { latencyBoundsMs } from '../../observe/slo/latency-bounds.ts';
import { type DurationSlots, readDurations } from '../control/read-durations.ts';
import { exponentialDurations } from '../durations.ts';

/** What is at or below each bound that is shown, and all of it. */
// WHY four parameters: two callers in one place.
export function durations(
  cell: Cell,
  laneSlots: number,
  slots: DurationSlots,
  exemplars: readonly (Exemplar | undefined)[] = [],
): Omit<HistogramSample, 'labels'> {
  const { bounds, counts, count, sum: sumMs } = readDurations([cell], laneSlots, slots);
  const buckets: Bucket[] = [];
  const show = (leMs: number, below: number): void => {
    // A route that left and came again counts from nothing, and its traces are kept.
    const exemplar = below > (buckets.at(-1)?.count ?? 0) ? exemplars[buckets.length] : undefined;
    buckets.push({ le: leMs / 1000, count: below, exemplar: exemplar ?? null });
  };
  let below = 0;
  let bucket = 0;
  for (const le of latencyBoundsMs) {
    while (bounds[bucket]! <= le) below += counts[bucket++]!;
    show(le, below);
  }
  show(Number.POSITIVE_INFINITY, count);
  const sum = sumMs / 1000;
  return { sinceMs: cellBornMs(cell), buckets, sum, exponential: () => exponentialDurations.of(counts, sum) };
}
