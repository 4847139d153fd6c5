/** Reading a series: what each thread has counted in a record of its own, added up. */
import type { Arena } from './arena.ts';
import type { Metric, Series } from './registry.ts';

/** The sum of one slot over all threads. */
export function readSum(arena: Arena, series: Series, slot: number): number {
  let sum = 0;
  for (const line of series.lines) sum += arena.numbers[arena.slotOf(line) + slot]!;
  return sum;
}

/** What is in each bucket of a histogram. */
export function readCounts(arena: Arena, metric: Metric, series: Series): Float64Array {
  const counts = new Float64Array(metric.buckets!.bounds.length);
  for (const line of series.lines) {
    const slot = arena.slotOf(line);
    for (let bucket = 0; bucket < counts.length; bucket++) counts[bucket]! += arena.numbers[slot + bucket]!;
  }
  return counts;
}
