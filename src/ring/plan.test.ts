import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { createAnchor } from './anchor.ts';
import { createJump } from './jump.ts';
import { createMaglev } from './maglev.ts';
import { createModulo } from './modulo.ts';
import type { Node } from './node.ts';
import type { Placement } from './placement.ts';
import { type Plan, plan } from './plan.ts';
import { createRendezvous } from './rendezvous.ts';
import { createRing } from './ring.ts';

const random = seededRandom(5);
const positions = Int32Array.from({ length: 40_000 }, () => random.int32());

function owner(placement: Placement, position: number): string | null {
  return placement.nodes[placement.locate(position, null)]?.name ?? null;
}

/** The plan against what happens to a sample: six standard deviations, for each pair of nodes. */
function compare(from: Placement, to: Placement, { moved, least, moves }: Plan): void {
  const counts = new Map<string, number>();
  for (const position of positions) {
    const pair = `${owner(from, position)} ${owner(to, position)}`;
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  for (const { from: giver, to: taker, share } of moves) {
    assert.notEqual(giver, taker);
    const expected = share * positions.length;
    const found = counts.get(`${giver} ${taker}`) ?? 0;
    assert.ok(
      Math.abs(found - expected) <= 6 * Math.sqrt(expected) + 3,
      `${giver} → ${taker}: ${found}, not ${expected}`,
    );
    counts.delete(`${giver} ${taker}`);
  }
  for (const [pair, count] of counts) {
    const [giver, taker] = pair.split(' ');
    assert.ok(giver === taker || count <= 3, `${pair} is not in the plan, ${count} times`);
  }
  assert.ok(moved >= least - 1e-9 && moved <= 1 + 1e-9, `${moved}, least ${least}`);
}

const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const weighted = fc.array(fc.record({ name: fc.constantFrom(...names), weight: fc.constantFrom(0, 0.5, 1, 2, 3) }), {
  maxLength: 14,
});
const unique = (nodes: readonly Node[]): Node[] => [...new Map(nodes.map((node) => [node.name, node])).values()];

for (const [name, create] of Object.entries({
  ring: (nodes: readonly Node[]) => createRing(nodes, { pointsPerWeight: 20 }),
  maglev: (nodes: readonly Node[]) => createMaglev(nodes, { size: 1009 }),
  rendezvous: createRendezvous,
})) {
  test(`${name}: what is planned between any two sets of weighted nodes is what happens`, () => {
    fc.assert(
      fc.property(weighted, weighted, (some, others) => {
        const [from, to] = [create(unique(some)), create(unique(others))];
        compare(from, to, plan(from, to));
      }),
      { numRuns: 25 },
    );
  });
}

for (const [name, create] of Object.entries({ jump: createJump, modulo: createModulo, anchor: createAnchor })) {
  test(`${name}: what is planned between lists of different length is what happens`, () => {
    for (const [before, after] of [
      [4, 5],
      [8, 3],
      [6, 6],
      [0, 3],
      [2, 0],
      [1, 8],
      [6, 4],
    ] as const) {
      const from = create(names.slice(0, before));
      const to = from.with(names.slice(0, after));
      compare(from, to, plan(from, to));
    }
  });
}

test('the ranges are exact: each position in one moves, each outside stays', () => {
  fc.assert(
    fc.property(weighted, weighted, (some, others) => {
      const from = createRing(unique(some), { pointsPerWeight: 9 });
      const to = createRing(unique(others), { pointsPerWeight: 9 });
      const ranges = plan(from, to).moves.flatMap(({ ranges: own, ...flow }) =>
        own!.map(({ first, last }) => ({ ...flow, first, last })),
      );
      const edges = ranges.flatMap(({ first, last }) => [first, last, first - 1, last + 1]);
      for (const position of [...edges, ...positions.subarray(0, 50)]) {
        const at = position >>> 0;
        const inside = ranges.filter(({ first, last }) => first <= at && at <= last);
        const [giver, taker] = [owner(from, at), owner(to, at)];
        if (giver === taker) assert.deepEqual(inside, []);
        else
          assert.deepEqual(
            inside.map(({ from: a, to: b }) => [a, b]),
            [[giver, taker]],
          );
      }
    }),
    { numRuns: 40 },
  );
});

test('a plan of more moves than memory holds is refused, not begun', () => {
  const many = Array.from({ length: 65_536 }, (_, index) => `n${index}`);
  const message = /more than 1048576 moves/;
  const modulo = createModulo(many);
  assert.throws(() => plan(modulo, modulo.with(many.slice(1))), { code: 'OPTIONS_INVALID', message });
  const jump = createJump(many);
  assert.throws(() => plan(jump, jump.with(many.slice(0, 40_000))), { code: 'OPTIONS_INVALID', message });
  const differing = createRendezvous(many.map((name, index) => ({ name, weight: 1 + index })));
  const reversed = differing.with(many.map((name, index) => ({ name, weight: many.length - index })));
  assert.throws(() => plan(differing, reversed), { code: 'OPTIONS_INVALID', message });
});

test('a plan of the most nodes there may be asks no pair of them but those of which one gives to the other', () => {
  const all = createRendezvous(Array.from({ length: 65_536 }, (_, index) => `n${index}`));
  // Of 2^32 pairs: to go through them takes minutes.
  const { moves, moved } = plan(all, all.with(all.nodes.slice(1)));
  assert.equal(moves.length, 65_535);
  assert.ok(Math.abs(moved * 65_536 - 1) < 1e-9, `${moved}`);
});

test('from 4 to 5 nodes a remainder moves four fifths, a ring and rendezvous what they must', () => {
  const moved = (from: Placement): Plan => plan(from, from.with(['a', 'b', 'c', 'd', 'e']));
  const four = ['a', 'b', 'c', 'd'];
  assert.ok(Math.abs(moved(createModulo(four)).moved - 0.8) < 1e-9);
  for (const from of [createRendezvous(four), createJump(four), createAnchor(four)]) {
    const { moved: share, least, moves } = moved(from);
    assert.ok(Math.abs(share - 0.2) < 1e-9 && Math.abs(least - 0.2) < 1e-9);
    assert.ok(moves.every(({ to }) => to === 'e'));
  }
  const ring = moved(createRing(four));
  assert.ok(Math.abs(ring.moved - ring.least) < 1e-9);
  assert.ok(Math.abs(ring.moved - 0.2) < 0.02, `${ring.moved}`);
});

test('a plan from a ring to a table of the same hash is exact as well; what cannot be compared is refused', () => {
  const [ring, maglev] = [createRing(['a', 'b']), createMaglev(['a', 'b'])];
  compare(ring, maglev, plan(ring, maglev));
  assert.throws(() => plan(ring, createRing(['a', 'b'], { compatible: 'nginx' })), /hash keys differently/);
  assert.throws(() => plan(ring, createJump(['a', 'b'])), /from ring to jump/);
  const anchor = createAnchor(['a', 'b', 'c']);
  assert.throws(() => plan(anchor.with(['a', 'b']), anchor.with(['a', 'c'])), /plan each step/);
});
