import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Condition, EndpointHealth } from './condition.ts';
import { defaultEligibilityPolicy, eligible, type Candidate, type EligibilityPolicy } from './eligible.ts';

interface CandidateOptions {
  readonly timeoutsOnly?: boolean;
  readonly weight?: number;
  readonly backup?: boolean;
  readonly checked?: boolean;
  readonly sinceMs?: number;
}

function candidate(condition: Condition, options: CandidateOptions = {}): Candidate {
  const { timeoutsOnly = false, weight = 1, backup = false, checked = true, sinceMs = 0 } = options;
  return { health: { condition, reason: '', cause: 'none', sinceMs, checked, timeoutsOnly }, weight, backup };
}

const closed: EligibilityPolicy = { ...defaultEligibilityPolicy, failOpenBelow: 0 };
const verdicts = (candidates: readonly Candidate[], policy: EligibilityPolicy = closed, nowMs = 0) =>
  eligible(candidates, policy, nowMs).verdicts;
const late = { timeoutsOnly: true };

test('what is down or ejected is out while another is left', () => {
  assert.deepEqual(verdicts([candidate('up'), candidate('down'), candidate('down', late)]), ['in', 'out', 'out']);
  assert.deepEqual(verdicts([candidate('unknown'), candidate('ejected')]), ['in', 'out']);
  assert.deepEqual(verdicts([candidate('trial'), candidate('ejected')]), ['in', 'out']);
});

test('the last endpoint is not taken out for timeouts alone, nor for an ejection', () => {
  assert.deepEqual(verdicts([candidate('down', late)]), ['kept']);
  assert.deepEqual(verdicts([candidate('down', late), candidate('down', late), candidate('down')]), [
    'kept',
    'kept',
    'out',
  ]);
  assert.deepEqual(verdicts([candidate('ejected'), candidate('down')]), ['kept', 'out']);
});

test('without fail-open, the last endpoint is taken out when it refuses or answers wrongly', () => {
  assert.deepEqual(verdicts([candidate('down')]), ['out']);
});

test('an endpoint of weight 0 gets no work, so it is not one that is left', () => {
  assert.deepEqual(verdicts([candidate('up', { weight: 0 }), candidate('down', late)]), ['in', 'kept']);
  assert.notEqual(
    eligible([candidate('up', { weight: 0 }), candidate('down')], defaultEligibilityPolicy, 0).failOpen,
    null,
  );
});

test('an endpoint that nothing checks is in from the start, however cautious the service', () => {
  const cautious: EligibilityPolicy = { ...closed, startup: 'cautious' };
  assert.deepEqual(verdicts([candidate('unknown', { checked: false }), candidate('down', late)], cautious), [
    'in',
    'out',
  ]);
});

test('a cautious service waits for the first success, but not for ever', () => {
  const cautious: EligibilityPolicy = { ...defaultEligibilityPolicy, startup: 'cautious', startupDeadlineMs: 1_000 };
  const fleet = [candidate('up'), candidate('unknown', { sinceMs: 500 }), candidate('unknown', { sinceMs: 800 })];
  assert.deepEqual(eligible(fleet, cautious, 1_499), {
    verdicts: ['in', 'waiting', 'waiting'],
    failOpen: null,
    againMs: 1_500,
  });
  assert.deepEqual(eligible(fleet, cautious, 1_500).verdicts, ['in', 'in', 'waiting']);
  assert.equal(eligible(fleet, cautious, 1_800).againMs, null);
});

test('who waits is neither up nor down: no alarm for a service that starts, an alarm if the rest is gone', () => {
  const cautious: EligibilityPolicy = { ...defaultEligibilityPolicy, startup: 'cautious' };
  assert.equal(eligible([candidate('unknown'), candidate('unknown')], cautious, 0).failOpen, null);
  const rest = eligible([candidate('unknown'), candidate('down')], cautious, 0);
  assert.deepEqual(rest.verdicts, ['waiting', 'kept']);
  assert.match(rest.failOpen ?? '', /^1 of 1 endpoints are out/);
});

