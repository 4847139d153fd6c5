/**
 * When a cron is due: its ticks, which are moments of the wall clock and the same for whoever works them out, so instances need not agree on them.
 *
 * Cron expressions are read by croner. What becomes of a local time that a change of the clocks skips or doubles is as in Vixie cron:
 * - fixed times (`30 2 * * *`) that are skipped are due at the first moment after the gap, and those that come twice are due once, the first time;
 * - times by a wildcard or a step (`*\/30 * * * *`) are due whenever a clock on the wall shows them: not in the gap, and again in the doubled hour.
 *
 * An interval is counted from the epoch, whatever the time zone, and not from when somebody started.
 */
import { Cron } from 'croner';
import { checkDuration, checkKeys, invalid } from '../kernel/options.ts';
import type { Duration } from '../kernel/units.ts';

/** A cron expression of five fields, or six with seconds first; or how often. */
export type ScheduleOption = string | { readonly every: Duration | number };

export interface Schedule {
  /** The first tick after a moment; null if there is none. */
  next(afterMs: number): number | null;
  /** The last ticks after `afterMs` and not after `untilMs`, in their order. */
  last(count: number, afterMs: number, untilMs: number): number[];
}

/** Each tick is written down twice. */
const EVERY_MS_MIN = 100;
const EVERY_MS_MAX = 366 * 86_400_000;

export function createSchedule(schedule: ScheduleOption, timeZone: string): Schedule {
  if (typeof schedule === 'string') return expression(schedule, timeZone);
  checkKeys('cron: schedule', schedule, ['every']);
  return interval(Math.round(checkDuration('cron: schedule: every', schedule.every, EVERY_MS_MIN, EVERY_MS_MAX)));
}

function interval(everyMs: number): Schedule {
  return {
    next: (afterMs) => (Math.floor(afterMs / everyMs) + 1) * everyMs,
    last(count, afterMs, untilMs) {
      const newest = Math.floor(untilMs / everyMs);
      const before = Math.max(Math.floor(afterMs / everyMs), newest - count);
      return Array.from({ length: Math.max(0, newest - before) }, (_, at) => (before + 1 + at) * everyMs);
    },
  };
}

function expression(text: string, timeZone: string): Schedule {
  const cron = parse(text, timeZone);
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null,
    // Twice as many at each look: of a rare tick, the hundred before are of centuries ago, and take half a second to be found.
    last(count, afterMs, untilMs) {
      const found: number[] = [];
      // Those before a moment, and a tick is at a whole second.
      let before = new Date(Math.floor(untilMs / 1000) * 1000 + 1000);
      while (found.length < count) {
        const ticks = cron.previousRuns(Math.min(found.length + 1, count - found.length), before);
        const due = ticks.filter((tick) => tick.getTime() > afterMs);
        found.push(...due.map((tick) => tick.getTime()));
        if (due.length < ticks.length || ticks.length === 0) break;
        before = ticks.at(-1)!;
      }
      return found.reverse();
    },
  };
}

function parse(text: string, timeZone: string): Cron {
  try {
    const cron = new Cron(text, { timezone: timeZone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' });
    if (cron.nextRun(new Date(0)) !== null) return cron;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(
      `cron: schedule “${text}” in the time zone “${timeZone}”: ${reason} Expected five fields such as “*/5 * * * *”, or six with seconds first, ` +
        'and a time zone such as “Europe/Berlin”.',
    );
  }
  throw invalid(`cron: schedule “${text}” never comes: there is no such day.`);
}
