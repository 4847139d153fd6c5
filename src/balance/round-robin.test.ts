import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createBalancer } from './algorithms.ts';
import { createPickContext, type PickContext } from './balancer.ts';

const weights = fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 12 });

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function all(length: number): Uint8Array {
  return new Uint8Array(length).fill(1);
}

function only(eligible: Uint8Array): PickContext {
  return { ...createPickContext(0), eligible };
}

function picks(given: readonly number[], count: number, eligible = all(given.length), start = 0): number[] {
  const balancer = createBalancer('round-robin', { weights: given, start });
  return Array.from({ length: count }, () => balancer.pick(only(eligible)));
}

test('equals take turns in order, and the turns of a heavy one are spread', () => {
  assert.deepEqual(picks([1, 1, 1], 4), [0, 1, 2, 0]);
  assert.deepEqual(picks([5, 1, 1], 7), [0, 1, 0, 0, 0, 2, 0]);
  assert.deepEqual(picks([3, 1], 4), [0, 0, 1, 0]);
});

test('over a full cycle each endpoint gets exactly its share, and the next cycle is the same', () => {
  fc.assert(
    fc.property(weights, fc.nat(200), (given, start) => {
      const sum = given.reduce((a, b) => a + b, 0);
      fc.pre(sum > 0);
      const cycle = sum / given.reduce(gcd);
      const made = picks(given, 2 * cycle, all(given.length), start);
      assert.deepEqual(made.slice(cycle), made.slice(0, cycle));
      for (const [index, weight] of given.entries()) {
        assert.equal(made.slice(0, cycle).filter((pick) => pick === index).length * sum, weight * cycle);
      }
    }),
  );
});

test('at no time is an endpoint two picks from its share', () => {
  fc.assert(
    fc.property(weights, (given) => {
      const sum = given.reduce((a, b) => a + b, 0);
      fc.pre(sum > 0);
      const counts = given.map(() => 0);
      for (const [at, index] of picks(given, sum).entries()) {
        counts[index]! += 1;
        for (const [each, count] of counts.entries()) {
          assert.ok(Math.abs(count - ((at + 1) * given[each]!) / sum) < 2, `pick ${at}: ${counts.join(' ')}`);
        }
      }
    }),
  );
});

test('an endpoint that is out changes nothing for the others: their order is the old one without it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ weight: fc.nat(12), out: fc.boolean() }), { minLength: 1, maxLength: 12 }),
      (given) => {
        const eligible = Uint8Array.from(given, ({ out }) => (out ? 0 : 1));
        const everyones = given.map(({ weight }) => weight);
        const inside = picks(everyones, 400).filter((index) => eligible[index] === 1);
        assert.deepEqual(picks(everyones, inside.length, eligible), inside);
      },
    ),
  );
});

test('one that is out or has no weight is never picked, whatever happened before; -1 only if there is no other', () => {
  const masks = fc.array(fc.array(fc.nat(1), { minLength: 12, maxLength: 12 }), { maxLength: 80 });
  fc.assert(
    fc.property(weights, masks, fc.nat(10_000), (given, sequence, start) => {
      const balancer = createBalancer('round-robin', { weights: given, start });
      for (const mask of sequence) {
        const eligible = Uint8Array.from(mask);
        const pick = balancer.pick(only(eligible));
        if (pick < 0) assert.ok(given.every((weight, index) => weight === 0 || eligible[index] === 0));
        else assert.ok(eligible[pick] === 1 && given[pick]! > 0);
      }
    }),
  );
});

test('an endpoint that comes back gets its share again within a cycle or two', () => {
  const balancer = createBalancer('round-robin', { weights: [1, 1, 1] });
  const context = createPickContext(3);
  const { eligible } = context;
  balancer.pick(context);
  eligible[0] = 0;
  for (let made = 0; made < 1000; made++) assert.notEqual(balancer.pick(context), 0);
  eligible[0] = 1;
  const counts = [0, 0, 0];
  for (let made = 0; made < 30; made++) counts[balancer.pick(context)]! += 1;
  for (const count of counts) assert.ok(count >= 9 && count <= 11, counts.join(' '));
});

test('balancers with different starts are not in step', () => {
  const first = Array.from({ length: 4 }, (_, start) => picks([1, 1, 1, 1], 1, all(4), start)[0]);
  assert.deepEqual(first, [0, 1, 2, 3]);
});

test('weights and starts that mean nothing are refused with what was found', () => {
  for (const weight of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => createBalancer('round-robin', { weights: [1, weight] }), /Weight 1 is/);
  }
  assert.throws(() => createBalancer('round-robin', { weights: [1], start: -1 }), /start is -1/);
  assert.throws(() => createBalancer('round-robin', { weights: Array.from({ length: 65_537 }, () => 1) }), /65536/);
});

test('without endpoints the answer is -1', () => {
  assert.equal(createBalancer('round-robin', { weights: [] }).pick(createPickContext(0)), -1);
});
