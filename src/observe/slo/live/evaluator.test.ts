/** Objectives in simulated time: onset, end and what is said of them, second by second. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Input, Live, slosOf } from '../../../../test/slo/live-objective.ts';
import type { Spent } from '../ledger/entry.ts';
import { SpendRecorder } from '../ledger/recorder.ts';
import type { SloStatus } from './status.ts';

test('99.9 % over 30 days is 43.2 minutes, and a total outage pages after 51.8 seconds', () => {
  const live = new Live();
  // Longer than the longest window of a page: else what is known of it is less, and a page comes sooner.
  const before = live.run(25_200, 20, 0);
  assert.equal(before.budget.minutes, 43.2);
  assert.equal(before.budget.minutesLeft, 43.2);
  assert.equal(before.timeToPageMs, 51_840);
  assert.deepEqual([before.exhaustionMs, before.good, before.bad], [null, 504_000, 0]);
  assert.equal(live.until('firing', 20, 20), 52);
  const during = live.evaluator.statuses[0]!;
  assert.deepEqual([during.timeToPageMs, during.bad, during.alerts[0]!.sinceMs], [0, 1040, live.clock.wallMs()]);
});

test('it ends as soon as one window is below, and says for a quarter of an hour that it was', () => {
  const live = new Live();
  live.run(7200, 20, 0);
  live.until('firing', 20, 20);
  const until = live.until('resolved', 20, 0);
  // What failed leaves the five minutes.
  assert.ok(until > 200 && until <= 300, `${until} s`);
  const [pageMs] = [live.clock.wallMs()];
  assert.equal(live.evaluator.statuses[0]!.alerts[0]!.sinceMs, pageMs);
  assert.equal(live.until('inactive', 20, 0), 900);
});

test('above in the short window alone is pending; above in the long window alone is nothing', () => {
  const live = new Live();
  live.run(7200, 20, 0);
  assert.equal(live.run(20, 20, 20).alerts[0]!.state, 'pending');
  for (let second = 0; second < 40; second++) live.second(20, 20);
  const later = live.run(1000, 20, 0);
  assert.ok(later.alerts[0]!.longShare! > 0.0144);
  assert.equal(later.alerts[0]!.state, 'inactive');
  assert.equal(later.burn.find(({ windowS }) => windowS === 3600)!.firing, true);
});

test('without events there is no share and no alert, and nothing is spent', () => {
  const live = new Live();
  const nothing = live.run(10, 0, 0);
  assert.deepEqual(
    [nothing.sinceMs, nothing.timeToPageMs, nothing.exhaustionMs, nothing.budget.share],
    [null, null, null, 1],
  );
  live.run(100, 5, 5);
  const silence = live.run(7300, 0, 0);
  assert.deepEqual(
    silence.burn.map(({ value }) => value === null),
    [true, true, true, true, false, false, false],
  );
  assert.ok(silence.alerts.slice(0, 2).every(({ state }) => state === 'resolved'));
});

test('one failure among few pages, unless the objective asks for more of them', () => {
  assert.equal(new Live().run(60, 1, 1).alerts[0]!.state, 'firing');
  const guarded = new Live({ alerts: { failuresMin: 50 } });
  assert.equal(guarded.run(49, 1, 1).alerts[0]!.state, 'pending');
  assert.equal(guarded.run(0, 1, 1).timeToPageMs, 500);
  assert.equal(guarded.run(1, 1, 1).alerts[0]!.state, 'firing');
});

test('an objective so low that an alert cannot fire has none of it, and cannot page', () => {
  const live = new Live({ objective: '80%' });
  const status = live.run(600, 10, 0);
  assert.deepEqual(
    status.alerts.map(({ burn }) => burn),
    [3, 1],
  );
  assert.equal(status.timeToPageMs, null);
  assert.equal(new Live({ alerts: { page: { enabled: false } } }).run(600, 10, 0).timeToPageMs, null);
});

test('the budget in minutes and in events, when it is overdrawn too', () => {
  const half = new Live().run(1000, 10, 0.005);
  assert.ok(Math.abs(half.budget.share - 0.5) < 1e-9);
  assert.ok(Math.abs(half.budget.minutesLeft - 21.6) < 1e-6);
  assert.ok(Math.abs(half.budget.events - 10) < 1e-9 && Math.abs(half.budget.eventsLeft - 5) < 1e-6);
  const less = new Live().run(1000, 10, 0.006);
  assert.ok(Math.abs(less.exhaustionMs! / 86_400_000 - 20) < 1e-6);
  assert.equal(new Live().run(1000, 10, 0.004).exhaustionMs, null);
  const gone = new Live().run(1000, 10, 1);
  assert.ok(Math.abs(gone.budget.share + 99) < 1e-6);
  assert.equal(gone.exhaustionMs, 0);
  assert.equal(gone.level, 'review', 'a freeze takes an hour');
  assert.equal(new Live().run(3600, 10, 0.5).level, 'freeze');
});

test('at 14.4 times too fast a whole budget lasts 50 hours', () => {
  const live = new Live({ policy: {} });
  // A day without failures, then a minute of them: nothing to speak of is gone.
  live.run(86_400, 100, 0);
  const status = live.run(3600, 100, 1.44);
  assert.ok(Math.abs(status.exhaustionMs! / 3_600_000 / status.budget.share - 50) < 0.01);
});

test('what is excluded is in no window: neither what failed then, nor what did not', () => {
  const excluded: { fromMs: number; toMs: number }[] = [];
  const live = new Live({}, { excluded: (id) => (id === 'shop-up' ? excluded : []) });
  live.run(3600, 10, 0);
  const fromMs = live.clock.wallMs();
  assert.equal(live.run(600, 10, 10).alerts[0]!.state, 'firing');
  excluded.push(
    { fromMs: fromMs + 1000, toMs: fromMs + 400_000 },
    { fromMs: fromMs + 200_000, toMs: fromMs + 601_000 },
  );
  const after = live.run(1, 10, 0);
  assert.deepEqual([after.bad, after.good, after.alerts[0]!.state], [0, 36_010, 'resolved']);
});

test('each evaluation tells what was counted since the one before, and once when an alert begins and ends', () => {
  const steps: number[][] = [];
  const news: string[] = [];
  const live = new Live(
    {},
    {
      onStep: (slo, { fromMs, toMs, good, bad }) => void steps.push([toMs - fromMs, good, bad]),
      onAlert: ({ id }, { severity, burn, state }) => void news.push(`${id} ${severity} ${burn} ${state}`),
    },
  );
  live.run(3, 10, 1);
  live.run(2, 5, 0);
  assert.deepEqual(steps, [
    [3000, 27, 3],
    [2000, 10, 0],
  ]);
  live.run(3600, 100, 0);
  live.run(3600, 100, 0);
  news.length = 0;
  live.until('firing', 100, 100);
  live.until('resolved', 100, 0);
  live.until('inactive', 100, 0);
  assert.deepEqual(
    news.filter((each) => each.includes('14.4')),
    ['shop-up page 14.4 firing', 'shop-up page 14.4 resolved'],
  );
});

test('a clock that is set makes no step longer than it was, and loses nothing that was counted', () => {
  const steps: (readonly [number, number])[] = [];
  const spent: Spent[] = [];
  const recorder = new SpendRecorder({ slo: 'shop-up', errorBudget: 0.001 });
  const live = new Live(
    {},
    {
      onStep: (_, step) => {
        steps.push([step.toMs - step.fromMs, step.bad]);
        spent.push(...recorder.step(step, 1000));
      },
    },
  );
  for (const leapMs of [0, 86_400_000, -90_000_000, -1500, -1000, -900, 400_000]) {
    live.clock.stepWall(leapMs);
    for (let second = 0; second < 60; second += 1) live.run(1, 10, 10);
  }
  assert.deepEqual(
    [...new Set(steps.map(([ms]) => ms))].toSorted((one, other) => one - other),
    [100, 1000],
  );
  spent.push(...recorder.end(1000));
  const sum = (parts: readonly number[]): number => parts.reduce((total, each) => total + each, 0);
  assert.equal(sum(spent.map(({ bad }) => bad)), 7 * 600);
  assert.ok(spent.every(({ fromMs, toMs }) => toMs > fromMs && toMs - fromMs <= 4 * 60_000));
});

test('an objective that is changed keeps what is known of it, one that measures something else begins anew', () => {
  const live = new Live();
  live.run(100, 10, 1);
  live.evaluator.replace(slosOf({ objective: '99%' }));
  assert.equal(live.evaluator.evaluate()[0]!.bad, 100);
  live.evaluator.replace(slosOf({ sli: { latency: { under: '200ms' } } }));
  const [latency] = live.evaluator.evaluate();
  assert.deepEqual([latency!.bad, latency!.measures], [0, 'answers of shop within 200ms']);
  assert.throws(
    () => live.evaluator.count('shop-other', { bad: 0, total: 1 }),
    /no objective shop-other; there are shop-up/,
  );
});

test('a clock that is set back or leaps ahead blinds nothing for longer than its own second', () => {
  for (const stepMs of [-1_800_000, -7_200_000, 1_800_000, 400 * 86_400_000]) {
    const live = new Live();
    live.run(7200, 20, 0);
    live.clock.stepWall(stepMs);
    live.run(10, 20, 0);
    const seconds = live.until('firing', 20, 20);
    assert.ok(seconds <= 110, `${stepMs} ms: ${seconds} s`);
  }
});

test('how soon it would page is when it does, whatever went before', () => {
  fc.assert(
    fc.property(
      fc.record({
        objective: fc.constantFrom('99%', '99.9%', '99.99%'),
        rate: fc.integer({ min: 1, max: 500 }),
        knownS: fc.integer({ min: 30, max: 5000 }),
        failing: fc.constantFrom(0, 0, 0.001, 0.01, 0.1),
        failuresMin: fc.constantFrom(1, 1, 200),
      }),
      ({ objective, rate, knownS, failing, failuresMin }) => {
        const live = new Live({ objective, alerts: { failuresMin } });
        const status = live.run(knownS, rate, rate * failing);
        if (status.alerts[0]!.state === 'firing') {
          assert.equal(status.timeToPageMs, 0);
          return;
        }
        const predicted = status.timeToPageMs! / 1000;
        let seconds = 0;
        for (
          ;
          !live.evaluator
            .evaluate()[0]!
            .alerts.some(({ severity, state }) => severity === 'page' && state === 'firing');
          seconds++
        ) {
          live.second(rate, rate);
        }
        // What failed before may leave the window meanwhile.
        const slack = 2 + predicted * Math.max(failing * 20, 0.02);
        assert.ok(Math.abs(seconds - predicted) <= slack, `${predicted} s said, ${seconds} s it was`);
      },
    ),
    { numRuns: 60 },
  );
});

const fires = ({ alerts }: SloStatus): boolean => alerts.some(({ state }) => state === 'firing');
const pages = ({ alerts }: SloStatus): boolean =>
  alerts.some(({ severity, state }) => severity === 'page' && state === 'firing');

test('one slow request in the first ten seconds wakes nobody, nor does the next that is allowed', () => {
  for (const objective of ['99%', '99.9%'] as const) {
    const live = new Live({ objective });
    assert.equal(live.untilAny(fires, { total: 2, bad: 0, most: 9 }), Number.POSITIVE_INFINITY);
    assert.equal(live.untilAny(fires, { total: 2, bad: 1, most: 1 }), Number.POSITIVE_INFINITY);
    // It is above in both windows of the tickets.
    const { alerts } = live.evaluator.statuses[0]!;
    assert.deepEqual([...new Set(alerts.slice(2).map(({ state }) => state))], ['pending']);
    // Until an hour is known and one failure allowed, and beyond.
    for (let hour = 0; hour < 2; hour++) {
      assert.equal(live.untilAny(fires, { total: 2, bad: 0, most: 3599 }), Number.POSITIVE_INFINITY);
      assert.equal(live.untilAny(fires, { total: 2, bad: 1, most: 1 }), Number.POSITIVE_INFINITY);
    }
  }
});

test('a budget that goes twice too fast is told once an hour is known and one failure allowed, whichever is later', () => {
  const told = (total: number, input: Partial<Input> = {}): number =>
    new Live(input).untilAny(fires, { total, bad: total * 0.002 });
  assert.equal(told(10), 3600);
  assert.equal(told(0.2), 5000);
  assert.equal(told(10, { policy: { history: '0s' } }), 100);
  // Beyond an hour it is known by tens of seconds when it began.
  const longer = told(10, { policy: { history: '90m' } });
  assert.ok(longer > 5390 && longer <= 5400, `${longer} s`);
});

test('an outage of a young service pages at once, a partial one no later than of an old service', () => {
  for (const objective of ['99%', '99.9%'] as const) {
    for (const failing of [1, 0.6, 0.3, 0.2]) {
      const [rate, bad] = [20, 20 * failing];
      const old = new Live({ objective });
      old.run(6 * 3600, rate, 0);
      const oldS = old.untilAny(pages, { total: rate, bad });
      assert.ok(oldS < 3600, `${oldS}`);
      for (const knownS of [0, 10, 120, 3000]) {
        const young = new Live({ objective });
        if (knownS > 0) young.run(knownS, rate, 0);
        const youngS = young.untilAny(pages, { total: rate, bad });
        assert.ok(youngS <= oldS, `${objective}, ${failing} failing after ${knownS} s: ${youngS} s and ${oldS} s`);
        // Of a total one, ten failures are enough when nothing went before.
        if (failing === 1 && knownS === 0) assert.equal(youngS, 1);
        if (failing === 1 && knownS === 10) assert.ok(youngS <= 10, `${youngS} s`);
      }
    }
  }
});

test('an outage of a young service that is half over is not over', () => {
  for (const objective of ['99%', '99.9%'] as const) {
    const live = new Live({ objective });
    assert.equal(live.untilAny(pages, { total: 20, bad: 12 }), 1);
    live.run(60, 20, 12);
    const isOver = (status: SloStatus): boolean => !pages(status);
    assert.equal(live.untilAny(isOver, { total: 20, bad: 6, most: 3000 }), Number.POSITIVE_INFINITY);
    assert.equal(live.evaluator.statuses[0]!.timeToPageMs, 0);
    const endS = live.untilAny(isOver, { total: 20, bad: 0, most: 3600 });
    assert.ok(endS <= 3600, `${endS} s`);
  }
});

test('the first answers after a start may be slow: a tenth of them in some seconds is no outage', () => {
  const live = new Live({ objective: '99.9%' });
  assert.equal(live.untilAny(fires, { total: 500, bad: 50, most: 5 }), Number.POSITIVE_INFINITY);
  assert.equal(live.untilAny(fires, { total: 500, bad: 0, most: 3600 }), Number.POSITIVE_INFINITY);
});
