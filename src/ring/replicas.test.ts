/** Replicas of a key are found in one walk, and are those that a look for each of them would find. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createAnchor } from './anchor.ts';
import { createJump } from './jump.ts';
import { createMaglev } from './maglev.ts';
import { createModulo } from './modulo.ts';
import type { Node } from './node.ts';
import type { Placement } from './placement.ts';
import { createRendezvous } from './rendezvous.ts';
import { createRing } from './ring.ts';

interface Algorithm {
  readonly create: (nodes: readonly (string | Node)[]) => Placement;
  readonly weighs: boolean;
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  ring: { create: createRing, weighs: true },
  maglev: { create: createMaglev, weighs: true },
  rendezvous: { create: createRendezvous, weighs: true },
  anchor: { create: createAnchor, weighs: false },
  jump: { create: createJump, weighs: false },
  modulo: { create: createModulo, weighs: false },
};

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `node-${index}`);

for (const [name, { create, weighs }] of Object.entries(algorithms)) {
  test(`${name}: replicas are those that one after the other would have the key, round by round of the zones`, () => {
    const nodes = names(23).map((node, index) => ({
      name: node,
      ...(index % 5 === 0 ? {} : { zone: 'abbccc'[index % 6]! }),
      ...(weighs ? { weight: index % 4 } : {}),
    }));
    const placement = create(nodes);
    for (const zones of [false, true]) {
      for (let key = 0; key < 50; key++) {
        const left = new Uint8Array(nodes.length).fill(1);
        const open = left.slice();
        const expected: string[] = [];
        for (;;) {
          let index = placement.locate(placement.position(`${key}`), open);
          if (index < 0) {
            open.set(left);
            index = placement.locate(placement.position(`${key}`), open);
          }
          if (index < 0) break;
          expected.push(placement.nodes[index]!.name);
          left[index] = open[index] = 0;
          if (!zones) continue;
          for (const [other, { zone }] of placement.nodes.entries()) {
            if (zone === placement.nodes[index]!.zone) open[other] = 0;
          }
        }
        for (const count of [1, 2, 7, 15, 60]) {
          assert.deepEqual(placement.getReplicas(`${key}`, count, { zones }), expected.slice(0, count));
        }
      }
    }
  });

  test(`${name}: all of thousands as replicas are different`, () => {
    const replicas = create(names(5000)).getReplicas('a', 5000);
    assert.equal(new Set(replicas).size, 5000);
  });
}

test('what is no key is refused, though there is nobody to have it or nobody is asked for', () => {
  const noKey = 0.5;
  assert.throws(() => createRing([]).getReplicas(noKey, 1), { code: 'OPTIONS_INVALID' });
  assert.throws(() => createRing(['a']).getReplicas(noKey, 0), { code: 'OPTIONS_INVALID' });
});
