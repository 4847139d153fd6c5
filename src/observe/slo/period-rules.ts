/**
 * The periods of a calendar as Prometheus can know them. Pure and deterministic: the same calendar gives the same text.
 *
 * PromQL has no time zones and no windows of a varying length. So the offsets of the zone go into the rules as numbers; from what its clocks show rules
 * compute the number of the period, and from that when it began and ends. What is recorded bears the beginning of its period as a label, and what
 * is summed up is what has the label of now.
 *
 * As exact as that: what the shortest window of the alerts looks back over at a turn falls to the new period; and a period that should begin in the very hour
 * that clocks skip or show twice is up to that hour early or late. Offsets are known for ten years, and for ever where they do not change; `check` says until when.
 * Days of months by the algorithm `days_from_civil` of Howard Hinnant, for the years 1970 to 2099.
 */
import { type Calendar, offsetMs, type Period } from './calendar.ts';
import { quoted } from './promql.ts';

/** A zone has this offset from a moment on. */
interface Offset {
  readonly fromS: number;
  readonly offsetS: number;
}

const DAY_S = 86_400;
/** Clocks are changed by laws, some of them months before; so what is computed for longer is a guess. A year that it is now began the year before. */
const KNOWN_FROM_S = Date.UTC(2025, 0, 1) / 1000;
const KNOWN_UNTIL_S = Date.UTC(2036, 0, 1) / 1000;

/** A file may have a hundred objectives, and there are some hundred zones. */
const found = new Map<string, readonly Offset[]>();

function offsetsOf(timeZone: string): readonly Offset[] {
  const offsets = found.get(timeZone) ?? findOffsets(timeZone);
  found.set(timeZone, offsets);
  return offsets;
}

/** The first is that of 1970, where the tests of promtool take place. */
function findOffsets(timeZone: string): readonly Offset[] {
  const at = (second: number): number => offsetMs(timeZone, second * 1000) / 1000;
  const offsets: Offset[] = [{ fromS: 0, offsetS: at(0) }];
  for (let dayS = KNOWN_FROM_S; dayS < KNOWN_UNTIL_S; dayS += DAY_S) {
    const offsetS = at(dayS);
    if (offsetS === offsets.at(-1)?.offsetS) continue;
    let [before, fromS] = [dayS - DAY_S, dayS];
    // What it was before the first day does not matter.
    while (dayS > KNOWN_FROM_S && fromS - before > 1) {
      const middle = Math.floor((before + fromS) / 2);
      if (at(middle) === offsetS) fromS = middle;
      else before = middle;
    }
    offsets.push({ fromS, offsetS });
  }
  return offsets;
}

/** Until when rules know the periods; null: for ever. */
export function knownUntilMs({ timeZone }: Calendar): number | null {
  const isSame = offsetsOf(timeZone).every(({ fromS }) => fromS <= KNOWN_FROM_S);
  return isSame ? null : KNOWN_UNTIL_S * 1000;
}

/** Whether rules know a period of 1970 or about: they have one offset for all of that time. */
export function isKnownInTests({ timeZone }: Calendar, { fromMs, toMs }: Period): boolean {
  return [fromMs, toMs].every((ms) => offsetMs(timeZone, ms) === offsetMs(timeZone, 0));
}

/** The offset at a moment that PromQL gives, by the changes that come up to it. */
function offsetAt(moment: string, changes: readonly Offset[]): string {
  const terms = changes.map(({ fromS, offsetS }, at) => {
    const change = offsetS - (changes[at - 1]?.offsetS ?? 0);
    if (at === 0) return String(change);
    return `${change < 0 ? '-' : '+'} ${Math.abs(change)} * (${moment} >= bool ${fromS})`;
  });
  return `(${terms.join(' ')})`;
}

/** By what clocks show, as `calendar.ts` has it: of a time that they skip the hour after is meant, of one that they show twice the first. */
function byClocks(offsets: readonly Offset[]): readonly Offset[] {
  return offsets.map(({ fromS, offsetS }, at) => ({
    fromS: fromS + Math.max(offsetS, offsets[at - 1]?.offsetS ?? 0),
    offsetS,
  }));
}

/** The number of the period by what clocks show, and what they show when one of a number begins. */
function numbering({ unit, count, startMs }: Calendar, shown: string) {
  const startS = startMs / 1000;
  if (unit === 'day') {
    const lengthS = count * DAY_S;
    return {
      number: `floor((${shown} - ${startS}) / ${lengthS})`,
      begin: (number: string) => `${startS} + ${lengthS} * ${number}`,
    };
  }
  const start = new Date(startMs);
  const [day, first] = [start.getUTCDate(), start.getUTCFullYear() * 12 + start.getUTCMonth()];
  const timeS = startS % DAY_S;
  const at = `${shown} - ${timeS}`;
  const months = `12 * year(${at}) + month(${at}) - 1 - (day_of_month(${at}) < bool ${day})`;
  return {
    number: `floor((${months} - ${first}) / ${count})`,
    begin: (number: string): string => {
      // Years that begin in March end with the day that some of them lack.
      const month = `(${count} * ${number} + ${first - 2})`;
      const year = `floor(${month} / 12)`;
      const days = `365 * ${year} + floor(${year} / 4) + floor((153 * (${month} % 12) + 2) / 5)`;
      return `${DAY_S} * (${days} + ${day} - 719484) + ${timeS}`;
    },
  };
}

const record = {
  shown: 'slo:clock:seconds',
  number: 'slo:period_number:count',
  startShown: 'slo:period_start:clock_seconds',
  endShown: 'slo:period_end:clock_seconds',
  start: 'slo:period_start:seconds',
  length: 'slo:period_length:seconds',
  elapsed: 'slo:period_elapsed:ratio',
} as const;

export const periodRecords: Pick<typeof record, 'length' | 'elapsed'> = record;

/** What is recorded of the periods of an objective, whose series have the labels of `own`; in this order. */
export function periodQueries(calendar: Calendar, own: string): readonly (readonly [record: string, query: string])[] {
  const offsets = offsetsOf(calendar.timeZone);
  const shownOffsets = byClocks(offsets);
  const of = (name: keyof typeof record): string => `${record[name]}${own}`;
  const { number, begin } = numbering(calendar, of('shown'));
  const moment = (shown: string): string => `${shown} - ${offsetAt(shown, shownOffsets)}`;
  return [
    [record.shown, `vector(time() + ${offsetAt('time()', offsets)})`],
    [record.number, number],
    [record.startShown, begin(of('number'))],
    [record.endShown, begin(`(${of('number')} + 1)`)],
    [record.start, moment(of('startShown'))],
    [record.length, `${moment(of('endShown'))} - ${of('start')}`],
    [record.elapsed, `(time() - ${of('start')}) / ${of('length')}`],
  ];
}

export interface PeriodSums {
  /** With the period that it is now as a label. */
  readonly stamped: (query: string) => string;
  /** Of what was stamped, that which has the period of now. */
  readonly current: (query: string) => string;
  /** No period is longer. */
  readonly longestS: number;
}

/** `label` is that of a period. */
export function periodSums({ unit, count }: Calendar, own: string, label: string): PeriodSums {
  // One, also beside what was recorded just before with labels that the objective has no more.
  const now = `count_values(${quoted(label)}, max(${record.start}${own}))`;
  // 31 days a month, and what clocks that are set back add to it.
  const days = unit === 'day' ? count : 31 * count;
  return {
    stamped: (query) => `(${query}) * on () group_left (${label}) ${now}`,
    current: (query) => `sum without (${label}) (${query} and on (${label}) ${now})`,
    longestS: days * DAY_S + 3600,
  };
}
