/** The clauses for balancers of every kind: shares, who may be picked, warming up, and what a pick allocates. */
import assert from 'node:assert/strict';
import { createLoads, createPickContext } from '../balance/index.ts';
import { seededRandom } from '../kernel/random.ts';
import { allocates } from './allocation.ts';
import type { BalancerSubject } from './balancer-subject.ts';
import { assertShares, type Bound, drive } from './balancer-drive.ts';
import type { BalancerFactory } from './balancer-place.ts';

const PICKS = 20_000;
const FLIPS = 3000;

export function clausesOfAll({ kind, shareTolerance = 0 }: BalancerSubject, create: BalancerFactory) {
  const bound: Bound = { byChance: kind !== 'turn', tolerance: shareTolerance };

  const made = (weights: readonly number[], seed = 2) => {
    const loads = createLoads(weights.length);
    return { loads, balancer: create({ weights, loads, random: seededRandom(seed) }) };
  };
  const shareOfFirst = (ramp: number): number => {
    const prepare = (context: { ramp: Float64Array | null }): void => {
      context.ramp = ramp === 1 ? null : new Float64Array(8).fill(1).fill(ramp, 0, 1);
    };
    return drive({ ...made(new Array<number>(8).fill(1)), picks: PICKS, prepare })[0]! / PICKS;
  };

  return {
    'picks follow the weights': () => {
      for (const weights of [
        [1, 1, 1, 1, 1],
        [1, 2, 3, 4],
        [0.001, 0.003],
        [2000, 1000, 1000],
      ]) {
        assertShares(drive({ ...made(weights), picks: PICKS }), weights, bound);
      }
    },

    'a weight of 0 gets nothing, and a huge one nearly all': () => {
      const some = drive({ ...made([0, 1, 0, 1]), picks: PICKS });
      assert.deepEqual([some[0], some[2]], [0, 0]);
      const counts = drive({ ...made([0, 1, 1_000_000, 0, 1]), picks: PICKS });
      assert.deepEqual([counts[0], counts[3]], [0, 0]);
      assert.ok(counts[2]! > 0.99 * PICKS, `${counts[2]} of ${PICKS}`);
    },

    'when one is out the others keep their proportions: no neighbour inherits': () => {
      for (const out of [0, 2]) {
        const weights = [1, 1, 1, 1, 2, 2];
        const prepare = ({ eligible }: { eligible: Uint8Array }): void => void (eligible[out] = 0);
        const counts = drive({ ...made(weights), picks: PICKS, prepare });
        // A key falls to whoever is next on a ring: that spread has its own unevenness.
        const slack = { ...bound, tolerance: kind === 'key' ? 2 * bound.tolerance : bound.tolerance };
        assertShares(counts, weights.with(out, 0), slack);
      }
    },

    'only who may be picked is picked, and -1 says that there is nobody': () => {
      for (let seed = 1; seed <= 8; seed++) flip(create, seed);
    },

    'without endpoints there is nobody': () => {
      assert.equal(create({ weights: [] }).pick(createPickContext(0)), -1);
    },

    'an endpoint that warms up gets less than its share, and more as it warms': () => {
      const shares = [0.05, 0.25, 0.5, 1].map(shareOfFirst);
      for (const [at, ramp] of [0.05, 0.25, 0.5].entries()) {
        const part = ramp / (7 + ramp);
        const found = `${shares[at]} of all picks at a ramp of ${ramp}; about ${part} are right`;
        assert.ok(shares[at]! > 0.4 * part && shares[at]! < 1.6 * part, found);
        assert.ok(shares[at]! < shares[at + 1]!, `${shares.join(' ')} do not rise`);
      }
    },

    'the only one left is picked, however cold': () => {
      const { balancer } = made([1, 1, 1]);
      const context = { ...createPickContext(3), ramp: Float64Array.of(0.01, 1, 1) };
      context.eligible.fill(0, 1);
      for (let pick = 0; pick < 1000; pick++) assert.equal(balancer.pick(context), 0);
    },

    'a pick allocates nothing': () => {
      assert.equal(allocatedByPicks(create), null);
    },

    'weights that mean nothing are refused': () => {
      for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY])
        assert.throws(() => create({ weights: [1, weight] }));
    },
  };
}

/** Endpoints come and go at random, warm up, are given work and finish it. */
function flip(create: BalancerFactory, seed: number): void {
  const random = seededRandom(seed);
  const upTo = (count: number): number => Math.floor(random.unit() * count);
  const weights = Array.from({ length: 1 + upTo(seed === 1 ? 200 : 12) }, () => [0, 0.5, 1, 7, 1e6][upTo(5)]!);
  const loads = createLoads(weights.length);
  const balancer = create({ weights, loads, random });
  const context = createPickContext(weights.length);
  const { eligible } = context;
  const ramp = new Float64Array(weights.length).fill(1);
  const before = new Uint8Array(weights.length);
  for (let step = 0; step < FLIPS; step++) {
    for (let changes = upTo(4); changes > 0; changes--) eligible[upTo(eligible.length)] = upTo(2);
    if (upTo(50) === 0) eligible.fill(0);
    ramp[upTo(ramp.length)] = Math.max(0.01, random.unit());
    context.ramp = upTo(2) === 0 ? null : ramp;
    context.nowMs += upTo(100);
    context.keyHash = random.int32();
    before.set(eligible);
    const pick = balancer.pick(context);
    const where = `seed ${seed}, step ${step}, ${weights.length} endpoints: picked ${pick}`;
    assert.deepEqual(eligible, before, `${where}: the mask is not as it was`);
    if (weights.some((weight, index) => weight > 0 && eligible[index] === 1)) {
      assert.ok(Number.isInteger(pick) && pick >= 0 && pick < weights.length, `${where}, and somebody is eligible`);
      assert.ok(eligible[pick] === 1, `${where}, who is out`);
      assert.ok(weights[pick]! > 0, `${where}, who has no weight`);
      loads.started(pick, context.nowMs);
      loads.answered(pick, upTo(200), context.nowMs, upTo(10) > 0);
      if (upTo(3) > 0) loads.finished(pick);
    } else assert.equal(pick, -1, `${where}, and nobody is eligible`);
  }
}

function allocatedByPicks(create: BalancerFactory): string | null {
  const weights = Array.from({ length: 20 }, (_, index) => 1 + (index % 3));
  const loads = createLoads(weights.length);
  const random = seededRandom(3);
  const balancer = create({ weights, loads, random });
  const context = createPickContext(weights.length);
  const cold = new Float64Array(weights.length).fill(1).fill(0.5, 0, 3);
  for (const index of weights.keys()) loads.started(index, index);
  return allocates((pick) => {
    context.keyHash = random.int32();
    context.nowMs += 0.25;
    context.ramp = (pick & 0x4000) === 0 ? null : cold;
    context.eligible[7] = (pick >> 12) & 1;
    balancer.pick(context);
  });
}
