import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CronLog, type CronRun, decodeLog, encodeLog } from './cron-log.ts';
import { type CronRule, finish, type Step, step } from './cron-step.ts';
import { createSchedule } from './schedule.ts';

const rule: CronRule = {
  name: 'invoices',
  schedule: createSchedule({ every: 1000 }, 'UTC'),
  missed: 'skip',
  interrupted: 'skip',
  graceMs: 1500,
};
const one = { term: 7n, holder: 'one' };
const two = { term: 9n, holder: 'two' };

function given(decidedMs: number, ...runs: readonly CronRun[]): CronLog {
  return { decidedMs, runs };
}

function logOf(next: Step): CronLog {
  assert.notEqual(next.kind, 'wait');
  return (next as Extract<Step, { log: CronLog }>).log;
}

function shape({ decidedMs, runs }: CronLog): string {
  return `${decidedMs}: ${runs.map(({ tick, state, attempts }) => `${tick.getTime()} ${state} ${attempts}`).join(', ')}`;
}

test('begins with nothing to catch up with', () => {
  const next = step(null, rule, one, 123_456);
  assert.deepEqual(next, { kind: 'write', log: given(123_456) });
  assert.deepEqual(step(logOf(next), rule, one, 123_456), { kind: 'wait', untilMs: 124_000 });
});

test('runs a tick when it is due, writes it down first, and waits for the next', () => {
  const next = step(given(4000), rule, one, 5003);
  assert.equal(next.kind, 'run');
  assert.equal(shape(logOf(next)), '5000: 5000 running 1');
  const { run } = next;
  assert.deepEqual([run.term, run.holder, run.started], [7n, 'one', new Date(5003)]);
  const done = finish(logOf(next), run, null, 5100);
  assert.equal(shape(done), '5000: 5000 done 1');
  assert.deepEqual(step(done, rule, one, 5100), { kind: 'wait', untilMs: 6000 });
  const failed = finish(logOf(next), run, 'Error: no paper', 5100);
  assert.deepEqual([failed.runs[0]!.state, failed.runs[0]!.error], ['failed', 'Error: no paper']);
});

test('a clock that was set back runs no tick again', () => {
  assert.deepEqual(step(given(5000), rule, one, 2500), { kind: 'wait', untilMs: 6000 });
});

test('a record from far ahead is refused, since somebody’s clock is wrong', () => {
  assert.throws(() => step(given(5000 + 3_600_001), rule, one, 5000), { code: 'CRON_RECORD' });
});

test('missed: skip begins what is no later than a hand-over takes, and skips what is, and what came while another ran', () => {
  assert.equal(shape(logOf(step(given(4000), rule, one, 6400))), '6000: 5000 skipped 0, 6000 running 1');
  const slow = { ...rule, schedule: createSchedule({ every: 10_000 }, 'UTC') };
  assert.equal(shape(logOf(step(given(10_000), slow, one, 21_400))), '20000: 20000 running 1');
  const late = step(given(10_000), slow, one, 21_600);
  assert.equal(late.kind, 'write');
  assert.equal(shape(logOf(late)), '20000: 20000 skipped 0');
  const first = step(given(4000), rule, one, 5000) as Extract<Step, { kind: 'run' }>;
  const busy = step(finish(first.log, first.run, null, 6100), rule, one, 6100);
  assert.equal(busy.kind, 'write');
  assert.equal(shape(logOf(busy)), '6000: 5000 done 1, 6000 skipped 0');
  assert.deepEqual(step(logOf(busy), rule, one, 6100), { kind: 'wait', untilMs: 7000 });
});

test('missed: last begins the newest, however late', () => {
  const last: CronRule = { ...rule, missed: 'last' };
  assert.equal(
    shape(logOf(step(given(4000), last, one, 7999))),
    '7000: 5000 skipped 0, 6000 skipped 0, 7000 running 1',
  );
  const slow: CronRule = { ...last, schedule: createSchedule({ every: 10_000 }, 'UTC') };
  assert.equal(shape(logOf(step(given(10_000), slow, one, 29_999))), '20000: 20000 running 1');
});

test('missed: all begins each in its order, at most a hundred', () => {
  const all: CronRule = { ...rule, missed: 'all' };
  let log = given(4000);
  for (const tick of [5000, 6000, 7000]) {
    const next = step(log, all, one, 7100) as Extract<Step, { kind: 'run' }>;
    assert.equal(next.run.tick.getTime(), tick);
    log = finish(next.log, next.run, null, 7100);
  }
  assert.equal(step(log, all, one, 7100).kind, 'wait');
  const far = step(given(4000), all, one, 1_000_000);
  assert.equal(shape(logOf(far)), '901000: 900000 skipped 0, 901000 running 1');
});

test('a long stretch that was skipped does not push the runs out of sight', () => {
  const { runs } = logOf(step(given(4000), { ...rule, missed: 'last' }, one, 1_000_000));
  assert.equal(runs.length, 11);
  assert.deepEqual([runs[0]!.tick, runs[9]!.tick], [new Date(990_000), new Date(999_000)]);
});

test('a run whose leader is no more is interrupted, or begun again three times in all', () => {
  const { log } = step(given(4000), rule, one, 5000) as Extract<Step, { kind: 'run' }>;
  assert.equal(shape(logOf(step(log, rule, two, 5900))), '5000: 5000 interrupted 1');
  const again: CronRule = { ...rule, interrupted: 'again' };
  const second = step(log, again, two, 5900);
  assert.equal(second.kind, 'run');
  assert.equal(shape(logOf(second)), '5000: 5000 running 2');
  assert.deepEqual(logOf(second).runs[0]!.term, 9n);
  const third = step(logOf(second), again, one, 6900);
  assert.equal(shape(logOf(third)), '5000: 5000 running 3');
  const fourth = step(logOf(third), again, two, 7900);
  assert.equal(fourth.kind, 'write');
  assert.equal(shape(logOf(fourth)), '5000: 5000 interrupted 3');
});

test('keeps the last hundred runs', () => {
  let log = given(0);
  for (let at = 1; at <= 250; at++) {
    const next = step(log, rule, one, at * 1000) as Extract<Step, { kind: 'run' }>;
    log = finish(next.log, next.run, null, at * 1000);
  }
  assert.equal(log.runs.length, 100);
  assert.deepEqual([log.runs[0]!.tick, log.runs[99]!.tick], [new Date(151_000), new Date(250_000)]);
});

test('what is written is read back, and what nobody has written is refused', () => {
  const { log, run } = step(given(4000), rule, one, 5000) as Extract<Step, { kind: 'run' }>;
  const ended = finish(log, run, 'TypeError: “é”\n', 5001);
  for (const each of [given(4000), log, ended]) assert.deepEqual(decodeLog('invoices', encodeLog(each)), each);
  for (const text of [
    '',
    '{',
    'null',
    '{}',
    '{"version":2}',
    '{"version":1,"decided":"soon","runs":[]}',
    '{"version":1,"decided":"2026-01-01T00:00:00.000Z"}',
  ]) {
    assert.throws(() => decodeLog('invoices', text), { code: 'CRON_RECORD' }, text);
  }
});
