/** Metrics that are not ours and fail at each update, as those of a client library may. */
import type { MetricsSink } from 'spillway/observe';

export function brokenMetrics(): MetricsSink {
  const fail = (): never => {
    throw new Error('no more series');
  };
  const family = { bind: () => ({ add: fail, set: fail, observe: fail }) };
  const rows = { open: () => ({ set: fail, close: fail }) };
  return {
    counter: () => family,
    gauge: () => family,
    histogram: () => family,
    rows: () => rows,
  } as unknown as MetricsSink;
}
