import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { createPickContext, type PickContext } from './balancer.ts';
import { createLeastConnections } from './least-connections.ts';
import { clearLane, createLoads, createLoadTable, Loads } from './loads.ts';

function costsOf(loads: Loads, weights: readonly number[], { eligible, ramp }: PickContext): number[] {
  return weights.map((weight, index) =>
    eligible[index] === 1
      ? (loads.inFlight(index) + 1) * (1 / weight / (ramp?.[index] ?? 1))
      : Number.POSITIVE_INFINITY,
  );
}

/** Of the least the first from `from` on, round the end; -1 if all are infinite. */
function firstOfLeast(costs: readonly number[], from: number): number {
  const least = Math.min(...costs);
  if (least === Number.POSITIVE_INFINITY) return -1;
  const behind = costs.indexOf(least, from);
  return behind < 0 ? costs.indexOf(least) : behind;
}

const endpoint = fc.record({
  weight: fc.constantFrom(0, 0.5, 1, 2, 3),
  ramp: fc.constantFrom(0.1, 0.5, 1),
});
const step = fc.record({
  at: fc.nat(40),
  lane: fc.nat(1),
  kind: fc.constantFrom('start', 'end', 'end', 'out', 'pick', 'pick', 'pick'),
  cold: fc.nat(3).map((roll) => roll === 0),
});

test('among few the pick is the first of the cheapest by what all threads do, whatever the weights, slots and ramps', () => {
  fc.assert(
    fc.property(
      fc.array(endpoint, { minLength: 1, maxLength: 15 }),
      fc.boolean(),
      fc.array(step, { maxLength: 80 }),
      (endpoints, scattered, steps) => {
        const { length } = endpoints;
        const weights = endpoints.map(({ weight }) => weight);
        const slots = endpoints.map((_, index) => (scattered ? 3 * (length - index) : 5 + index));
        const table = createLoadTable(3 * length + 7, 2);
        const views = [new Loads(table, 0, slots), new Loads(table, 1, slots)];
        const balancer = createLeastConnections({ weights, loads: views[0]! });
        const context = createPickContext(length);
        const ramp = Float64Array.from(endpoints, (each) => each.ramp);
        let from = 0;
        for (const { at, lane, kind, cold } of steps) {
          const index = at % length;
          const view = views[lane]!;
          if (kind === 'start') view.started(index, 0);
          else if (kind === 'end' && view.inFlight(index) > 0) view.finished(index);
          else if (kind === 'out') context.eligible[index]! ^= 1;
          else if (kind === 'pick') {
            context.ramp = cold ? ramp : null;
            const pick = balancer.pick(context);
            assert.equal(pick, firstOfLeast(costsOf(view, weights, context), from));
            if (pick >= 0) from = pick + 1;
            if (pick >= 0) views[0]!.started(pick, 0);
          }
        }
      },
    ),
  );
});

/** Counts searches: only they read row by row. */
class Counting extends Loads {
  rows = 0;
  override row(from: number, to: number): Int32Array {
    this.rows += 1;
    return super.row(from, to);
  }
}

test('among many the pick is one of the cheapest by what its thread does, and mostly without a search', () => {
  for (const [seed, scattered] of [false, true, false, true].entries()) {
    const random = seededRandom(seed);
    const upTo = (count: number): number => Math.floor(random.unit() * count);
    const length = 16 + upTo(80);
    const weights = Array.from({ length }, () => (seed < 2 ? 2 : [0.5, 1, 3][upTo(3)]!));
    const table = createLoadTable(3 * length + 9, 1);
    const loads = new Counting(
      table,
      0,
      weights.map((_, index) => (scattered ? 3 * (length - index) : 4 + index)),
    );
    // Another service, of the same thread and table, with whom it shares the first endpoint.
    const other = new Loads(table, 0, [scattered ? 3 * length : 4, 0]);
    const balancer = createLeastConnections({ weights, loads });
    const context = createPickContext(length);
    context.eligible[3] = 0;
    const open: number[] = [];
    for (let pick = 0; pick < 4000; pick++) {
      for (let ends = upTo(20) === 0 ? 12 : upTo(3); ends > 0 && open.length > 3 * length; ends--) {
        const [ended] = open.splice(upTo(open.length), 1);
        (ended === 0 ? other : loads).finished(ended!);
      }
      other.started(1, 0);
      if (upTo(2) === 0) other.finished(1);
      const costs = costsOf(loads, weights, context);
      const index = balancer.pick(context);
      assert.equal(costs[index], Math.min(...costs), `seed ${seed}, pick ${pick}`);
      loads.started(index, 0);
      open.push(index);
    }
    // A search reads two rows at most.
    assert.ok(loads.rows < 4000, `${loads.rows} rows`);
  }
});

