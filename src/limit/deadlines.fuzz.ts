import assert from 'node:assert/strict';
import { test } from 'node:test';

import * as fc from 'fast-check';

import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { Deadlines } from './deadlines.ts';

const DEADLINE_MS = 10;

/** `begin` a call, `end` one of those that were begun, or let time pass. */
const step = fc.oneof(
  fc.record({ kind: fc.constant('begin' as const) }),
  fc.record({ kind: fc.constant('end' as const), which: fc.nat(30) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(12) }),
);

test('every call that does not end expires at its deadline, and no other, with one timer for all', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const clock = new SimulatedClock();
      const expired = new Map<number, number>();
      const deadlines = new Deadlines<number>(clock, DEADLINE_MS, (call) => expired.set(call, clock.nowMs()));
      const begun: { readonly due: ReturnType<typeof deadlines.begin>; readonly atMs: number; ended: boolean }[] = [];
      for (const each of steps) {
        if (each.kind === 'begin') {
          const atMs = clock.nowMs();
          begun.push({ due: deadlines.begin(begun.length, atMs), atMs, ended: false });
        } else if (each.kind === 'end' && each.which < begun.length) {
          const call = begun[each.which]!;
          const open = !call.ended && !expired.has(each.which);
          assert.equal(deadlines.end(call.due), open);
          call.ended ||= open;
        } else if (each.kind === 'pass') clock.pass(each.ms);
        assert.ok(clock.timers <= 1);
      }
      clock.pass(2 * DEADLINE_MS);
      for (const [call, { atMs, ended }] of begun.entries())
        assert.equal(expired.get(call), ended ? undefined : atMs + DEADLINE_MS);
      assert.equal(clock.timers, 0);
    }),
  );
});
