/**
 * Windows that a calendar has: months, weeks or days that begin at a time of the clocks of a time zone. Pure.
 *
 * Periods follow one another without a gap, from the given start on and before it as well. They are counted on the clocks of the zone, so a month
 * begins at the same hour in summer and in winter, and a day may have 23 or 25 hours. Of a time that clocks skip the hour after is meant,
 * of one that they show twice the first (as RFC 5545 §3.3.5 has it). O(1): at most a few questions to the time zone database.
 */

export interface Calendar {
  /** As OpenSLO writes it: `1M`. */
  readonly every: string;
  readonly unit: 'day' | 'month';
  readonly count: number;
  /** What the clocks of the zone show when a period begins, in ms as if they showed UTC. Of months, a day that each of them has. */
  readonly startMs: number;
  /** As the IANA names it. */
  readonly timeZone: string;
}

export interface Period {
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
}

const DAY_MS = 86_400_000;
/** No zone is further from UTC. */
const OFFSET_MS_MAX = DAY_MS;

/** The period that a moment is in. */
export function periodAt(calendar: Calendar, atMs: number): Period {
  const shownMs = atMs + offsetMs(calendar.timeZone, atMs);
  let number = numberOf(calendar, shownMs);
  while (beginMs(calendar, number) > atMs) number--;
  while (beginMs(calendar, number + 1) <= atMs) number++;
  return { fromMs: beginMs(calendar, number), toMs: beginMs(calendar, number + 1) };
}

/** `2026-01-31 12:00:00`, as OpenSLO writes a start. */
export function formatStart({ startMs }: Calendar): string {
  return new Date(startMs).toISOString().slice(0, 19).replace('T', ' ');
}

const words = { d: 'day', w: 'week', M: 'month', Q: 'quarter', Y: 'year' } as const;

/** `each month`, `each 2 weeks`. */
export function formatEvery({ every }: Calendar): string {
  const amount = Number(every.slice(0, -1));
  const word = words[every.at(-1) as keyof typeof words];
  return amount === 1 ? `each ${word}` : `each ${amount} ${word}s`;
}

/** By what clocks show: right, or one beside it. */
function numberOf({ unit, count, startMs }: Calendar, shownMs: number): number {
  if (unit === 'day') return Math.floor((shownMs - startMs) / (count * DAY_MS));
  const [start, shown] = [new Date(startMs), new Date(shownMs)];
  const months = (shown.getUTCFullYear() - start.getUTCFullYear()) * 12 + shown.getUTCMonth() - start.getUTCMonth();
  return Math.floor(months / count);
}

function beginMs({ unit, count, startMs, timeZone }: Calendar, number: number): number {
  if (unit === 'day') return momentMs(timeZone, startMs + number * count * DAY_MS);
  const start = new Date(startMs);
  return momentMs(timeZone, start.setUTCMonth(start.getUTCMonth() + number * count));
}

/** When the clocks of a zone show this. */
function momentMs(timeZone: string, shownMs: number): number {
  const [before, after] = [-1, 1].map((side) => offsetMs(timeZone, shownMs + side * OFFSET_MS_MAX));
  const first = shownMs - Math.max(before ?? 0, after ?? 0);
  const isShown = first + offsetMs(timeZone, first) === shownMs;
  // Where neither is shown, clocks go forward then: what they would have shown if they had not.
  return isShown ? first : shownMs - Math.min(before ?? 0, after ?? 0);
}

const clocks = new Map<string, Intl.DateTimeFormat>();

/** Throws a `RangeError` where there is no such zone. */
function clockOf(timeZone: string): Intl.DateTimeFormat {
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric' } as const;
  const clock =
    clocks.get(timeZone) ??
    new Intl.DateTimeFormat('en', { timeZone, calendar: 'iso8601', hourCycle: 'h23', ...numeric, second: 'numeric' });
  clocks.set(timeZone, clock);
  return clock;
}

export function isTimeZone(name: string): boolean {
  try {
    clockOf(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** How far the clocks of a zone are before UTC. */
export function offsetMs(timeZone: string, atMs: number): number {
  const secondMs = Math.floor(atMs / 1000) * 1000;
  const shown = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of clockOf(timeZone).formatToParts(secondMs)) {
    if (Object.hasOwn(shown, type)) shown[type as keyof typeof shown] = Number(value);
  }
  const { year, month, day, hour, minute, second } = shown;
  return Date.UTC(year, month - 1, day, hour, minute, second) - secondMs;
}
