/** From what was counted to entries: bursts, the little by little of a day, and that nothing is lost or invented. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Spent } from './entry.ts';
import { type CountedStep, SpendRecorder } from './recorder.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** 99.9 % of 43.2 million requests in 30 days: 43,200 may fail. */
const BUDGET = 43_200;

class Run {
  readonly recorder = new SpendRecorder({ slo: 'shop-up', errorBudget: 0.001 });
  readonly out: Spent[] = [];
  atMs = 0;

  /** Seconds of a thousand requests, of which so many fail. */
  pass(ms: number, bad: number): void {
    for (const endMs = this.atMs + ms; this.atMs < endMs; this.atMs += 1000) {
      const step = { fromMs: this.atMs, toMs: this.atMs + 1000, good: 1000 - bad, bad };
      this.out.push(...this.recorder.step(step, BUDGET));
    }
  }

  end(): readonly Spent[] {
    this.out.push(...this.recorder.end(BUDGET));
    return this.out;
  }
}

test('an outage is one burst, with when it was and what it took', () => {
  const run = new Run();
  run.pass(HOUR, 0);
  run.pass(2 * MINUTE, 1000);
  run.pass(HOUR, 0);
  assert.deepEqual(run.end(), [
    { kind: 'spent', slo: 'shop-up', fromMs: HOUR, toMs: HOUR + 2 * MINUTE, good: 0, bad: 120_000, burst: true },
  ]);
});

test('one that pauses for less than five minutes is one, and two are two', () => {
  const burstsWith = (pauseMs: number): number => {
    const run = new Run();
    for (const ms of [pauseMs, 10 * MINUTE]) {
      run.pass(MINUTE, 500);
      run.pass(ms, 0);
    }
    return run.end().length;
  };
  assert.equal(burstsWith(4 * MINUTE), 1);
  assert.equal(burstsWith(6 * MINUTE), 2);
});

test('of one that lasts a part is written every five minutes: a process that is killed loses no more', () => {
  const run = new Run();
  run.pass(17 * MINUTE, 10);
  assert.deepEqual(
    run.out.map(({ fromMs, toMs, bad }) => [fromMs, toMs, bad]),
    [
      [0, 5 * MINUTE, 3000],
      [5 * MINUTE, 10 * MINUTE, 3000],
      [10 * MINUTE, 15 * MINUTE, 3000],
    ],
  );
  assert.equal(run.end().length, 4);
});

test('what spends slower than the budget lasts is one entry a day', () => {
  const run = new Run();
  // One failure in two thousand: half as fast as the budget allows.
  for (let minute = 0; minute < 24 * 60 + 10; minute += 1) {
    const fromMs = minute * MINUTE;
    run.out.push(...run.recorder.step({ fromMs, toMs: fromMs + MINUTE, good: 1999, bad: 1 }, BUDGET));
  }
  assert.deepEqual(
    run.out.map(({ fromMs, toMs, bad, burst }) => [fromMs, toMs, bad, burst]),
    [[0, 24 * HOUR, 1440, false]],
  );
  assert.deepEqual(
    run.end().map(({ bad }) => bad),
    [1440, 10],
  );
});

test('a burst that took less than a thousandth of the budget is not worth an entry of its own', () => {
  const bursts = (bad: number): readonly boolean[] => {
    const run = new Run();
    run.out.push(...run.recorder.step({ fromMs: 0, toMs: MINUTE, good: 100, bad }, BUDGET));
    return run.end().map(({ burst }) => burst);
  };
  assert.deepEqual(bursts(43), [false]);
  assert.deepEqual(bursts(44), [true]);
});

test('without traffic, and without failures, nothing is told', () => {
  const run = new Run();
  run.recorder.step({ fromMs: 0, toMs: HOUR, good: 0, bad: 0 }, 0);
  run.recorder.step({ fromMs: HOUR, toMs: 2 * HOUR, good: 10, bad: 0 }, 0);
  assert.deepEqual(run.end(), []);
});

test('a clock that is set back ends what was, and no stretch ends before it begins', () => {
  const run = new Run();
  run.atMs = HOUR;
  run.pass(2 * MINUTE, 1000);
  run.atMs = 0;
  run.pass(2 * MINUTE, 1000);
  assert.deepEqual(
    run.end().map(({ fromMs, toMs }) => [fromMs, toMs]),
    [
      [HOUR, HOUR + 2 * MINUTE],
      [0, 2 * MINUTE],
    ],
  );
  assert.deepEqual(run.recorder.step({ fromMs: 5, toMs: 5, good: 1, bad: 1 }, BUDGET), []);
});

test('what comes out adds up to what failed, and bursts do not overlap, whatever happens', () => {
  const step = fc.record({
    gapMs: fc.constantFrom(0, 0, 0, 0, 90_000, 10 * MINUTE, -20 * MINUTE),
    ms: fc.constantFrom(1000, 10_000, MINUTE, 30 * MINUTE),
    good: fc.integer({ min: 0, max: 5000 }),
    bad: fc.constantFrom(0, 0, 1, 3, 50, 5000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), fc.constantFrom(0, 1000, BUDGET), (steps, budget) => {
      const recorder = new SpendRecorder({ slo: 'shop-up', errorBudget: 0.001 });
      const out: Spent[] = [];
      let atMs = 10 * HOUR;
      let setBack = false;
      let bad = 0;
      for (const { gapMs, ms, ...counts } of steps) {
        setBack ||= gapMs < 0;
        const given: CountedStep = { fromMs: atMs + gapMs, toMs: atMs + gapMs + ms, ...counts };
        out.push(...recorder.step(given, budget));
        bad += counts.bad;
        atMs = given.toMs;
      }
      out.push(...recorder.end(budget));
      assert.equal(
        out.reduce((sum, each) => sum + each.bad, 0),
        bad,
      );
      for (const { fromMs, toMs } of out) assert.ok(fromMs < toMs);
      const bursts = out.filter(({ burst }) => burst);
      if (!setBack)
        for (const [at, each] of bursts.entries()) assert.ok(at === 0 || bursts[at - 1]!.toMs <= each.fromMs);
    }),
  );
});
