import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createPickContext, type PickContext } from './balancer.ts';
import { createLeastTime } from './least-time.ts';
import { createLoads, createLoadTable, Loads } from './loads.ts';

/** Whoever costs least by all that is known now: of equals the first from `from` on, round the end. */
function expectedPick(loads: Loads, weights: readonly number[], context: PickContext, from: number): number {
  const { length } = weights;
  const times = new Float64Array(length);
  const factors = Float64Array.from(weights, (weight, index) => 1 / weight / (context.ramp?.[index] ?? 1));
  loads.expect(context, factors, times, 0, length);
  let [best, least] = [-1, Number.POSITIVE_INFINITY];
  for (let step = 0; step < length; step++) {
    const index = (from + step) % length;
    const cost = (loads.inFlight(index) + 1) * times[index]!;
    if (context.eligible[index] === 1 && cost < least) [best, least] = [index, cost];
  }
  return best;
}

function answer(loads: Loads, index: number, latencyMs: number, nowMs: number, ok = true): void {
  loads.answered(index, latencyMs, nowMs, ok);
  loads.finished(index);
}

const LENGTH = 7;
const lists = { minLength: LENGTH, maxLength: LENGTH };
const event = fc.record({
  index: fc.nat(LENGTH - 1),
  kind: fc.constantFrom('start', 'start', 'end', 'pick', 'pick', 'pick'),
  latencyMs: fc.constantFrom(1, 4, 4, 100, 5000),
  ok: fc.nat(3).map((roll) => roll > 0),
  outs: fc.array(fc.constantFrom(0, 1, 1, 1), lists),
  passMs: fc.nat(9).map((roll) => [0, 1, 10.5, 40_000][Math.max(0, roll - 6)]!),
});
const weightLists = fc.array(fc.constantFrom(0, 0.5, 1, 1, 2), lists);

test('a pick that comes later than what it knows may be old is of the quickest by all that is known, ties in turn', () => {
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 20, maxLength: 60 }),
      weightLists,
      fc.boolean(),
      (events, weights, cold) => {
        const table = createLoadTable(20, 2);
        const slots = [9, 1, 7, 3, 4, 5, 19];
        const views = [new Loads(table, 0, slots), new Loads(table, 1, slots)];
        const balancer = createLeastTime({ weights, loads: views[0]! });
        const context = createPickContext(LENGTH);
        if (cold) context.ramp = Float64Array.from(weights, (_, index) => 1 / (1 + (index % 3)));
        let from = 0;
        for (const { index, kind, latencyMs, ok, outs, passMs } of events) {
          context.nowMs += passMs;
          const view = views[index % 2]!;
          if (kind === 'start') view.started(index, context.nowMs);
          else if (kind === 'end' && view.inFlight(index) > 0) answer(view, index, latencyMs, context.nowMs, ok);
          else if (kind === 'pick') {
            context.nowMs += 1;
            context.eligible.set(outs);
            const expected = expectedPick(views[0]!, weights, context, from);
            assert.equal(balancer.pick(context), expected);
            if (expected >= 0) from = (expected + 1) % LENGTH;
          }
        }
      },
    ),
  );
});

test('what any thread has in flight counts at once, also while latency is not looked at', () => {
  const weights = [1, 2, 1, 3, 1, 1, 2];
  fc.assert(
    fc.property(fc.array(event, { minLength: 20, maxLength: 60 }), (events) => {
      const table = createLoadTable(LENGTH, 2);
      const [mine, theirs] = [new Loads(table, 0), new Loads(table, 1)];
      for (let index = 0; index < LENGTH; index++) {
        mine.started(index, 0);
        answer(mine, index, 2 + (index % 3), 0);
      }
      const balancer = createLeastTime({ weights, loads: mine });
      const context = createPickContext(LENGTH);
      let from = 0;
      for (const { index, kind, outs } of events) {
        if (kind === 'start') theirs.started(index, 0);
        else if (kind === 'end' && mine.inFlight(index) > 0) {
          theirs.abandoned(index);
          theirs.finished(index);
        } else if (kind === 'pick') {
          context.eligible.set(outs);
          const expected = expectedPick(mine, weights, context, from);
          const pick = balancer.pick(context);
          assert.equal(pick, expected);
          if (pick < 0) continue;
          from = (pick + 1) % LENGTH;
          mine.started(pick, 0);
        }
      }
    }),
  );
});

