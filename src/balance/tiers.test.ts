import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { type Tiered, Tiers } from './tiers.ts';

const at = (priority: number, changes: Partial<Tiered> = {}): Tiered => ({
  priority,
  local: true,
  backup: false,
  weight: 1,
  ...changes,
});

function shares(endpoints: readonly Tiered[], eligible: readonly number[]): number[] {
  return Array.from(new Tiers(endpoints).shares(Uint8Array.from(eligible)), (share) => Number(share.toFixed(4)));
}

test('the first tier takes all the work until less than 1 / 1.4 of it is left', () => {
  const endpoints = [at(0), at(0), at(0), at(0), at(1), at(1)];
  assert.deepEqual(shares(endpoints, [1, 1, 1, 1, 1, 1]), [1, 0]);
  assert.deepEqual(shares(endpoints, [1, 1, 1, 0, 1, 1]), [1, 0]);
  assert.deepEqual(shares(endpoints, [1, 1, 0, 0, 1, 1]), [0.7, 0.3]);
  assert.deepEqual(shares(endpoints, [0, 0, 0, 0, 1, 1]), [0, 1]);
  assert.deepEqual(shares(endpoints, [0, 0, 0, 0, 0, 0]), [0, 0]);
});

test('when all tiers together have too little, they share in proportion to what they have', () => {
  const endpoints = [at(0), at(0), at(0), at(0), at(1), at(1), at(1), at(1)];
  assert.deepEqual(shares(endpoints, [1, 0, 0, 0, 1, 0, 0, 0]), [0.5, 0.5]);
  assert.deepEqual(shares(endpoints, [1, 0, 0, 0, 0, 0, 0, 0]), [1, 0]);
});

test('weights count, not heads', () => {
  assert.deepEqual(shares([at(0, { weight: 9 }), at(0), at(1)], [1, 0, 1]), [1, 0]);
  assert.deepEqual(shares([at(0, { weight: 9 }), at(0), at(1)], [0, 1, 1]), [0.14, 0.86]);
});

test('the own zone first within a priority, and no other zone before the own of the next', () => {
  const endpoints = [at(0, { local: false }), at(0), at(1)];
  assert.deepEqual(shares(endpoints, [1, 1, 1]), [1, 0, 0]);
  assert.deepEqual(shares(endpoints, [1, 0, 1]), [0, 1, 0], 'the same priority elsewhere');
});

test('backups only when nobody else is in, however little that is', () => {
  const endpoints = [at(0), at(0), at(0), at(0), at(0, { backup: true })];
  assert.deepEqual(shares(endpoints, [1, 0, 0, 0, 1]), [1, 0]);
  assert.deepEqual(shares(endpoints, [0, 0, 0, 0, 1]), [0, 1]);
});

const anyEndpoints = fc.array(
  fc.record({
    priority: fc.nat({ max: 3 }),
    local: fc.boolean(),
    backup: fc.boolean(),
    weight: fc.nat({ max: 5 }),
    eligible: fc.integer({ min: 0, max: 1 }),
  }),
  { minLength: 1, maxLength: 20 },
);

test('shares add up to one while anyone with weight is in, and go only to tiers that have someone', () => {
  fc.assert(
    fc.property(anyEndpoints, (endpoints) => {
      const eligible = Uint8Array.from(endpoints, (each) => (each.weight > 0 ? each.eligible : 0));
      const tiers = new Tiers(endpoints);
      const found = Array.from(tiers.shares(eligible));
      const sum = found.reduce((total, share) => total + share, 0);
      assert.ok(Math.abs(sum - (eligible.includes(1) ? 1 : 0)) < 1e-9, `${sum}`);
      found.forEach((share, tier) => {
        assert.ok(share >= 0);
        if (share > 0) assert.ok(endpoints.some((_, index) => eligible[index] === 1 && tiers.tierOf(index) === tier));
      });
    }),
  );
});

test('a choice leaves the eligible endpoints of one tier, and never nobody where somebody was', () => {
  fc.assert(
    fc.property(anyEndpoints, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (endpoints, unit) => {
      const before = Uint8Array.from(endpoints, (each) => (each.weight > 0 ? each.eligible : 0));
      const after = before.slice();
      const tiers = new Tiers(endpoints);
      tiers.choose(after, unit);
      const left = [...after.keys()].filter((index) => after[index] === 1);
      assert.equal(left.length > 0, before.includes(1));
      assert.ok(new Set(left.map((index) => tiers.tierOf(index))).size <= 1);
      const tier = tiers.tierOf(left[0] ?? 0);
      for (const index of before.keys()) {
        if (tiers.tierOf(index) === tier && left.length > 0) assert.equal(after[index], before[index]);
      }
    }),
  );
});

test('over many choices each tier gets its share', () => {
  const tiers = new Tiers([at(0), at(0), at(1)]);
  const random = seededRandom(7);
  let spilled = 0;
  for (let pick = 0; pick < 10_000; pick++) {
    const eligible = Uint8Array.of(1, 0, 1);
    tiers.choose(eligible, random.unit());
    spilled += eligible[2]!;
  }
  assert.ok(Math.abs(spilled / 10_000 - 0.3) < 0.02, `${spilled}`);
});
