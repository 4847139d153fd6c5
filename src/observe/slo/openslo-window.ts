/**
 * The window of an OpenSLO document: rolling, or aligned with a calendar. Without one it is 30 days, as everywhere here.
 *
 * OpenSLO leaves open how long a month is. Of a calendar it is as long as it is; of a rolling window, and where one length must stand for all, 30 days; so are
 * 90 a quarter and 365 a year.
 */
import { nearest } from '../../kernel/nearest.ts';
import { type Finding, type MistakeList, type Path, show } from '../../reading/mistakes.ts';
import { DAY_MS } from './burn-alerts.ts';
import { type Calendar, isTimeZone } from './calendar.ts';
import type { Slo } from './objective.ts';
import type { SloDocument } from './openslo-schema.ts';
import { readWindow } from './slo-schema.ts';

type Given = NonNullable<SloDocument['spec']['timeWindow']>[number];
type Window = Pick<Slo, 'windowMs' | 'calendar'>;

const usual: Window = { windowMs: 30 * DAY_MS, calendar: null };
/** A year: of more no Prometheus knows. */
const CALENDAR_DAYS_MAX = 366;

const units = {
  d: { unit: 'day', count: 1, days: 1 },
  w: { unit: 'day', count: 7, days: 7 },
  M: { unit: 'month', count: 1, days: 30 },
  Q: { unit: 'month', count: 3, days: 90 },
  Y: { unit: 'month', count: 12, days: 365 },
} as const;

/** Days that every month has. */
const START_DAY_MAX = 28;

/** The usual one stands in for one that is a mistake. */
export function readTimeWindow(windows: readonly Given[], path: Path, list: MistakeList): Window {
  const [given] = windows;
  if (given === undefined) return usual;
  const at: Path = [...path, 0];
  const { calendar, isRolling = calendar === undefined } = given;
  if (isRolling !== (calendar === undefined)) {
    const expected = isRolling
      ? 'no calendar, or isRolling: false'
      : 'calendar with startTime and timeZone, or isRolling: true';
    const message = isRolling
      ? 'a window that rolls has no calendar'
      : 'a window that does not roll begins by a calendar';
    list.error(isRolling ? [...at, 'calendar'] : at, { message, expected }, 'key');
    return usual;
  }
  const refuse = (key: Path, finding: Finding): Window => {
    list.error([...at, ...key], finding);
    return usual;
  };
  const [, digits = '', letter = ''] = /^(\d{1,4})([dwMQY])$/.exec(String(given.duration)) ?? [];
  const unit = Object.hasOwn(units, letter) ? units[letter as keyof typeof units] : null;
  const amount = Number(digits);
  if (calendar === undefined) {
    const read = readWindow(unit === null ? String(given.duration) : `${amount * unit.days}d`);
    if (read.ok) return { windowMs: read.value, calendar: null };
    const message = 'the duration of a rolling window is not valid';
    return refuse(['duration'], { message, found: show(given.duration), ...read.problem });
  }
  if (unit === null || amount === 0 || amount * unit.days > CALENDAR_DAYS_MAX) {
    const message = 'the duration of a calendar window is not valid';
    const expected = 'a number of days, weeks, months or quarters, up to a year, such as 1M, 1w or 1Q';
    return refuse(['duration'], { message, found: show(given.duration), expected });
  }
  const startMs = readStart(calendar.startTime);
  if (startMs === null) {
    const expected = 'a date and a time of that zone, such as 2026-01-01 00:00:00';
    return refuse(['calendar', 'startTime'], {
      message: 'startTime is not valid',
      found: show(calendar.startTime),
      expected,
    });
  }
  if (unit.unit === 'month' && new Date(startMs).getUTCDate() > START_DAY_MAX) {
    const expected = `a startTime on one of the first ${START_DAY_MAX} days`;
    return refuse(['calendar', 'startTime'], {
      message: 'not every month has the day of this startTime',
      found: show(calendar.startTime),
      expected,
    });
  }
  const { timeZone } = calendar;
  if (!isTimeZone(timeZone)) {
    const suggestion = nearest(timeZone, Intl.supportedValuesOf('timeZone'));
    const expected = 'a name of the IANA Time Zone Database, such as Europe/Berlin or UTC';
    return refuse(['calendar', 'timeZone'], {
      message: 'there is no such time zone',
      found: show(timeZone),
      expected,
      suggestion,
    });
  }
  const every = `${amount}${letter}`;
  const periods: Calendar = { every, unit: unit.unit, count: amount * unit.count, startMs, timeZone };
  return { windowMs: amount * unit.days * DAY_MS, calendar: periods };
}

/** What clocks show, as if they showed UTC; null: no clock ever does. */
function readStart(text: string): number | null {
  const found = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)$/.exec(text);
  if (found === null) return null;
  const iso = `${found[1]}T${found[2]}.000Z`;
  const ms = Date.parse(iso);
  // 31 February is made a day of March by some.
  return Number.isNaN(ms) || new Date(ms).toISOString() !== iso ? null : ms;
}
