/** Budgets of a calendar, live: they begin anew at the turn of a period, and who is woken does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../../kernel/simulated-clock.ts';
import { createSeries } from '../../series/series.ts';
import { standing } from '../gate.ts';
import { parseSlos } from '../load.ts';
import { createSloEvaluator } from './evaluator.ts';
import type { SloStatus } from './status.ts';

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;

class Live {
  readonly clock: SimulatedClock;
  readonly evaluator: ReturnType<typeof createSloEvaluator>;

  constructor(at: string, every: string, timeZone: string) {
    const { slos, mistakes } = parseSlos(
      `apiVersion: openslo/v1
kind: SLO
metadata: { name: up }
spec:
  service: shop
  timeWindow: [{ duration: ${every}, calendar: { startTime: 2026-01-01 00:00:00, timeZone: ${timeZone} } }]
  objectives: [{ target: 0.999 }]
  indicator:
    spec:
      ratioMetric:
        bad: { metricSource: { type: Spillway, spec: { count: failed } } }
        total: { metricSource: { type: Spillway, spec: { count: all } } }
`,
      'f.yaml',
    );
    assert.deepEqual(mistakes, []);
    this.clock = new SimulatedClock(Date.parse(at));
    const series = createSeries({ clock: this.clock });
    this.evaluator = createSloEvaluator({ slos: slos!.slos, series, clock: this.clock });
  }

  /** So many seconds, with so many events in each step of ten. */
  run(seconds: number, total: number, bad: number): SloStatus {
    let [status] = this.evaluator.statuses;
    for (let second = 0; second < seconds; second += 10) {
      this.clock.pass(10_000);
      this.evaluator.count('shop-up', { bad, total });
      [status] = this.evaluator.evaluate();
    }
    return status!;
  }
}

test('of a month no more is gone than what a part of it spent, and at its turn all is there again', () => {
  // Three days before November ends in Berlin, an hour before it does in London.
  const live = new Live('2026-11-27T23:00:00Z', '1M', 'Europe/Berlin');
  const spending = live.run(DAY_S, 1000, 1);
  assert.deepEqual(
    [spending.period, spending.window].map((each) => JSON.stringify(each)),
    [{ fromMs: Date.parse('2026-10-31T23:00:00Z'), toMs: Date.parse('2026-11-30T23:00:00Z') }, 'each month (Europe/Berlin)'].map((each) => JSON.stringify(each)),
  );
  // A burn rate of 1 for 28 of 30 days, as far as is known: of 43.2 minutes 2.88 are left.
  assert.equal(spending.budget.minutes, 43.2);
  assert.ok(Math.abs(spending.budget.share - 2 / 30) < 1e-4, String(spending.budget.share));
  assert.ok(Math.abs(spending.budget.minutesLeft - 2.88) < 0.01);
  assert.ok(Math.abs(spending.budget.eventsLeft - spending.budget.events * spending.budget.share) < 1e-6 * spending.budget.events);
  const calm = live.run(2 * DAY_S - 20, 1000, 0);
  assert.equal(calm.bad, 8640);
  // Within what is left of it; at the same rate of a window that rolls it would be said.
  assert.equal(calm.exhaustionMs, null);
  const turned = live.run(20, 1000, 0);
  assert.equal(turned.period!.fromMs, Date.parse('2026-11-30T23:00:00Z'));
  assert.deepEqual([turned.bad, turned.budget.share, turned.windowMs], [0, 1, 31 * DAY_S * 1000]);
  assert.equal(turned.budget.minutes, 44.64);
}); // prettier-ignore

test('an outage across a turn pages on, and what it spends of the new period is what it failed in that', () => {
  const live = new Live('2026-03-28T20:00:00Z', '1d', 'Europe/Berlin');
  // Clocks go forward that night: a day of 23 hours.
  live.run(3 * HOUR_S - 600, 1000, 0);
  const before = live.run(600, 1000, 500);
  assert.equal(before.alerts[0]!.state, 'firing');
  const after = live.run(60, 1000, 500);
  assert.equal(after.windowMs, 23 * HOUR_S * 1000);
  assert.equal(after.alerts[0]!.state, 'firing');
  assert.equal(after.alerts[0]!.sinceMs, before.alerts[0]!.sinceMs);
  assert.ok(
    Math.abs(after.budget.share - (1 - (0.5 / 0.001) * (61 / (23 * HOUR_S)))) < 0.01,
    String(after.budget.share),
  );
  // What is known of the service is known still: a gate need not wait an hour at the beginning of each day.
  assert.equal(standing(after).unknown, null);
});

test('a budget of a period that has just begun is whole, though nothing was counted in it yet, and not for long', () => {
  const live = new Live('2026-06-30T22:00:00Z', '1Q', 'UTC');
  live.run(2 * HOUR_S - 10, 1000, 0);
  const next = (seconds: number): SloStatus => {
    live.clock.pass(seconds * 1000);
    return live.evaluator.evaluate()[0]!;
  };
  const first = next(20);
  assert.deepEqual([first.good, first.budget.share, standing(first).unknown], [0, 1, null]);
  assert.match(standing(next(HOUR_S)).unknown!, /nothing was counted/);
});
