import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock, Timer } from './clock.ts';
import { TicklessWheel } from './tickless-wheel.ts';
import { Deadline } from './timer-wheel.ts';

const TICK_MS = 5;

class SteppedClock implements Clock {
  timers = 0;
  #nowMs = 1e6;
  #run: (() => void) | null = null;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  after(): Timer {
    throw new Error('not asked for');
  }

  every(periodMs: number, run: () => void): Timer {
    assert.equal(periodMs, TICK_MS);
    this.timers += 1;
    this.#run = run;
    return {
      clear: () => {
        this.timers -= 1;
        this.#run = null;
      },
    };
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1) {
      this.#nowMs += 1;
      if (this.#nowMs % TICK_MS === 0) this.#run?.();
    }
  }
}

function entry(onDeadline: (nowMs: number) => void): Deadline {
  return new Deadline({ onDeadline });
}

test('a deadline is met within two ticks, also after a long sleep', () => {
  const clock = new SteppedClock();
  const wheel = new TicklessWheel(clock, { tickMs: TICK_MS });
  const lateMs: number[] = [];
  for (const sleptMs of [0, 3, 4999, 123_456]) {
    clock.pass(sleptMs);
    for (const afterMs of [0, 1, 5, 7, 100, 4000]) {
      const dueMs = clock.nowMs() + afterMs;
      wheel.arm(
        entry((nowMs) => lateMs.push(nowMs - dueMs)),
        dueMs,
      );
    }
    clock.pass(4000 + 2 * TICK_MS);
  }
  assert.equal(lateMs.length, 24);
  for (const late of lateMs) assert.ok(late >= 0 && late <= 2 * TICK_MS, `${late} ms late`);
});

test('there is a timer while something is waited for, and none otherwise', () => {
  const clock = new SteppedClock();
  const wheel = new TicklessWheel(clock, { tickMs: TICK_MS });
  assert.equal(clock.timers, 0);
  let fired = 0;
  const again = entry(() => {
    fired += 1;
    if (fired === 1) wheel.arm(again, clock.nowMs() + 50);
  });
  wheel.arm(again, clock.nowMs() + 20);
  clock.pass(20 + 2 * TICK_MS);
  assert.deepEqual([fired, clock.timers], [1, 1], 'it is armed anew');
  clock.pass(50 + 2 * TICK_MS);
  assert.deepEqual([fired, clock.timers], [2, 0]);
  const left = entry(() => assert.fail('it was disarmed'));
  wheel.arm(left, clock.nowMs() + 20);
  wheel.disarm(left);
  clock.pass(20 + 2 * TICK_MS);
  assert.equal(clock.timers, 0);
  wheel.arm(left, clock.nowMs() + 20);
  wheel.remove(left);
  clock.pass(TICK_MS);
  assert.equal(clock.timers, 0);
});