test('below the threshold all are used, and the reason has the numbers', () => {
  const fleet = [candidate('up'), ...Array.from({ length: 5 }, () => candidate('down'))];
  const decision = eligible(fleet, defaultEligibilityPolicy, 0);
  assert.deepEqual(decision.verdicts, ['in', 'kept', 'kept', 'kept', 'kept', 'kept']);
  assert.equal(
    decision.failOpen,
    '5 of 6 endpoints are out; 16.7% of the weight is left, below 20%: health is ignored and all are used',
  );
  assert.equal(eligible(fleet.slice(0, 5), defaultEligibilityPolicy, 0).failOpen, null, 'exactly 20 % is enough');
});

test('it is the weight that counts, not the number', () => {
  const policy: EligibilityPolicy = { ...defaultEligibilityPolicy, failOpenBelow: 0.5 };
  const fleet = [candidate('down', { weight: 10 }), candidate('up'), candidate('up')];
  assert.notEqual(eligible(fleet, policy, 0).failOpen, null);
  const other = [candidate('up', { weight: 10 }), candidate('down'), candidate('down')];
  assert.equal(eligible(other, policy, 0).failOpen, null);
});

test('backups that are well spare a service the fail-open; those that are not stay out of it', () => {
  const down = [candidate('down'), candidate('down')];
  const standing = eligible([...down, candidate('up', { backup: true })], defaultEligibilityPolicy, 0);
  assert.deepEqual([standing.failOpen, standing.verdicts], [null, ['out', 'out', 'in']]);
  const fallen = eligible([...down, candidate('down', { backup: true })], defaultEligibilityPolicy, 0);
  assert.deepEqual(fallen.verdicts, ['kept', 'kept', 'out']);
});

const anyHealth: fc.Arbitrary<EndpointHealth> = fc.record({
  condition: fc.constantFrom<Condition>('up', 'down', 'unknown', 'ejected', 'trial'),
  reason: fc.constant(''),
  cause: fc.constant('none'),
  sinceMs: fc.nat(2_000),
  checked: fc.boolean(),
  timeoutsOnly: fc.boolean(),
});
const anyFleet = fc.array(
  fc.record({ health: anyHealth, weight: fc.integer({ min: 0, max: 5 }), backup: fc.boolean() }),
  { minLength: 1, maxLength: 8 },
);

test('without fail-open, a service is left without an endpoint only if each is down and failed otherwise than by timeouts', () => {
  fc.assert(
    fc.property(fc.array(anyHealth, { minLength: 1, maxLength: 8 }), (healths) => {
      const fleet = healths.map((health) => ({ health, weight: 1, backup: false }));
      const hopeless = healths.every(({ condition, timeoutsOnly }) => condition === 'down' && !timeoutsOnly);
      assert.equal(
        verdicts(fleet).every((verdict) => verdict === 'out'),
        hopeless,
      );
    }),
  );
});

test('a primary with weight is out only while the threshold is kept; what is well is never out', () => {
  const policy = fc.record({
    failOpenBelow: fc.double({ min: 0.01, max: 1, noNaN: true }),
    startup: fc.constantFrom('optimistic' as const, 'cautious' as const),
    startupDeadlineMs: fc.nat(2_000),
  });
  fc.assert(
    fc.property(anyFleet, policy, fc.nat(4_000), (fleet, rules, nowMs) => {
      const { verdicts: given, failOpen, againMs } = eligible(fleet, rules, nowMs);
      const sum = (wanted: (index: number) => boolean) =>
        fleet.reduce((weight, one, index) => weight + (wanted(index) ? one.weight : 0), 0);
      const expected = sum((index) => !fleet[index]!.backup && given[index] !== 'waiting');
      const left = sum((index) => given[index] === 'in');
      for (const [index, { health, weight, backup }] of fleet.entries()) {
        const isOut = health.condition === 'down' || health.condition === 'ejected';
        if (!isOut) assert.notEqual(given[index], 'out');
        else if (given[index] === 'out' && weight > 0 && !backup) assert.ok(left >= rules.failOpenBelow * expected);
        if (given[index] === 'waiting') assert.ok(againMs !== null && againMs > nowMs);
      }
      if (failOpen !== null) assert.ok(left < rules.failOpenBelow * expected);
    }),
  );
});
