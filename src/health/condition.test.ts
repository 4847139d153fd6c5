import assert from 'node:assert/strict';
import { test } from 'node:test';
import { initialHealth, type HealthState } from './active.ts';
import { conditionOf, transitionOf } from './condition.ts';
import { initialEjection, type Ejection } from './ejection.ts';

const up: HealthState = { ...initialHealth(100), health: 'up', reason: 'status 200' };
const down: HealthState = {
  ...up,
  health: 'down',
  reason: 'no answer within 500 ms',
  code: 'timeout',
  sinceMs: 700,
  timeoutsOnly: true,
};
const ejected: Ejection = {
  phase: 'ejected',
  sinceMs: 400,
  level: 1,
  untilMs: 900,
  reason: '5 errors in a row',
  cause: 'consecutive-errors',
};
const short = (active: HealthState | null, ejection: Ejection | null) => {
  const { condition, reason, sinceMs } = conditionOf(active, ejection);
  return [condition, reason, sinceMs];
};

test('down by checks comes first, then what traffic says, then up', () => {
  assert.deepEqual(short(down, ejected), ['down', 'no answer within 500 ms', 700]);
  assert.equal(conditionOf(down, ejected).timeoutsOnly, true);
  assert.deepEqual(short(up, ejected), ['ejected', '5 errors in a row', 400]);
  assert.deepEqual(short(up, { ...ejected, phase: 'trial', sinceMs: 900 }), [
    'trial',
    'on trial after 5 errors in a row',
    900,
  ]);
  assert.deepEqual(short(up, initialEjection(300)), ['up', 'status 200', 100]);
});

test('what nothing checks is unknown until its traffic said something', () => {
  assert.deepEqual(short(null, null), ['unknown', 'not checked', 0]);
  assert.deepEqual(short(null, initialEjection(300)), ['unknown', 'not checked', 300]);
  assert.deepEqual(
    short(null, {
      ...ejected,
      phase: 'in',
      sinceMs: 950,
      reason: '3 of 3 requests on trial succeeded',
      cause: 'trial',
    }),
    ['up', '3 of 3 requests on trial succeeded', 950],
  );
  const back = 'none of the others is better; before: 5 errors in a row';
  const suspended: Ejection = { ...ejected, phase: 'in', sinceMs: 950, reason: back, cause: 'no-better' };
  assert.deepEqual(short(null, suspended), ['unknown', back, 950]);
  assert.equal(conditionOf(null, null).checked, false);
});

test('a success of a check does not end an ejection, and one that follows a fall counts from then', () => {
  const risen: HealthState = { ...up, sinceMs: 800 };
  assert.deepEqual(short(risen, ejected), ['ejected', '5 errors in a row', 800]);
});

test('the newer reason is the one of what is up', () => {
  const returned: Ejection = {
    ...ejected,
    phase: 'in',
    sinceMs: 950,
    reason: '3 of 3 requests on trial succeeded',
    cause: 'trial',
  };
  assert.deepEqual(short(up, returned), ['up', '3 of 3 requests on trial succeeded', 950]);
  assert.deepEqual(short({ ...up, sinceMs: 1_200 }, returned), ['up', 'status 200', 1_200]);
});

test('the class of the reason follows the reason', () => {
  const returned: Ejection = { ...ejected, phase: 'in', sinceMs: 950, reason: '3 of 3 succeeded', cause: 'trial' };
  assert.equal(conditionOf(down, ejected).cause, 'timeout');
  assert.equal(conditionOf(up, ejected).cause, 'consecutive-errors');
  assert.equal(conditionOf(up, initialEjection(300)).cause, 'check');
  assert.equal(conditionOf(up, returned).cause, 'trial');
  assert.equal(conditionOf({ ...up, sinceMs: 1_200 }, returned).cause, 'check');
  assert.equal(conditionOf(null, null).cause, 'none');
});

test('a transition says from what, to what, why and after how long', () => {
  const before = conditionOf(up, initialEjection(0));
  assert.deepEqual(transitionOf(before, conditionOf(up, ejected), 400), {
    from: 'up',
    to: 'ejected',
    reason: '5 errors in a row',
    cause: 'consecutive-errors',
    afterMs: 300,
  });
  assert.equal(transitionOf(before, conditionOf({ ...up, reason: 'status 204' }, initialEjection(0)), 500), null);
});
