/** How the budget of an OpenSLO objective is counted: by events, or by slices of time, which all weigh the same. */
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { alertWindowsS } from './burn-alerts.ts';
import type { Indicator, Slo } from './objective.ts';
import type { ObjectiveSpec, SloDocument } from './openslo-schema.ts';
import { promDuration } from './promql.ts';
import { slicedIndicator } from './time-slices.ts';

interface Sliced extends Pick<Slo, 'objective' | 'windowMs'> {
  readonly method: SloDocument['spec']['budgetingMethod'];
  readonly given: ObjectiveSpec;
}

export function readSlices(indicator: Indicator, sliced: Sliced, at: Path, list: MistakeList): Indicator | null {
  const { method, objective, windowMs } = sliced;
  const { timeSliceTarget, timeSliceWindow } = sliced.given;
  const wanted = { timeSliceTarget: method === 'Timeslices', timeSliceWindow: method !== 'Occurrences' };
  for (const [key, isWanted] of Object.entries(wanted)) {
    const isThere = (key === 'timeSliceTarget' ? timeSliceTarget : timeSliceWindow) !== undefined;
    if (isThere === isWanted) continue;
    const message = `${key} of an objective is for ${key === 'timeSliceTarget' ? 'Timeslices' : 'time slices'}`;
    list.error(isThere ? [...at, key] : at, {
      message: isThere ? message : `${method} need ${key}`,
      found: isThere ? method : 'none',
      expected: isThere ? 'none of it, or another budgetingMethod' : expectedOf[key as keyof typeof wanted],
    });
    return null;
  }
  if (method === 'Occurrences' || timeSliceWindow === undefined) return indicator;
  const [shortestS = 0] = alertWindowsS({ objective, windowMs });
  if (timeSliceWindow > shortestS * 1000) {
    const message = 'a slice is longer than the shortest window that alerts look back over';
    const expected = `at most ${promDuration(shortestS)} for an objective over ${promDuration(windowMs / 1000)}`;
    list.error([...at, 'timeSliceWindow'], { message, found: promDuration(timeSliceWindow / 1000), expected });
    return null;
  }
  return slicedIndicator(indicator, timeSliceWindow / 1000, timeSliceTarget ?? null);
}

const expectedOf = {
  timeSliceTarget: 'timeSliceTarget: the share of events of a slice that must be good, such as 0.95',
  timeSliceWindow: 'timeSliceWindow: how long a slice is, such as 1m',
} as const;
