import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  defaultEjectionPolicy,
  initialEjection,
  isInUse,
  stepEjections,
  type Ejection,
  type EjectionInput,
  type EjectionPolicy,
} from './ejection.ts';
import type { Fault } from './passive.ts';

const policy: EjectionPolicy = {
  ...defaultEjectionPolicy,
  baseMs: 1_000,
  ejectionMaxMs: 5_000,
  forgiveAfterMs: 10_000,
};
const row: Fault = { rule: 'consecutive-errors', reason: '5 errors in a row', severity: 3 };
const whyRow = { reason: row.reason, cause: row.rule } as const;
const rate: Fault = { rule: 'error-rate', reason: '60 % failed', severity: 1.6 };
const slow: Fault = { rule: 'latency', reason: 'slow', severity: 0.8 };
const none = { good: 0, bad: 0 };

function member(what: Partial<EjectionInput> = {}): EjectionInput {
  return { ejection: initialEjection(0), weight: 1, down: false, fault: null, trial: none, ...what };
}

/** One endpoint beside a good one, from step to step. */
class Pair {
  nowMs = 0;
  ejection: Ejection = initialEjection(0);

  after(ms: number, what: Partial<EjectionInput> = {}): this {
    this.nowMs += ms;
    const inputs = [member({ ...what, ejection: this.ejection }), member()];
    this.ejection = stepEjections(inputs, policy, this.nowMs)[0]!.ejection;
    return this;
  }

  /** Until its next trial is decided. */
  tried(trial: { good: number; bad: number }): this {
    this.after(this.ejection.untilMs - this.nowMs);
    assert.equal(this.ejection.phase, 'trial');
    return this.after(1, { trial });
  }
}

const phases = (inputs: readonly EjectionInput[], rules = policy) =>
  stepEjections(inputs, rules, 0).map(({ ejection }) => ejection.phase);
const sparedOf = (inputs: readonly EjectionInput[], rules = policy) =>
  stepEjections(inputs, rules, 0).map(({ spared }) => spared);

test('a fault ejects for the base time, then a trial decides', () => {
  const pair = new Pair().after(100, { fault: row });
  assert.deepEqual(pair.ejection, {
    phase: 'ejected',
    sinceMs: 100,
    level: 1,
    untilMs: 1_100,
    ...whyRow,
  });
  assert.equal(pair.after(999).ejection.phase, 'ejected');
  assert.equal(pair.after(1).ejection.phase, 'trial');
  assert.equal(pair.after(1, { trial: { good: 2, bad: 2 } }).ejection.phase, 'trial');
  pair.after(1, { trial: { good: 3, bad: 2 } });
  assert.equal(pair.ejection.phase, 'in');
  assert.equal(pair.ejection.reason, '3 of 5 requests on trial succeeded');
});

test('a trial that goes wrong ejects for longer, up to the longest, and keeps the first cause', () => {
  const pair = new Pair().after(0, { fault: row });
  const lengths = Array.from({ length: 7 }, () => {
    const { sinceMs, untilMs } = pair.ejection;
    pair.tried({ good: 1, bad: 3 });
    return untilMs - sinceMs;
  });
  assert.deepEqual(lengths, [1_000, 2_000, 3_000, 4_000, 5_000, 5_000, 5_000]);
  assert.equal(pair.ejection.reason, '1 of 4 requests on trial succeeded; before: 5 errors in a row');
});

test('time in use is forgiven, one ejection for each time', () => {
  const pair = new Pair().after(0, { fault: row });
  for (let again = 0; again < 3; again++) pair.tried({ good: 0, bad: 3 });
  assert.equal(pair.ejection.level, 4);
  pair.tried({ good: 3, bad: 0 });
  assert.equal(pair.after(9_999, { fault: row }).ejection.level, 5, 'not yet');
  pair.tried({ good: 3, bad: 0 });
  assert.equal(pair.after(30_000, { fault: row }).ejection.level, 3);
  pair.tried({ good: 3, bad: 0 });
  assert.equal(pair.after(1_000_000, { fault: row }).ejection.level, 1);
});

test('the last one in use stays, whatever its fault, and says why', () => {
  for (const fault of [row, rate, slow]) {
    for (const fleet of [
      [member({ fault })],
      [member({ fault }), member({ down: true })],
      [member({ fault }), member({ weight: 0 })],
    ]) {
      assert.equal(phases(fleet)[0], 'in');
      assert.equal(sparedOf(fleet)[0], `${fault.reason}; in use all the same: no other is better`);
    }
  }
});

