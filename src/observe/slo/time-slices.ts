/**
 * Budgets of time slices (OpenSLO's `Timeslices` and `RatioTimeslices`): the window is cut into slices, and each weighs the same, however much traffic it had.
 * Of `Timeslices` one is bad if a smaller share of its events was good than `timeSliceTarget`; of `RatioTimeslices` it is as bad as its share. One without
 * events is none. As PromQL that gives the share of what is bad over `$window`, by a subquery with a step of one slice. Pure.
 */
import { exact, type Indicator } from './objective.ts';
import { over, promDuration } from './promql.ts';

/** Shares of rates are rounded: without it a slice of which just enough was good would be bad as often as not. */
const SLACK = 1e-9;

/** `target`: the share of events of a slice that must be good; null: each slice counts by its share. */
export function slicedIndicator(indicator: Indicator, sliceS: number, target: number | null): Indicator {
  const share =
    indicator.kind === 'ratio'
      ? indicator.error
      : `((${indicator.bad}) or 0 * (${indicator.total})) / ((${indicator.total}) > 0)`;
  const ofSlice = over(share, sliceS);
  const judged = target === null ? ofSlice : `(${ofSlice}) > bool ${exact(1 - target + SLACK)}`;
  return { kind: 'ratio', error: `avg_over_time((${judged})[$window:${promDuration(sliceS)}])` };
}
