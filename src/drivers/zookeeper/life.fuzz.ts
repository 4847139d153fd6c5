/** A session is over when it may be: held to a model that looks at all that was ever answered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { driftMs } from '../../lease/instant.ts';
import { changesInMs, countsFrom, isOver, type Life, newLife, type Reading, step } from './life.ts';

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

test('a session lasts no longer than the shortest that a server has granted', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 2, max: 60_000 }), { minLength: 1 }), (granted) => {
      const sentAt = { nowMs: 1000, wallMs: 1000 };
      const attach = (life: Life, timeoutMs: number): Life =>
        step(life, { type: 'attached', sentAt, timeoutMs }, sentAt);
      assert.equal(granted.reduce(attach, newLife(TIMEOUT_MS)).timeoutMs, Math.min(...granted));
    }),
  );
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

test('what counts from `countsFrom` is over before the session is, when the follower dies right after its last answer', () => {
  // All of a timeout.
  const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: max * 1000 }).map((at) => at / 1000);
  const request = fc.record({
    /** After the one before was sent. */
    after: fc.oneof(upTo(0.02), upTo(0.35)),
    there: fc.oneof(fc.constant(0), upTo(0.3)),
    back: fc.oneof(fc.constant(0), upTo(0.1)),
  });
  const requests = fc.array(request, { maxLength: 30 });
  const timeout = fc.integer({ min: 100, max: 10_000 });
  /** Half a tick, and how long it lasts that counts. */
  const untold = fc.oneof(fc.constant(0.25), upTo(0.25));
  /** By how much the leader's clock is faster than the one here, and how long after half a tick a follower is asked and has answered. */
  const rate = fc.constantFrom(1, 0.99, 1.01);
  const tardy = fc.oneof(fc.constant(0), fc.constant(0.0375), upTo(0.037));
  const lasts = fc.constantFrom(0.75, 6 / 7, 0.9, 1);
  let shortened = 0;
  let whole = 0;
  fc.assert(
    fc.property(
      timeout,
      untold,
      lasts,
      requests,
      rate,
      tardy,
      (timeoutMs, untoldRatio, lastsRatio, given, ahead, late) => {
        const lastsMs = timeoutMs * lastsRatio;
        const at = (ms: number): Reading => ({ nowMs: ms, wallMs: ms });
        let life = step(newLife(timeoutMs), { type: 'attached', sentAt: at(0), timeoutMs }, at(0));
        const arrived = [{ sentMs: 0, atMs: 0 }];
        let [sentMs, arrivedMs, answeredMs] = [0, 0, 0];
        for (const { after: apart, there, back } of given) {
          sentMs += apart * timeoutMs;
          arrivedMs = Math.max(arrivedMs, sentMs + there * timeoutMs);
          answeredMs = Math.max(answeredMs, arrivedMs + back * timeoutMs);
          arrived.push({ sentMs, atMs: arrivedMs });
          life = step(life, { type: 'answered', sentAt: at(sentMs) }, at(answeredMs));
          if (isOver(life)) return;
          const untoldMs = (untoldRatio / ahead + late) * timeoutMs;
          const told = arrived.findLast(({ atMs }) => atMs <= arrivedMs - untoldMs) ?? arrived[0]!;
          const from = countsFrom(life, lastsMs)!;
          const endsMs = from.nowMs + lastsMs - driftMs(lastsMs);
          assert.ok(endsMs <= told.sentMs + timeoutMs / ahead, 'by the leader’s clock it outlives the session');
          assert.ok(from.nowMs + lastsMs <= told.sentMs + timeoutMs + 1e-6, 'it outlives the session');
          assert.ok(from.nowMs <= sentMs);
          assert.ok(life.answered.length <= 8, 'few are kept');
          if (from.nowMs < sentMs) shortened += 1;
          else whole += 1;
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(shortened > 1000 && whole > 1000, `${shortened} shortened, ${whole} whole`);
});

test('it counts from the last answer if the heartbeats before it were as far apart as the timeout is longer, and quick', () => {
  const at = (ms: number): Reading => ({ nowMs: ms, wallMs: ms });
  let life = step(newLife(1000), { type: 'attached', sentAt: at(0), timeoutMs: 1000 }, at(0));
  for (let ms = 300; ms <= 3000; ms += 300) life = step(life, { type: 'answered', sentAt: at(ms) }, at(ms + 10));
  assert.deepEqual(countsFrom(life, 696), at(3000));
  assert.deepEqual(countsFrom(life, 750), at(2947.5));
  life = step(life, { type: 'answered', sentAt: at(3200) }, at(3210));
  assert.deepEqual(countsFrom(life, 750), at(2947.5), 'the follower may have told nobody of the one before');
});
