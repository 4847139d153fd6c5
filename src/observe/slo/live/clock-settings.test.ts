/** Objectives while somebody sets the clock, forward or back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Live } from '../../../../test/slo/live-objective.ts';
import type { SloStatus } from './status.ts';

const fires = ({ alerts }: SloStatus): boolean => alerts.some(({ state }) => state === 'firing');

const HOUR_MS = 3_600_000;

test('a clock that is set makes a history no longer and no shorter: what waits for an hour of it waits as long', () => {
  for (const stepMs of [HOUR_MS, -HOUR_MS, 90_000, -90_000, 24 * HOUR_MS, -24 * HOUR_MS]) {
    const live = new Live();
    const young = live.run(600, 10, 0.02);
    assert.ok(young.alerts.some(({ state }) => state === 'pending'));
    live.clock.stepWall(stepMs);
    const set = live.run(1, 10, 0.02);
    // To a step of what is kept, which is a coarser one where the clock leapt.
    const knownS = (set.atMs - set.sinceMs!) / 1000;
    assert.ok(knownS >= 600 && knownS <= 610, `${stepMs} ms: ${knownS} s`);
    const seconds = live.untilAny(fires, { total: 10, bad: 0.02 });
    assert.ok(seconds >= 2988 && seconds <= 2999, `${stepMs} ms: ${seconds} s`);
  }
});

test('a clock that is set neither begins an alert nor ends one, and spends and gives back nothing', () => {
  for (const stepMs of [HOUR_MS, -HOUR_MS, 90_000, -90_000, 24 * HOUR_MS, -24 * HOUR_MS]) {
    const news: string[] = [];
    const live = new Live(
      {},
      { onAlert: (_, { severity, burn, state }) => void news.push(`${severity} ${burn} ${state}`) },
    );
    live.run(7200, 20, 0);
    live.until('firing', 20, 20);
    const before = live.run(60, 20, 20);
    news.length = 0;
    live.clock.stepWall(stepMs);
    // Nothing comes for a while: what is known is all from before.
    for (let second = 0; second < 60; second++) live.run(1, 0, 0);
    assert.deepEqual(news, [], `${stepMs} ms`);
    const after = live.run(1, 0, 0);
    assert.deepEqual([after.good, after.bad, after.budget], [before.good, before.bad, before.budget], `${stepMs} ms`);
    assert.deepEqual(
      after.alerts.map(({ state }) => state),
      before.alerts.map(({ state }) => state),
    );
    // It ends when it would have, to a step of what is kept so long; set back by less than the window, later by no more than that.
    const endS = live.until('resolved', 20, 0);
    assert.ok(endS > 130 && endS <= 250 + 90, `${stepMs} ms: ${endS} s`);
  }
});

test('a clock that is set again and again is one that goes on', () => {
  const live = new Live();
  live.run(600, 10, 0.02);
  for (let time = 0; time < 100; time++) {
    live.clock.stepWall((time % 2 === 0 ? 1 : -1) * 7_000_000);
    live.run(20, 10, 0.02);
    assert.equal(fires(live.evaluator.statuses[0]!), false, `${time}`);
  }
  const status = live.run(1, 10, 0.02);
  const knownS = (status.atMs - status.sinceMs!) / 1000;
  assert.ok(knownS >= 2600 && knownS <= 2610, `${knownS} s`);
});

test('a clock that is set more often than is kept in mind, as of a machine that sleeps, gives no budget back', () => {
  for (const stepMs of [8 * HOUR_MS, 2000, -2000, -90_000]) {
    const live = new Live();
    live.run(3600, 20, 0.01);
    const before = live.run(1, 20, 0.01);
    for (let time = 0; time < 60; time++) {
      live.clock.stepWall(stepMs);
      live.run(60, 20, 0);
    }
    const after = live.run(1, 20, 0);
    assert.ok(Math.abs(after.bad - before.bad) < 0.001, `${stepMs} ms: ${after.bad} of ${before.bad} bad ones`);
    const knownS = (after.atMs - after.sinceMs!) / 1000;
    assert.ok(knownS >= 7200 && knownS <= 7210, `${stepMs} ms: ${knownS} s`);
  }
});
