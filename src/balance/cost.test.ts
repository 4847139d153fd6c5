import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createPickContext } from './balancer.ts';
import { InFlightCost, LatencyCost } from './cost.ts';
import { createLoadTable, Loads } from './loads.ts';

const endpoint = fc.record({
  open: fc.nat(4),
  eligible: fc.nat({ max: 4 }).map((roll) => (roll === 0 ? 0 : 1)),
  weight: fc.constantFrom(0, 0.5, 1, 2, 3),
  ramp: fc.constantFrom(0.1, 0.5, 1),
});
const example = fc.record({
  endpoints: fc.array(endpoint, { minLength: 1, maxLength: 30 }),
  equal: fc.boolean(),
  cold: fc.boolean(),
  scattered: fc.boolean(),
  range: fc.tuple(fc.nat(30), fc.nat(30)),
  before: fc.integer({ min: -1, max: 29 }),
});

test('the cheapest is the first of the least (in flight + 1) / weight, by all threads, whatever the weights and slots', () => {
  fc.assert(
    fc.property(example, ({ endpoints, equal, cold, scattered, range, before }) => {
      const { length } = endpoints;
      const weights = endpoints.map(({ weight }) => (equal ? 2 : weight));
      const table = createLoadTable(3 * length + 7, 2);
      const slots = endpoints.map((_, index) => (scattered ? 3 * (length - index) : 5 + index));
      const [mine, theirs] = [new Loads(table, 0, slots), new Loads(table, 1, slots)];
      for (const [index, { open }] of endpoints.entries()) {
        for (let started = 0; started < open; started++) (started % 2 === 0 ? mine : theirs).started(index, 0);
      }
      const ramp = cold ? Float64Array.from(endpoints, (each) => each.ramp) : null;
      const eligible = Uint8Array.from(endpoints, (each) => each.eligible);
      const costs = endpoints.map(({ open }, index) => (open + 1) * (1 / weights[index]! / (ramp?.[index] ?? 1)));

      const [from, to] = [Math.min(...range, length), Math.min(Math.max(...range), length)];
      let expected = Math.min(before, length - 1);
      const start = expected;
      let least = expected < 0 ? Number.POSITIVE_INFINITY : costs[expected]!;
      for (let index = from; index < to; index++) {
        if (eligible[index] === 1 && costs[index]! < least) [expected, least] = [index, costs[index]!];
      }
      const context = { ...createPickContext(length), eligible, ramp };
      const cost = new InFlightCost(Float64Array.from(weights), mine);
      assert.equal(cost.cheapest(context, from, to, start), expected);
    }),
    { numRuns: 1000 },
  );
});

test('by latency the cheaper of two is the one with less expected time × (in flight + 1) / weight, now; of equals the first', () => {
  const work = fc.record({
    latencyMs: fc.constantFrom(2, 4, 4, 300),
    open: fc.nat(2),
    weight: fc.constantFrom(0.5, 1, 2),
    ramp: fc.constantFrom(0.5, 1),
  });
  fc.assert(
    fc.property(work, work, fc.boolean(), fc.constantFrom(0, 3, 500, 30_000), (one, other, cold, laterMs) => {
      const both = [one, other];
      const loads = new Loads(createLoadTable(4, 1), 0, [3, 1]);
      const cost = new LatencyCost(
        Float64Array.from(both, ({ weight }) => weight),
        loads,
      );
      const context = { ...createPickContext(2), ramp: cold ? Float64Array.from(both, ({ ramp }) => ramp) : null };
      cost.cheapest(context, 1, 2, 0);
      for (const [index, { latencyMs, open }] of both.entries()) {
        loads.started(index, 0);
        loads.answered(index, latencyMs, 0, true);
        loads.finished(index);
        for (let started = 0; started < open; started++) loads.started(index, 0);
      }
      context.nowMs = laterMs;
      const times = new Float64Array(2);
      loads.expect(laterMs, new Float64Array([1, 1]), times, 0, 2);
      const costs = both.map(
        ({ open, weight, ramp }, index) => (open + 1) * (times[index]! * (1 / weight / (cold ? ramp : 1))),
      );
      const pick = cost.cheapest(context, 1, 2, 0);
      assert.equal(pick, costs[1]! < costs[0]! ? 1 : 0);
      assert.equal(cost.cheapest(context, 1, 2, -1), 1);
    }),
  );
});