test('when nobody in use is well, nobody is ejected and the ejected come back', () => {
  const ejected: Ejection = { phase: 'ejected', sinceMs: 0, level: 3, untilMs: 9_999, ...whyRow };
  const fleet = [member({ fault: row }), member({ fault: rate }), member({ ejection: ejected })];
  assert.deepEqual(phases(fleet), ['in', 'in', 'in']);
  const back = stepEjections(fleet, policy, 50)[2]!.ejection;
  assert.deepEqual(back, {
    ...ejected,
    phase: 'in',
    sinceMs: 50,
    reason: 'none of the others is better; before: 5 errors in a row',
    cause: 'no-better',
  });
});

test('at most the share is out, the gravest first', () => {
  const half = { ...policy, ejectedShareMax: 0.5 };
  const fleet = [slow, row, rate, row, null, null].map((fault) => member({ fault }));
  assert.deepEqual(phases(fleet, half), ['in', 'ejected', 'ejected', 'ejected', 'in', 'in']);
  assert.equal(sparedOf(fleet, half)[0], 'slow; in use all the same: 50% of the service is out and at most 50% may be');
  const withOneDown = [member({ down: true }), ...fleet.slice(0, 3), member(), member()];
  assert.deepEqual(phases(withOneDown, half), ['in', 'in', 'ejected', 'ejected', 'in', 'in']);
});

test('one may go for errors however heavy it is, none for slowness, and a share of 0 is none', () => {
  const heavy = (fault: Fault) => [member({ fault, weight: 9 }), member()];
  assert.deepEqual(phases(heavy(row)), ['ejected', 'in']);
  assert.deepEqual(phases(heavy(slow)), ['in', 'in']);
  assert.deepEqual(phases([member({ fault: row }), member()], { ...policy, ejectedShareMax: 0 }), ['in', 'in']);
  const tenth = { ...policy, ejectedShareMax: 0.1 };
  assert.deepEqual(phases([member({ fault: row }), member({ fault: row }), member()], tenth), ['ejected', 'in', 'in']);
});

test('an ejection does not end while checks say down', () => {
  const pair = new Pair().after(0, { fault: row }).after(5_000, { down: true });
  assert.equal(pair.ejection.phase, 'ejected');
  assert.equal(pair.after(1).ejection.phase, 'trial');
});

const anyStep = fc.record({
  afterMs: fc.nat(8_000),
  members: fc.array(
    fc.record({
      down: fc.boolean(),
      fault: fc.constantFrom(null, null, row, rate, slow),
      trial: fc.record({ good: fc.nat(5), bad: fc.nat(5) }),
    }),
    { minLength: 6, maxLength: 6 },
  ),
});

test('whatever happens: someone is in use if anyone can be, the share holds, times are bounded', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 });
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(weights, share, fc.array(anyStep, { maxLength: 25 }), (heavy, ejectedShareMax, steps) => {
      const rules = { ...policy, ejectedShareMax };
      const total = heavy.reduce((sum, weight) => sum + weight, 0);
      let ejections = heavy.map(() => initialEjection(0));
      let nowMs = 0;
      for (const { afterMs, members } of steps) {
        nowMs += afterMs;
        const inputs = heavy.map((weight, index) => ({ ...members[index]!, weight, ejection: ejections[index]! }));
        const before = inputs.filter(isInUse);
        const outcomes = stepEjections(inputs, rules, nowMs);
        ejections = outcomes.map(({ ejection }) => ejection);
        const after = inputs.map((input, index) => ({ ...input, ejection: ejections[index]! }));
        if (inputs.some(({ down }) => !down)) assert.ok(after.some(isInUse), 'nobody is left');
        const isFresh = (index: number) => ejections[index]!.phase === 'ejected' && isInUse(inputs[index]!);
        const fresh = heavy.filter((_, index) => isFresh(index));
        // Who came back in this very step was out when the room was measured.
        const outWeight = total - before.reduce((sum, { weight }) => sum + weight, 0);
        const freshWeight = fresh.reduce((sum, weight) => sum + weight, 0);
        const isOnlyOne = fresh.length === 1 && outWeight === 0;
        if (fresh.length > 0 && !isOnlyOne) assert.ok((outWeight + freshWeight) / total <= ejectedShareMax + 1e-9);
        for (const [index, { phase, level, untilMs }] of ejections.entries()) {
          if (phase === 'ejected') assert.ok(untilMs <= nowMs + rules.ejectionMaxMs);
          if (phase !== 'in') assert.ok(level >= 1 && level <= 5);
          assert.ok(outcomes[index]!.spared === null || inputs[index]!.fault !== null);
        }
      }
    }),
    { numRuns: 500 },
  );
});
