/** Periods of a calendar, on the clocks of time zones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Calendar, isTimeZone, periodAt } from './calendar.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function calendar(every: string, start: string, timeZone: string): Calendar {
  const unit = /[MQY]$/.test(every) ? 'month' : 'day';
  const size = { d: 1, w: 7, M: 1, Q: 3, Y: 12 }[every.at(-1)!] ?? 0;
  return { every, unit, count: Number(every.slice(0, -1)) * size, startMs: Date.parse(`${start}Z`), timeZone };
}

function during(every: string, start: string, timeZone: string, at: string): string[] {
  const { fromMs, toMs } = periodAt(calendar(every, start, timeZone), Date.parse(at));
  return [fromMs, toMs].map((ms) => new Date(ms).toISOString().replace('.000Z', 'Z'));
}

test('months, quarters, weeks and days begin by the clocks of their zone, in summer and in winter', () => {
  const of = (every: string, at: string, zone = 'UTC', start = '2026-01-01 00:00:00') => during(every, start, zone, at);
  assert.deepEqual(of('1M', '2026-02-28T23:59:59.999Z'), ['2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z']);
  assert.deepEqual(of('1M', '2026-03-01T00:00:00Z'), ['2026-03-01T00:00:00Z', '2026-04-01T00:00:00Z']);
  assert.deepEqual(of('1Q', '2026-06-30T12:00:00Z'), ['2026-04-01T00:00:00Z', '2026-07-01T00:00:00Z']);
  assert.deepEqual(of('2w', '2026-01-15T00:00:00Z'), ['2026-01-15T00:00:00Z', '2026-01-29T00:00:00Z']);
  assert.deepEqual(of('1Y', '2028-03-01T00:00:00Z'), ['2028-01-01T00:00:00Z', '2029-01-01T00:00:00Z']);
  // Before its start it went on as well.
  assert.deepEqual(of('1M', '2025-12-31T00:00:00Z'), ['2025-12-01T00:00:00Z', '2026-01-01T00:00:00Z']);
  assert.deepEqual(of('1d', '1969-12-31T23:00:00Z'), ['1969-12-31T00:00:00Z', '1970-01-01T00:00:00Z']);
  // A quarter from one offset to the other.
  const [zone, start] = ['Europe/Berlin', '2020-01-01 00:00:00'] as const;
  assert.deepEqual(of('1Q', '2026-02-01T00:00:00Z', zone, start), ['2025-12-31T23:00:00Z', '2026-03-31T22:00:00Z']);
  assert.deepEqual(of('1M', '2026-11-05T00:00:00Z', zone, start), ['2026-10-31T23:00:00Z', '2026-11-30T23:00:00Z']);
  assert.deepEqual(of('1d', '2026-02-01T00:00:00Z', 'Asia/Kathmandu'), ['2026-01-31T18:15:00Z', '2026-02-01T18:15:00Z']);
}); // prettier-ignore

test('a day is 23 or 25 hours long when clocks change; a time that they skip is an hour later, one they show twice the first', () => {
  const of = (at: string) => during('1d', '2020-01-21 02:30:00', 'America/New_York', at);
  assert.deepEqual(of('2026-03-08T05:00:00Z'), ['2026-03-07T07:30:00Z', '2026-03-08T07:30:00Z']);
  assert.deepEqual(of('2026-03-08T07:30:00Z'), ['2026-03-08T07:30:00Z', '2026-03-09T06:30:00Z']);
  const night = (at: string) => during('1d', '2020-01-21 01:30:00', 'America/New_York', at);
  assert.deepEqual(night('2026-11-01T05:29:59Z'), ['2026-10-31T05:30:00Z', '2026-11-01T05:30:00Z']);
  assert.deepEqual(night('2026-11-01T06:30:00Z'), ['2026-11-01T05:30:00Z', '2026-11-02T06:30:00Z']);
});

test('periods follow one another without a gap, and each begins when the clocks show the hour of the start', () => {
  const zones = ['UTC', 'America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Pacific/Apia', 'America/Sao_Paulo'];
  const cases = fc.record({
    every: fc.constantFrom('1d', '3d', '1w', '2w', '1M', '2M', '1Q', '1Y'),
    timeZone: fc.constantFrom(...zones),
    day: fc.integer({ min: 1, max: 28 }),
    second: fc.integer({ min: 0, max: 86_399 }),
    at: fc.integer({ min: 0, max: 2_200_000_000 }),
  });
  fc.assert(
    fc.property(cases, ({ every, timeZone, day, second, at }) => {
      const startMs = Date.UTC(2020, 4, day) + second * 1000;
      const given = calendar(every, new Date(startMs).toISOString().slice(0, 19), timeZone);
      const period = periodAt(given, at * 1000);
      assert.ok(period.fromMs <= at * 1000 && at * 1000 < period.toMs);
      assert.deepEqual(periodAt(given, period.toMs - 1), period);
      assert.deepEqual(periodAt(given, period.fromMs), period);
      assert.equal(periodAt(given, period.toMs).fromMs, period.toMs);
      // By a clock of another making: within the hour that clocks may skip, and on the day, or a whole number of days away.
      const shown = new Date(period.fromMs).toLocaleString('sv-SE', { timeZone });
      const apartMs = Date.parse(`${shown.replace(' ', 'T')}Z`) - startMs;
      const lateMs = ((apartMs % DAY_MS) + DAY_MS) % DAY_MS;
      assert.ok([0, HOUR_MS, HOUR_MS / 2, DAY_MS].includes(lateMs), `${shown} of ${new Date(startMs).toISOString()}`);
      if (given.unit === 'month' && lateMs === 0) assert.equal(Number(shown.slice(8, 10)), day);
      if (given.unit === 'day') assert.equal(Math.abs(Math.floor(apartMs / DAY_MS) % given.count), 0);
    }),
    { numRuns: 500 },
  );
}); // prettier-ignore

test('a zone that nobody has heard of is none', () => {
  assert.deepEqual(['Europe/Berlin', 'UTC', 'Europe/Berlni', ''].map(isTimeZone), [true, true, false, false]);
});
