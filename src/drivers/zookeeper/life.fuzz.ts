/** A session is over when it may be: held to a model that looks at all that was ever answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { changesInMs, isOver, type Life, newLife, type Reading, step } from './life.ts';

const TIMEOUT_MS = 900;

/** What happens, and how long after the one before; the wall clock may be set meanwhile. */
const happening = fc.record({
  what: fc.constantFrom('time' as const, 'time' as const, 'answered' as const, 'attached' as const, 'expired' as const),
  passedMs: fc.integer({ min: 0, max: 500 }),
  wallStepMs: fc.oneof(
    { weight: 8, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: -5000, max: 5000 }) },
  ),
  /** How long ago the request was sent that is answered. */
  agoMs: fc.integer({ min: 0, max: 700 }),
  /** An `expired` is nothing but time unless this is 0. */
  rarely: fc.integer({ min: 0, max: 20 }),
});

test('alive, suspended and expired follow from the clocks, and what is over stays over', () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 30 }), (happenings) => {
      let now: Reading = { nowMs: 1000, wallMs: 5_000_000 };
      const readings: Reading[] = [now];
      let life: Life = newLife(TIMEOUT_MS);
      let heardAt: Reading | null = null;
      let over = false;
      for (const { what, passedMs, wallStepMs, agoMs, rarely } of happenings) {
        now = { nowMs: now.nowMs + passedMs, wallMs: now.wallMs + passedMs + wallStepMs };
        readings.push(now);
        // A request was sent at a moment that there was.
        const sentAt = readings.findLast(({ nowMs }) => nowMs <= now.nowMs - agoMs) ?? readings[0]!;
        const silent = (since: Reading): number => Math.max(now.nowMs - since.nowMs, now.wallMs - since.wallMs);
        if (heardAt !== null && silent(heardAt) >= TIMEOUT_MS) over = true;
        if (what === 'expired' && rarely === 0) {
          over = true;
          life = step(life, { type: 'expired' }, now);
        } else if (what === 'expired' || what === 'time') life = step(life, { type: 'time' }, now);
        else if (what === 'attached') {
          life = step(life, { type: 'attached', sentAt, timeoutMs: TIMEOUT_MS }, now);
          if (!over) heardAt = sentAt;
        } else {
          life = step(life, { type: 'answered', sentAt }, now);
          if (!over && heardAt !== null && sentAt.nowMs > heardAt.nowMs) heardAt = sentAt;
        }
        if (heardAt !== null && silent(heardAt) >= TIMEOUT_MS) over = true;
        const expected: string = over
          ? 'expired'
          : heardAt === null
            ? 'opening'
            : silent(heardAt) >= TIMEOUT_MS * (2 / 3)
              ? 'suspended'
              : 'alive';
        seen.add(expected);
        assert.equal(life.state, expected);
        if (!isOver(life)) assert.deepEqual(life.heardAt, heardAt);
      }
    }),
    { numRuns: 3000 },
  );
  assert.deepEqual([...seen].toSorted(), ['alive', 'expired', 'opening', 'suspended']);
});

test('the state changes exactly when it was said to', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 899 }), fc.integer({ min: 2, max: 60_000 }), (silentMs, timeoutMs) => {
      const sentAt = { nowMs: 1000, wallMs: 1000 };
      const at = (ms: number): Reading => ({ nowMs: 1000 + ms, wallMs: 1000 + ms });
      let life = step(newLife(timeoutMs), { type: 'attached', sentAt, timeoutMs }, at(silentMs));
      for (let passed = silentMs, changes = changesInMs(life, at(passed)); changes !== null;) {
        const before = life.state;
        if (changes > 0.01) assert.equal(step(life, { type: 'time' }, at(passed + changes - 0.01)).state, before);
        passed += changes;
        // A timer may ring a hair early by the fractions of a double; it is then set again.
        life = step(life, { type: 'time' }, at(passed + 0.001));
        assert.notEqual(life.state, before);
        changes = changesInMs(life, at(passed));
      }
      assert.equal(life.state, 'expired');
    }),
  );
});

test('what was closed stays so', () => {
  const now = { nowMs: 0, wallMs: 0 };
  const closed = step(newLife(TIMEOUT_MS), { type: 'closed' }, now);
  for (const event of [{ type: 'attached', sentAt: now, timeoutMs: 1 } as const, { type: 'expired' } as const]) {
    assert.equal(step(closed, event, now).state, 'closed');
  }
});