/** Forty endpoints at work, of which another thread has given one most to do, and a balancer that has searched. */
function atWork() {
  const table = createLoadTable(40, 2);
  const [mine, theirs] = [new Loads(table, 0), new Loads(table, 1)];
  for (let index = 0; index < 40; index++) {
    const count = index === 20 ? 8 : 4;
    for (let made = 0; made < count; made++) (index === 20 ? theirs : mine).started(index, 0);
  }
  const balancer = createLeastConnections({ weights: new Array<number>(40).fill(1), loads: mine });
  const context = createPickContext(40);
  /** What ends is the cheapest, as far as this thread knows. */
  const pickAfter = (ended: number): number => {
    mine.finished(ended);
    const pick = balancer.pick(context);
    mine.started(pick, 0);
    return pick;
  };
  pickAfter(0);
  return { mine, theirs, balancer, context, pickAfter };
}

test('where another thread has ended work is known after a millisecond, or as many picks as an eighth of the endpoints', () => {
  for (const passedMs of [0, 1]) {
    const { theirs, context, pickAfter } = atWork();
    for (let made = 0; made < 8; made++) theirs.finished(20);
    context.nowMs += passedMs;
    const picks = Array.from({ length: 6 }, (_, at) => pickAfter(1 + at));
    assert.equal(picks.indexOf(20), passedMs === 1 ? 0 : 5, picks.join(' '));
  }
});

test('work that another thread begins where this one has just ended some counts at once', () => {
  const { mine, theirs, context, balancer } = atWork();
  mine.finished(7);
  for (let made = 0; made < 3; made++) theirs.started(7, 0);
  assert.notEqual(balancer.pick(context), 7);
});

test('who may not be picked is no measure for others, and is not picked where work has ended', () => {
  const { mine, context, balancer } = atWork();
  mine.finished(7);
  context.eligible[7] = 0;
  assert.notEqual(balancer.pick(context), 7);
});

test('when others may be picked than before, what they cost is looked at anew', () => {
  const loads = createLoads(40);
  for (let index = 0; index < 39; index++) for (let made = 0; made < 4; made++) loads.started(index, 0);
  const balancer = createLeastConnections({ weights: new Array<number>(40).fill(1), loads });
  const context = createPickContext(40);
  context.eligible.fill(0, 30);
  loads.started(balancer.pick(context), 0);
  context.eligible.fill(0).fill(1, 38);
  loads.finished(38);
  assert.equal(balancer.pick(context), 39);
});

test('those who are idle together get work in turn, however soon it ends', () => {
  const loads = createLoads(40);
  const balancer = createLeastConnections({ weights: Array.from({ length: 40 }, (_, at) => (at < 20 ? 1 : 3)), loads });
  const context = createPickContext(40);
  // The strong ones are at work.
  for (let index = 20; index < 40; index++) for (let made = 0; made < 9; made++) loads.started(index, 0);
  const picks = Array.from({ length: 60 }, () => {
    const index = balancer.pick(context);
    loads.started(index, 0);
    loads.finished(index);
    return index;
  });
  assert.deepEqual(
    picks,
    Array.from({ length: 60 }, (_, at) => at % 20),
  );
});

/** The mean of what the fullest endpoint has in flight, above the mean of all. */
function unevenness(length: number, threads: number, isExact: boolean): number {
  const random = seededRandom(9);
  const upTo = (count: number): number => Math.floor(random.unit() * count);
  const weights = new Array<number>(length).fill(1);
  const table = createLoadTable(length, threads);
  const views = Array.from({ length: threads }, (_, lane) => new Loads(table, lane));
  const balancers = views.map((loads) => createLeastConnections({ weights, loads }));
  const context = createPickContext(length);
  const open: (readonly [number, number])[] = [];
  let sum = 0;
  for (let pick = 0; pick < 20_000; pick++) {
    for (let ends = upTo(3); ends > 0 && open.length > 3 * length; ends--) {
      const [[lane, index]] = open.splice(upTo(open.length), 1) as [readonly [number, number]];
      views[lane]!.finished(index);
    }
    const lane = upTo(threads);
    const index = isExact
      ? firstOfLeast(costsOf(views[0]!, weights, context), pick % length)
      : balancers[lane]!.pick(context);
    views[lane]!.started(index, 0);
    open.push([lane, index]);
    sum += Math.max(...weights.map((_, at) => views[0]!.inFlight(at))) - open.length / length;
  }
  return sum / 20_000;
}

test('several threads that pick by turns, with no clock to go by, spread work nearly as evenly as one that knows all', () => {
  const [exact, found] = [unevenness(64, 4, true), unevenness(64, 4, false)];
  assert.ok(found < exact + 0.5, `${found} above the mean, ${exact} where all is known`);
});

test('a lane that is cleared under a balancer is one that has ended more than is known', () => {
  const table = createLoadTable(40, 1);
  const loads = new (class extends Loads {
    override endedAt(): number {
      throw new Error('asked for what is not known');
    }
  })(table, 0);
  for (let index = 0; index < 40; index++) for (let made = 0; made < 4; made++) loads.started(index, 0);
  for (let made = 0; made < 20; made++) loads.finished(made);
  const balancer = createLeastConnections({ weights: new Array<number>(40).fill(1), loads });
  // By two picks there is a second.
  for (let made = 0; made < 2; made++) loads.started(balancer.pick(createPickContext(40)), 0);
  clearLane(table, 0);
  assert.ok(balancer.pick(createPickContext(40)) >= 0);
});
