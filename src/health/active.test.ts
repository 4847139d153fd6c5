import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { initialHealth, step, type CheckPolicy, type CheckResult, type HealthState } from './active.ts';

const success: CheckResult = { kind: 'success', reason: 'status 200' };
const refused: CheckResult = { kind: 'failure', code: 'connection', reason: 'connection refused' };
const timedOut: CheckResult = { kind: 'failure', code: 'timeout', reason: 'no answer within 500 ms' };
const threeOutOneIn: CheckPolicy = { unhealthyAfter: 3, healthyAfter: 1 };

function run(results: readonly CheckResult[], policy: CheckPolicy): HealthState {
  return results.reduce((state, result, index) => step(state, result, policy, index).state, initialHealth(0));
}

test('three failures in a row take an endpoint out, two do not', () => {
  assert.equal(run([success, refused, refused], threeOutOneIn).health, 'up');
  assert.equal(run([success, refused, refused, refused], threeOutOneIn).health, 'down');
  assert.equal(run([success, refused, refused, success, refused, refused], threeOutOneIn).health, 'up');
});

test('the first success brings it back in', () => {
  assert.equal(run([refused, refused, refused, success], threeOutOneIn).health, 'up');
});

test('an endpoint nobody has checked is unknown until the threshold of failures or the first success', () => {
  assert.equal(run([], threeOutOneIn).health, 'unknown');
  assert.equal(run([refused, refused], threeOutOneIn).health, 'unknown');
  assert.equal(run([success], { unhealthyAfter: 3, healthyAfter: 5 }).health, 'up');
});

test('a transition says from what, to what, why and after how long', () => {
  let state = initialHealth(1_000);
  for (const [result, atMs] of [
    [refused, 2_000],
    [refused, 3_000],
  ] as const) {
    const next = step(state, result, threeOutOneIn, atMs);
    assert.equal(next.transition, null);
    state = next.state;
  }
  const out = step(state, refused, threeOutOneIn, 4_000);
  assert.deepEqual(out.transition, { from: 'unknown', to: 'down', reason: 'connection refused', afterMs: 3_000 });
  const back = step(out.state, success, threeOutOneIn, 9_500);
  assert.deepEqual(back.transition, { from: 'down', to: 'up', reason: 'status 200', afterMs: 5_500 });
});

test('one failure that is not a timeout spoils the row; a success begins a new one', () => {
  assert.equal(run([timedOut, timedOut, timedOut], threeOutOneIn).timeoutsOnly, true);
  assert.equal(run([timedOut, refused, timedOut], threeOutOneIn).timeoutsOnly, false);
  assert.equal(run([refused, success, timedOut], threeOutOneIn).timeoutsOnly, true);
});

/** What the words say, over the whole history: no counters. */
function naive(results: readonly CheckResult[], policy: CheckPolicy): HealthState['health'] {
  let health: HealthState['health'] = 'unknown';
  for (let end = 1; end <= results.length; end += 1) {
    const last = (count: number, kind: CheckResult['kind']) =>
      count <= end && results.slice(end - count, end).every((result) => result.kind === kind);
    if (last(policy.unhealthyAfter, 'failure')) health = 'down';
    else if (last(policy.healthyAfter, 'success')) health = 'up';
    else if (health === 'unknown' && results[end - 1]?.kind === 'success') health = 'up';
  }
  return health;
}

test('the machine agrees with the whole history read naively', () => {
  const results = fc.array(fc.constantFrom(success, success, refused, timedOut), { maxLength: 60 });
  const policy = fc.record({
    unhealthyAfter: fc.integer({ min: 1, max: 5 }),
    healthyAfter: fc.integer({ min: 1, max: 5 }),
  });
  fc.assert(
    fc.property(results, policy, (history, thresholds) => {
      const state = run(history, thresholds);
      assert.equal(state.health, naive(history, thresholds));
      assert.ok(state.successes === 0 || state.failures === 0);
      assert.ok(state.successes <= thresholds.healthyAfter && state.failures <= thresholds.unhealthyAfter);
    }),
  );
});