test('an unknown endpoint gets one request and no burst, whoever sent it', () => {
  const table = createLoadTable(4, 2);
  const [mine, theirs] = [new Loads(table, 0), new Loads(table, 1)];
  const balancer = createLeastTime({ weights: [1, 1, 1, 1], loads: mine });
  const context = createPickContext(4);
  assert.equal(balancer.pick(context), 0);
  mine.started(0, 0);
  theirs.started(1, 0);
  assert.equal(balancer.pick(context), 2);
  mine.started(2, 0);
  assert.equal(balancer.pick(context), 3);
});

test('one that has become slow is not picked for what it was a moment ago', () => {
  const loads = createLoads(3);
  const balancer = createLeastTime({ weights: [1, 1, 1], loads });
  const context = createPickContext(3);
  for (const [index, latencyMs] of [1, 2, 50].entries()) {
    loads.started(index, 0);
    answer(loads, index, latencyMs, 0);
  }
  assert.equal(balancer.pick(context), 0);
  loads.started(0, 0);
  answer(loads, 0, 1000, 0);
  assert.equal(balancer.pick(context), 1);
  loads.started(1, 0);
  answer(loads, 1, 1000, 0);
  loads.started(2, 0);
  assert.equal(balancer.pick(context), 2);
});

test('work that another thread begins during a search hides nobody', () => {
  // In flight is read more than once in a search: here it has always grown when it is read by row.
  class Growing extends Loads {
    override row(): Int32Array {
      return Int32Array.from({ length: this.length }, (_, index) => this.inFlight(index) + 3);
    }
  }
  const loads = new Growing(createLoadTable(3, 1), 0);
  for (const [index, latencyMs] of [3, 2, 1].entries()) {
    loads.started(index, 0);
    answer(loads, index, latencyMs, 0);
  }
  const balancer = createLeastTime({ weights: [1, 1, 1], loads });
  for (let made = 0; made < 5; made++) assert.equal(balancer.pick(createPickContext(3)), 2);
});

/** Forty endpoints that are known and at work, but for the last, whose weight is 0: four requests each, and the answers of each take a ms more. */
function atWork() {
  const weights = Array.from({ length: 40 }, (_, index) => (index < 39 ? 1 : 0));
  const loads = createLoads(40);
  for (let index = 0; index < 39; index++) {
    for (let made = 0; made < 4; made++) loads.started(index, 0);
    for (let made = 0; made < 4; made++) loads.answered(index, 1 + index, 0, true);
  }
  return { loads, balancer: createLeastTime({ weights, loads }), context: createPickContext(40) };
}

test('among many, that work ends where answers take long is no reason to go there, also beside a weight of 0', () => {
  const { loads, balancer, context } = atWork();
  const cost = (index: number): number => (loads.inFlight(index) + 1) * (1 + index);
  for (let pick = 0; pick < 20; pick++) {
    loads.finished(38 - (pick % 10));
    const index = balancer.pick(context);
    assert.equal(cost(index), Math.min(...Array.from({ length: 39 }, (_, each) => cost(each))), `pick ${pick}`);
    loads.started(index, 0);
    loads.answered(index, 1 + index, 0, true);
  }
});

test('among many, latency is looked at each millisecond, however lately there was a search', () => {
  const { loads, balancer, context } = atWork();
  loads.started(0, 0);
  const pickAt = (nowMs: number): number => {
    context.nowMs = nowMs;
    return balancer.pick(context);
  };
  assert.deepEqual([pickAt(500), pickAt(500.9)], [1, 1]);
  loads.answered(0, 1, 500.9, true);
  loads.finished(1);
  assert.equal(pickAt(501), 0);
});
