import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createTrafficCell, RESULTS, TrafficRecorder, trafficResults, type TrafficResult } from './traffic.ts';
import { TrafficWindow } from './traffic-window.ts';

const WINDOW_MS = 1_000;
const SLOT_MS = WINDOW_MS / 10;

interface Step {
  readonly afterMs: number;
  readonly result: TrafficResult;
}

const anyStep: fc.Arbitrary<Step> = fc.record({
  afterMs: fc.oneof(fc.nat(30), fc.nat(300), fc.nat(3_000)),
  result: fc.constantFrom(...Object.values(trafficResults)),
});

function tally(results: readonly TrafficResult[]): number[] {
  return Array.from({ length: RESULTS }, (_, kind) => results.filter((result) => result === kind).length);
}

test('the window holds what came in its slots, and the recent is its shortest end with enough of it', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), fc.integer({ min: 1, max: 30 }), fc.nat(40), (steps, min, at) => {
      const cell = createTrafficCell(2);
      const recorder = new TrafficRecorder({ cell, lane: 1, row: null });
      let nowMs = 12_345;
      recorder.record(trafficResults.reset, 0); // before the window, so not in it
      const window = new TrafficWindow({ cell, windowMs: WINDOW_MS }, nowMs);
      let seen: { slot: number; result: TrafficResult }[] = [];
      let sinceReset: TrafficResult[] = [];
      for (const [index, { afterMs, result }] of steps.entries()) {
        nowMs += afterMs;
        recorder.record(result, 5);
        seen.push({ slot: Math.floor(nowMs / SLOT_MS), result });
        sinceReset.push(result);
        if (index === at) {
          window.reset(nowMs);
          seen = [];
          sinceReset = [];
        } else window.collect(nowMs);
      }
      const last = Math.floor(nowMs / SLOT_MS);
      const within = (slots: number) => seen.filter(({ slot }) => slot > last - slots).map(({ result }) => result);
      let slots = 1;
      while (slots < 10 && within(slots).length < min) slots += 1;
      const { recent, latency, sinceReset: counted } = window.summary(min);
      assert.deepEqual(recent, tally(within(slots)));
      assert.equal(latency.samples, within(10).filter((result) => result === trafficResults.answer).length);
      assert.deepEqual(counted, tally(sinceReset));
    }),
  );
});

test('a reset forgets the row', () => {
  const cell = createTrafficCell(1);
  const recorder = new TrafficRecorder({ cell, lane: 0, row: null });
  const window = new TrafficWindow({ cell, windowMs: WINDOW_MS }, 0);
  recorder.record(trafficResults.refused, 0);
  window.collect(10);
  assert.equal(window.summary(1).row.errors, 1);
  window.reset(20);
  assert.equal(window.summary(1).row.errors, 0);
});
