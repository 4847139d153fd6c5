/** Splits: each arm gets its share, a key stays where it is, and a change of weights moves no more than it must. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { routed } from '../../../test/engine/routed.ts';
import { createRandom, seededRandom } from '../../kernel/random.ts';
import type { KeySource } from '../key-source.ts';
import { Split } from './split.ts';

const cell = new SharedArrayBuffer(64);
const USER: KeySource = { kind: 'header', name: 'X-User' };
const KEYS = 4000;

interface Weights {
  readonly [arm: string]: number;
}

/** The arm of each of many users. */
function places(weights: Weights, route = 'shop'): string[] {
  const arms = Object.entries(weights).map(([name, weight]) => ({ name, weight, service: 0, cell }));
  const split = new Split({ by: USER, arms }, route, createRandom());
  return Array.from({ length: KEYS }, (_, user) => {
    const request = routed({ fields: [['x-user', `user ${user}`]] });
    return arms[split.arm(request)]!.name;
  });
}

const share = (found: readonly string[], arm: string): number => found.filter((each) => each === arm).length / KEYS;
const moved = (before: readonly string[], after: readonly string[]): number =>
  before.filter((arm, user) => arm !== after[user]).length / KEYS;

// Five standard deviations of a share of 4,000.
const CHANCE = 0.04;
const weight = fc.integer({ min: 0, max: 100 });

test('each arm gets its share of the keys', () => {
  fc.assert(
    fc.property(weight, weight, weight, (a, b, c) => {
      const sum = a + b + c;
      fc.pre(sum > 0);
      const found = places({ a, b, c });
      for (const [arm, given] of Object.entries({ a, b, c })) {
        assert.ok(Math.abs(share(found, arm) - given / sum) < CHANCE, `${arm}: ${share(found, arm)}`);
        if (given === 0) assert.equal(share(found, arm), 0);
      }
    }),
    { numRuns: 20 },
  );
});

test('between two arms exactly the difference moves, and only one way', () => {
  fc.assert(
    fc.property(weight, weight, (one, two) => {
      const before = places({ a: 100 - one, b: one });
      const after = places({ a: 100 - two, b: two });
      const back = before.filter((arm, user) => arm === (one < two ? 'b' : 'a') && after[user] !== arm);
      assert.equal(back.length, 0);
      assert.ok(Math.abs(moved(before, after) - Math.abs(one - two) / 100) < CHANCE);
    }),
    { numRuns: 20 },
  );
});

test('a new arm takes from the others and moves nothing between them; the order says nothing', () => {
  const before = places({ a: 60, b: 40 });
  const after = places({ canary: 10, b: 40, a: 60 });
  for (const [user, arm] of after.entries()) assert.ok(arm === 'canary' || arm === before[user], `user ${user}`);
  assert.deepEqual(places({ b: 40, a: 60 }), before);
});

test('two routes split the same users independently', () => {
  const [one, other] = [places({ a: 90, b: 10 }, 'one'), places({ a: 90, b: 10 }, 'other')];
  const both = one.filter((arm, user) => arm === 'b' && other[user] === 'b').length / KEYS;
  assert.ok(Math.abs(both - 0.01) < 0.01, `${both} of the users are in both canaries`);
});

test('without the key, or by chance: the shares hold', () => {
  for (const by of [null, USER]) {
    const arms = [
      { name: 'a', weight: 90, service: 0, cell },
      { name: 'b', weight: 10, service: 1, cell },
    ];
    const split = new Split({ by, arms }, 'shop', seededRandom(7));
    const found = Array.from({ length: KEYS }, () => arms[split.arm(routed({}))]!.name);
    assert.ok(Math.abs(share(found, 'b') - 0.1) < CHANCE, `${share(found, 'b')}`);
    assert.equal(split.isSticky(routed({})), false);
  }
});
