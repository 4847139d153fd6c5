/**
 * A latency heat map as numbers: for each step of time how many answers fell between which durations, on a log axis. Pure; `heat-map.ts` paints it.
 *
 * Invariant: every count of a bucket within the axis is in the cells, once, spread over the rows its bucket covers, so that the sum over all
 * cells is what was counted. What is beyond an end of the axis is in the row at that end.
 */

import { type LogAxis, logAxis, logPosition } from './log-axis.ts';

/** As `[bucket, count, bucket, count, …]`; null: nothing is known of that step. */
export type SparseStep = readonly number[] | null;

/** From the first to the last bucket that holds anything, to the next 1, 2 or 5; at least a decade. Null of nothing. */
export function heatAxis(bounds: ArrayLike<number>, steps: readonly SparseStep[]): LogAxis | null {
  let [least, greatest] = [Number.POSITIVE_INFINITY, -1];
  for (const step of steps) {
    for (let at = 0; step !== null && at + 1 < step.length; at += 2) {
      if (!(step[at + 1]! > 0) || !((step[at] ?? -1) in bounds)) continue;
      least = Math.min(least, step[at]!);
      greatest = Math.max(greatest, step[at]!);
    }
  }
  if (greatest < 0) return null;
  const [lower, upper] = [bucketEdges(bounds, least)[0], bucketEdges(bounds, greatest)[1]];
  return logAxis(lower, upper);
}

/** Counts, a step after the other, within a step from the shortest duration on. */
export function heatCells(
  bounds: ArrayLike<number>,
  steps: readonly SparseStep[],
  axis: LogAxis,
  rows: number,
): { readonly cells: Float64Array; readonly most: number } {
  const cells = new Float64Array(steps.length * rows);
  for (const [column, step] of steps.entries()) {
    if (step === null) continue;
    for (let at = 0; at + 1 < step.length; at += 2) {
      const [bucket, count] = [step[at]!, step[at + 1]!];
      if (!(bucket in bounds) || !(count > 0)) continue;
      const [lower, upper] = bucketEdges(bounds, bucket);
      spread(
        cells.subarray(column * rows, (column + 1) * rows),
        [logPosition(axis, lower), logPosition(axis, upper)],
        count,
      );
    }
  }
  let most = 0;
  for (const count of cells) most = Math.max(most, count);
  return { cells, most };
}

function spread(column: Float64Array, [from, to]: readonly [number, number], count: number): void {
  const rows = column.length;
  const first = Math.min(rows - 1, Math.floor(from * rows));
  const last = Math.min(rows - 1, Math.max(first, Math.ceil(to * rows) - 1));
  if (first === last) {
    column[first]! += count;
    return;
  }
  for (let row = first; row <= last; row++) {
    const covered = Math.min(to * rows, row + 1) - Math.max(from * rows, row);
    column[row]! += (count * covered) / ((to - from) * rows);
  }
}

/** Of the first bucket the lower edge, and of the last the upper, are as far as those of their neighbours. */
function bucketEdges(bounds: ArrayLike<number>, bucket: number): readonly [number, number] {
  const [upper, lower] = [bounds[bucket]!, bounds[bucket - 1]];
  const next = bounds[bucket + 1] ?? upper * 2;
  if (lower === undefined) return [Number.isFinite(next) ? upper * Math.min(upper / next, 0.9) : upper / 2, upper];
  return Number.isFinite(upper)
    ? [lower, upper]
    : [lower, lower * Math.max(1.1, lower / (bounds[bucket - 2] ?? lower))];
}

/** The same for a table: how many of each step were up to each tick of the axis; what is beyond its last is with that. */
export function heatBands(
  bounds: ArrayLike<number>,
  steps: readonly SparseStep[],
  ticks: readonly number[],
): (number | null)[][] {
  const bands = ticks.map(() => steps.map((step): number | null => (step === null ? null : 0)));
  for (const [column, step] of steps.entries()) {
    for (let at = 0; step !== null && at + 1 < step.length; at += 2) {
      const [bucket, count] = [step[at]!, step[at + 1]!];
      if (!(bucket in bounds) || !(count > 0)) continue;
      const [lower, upper] = bucketEdges(bounds, bucket);
      const middle = Math.sqrt(lower * upper);
      const band = ticks.findIndex((tick) => middle <= tick);
      bands.at(band)![column]! += count;
    }
  }
  return bands;
}
