/** The arithmetic of objectives, against the values that are known of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { burnAlerts } from './burn-alerts.ts';
import { judgeSlo } from './judge.ts';
import { resolveSlos } from './load.ts';
import type { Slo } from './objective.ts';
import type { CounterSample } from './prometheus-rate.ts';
import { alertsOn, type SloCounter } from './simulate.ts';

function sloOf(objective: `${number}%`, window: `${number}d` = '30d', failuresMin = 1): Slo {
  const slo = { name: 'a', objective, window, sli: { availability: {} }, alerts: { failuresMin } };
  const { slos, mistakes } = resolveSlos({ service: 'shop', slos: [slo] });
  assert.deepEqual(mistakes, []);
  return slos!.slos[0]!;
}

const verdict = (objective: `${number}%`, window: `${number}d` = '30d') =>
  judgeSlo(sloOf(objective, window), { rate: null });

test('budgets in minutes', () => {
  const minutes = (objective: `${number}%`, window?: `${number}d`) => verdict(objective, window).budget.minutes;
  assert.equal(minutes('99.9%'), 43.2);
  assert.equal(minutes('99.9%', '28d'), 40.32);
  assert.equal(minutes('99.9%', '7d'), 10.08);
  assert.equal(minutes('99.95%'), 21.6);
  assert.equal(minutes('99.99%'), 4.32);
  assert.equal(minutes('99%'), 432);
});

test('budgets in failures', () => {
  assert.equal(verdict('99.9%').budget.requestsPerFailure, 1000);
  assert.equal(judgeSlo(sloOf('99.9%'), { rate: 50 }).budget.failures, 129_600);
  assert.equal(judgeSlo(sloOf('99.9%'), { rate: 0.0001 }).budget.failures, 0);
});

test('the windows and factors of the workbook, and their part of the budget whatever the window', () => {
  const rows = burnAlerts(sloOf('99.9%')).map(({ burn, longS, shortS, threshold }) => [burn, longS, shortS, threshold]);
  assert.deepEqual(rows, [
    [14.4, 3600, 300, 0.0144],
    [6, 21_600, 1800, 0.006],
    [3, 86_400, 7200, 0.003],
    [1, 259_200, 21_600, 0.001],
  ]);
  for (const days of [7, 28, 30, 90]) {
    const slo = sloOf('99.9%', `${days}d`);
    for (const { burn, longS, budgetShare, shortS } of burnAlerts(slo)) {
      assert.ok(Math.abs((burn * longS * 1000) / slo.windowMs - budgetShare) < 1e-9);
      assert.equal(shortS, Math.max(longS / 12, 120));
    }
  }
});

test('how long failures last before a page, at 99.9 % over 30 days', () => {
  const after = (failing: number) => verdict('99.9%').detection.find((each) => each.failing === failing)!;
  assert.equal(after(1).pageS, 51.84);
  assert.equal(after(0.1).pageS, 518.4);
  assert.equal(after(0.01).pageS, 3 * 3600 + 36 * 60);
  const [fast] = burnAlerts(sloOf('99.9%'));
  assert.equal((fast!.threshold / 0.02) * fast!.longS, 43 * 60 + 12);
});

test('an alert that needs more than everything to fail can never fire', () => {
  const reachable = (objective: `${number}%`) => burnAlerts(sloOf(objective)).map((alert) => alert.reachable);
  assert.deepEqual(reachable('93.06%'), [true, true, true, true]);
  assert.deepEqual(reachable('93.05%'), [false, true, true, true]);
  assert.deepEqual(reachable('83%'), [false, false, true, true]);
  assert.deepEqual(reachable('50%'), [false, false, false, true]);
  assert.equal(verdict('93.05%').canPage, true);
  assert.equal(verdict('83%').canPage, false);
  assert.equal(verdict('83%').detection[0]!.pageS, null);
});

test('how few requests make one failure a page', () => {
  const [fast, slow] = verdict('99.9%').alerts;
  assert.equal(fast!.requestsMax, 69);
  assert.equal(slow!.requestsMax, 166);
  assert.equal(judgeSlo(sloOf('99.9%', '30d', 2), { rate: null }).alerts[0]!.requestsMax, 0);
});

/** A counter scraped every second, which grows by what `perSecond` says. */
function counter(
  seconds: number,
  perSecond: (atS: number) => number,
  part: Pick<SloCounter, 'bad' | 'total'>,
): SloCounter {
  let value = 0;
  const samples: CounterSample[] = Array.from({ length: seconds }, (_, atS) => ({
    atS,
    value: (value += perSecond(atS)),
  }));
  return { samples, ...part };
}

test('in the simulation a total outage pages within a second of what the arithmetic says', () => {
  const slo = sloOf('99.9%');
  const start = 3700;
  const counters = [
    counter(start + 120, (atS) => (atS <= start ? 10 : 0), { bad: 0, total: 1 }),
    counter(start + 120, (atS) => (atS <= start ? 0 : 10), { bad: 1, total: 1 }),
  ];
  const pages = (afterS: number) => alertsOn(slo, counters, { atS: start + afterS }).some(({ burn }) => burn === 14.4);
  assert.equal(pages(51), false);
  assert.equal(pages(53), true);
});

test('of few requests one failure is a page up to the number that is said, and none above', () => {
  const slo = sloOf('99.9%');
  const pages = (requests: number): boolean => {
    const every = 3600 / requests;
    // One request each so many seconds; the last of all fails, just now.
    const count = (atS: number): number => Math.floor(atS / every) - Math.floor((atS - 1) / every);
    const counters = [
      counter(3601, (atS) => (atS > 0 && atS < 3600 ? count(atS) : 0), { bad: 0, total: 1 }),
      counter(3601, (atS) => (atS === 3600 ? 1 : 0), { bad: 1, total: 1 }),
    ];
    return alertsOn(slo, counters, { atS: 3600 }).some(({ burn }) => burn === 14.4);
  };
  assert.equal(pages(60), true);
  assert.equal(pages(72), false);
});

test('detection is never later for more failures, nor sooner for a looser objective', () => {
  const nines = fc.integer({ min: 1, max: 9999 });
  fc.assert(
    fc.property(nines, nines, (one, other) => {
      const [loose, strict] = [Math.min(one, other), Math.max(one, other)].map((each) => verdict(`${each / 100}%`));
      for (const [at, { pageS }] of loose!.detection.entries()) {
        const stricter = strict!.detection[at]!.pageS;
        if (pageS !== null) assert.ok(stricter !== null && stricter <= pageS);
      }
      const times = strict!.detection.map(({ alertS }) => alertS ?? Number.POSITIVE_INFINITY);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
    }),
  );
});
