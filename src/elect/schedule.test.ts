import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createSchedule, type ScheduleOption } from './schedule.ts';

function ticks(schedule: ScheduleOption, timeZone: string, from: string, count: number): string[] {
  const due = createSchedule(schedule, timeZone);
  const found: string[] = [];
  for (let ms: number | null = Date.parse(from); ms !== null && found.length < count;) {
    ms = due.next(ms);
    if (ms !== null) found.push(new Date(ms).toISOString().replace(':00.000Z', ''));
  }
  return found;
}

test('a fixed time that the clocks skip is due right after the gap, and one that comes twice is due once', () => {
  const nightly = '30 2 * * *';
  assert.deepEqual(ticks(nightly, 'Europe/Berlin', '2026-03-28T12:00Z', 2), ['2026-03-29T01:00', '2026-03-30T00:30']);
  assert.deepEqual(ticks(nightly, 'Europe/Berlin', '2026-10-24T12:00Z', 2), ['2026-10-25T00:30', '2026-10-26T01:30']);
  const thrice = '0,20,40 2 * * *';
  assert.deepEqual(ticks(thrice, 'Europe/Berlin', '2026-03-28T12:00Z', 2), ['2026-03-29T01:00', '2026-03-30T00:00']);
  assert.deepEqual(ticks(thrice, 'Europe/Berlin', '2026-10-24T12:00Z', 4), [
    '2026-10-25T00:00',
    '2026-10-25T00:20',
    '2026-10-25T00:40',
    '2026-10-26T01:00',
  ]);
});

test('a time by a wildcard is due whenever a clock shows it: through the gap without a pause, and in both of the doubled hours', () => {
  const half = '*/30 * * * *';
  const spring = ['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30'];
  assert.deepEqual(ticks(half, 'Europe/Berlin', '2026-03-29T00:10Z', 3), spring);
  const autumn = ['2026-10-25T00:00', '2026-10-25T00:30', '2026-10-25T01:00', '2026-10-25T01:30', '2026-10-25T02:00'];
  assert.deepEqual(ticks(half, 'Europe/Berlin', '2026-10-24T23:50Z', 5), autumn);
});

test('a midnight that does not exist is no lost day', () => {
  const midnight = ticks('0 0 * * *', 'America/Santiago', '2026-09-05T12:00Z', 2);
  assert.deepEqual(midnight, ['2026-09-06T04:00', '2026-09-07T03:00']);
});

test('an interval is counted from the epoch', () => {
  assert.deepEqual(ticks({ every: '6h' }, 'Europe/Berlin', '2026-03-28T12:00Z', 2), [
    '2026-03-28T18:00',
    '2026-03-29T00:00',
  ]);
});

test('looking back finds the ticks that looking forward finds', () => {
  const option: fc.Arbitrary<ScheduleOption> = fc.constantFrom<ScheduleOption>(
    '*/5 * * * *',
    '*/7 * * * * *',
    '30 2 * * *',
    '*/20 2 * * *',
    '0,20,40 1-3 * * 0',
    '0 0 L * *',
    { every: '90s' },
    { every: 777 },
  );
  const zone = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata');
  const near = fc.constantFrom(
    '2026-03-08',
    '2026-03-29',
    '2026-04-05',
    '2026-07-01',
    '2026-10-04',
    '2026-10-25',
    '2026-11-01',
  );
  const offset = fc.integer({ min: -86_400_000, max: 86_400_000 });
  fc.assert(
    fc.property(
      option,
      zone,
      near,
      offset,
      fc.integer({ min: 1, max: 40 }),
      fc.boolean(),
      (schedule, timeZone, day, ms, count, exactly) => {
        const due = createSchedule(schedule, timeZone);
        const fromMs = Date.parse(day) + ms;
        const forward: number[] = [];
        for (let at = due.next(fromMs); at !== null && forward.length < count; at = due.next(at)) {
          assert.ok(at > (forward.at(-1) ?? fromMs));
          forward.push(at);
        }
        const untilMs = exactly ? forward.at(-1)! : (due.next(forward.at(-1)!) ?? Infinity) - 1;
        assert.deepEqual(due.last(count + 5, fromMs, untilMs), forward);
        assert.deepEqual(due.last(3, fromMs, untilMs), forward.slice(-3));
      },
    ),
  );
});

test('what is no schedule is refused, with a word on what one is', () => {
  for (const [schedule, timeZone] of [
    ['* * *', 'UTC'],
    ['61 * * * *', 'UTC'],
    ['0 0 30 2 *', 'UTC'],
    ['* * * * * * *', 'UTC'],
    ['*/5 * * * *', 'Mars/Olympus'],
    [{ every: '1ms' }, 'UTC'],
    [{ every: 'often' }, 'UTC'],
    [{ evry: '1s' }, 'UTC'],
  ] as const) {
    assert.throws(
      () => createSchedule(schedule as ScheduleOption, timeZone),
      { code: 'OPTIONS_INVALID' },
      JSON.stringify(schedule),
    );
  }
});
