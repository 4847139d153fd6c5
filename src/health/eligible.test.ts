import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { initialHealth, type Health } from './active.ts';
import { eligible, type Candidate } from './eligible.ts';

function candidate(health: Health, timeoutsOnly = false, weight = 1): Candidate {
  return { state: { ...initialHealth(0), health, timeoutsOnly }, weight };
}

test('what is down is out while another is left', () => {
  assert.deepEqual(eligible([candidate('up'), candidate('down'), candidate('down', true)]), ['in', 'out', 'out']);
  assert.deepEqual(eligible([candidate('unknown'), candidate('down', true)]), ['in', 'out']);
});

test('the last endpoint is not taken out for timeouts alone', () => {
  assert.deepEqual(eligible([candidate('down', true)]), ['kept']);
  assert.deepEqual(eligible([candidate('down', true), candidate('down', true), candidate('down')]), [
    'kept',
    'kept',
    'out',
  ]);
});

test('the last endpoint is taken out when it refuses or answers wrongly', () => {
  assert.deepEqual(eligible([candidate('down')]), ['out']);
});

test('an endpoint of weight 0 gets no work, so it is not one that is left', () => {
  assert.deepEqual(eligible([candidate('up', false, 0), candidate('down', true)]), ['in', 'kept']);
});

test('an endpoint that nothing checks is always in', () => {
  assert.deepEqual(eligible([{ state: null, weight: 1 }, candidate('down', true)]), ['in', 'out']);
});

test('a service is left without an endpoint only if each is down and failed otherwise than by timeouts', () => {
  const any = fc.record({
    health: fc.constantFrom<Health>('up', 'down', 'unknown'),
    timeoutsOnly: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(any, { minLength: 1, maxLength: 8 }), (states) => {
      const verdicts = eligible(states.map(({ health, timeoutsOnly }) => candidate(health, timeoutsOnly)));
      const hopeless = states.every(({ health, timeoutsOnly }) => health === 'down' && !timeoutsOnly);
      assert.equal(
        verdicts.every((verdict) => verdict === 'out'),
        hopeless,
      );
    }),
  );
});
