import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { burnAlerts } from '../../observe/slo/burn-alerts.ts';
import type { BurnStatus, SloStatus } from '../../observe/slo/live/status.ts';
import { budgetLeft, horizonMs, projection } from './burn-down.ts';
import { type Bullet, bullets, thresholdAt } from './bullet.ts';

const DAY = 86_400_000;

/** A status whose windows, the shortest first, burn at these rates. */
function statusOf(rates: readonly (number | null)[], given: Partial<SloStatus> = {}): SloStatus {
  const slo = { objective: 0.999, windowMs: 30 * DAY, ...given };
  const alerts = burnAlerts(slo);
  const windows = [...new Set(alerts.flatMap(({ longS, shortS }) => [longS, shortS]))].toSorted((a, b) => a - b);
  const burn = windows.map((windowS, at): BurnStatus => {
    const value = rates[at] ?? null;
    return { windowS, value, threshold: 1, firing: (value ?? 0) > 1 };
  });
  const shareOf = (windowS: number): number | null => {
    const value = burn.find((one) => one.windowS === windowS)!.value;
    return value === null ? null : value * (1 - slo.objective);
  };
  return {
    id: 'shop-availability',
    service: 'shop',
    name: 'availability',
    measures: 'answers of shop',
    window: '30d',
    period: null,
    atMs: 1e12,
    sinceMs: null,
    good: 0,
    bad: 0,
    budget: { minutes: 43.2, minutesLeft: 21.6, events: 0, eventsLeft: 0, share: 0.5 },
    policy: { warn: 0.5, review: 0.25, freeze: 0, historyMs: 3_600_000 },
    level: 'warn',
    burn,
    alerts: alerts
      .filter(({ reachable }) => reachable)
      .map(({ severity, burn: factor, longS, shortS }) => ({
        severity, burn: factor, longS, shortS, state: 'inactive', sinceMs: null,
        longShare: shareOf(longS), shortShare: shareOf(shortS),
      })), // prettier-ignore
    exhaustionMs: null,
    timeToPageMs: null,
    ...slo,
  };
}

test('the curve begins at all, never rises, and ends at what is left of the budget', () => {
  const step = fc.option(fc.integer({ min: 0, max: 10_000 }), { freq: 8 });
  fc.assert(
    fc.property(fc.array(fc.tuple(step, step), { minLength: 1, maxLength: 50 }), (steps) => {
      const [good, bad] = [steps.map(([count]) => count), steps.map(([, count]) => count)];
      const left = budgetLeft({ good, bad }, 0.99);
      const sum = (list: readonly (number | null)[]): number => list.reduce<number>((all, one) => all + (one ?? 0), 0);
      const [allGood, allBad] = [sum(good), sum(bad)];
      assert.equal(left.length, steps.length);
      for (const [at, share] of left.entries()) assert.ok(share <= (left[at - 1] ?? 1));
      const expected = allGood + allBad === 0 ? 1 : 1 - allBad / ((allGood + allBad) * 0.01);
      assert.ok(Math.abs(left.at(-1)! - expected) < 1e-6 * Math.max(1, Math.abs(expected)));
    }),
  );
});

test('at the rate of the last hour the middle of the cone is empty when the status says so, between the slowest and the fastest', () => {
  // 5 min, 30 min, 1 h, 2 h, 6 h, 1 d, 3 d
  const status = statusOf([90, 80, 6, 70, 2, 1, 0.5]);
  const { times, middle, best, worst } = projection(status, 5 * DAY)!;
  assert.equal(times[0], status.atMs);
  assert.deepEqual([middle[0], best[0], worst[0]], [0.5, 0.5, 0.5]);
  // Half the budget at six times the rate: 2.5 days.
  const half = times.indexOf(status.atMs + 2.5 * DAY);
  assert.ok(Math.abs(middle[half]!) < 1e-9);
  assert.ok(Math.abs(best[half]! - (0.5 - 0.5 * (2.5 / 30))) < 1e-9);
  // The short windows do not widen it.
  assert.deepEqual(worst, middle);
});

test('how far is looked ahead: till the worst is empty, within a fifth and all of the window', () => {
  assert.equal(horizonMs(statusOf([])), 6 * DAY);
  assert.equal(horizonMs(statusOf([0, 0, 1000])), 6 * DAY);
  assert.ok(Math.abs(horizonMs(statusOf([0, 0, 1.5])) / (12 * DAY) - 1) < 1e-9);
  assert.equal(horizonMs(statusOf([0, 0, 0.1])), 30 * DAY);
});

test('nothing is projected from nothing', () => {
  assert.equal(projection(statusOf([]), DAY), null);
});

type Bullets = readonly [Bullet, Bullet, Bullet, Bullet];
const bulletsOf = (status: SloStatus): Bullets => bullets(status) as unknown as Bullets;

test('bars reach their common threshold exactly when both windows do', () => {
  const [fast, slow, day, rest] = bulletsOf(statusOf([14.4, 3, 7.2, 3, 15, 0, null]));
  assert.deepEqual([fast, slow, day, rest].map(({ severity, threshold }) => [severity, threshold]), [['page', 14.4], ['page', 6], ['ticket', 3], ['ticket', 1]]); // prettier-ignore
  const lengths = (bar: Bullet): unknown[] =>
    [bar.long, bar.short].map(({ length, cut, burn }) => [
      Number(length.toFixed(9)),
      cut,
      burn === null ? null : Number(burn.toFixed(9)),
    ]);
  assert.deepEqual(lengths(fast), [[thresholdAt / 2, false, 7.2], [thresholdAt, false, 14.4]]); // prettier-ignore
  assert.deepEqual(lengths(slow), [[1, true, 15], [0.25, false, 3]]); // prettier-ignore
  assert.deepEqual(lengths(rest), [[0, false, null], [1, true, 15]]); // prettier-ignore
});

test('an alert that can never fire says so, and one that nobody wanted has no state', () => {
  const states = (status: SloStatus): unknown[] => bullets(status).map(({ state }) => state);
  assert.deepEqual(states(statusOf([], { objective: 0.9 })), ['unreachable', 'inactive', 'inactive', 'inactive']);
  const pages = statusOf([]);
  assert.deepEqual(states({ ...pages, alerts: pages.alerts.filter(({ severity }) => severity === 'page') }), [
    'inactive',
    'inactive',
    null,
    null,
  ]);
});
