import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Deadline, type Timed, TimerWheel } from './timer-wheel.ts';

const TICK_MS = 100;
/** One turn of the wheel, and so the time over which entries are moved on. */
const TURN_MS = 512 * TICK_MS;

class Entry implements Timed {
  readonly deadline = new Deadline(this);
  readonly firedMs: number[] = [];
  /** The deadline that the test wants, which the wheel must not have changed. */
  wantedMs = Number.POSITIVE_INFINITY;
  /** When it fires at the earliest: a deadline in the past is due when it is armed. */
  dueMs = Number.POSITIVE_INFINITY;
  then: (nowMs: number) => void = () => {};

  onDeadline(nowMs: number): void {
    this.firedMs.push(nowMs);
    this.then(nowMs);
  }
}

type Step =
  | { readonly kind: 'arm'; readonly entry: number; readonly inMs: number }
  | { readonly kind: 'disarm' | 'remove'; readonly entry: number }
  | { readonly kind: 'advance'; readonly byMs: number };

const ENTRIES = 6;
const entry = fc.nat(ENTRIES - 1);
/** Deadlines in the past, within a tick, within a turn, around a turn and beyond it. */
const inMs = fc.oneof(
  fc.integer({ min: -300, max: 300 }),
  // Close to each other, so that a deadline is moved to a slot a little earlier than the one it sits in.
  fc.nat(10).map((ticks) => ticks * TICK_MS),
  fc.integer({ min: 0, max: 5000 }),
  fc.integer({ min: TURN_MS - 400, max: TURN_MS + 400 }),
  fc.integer({ min: 0, max: 4 * TURN_MS }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('arm' as const), entry, inMs }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('disarm' as const, 'remove' as const), entry }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      byMs: fc.oneof(fc.nat(TICK_MS * 2), fc.nat(5000), fc.nat(3 * TURN_MS)),
    }),
  },
);

/**
 * Does the steps on a wheel and on a list of wanted deadlines. After each call of `advance`: nothing fired early, nothing
 * that is two ticks late is still waiting, and each deadline fired once.
 */
function run(startMs: number, steps: readonly Step[]): void {
  const wheel = new TimerWheel(startMs, TICK_MS);
  const entries = Array.from({ length: ENTRIES }, () => new Entry());
  let nowMs = startMs;
  for (const each of steps) {
    if (each.kind === 'advance') {
      nowMs += each.byMs;
      const before = entries.map(({ firedMs }) => firedMs.length);
      wheel.advance(nowMs);
      entries.forEach((one, i) => {
        const fired = one.firedMs.length - before[i]!;
        assert.ok(fired === 0 || fired === 1, 'a deadline fires once');
        if (fired === 1) {
          assert.ok(one.wantedMs <= nowMs, `fired at ${nowMs}, due at ${one.wantedMs}`);
          assert.equal(one.deadline.atMs, Number.POSITIVE_INFINITY, 'what fired is no longer armed');
          one.wantedMs = Number.POSITIVE_INFINITY;
          one.dueMs = Number.POSITIVE_INFINITY;
        }
        assert.ok(one.dueMs > nowMs - 2 * TICK_MS, `waiting at ${nowMs}, due at ${one.dueMs}`);
      });
      continue;
    }
    const one = entries[each.entry]!;
    if (each.kind === 'arm') {
      one.wantedMs = nowMs + each.inMs;
      one.dueMs = Math.max(nowMs, one.wantedMs);
      wheel.arm(one.deadline, one.wantedMs);
    } else {
      one.wantedMs = Number.POSITIVE_INFINITY;
      one.dueMs = Number.POSITIVE_INFINITY;
      if (each.kind === 'disarm') wheel.disarm(one.deadline);
      else wheel.remove(one.deadline);
      if (each.kind === 'remove') assert.equal(one.deadline.slot, -1);
    }
    assert.equal(one.deadline.atMs, one.wantedMs);
  }
}

test('a wheel fires what a list of deadlines would: never early, at most two ticks late, once', () => {
  fc.assert(
    fc.property(fc.nat(10 * TURN_MS), fc.array(step, { maxLength: 60 }), (startMs, steps) => run(startMs, steps)),
    { numRuns: 2000 },
  );
});

test('an entry may be armed again, and others changed, from within its own deadline', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2000), { minLength: 1, maxLength: 20 }), fc.nat(1000), (delays, offsetMs) => {
      const wheel = new TimerWheel(offsetMs, TICK_MS);
      const repeating = new Entry();
      const removed = new Entry();
      const rest = [...delays];
      let nowMs = offsetMs;
      let dueMs = nowMs + 50;
      repeating.then = (firedMs) => {
        assert.ok(firedMs >= dueMs && firedMs <= dueMs + 2 * TICK_MS + 10, `due ${dueMs}, fired ${firedMs}`);
        wheel.remove(removed.deadline);
        const delay = rest.shift();
        if (delay === undefined) return;
        dueMs = firedMs + delay;
        wheel.arm(repeating.deadline, dueMs);
        wheel.arm(removed.deadline, dueMs + 3 * TICK_MS);
      };
      wheel.arm(repeating.deadline, dueMs);
      wheel.arm(removed.deadline, dueMs + 3 * TICK_MS);
      while (rest.length > 0 || repeating.deadline.atMs !== Number.POSITIVE_INFINITY) {
        nowMs += 10;
        wheel.advance(nowMs);
      }
      assert.equal(repeating.firedMs.length, delays.length + 1);
      wheel.advance(nowMs + 2 * TURN_MS);
      assert.deepEqual(removed.firedMs, [], 'a removed entry does not fire');
    }),
  );
});

test('moving a deadline to a later time keeps the entry where it is until its slot comes round', () => {
  const wheel = new TimerWheel(0, TICK_MS);
  const one = new Entry();
  wheel.arm(one.deadline, 1000);
  const slot = one.deadline.slot;
  for (let dueMs = 1100; dueMs <= 5000; dueMs += 100) wheel.arm(one.deadline, dueMs);
  assert.equal(one.deadline.slot, slot);
  for (let nowMs = 0; nowMs < 5000; nowMs += TICK_MS) {
    wheel.advance(nowMs);
    assert.deepEqual(one.firedMs, []);
  }
  wheel.advance(5000 + 2 * TICK_MS);
  assert.deepEqual(one.firedMs, [5000 + 2 * TICK_MS]);
});

test('ten thousand entries in one slot fire together', () => {
  const wheel = new TimerWheel(0, TICK_MS);
  const entries = Array.from({ length: 10_000 }, () => new Entry());
  for (const one of entries) wheel.arm(one.deadline, 1000);
  for (const one of entries.slice(0, 5000)) wheel.remove(one.deadline);
  wheel.advance(1200);
  assert.equal(entries.filter(({ firedMs }) => firedMs.length === 1).length, 5000);
});
