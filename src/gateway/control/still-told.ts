/** Series that come and go, as the locks that are held: of those that were told ever, the ones that are told still. Pure. O(n). */
import type { ReceivedSeries } from './received-metrics.ts';

/**
 * Those of the family `name`. A process tells all that there is at a moment, so a row that is older than something else that it has told is gone.
 * `series` has what the process tells each time, beside the rows.
 */
export function stillTold(series: readonly ReceivedSeries[], name: string): ReceivedSeries[] {
  const newest = new Map<string, number>();
  const process = ({ instance, service }: ReceivedSeries): string => JSON.stringify([service, instance]);
  for (const one of series) newest.set(process(one), Math.max(one.atMs, newest.get(process(one)) ?? 0));
  return series.filter((one) => one.name === name && one.atMs === newest.get(process(one)));
}
