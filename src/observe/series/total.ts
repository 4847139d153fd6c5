/**
 * What a counter grew by in a range of time, put together of what reaches: seconds for the last hour, coarser steps before. Pure.
 *
 * Whole steps are added: where the range begins within one, it counts if more than half of it is inside. So a range of an hour is exact to the
 * second, one of a day to ten, and longer ones to five minutes, of which half is the most that can be missing or too much.
 */
import type { CounterEntry, Entry } from './entry.ts';
import { keptSteps, resolutions } from './resolutions.ts';

export interface TotalRange {
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
  readonly nowMs: number;
  /** Says since when there is anything at a resolution: what was read from disk is not as fine as what was seen. */
  readonly rounds: CounterEntry;
}

export function totalOf(entry: CounterEntry, { fromMs, toMs, nowMs, rounds }: TotalRange): number {
  let total = 0;
  let endMs = toMs;
  for (const [at, track] of entry.tracks.entries()) {
    if (track === null) continue;
    const { stepMs } = resolutions[at]!;
    const reachMs = reachOf({ entry, rounds, at, nowMs });
    const coarser = resolutions.find((_, further) => further > at && (entry.tracks[further] ?? null) !== null);
    const isEnough = coarser === undefined || reachMs <= fromMs || !hasOlder(rounds, at, reachMs);
    // Another takes over where one of its own steps begins.
    const beginMs = isEnough ? fromMs : Math.ceil(reachMs / coarser.stepMs) * coarser.stepMs;
    if (beginMs < endMs) {
      // The step of this moment holds nothing that is still to come.
      const end = endMs > nowMs ? Math.ceil(endMs / stepMs) : Math.round(endMs / stepMs);
      total += track.total(Math.round(beginMs / stepMs), end - 1);
      endMs = beginMs;
    }
    if (isEnough) break;
  }
  return total;
}

/** Wall time from which on there is something of a series at a resolution; Infinity: nothing. */
export function reachOf(of: {
  readonly entry: Entry;
  readonly rounds: CounterEntry;
  readonly at: number;
  readonly nowMs: number;
}): number {
  const { stepMs } = resolutions[of.at]!;
  const track = of.entry.tracks[of.at];
  const first = of.rounds.tracks[of.at]?.first;
  if (track === null || track === undefined || typeof first !== 'number') return Number.POSITIVE_INFINITY;
  const steps = keptSteps[of.entry.detail][of.at] ?? 0;
  const reachMs = Math.max(first, track.gone + 1, Math.floor(of.nowMs / stepMs) - steps + 1) * stepMs;
  return of.at === 0 ? Math.max(reachMs, of.rounds.restoredToMs) : reachMs;
}

/** Whether anything was sampled before `reachMs` that only resolutions coarser than this one know of. */
export function hasOlder(rounds: CounterEntry, at: number, reachMs: number): boolean {
  return resolutions.some(({ stepMs }, further) => {
    const first = (rounds.tracks[further]?.first ?? Number.POSITIVE_INFINITY) * stepMs;
    return further > at && first < Math.floor(reachMs / stepMs) * stepMs;
  });
}
