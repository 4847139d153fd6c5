import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createPickContext } from './balancer.ts';
import { createLoadTable, Loads } from './loads.ts';
import { createPeakEwma } from './peak-ewma.ts';
import { createTwoChoices } from './two-choices.ts';

const work = fc.record({
  latencyMs: fc.constantFrom(2, 4, 4, 300),
  open: fc.nat(3),
  weight: fc.constantFrom(0.5, 1, 2),
  ramp: fc.constantFrom(0.5, 1),
});

test('of two the cheaper is picked by what is known now, whatever the weights, slots and ramps', () => {
  fc.assert(
    fc.property(
      fc.tuple(work, work),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(0, 3, 500, 30_000),
      (both, byLatency, cold, laterMs) => {
        const loads = new Loads(createLoadTable(4, 1), 0, [3, 1]);
        const weights = both.map(({ weight }) => weight);
        const balancer = byLatency ? createPeakEwma({ weights, loads }) : createTwoChoices({ weights, loads });
        const context = { ...createPickContext(2), ramp: cold ? Float64Array.from(both, ({ ramp }) => ramp) : null };
        balancer.pick(context);
        for (const [index, { latencyMs, open }] of both.entries()) {
          loads.started(index, 0);
          loads.answered(index, latencyMs, 0, true);
          loads.finished(index);
          for (let started = 0; started < open; started++) loads.started(index, 0);
        }
        context.nowMs = laterMs;
        const times = new Float64Array(2).fill(1);
        if (byLatency) loads.expect(context, new Float64Array([1, 1]), times, 0, 2);
        const costs = both.map(
          ({ open, weight, ramp }, index) => (open + 1) * (times[index]! * (1 / weight / (cold ? ramp : 1))),
        );
        const pick = balancer.pick(context);
        assert.ok(costs[pick]! <= costs[1 - pick]!, `${pick} of ${costs.join(' ')}`);
      },
    ),
  );
});
