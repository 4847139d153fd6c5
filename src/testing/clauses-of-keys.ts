/** The clauses for balancers that go by the hash of a key: it stays where it is, and moves no more than it must. */
import assert from 'node:assert/strict';
import { createLoads, createPickContext } from '../balance/index.ts';
import { seededRandom } from '../kernel/random.ts';
import type { BalancerSubject } from './balancer-subject.ts';
import { keysOf, places } from './balancer-drive.ts';
import type { BalancerFactory } from './balancer-place.ts';
import { inThreads } from './threads.ts';

const ENDPOINTS = 8;
const keys = (): Int32Array => keysOf(seededRandom(7), 20_000);
const names = Array.from({ length: ENDPOINTS }, (_, index) => `10.0.0.${index + 1}:8080`);

export function clausesOfKeys(subject: BalancerSubject, create: BalancerFactory) {
  const { needlessMoves = 0 } = subject;
  const madeOf = (list: readonly string[]) => create({ weights: list.map(() => 1), names: list });
  /** The name that each key goes to. */
  const owners = (list: readonly string[]): string[] =>
    places(madeOf(list), keys(), createPickContext(list.length)).map((index) => list[index]!);

  return {
    'a key stays, pick after pick': () => {
      const balancer = madeOf(names);
      const context = createPickContext(ENDPOINTS);
      assert.deepEqual(places(balancer, keys(), context), places(balancer, keys(), context));
    },

    'one that is out gives away its own keys only, to all others, and gets them back': () => {
      const balancer = madeOf(names);
      const context = createPickContext(ENDPOINTS);
      const all = places(balancer, keys(), context);
      context.eligible[3] = 0;
      const without = places(balancer, keys(), context);
      const moved = without.filter((place, at) => place !== all[at]);
      assert.equal(moved.length, all.filter((place) => place === 3).length, 'keys of others moved');
      assert.equal(new Set(moved).size, ENDPOINTS - 1, 'not everybody takes a part');
      context.eligible[3] = 1;
      assert.deepEqual(places(balancer, keys(), context), all);
    },

    'when the list changes keys follow the names, and move to and from those that come and go': () => {
      const list = ['10.0.0.99:8080', ...names.slice(1).toReversed()];
      const after = owners(list);
      const between = owners(names).filter(
        (owner, at) => owner !== after[at] && owner !== names[0] && after[at] !== list[0],
      );
      const share = between.length / after.length;
      assert.ok(share <= needlessMoves, `${share} of the keys moved between endpoints that stay`);
    },

    'as an endpoint warms up keys move to it once, and to nobody else': () => {
      const balancer = madeOf(names);
      const context = createPickContext(ENDPOINTS);
      let before: number[] | null = null;
      for (const ramp of [0.1, 0.3, 0.6, 1]) {
        context.ramp = new Float64Array(ENDPOINTS).fill(1).fill(ramp, 2, 3);
        const now = places(balancer, keys(), context);
        for (const [at, place] of (before ?? now).entries()) {
          assert.ok(now[at] === place || now[at] === 2, `a key moved from ${place} to ${now[at]}`);
        }
        before = now;
      }
    },

    'every thread that has the same list picks the same': async () => {
      const eligible = new Uint8Array(ENDPOINTS).fill(1);
      eligible[5] = 0;
      const options = { weights: names.map((_, index) => 1 + (index % 2)), names };
      const context = createPickContext(ENDPOINTS);
      context.eligible.set(eligible);
      const own = places(create({ ...options, loads: createLoads(ENDPOINTS) }), keys(), context);
      for (const other of await inThreads(subject, options, { keys: keys(), eligible })) assert.deepEqual(other, own);
    },

    'two endpoints of one name, or a name too few, are refused': () => {
      assert.throws(() => create({ weights: [1, 1], names: ['a', 'a'] }));
      assert.throws(() => create({ weights: [1, 1], names: ['a'] }));
    },
  };
}
