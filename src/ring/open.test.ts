/** Placements as memory: the same again, whatever the algorithm; and what is damaged, cut or made up by somebody is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createAnchor } from './anchor.ts';
import { type Description, openBlock, sealBlock } from './block.ts';
import { createJump } from './jump.ts';
import { createMaglev } from './maglev.ts';
import { createModulo } from './modulo.ts';
import { openPlacement } from './open.ts';
import type { Placement } from './placement.ts';
import { createRendezvous } from './rendezvous.ts';
import { createRing } from './ring.ts';

const refused = { code: 'OPTIONS_INVALID' };
const nodes = [
  { name: 'a', weight: 2, zone: 'x' },
  { name: 'b', weight: 0 },
  { name: 'Straße', weight: 0.5 },
];

const subjects: Readonly<Record<string, () => Placement>> = {
  ring: () => createRing(nodes, { pointsPerWeight: 8 }),
  'ring of libmemcached': () => createRing(['a:1', 'b:2', 'c:3'], { compatible: 'libmemcached' }),
  'shared ring': () => createRing(nodes, { pointsPerWeight: 8, shared: true }),
  'ring of nobody': () => createRing([]),
  maglev: () => createMaglev(nodes, { size: 101 }),
  'shared maglev': () => createMaglev(nodes, { size: 101, shared: true }),
  rendezvous: () => createRendezvous(nodes),
  'anchor with a history': () =>
    createAnchor(['a', 'b', 'c', 'd'], { capacity: 8 }).with(['a', 'd']).with(['e', 'a', 'd']),
  jump: () => createJump(['b', 'a', 'c']),
  modulo: () => createModulo(['b', 'a', 'c']),
};

for (const [name, create] of Object.entries(subjects)) {
  test(`${name}: opened again it is the same, and so is what comes of it`, () => {
    const before = create();
    const bytes = new Uint8Array(before.memory);
    // As it is, and as bytes of a file that begin anywhere.
    const padded = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
    for (const after of [openPlacement(before.memory), openPlacement(padded)]) {
      assert.equal(after.algorithm, before.algorithm);
      assert.deepEqual(after.nodes, before.nodes);
      assert.equal(after.fingerprint(), before.fingerprint());
      const more = [...before.nodes, 'one more'];
      assert.equal(after.with(more).fingerprint(), before.with(more).fingerprint());
      for (let key = 0; key < 200; key++) {
        assert.deepEqual(after.getReplicas(`${key}`, 3), before.getReplicas(`${key}`, 3));
      }
    }
    if (before.arcs() !== null) assert.equal(openPlacement(before.memory).memory, before.memory, 'nothing is copied');
  });

  test(`${name}: with any byte changed, or cut anywhere, it is refused`, () => {
    const bytes = new Uint8Array(create().memory);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = bytes.slice();
        damaged[at]! ^= flip;
        assert.throws(() => openPlacement(damaged), refused);
        assert.throws(() => openPlacement(bytes.slice(0, at)), refused);
        assert.throws(() => openPlacement(Buffer.concat([bytes, Buffer.alloc(1 + (at % 40))])), refused);
      }),
    );
  });
}

/** Written by version 1: the fingerprint and the block. What was saved once is opened for good. */
const saved: Readonly<Record<string, readonly [string, string]>> = {
  ring: [
    '32a6f9d7a2abb96b',
    'Y/PeweJxAFtSaW5nAQAAAKwAAAAAAAAAeyJhbGdvcml0aG0iOiJyaW5nIiwibm9kZXMiOlt7Im5hbWUiOiJhIiwid2VpZ2h0IjoxLCJ6b25lIjoiIn0seyJuYW1lIjoiYiIsIndlaWdodCI6Miwiem9uZSI6IngifV0sIm9wdGlvbnMiOnsicG9pbnRzUGVyV2VpZ2h0IjoyfSwibGF5b3V0IjpbWyJ1MzIiLDZdLFsidTMyIiw4XSxbInUxNiIsNl1dfQAAAACPeXwdtUChH+inKm4loDOUP4rBuNURqLsAAAAAAgAAAAIAAAACAAAAAwAAAAQAAAAGAAAABgAAAAAAAQAAAAEAAQABAAAAAAA=',
  ],
  maglev: [
    '67ea07f5bbfdbf32',
    'YWG46eTJHm5SaW5nAQAAAI4AAAAAAAAAeyJhbGdvcml0aG0iOiJtYWdsZXYiLCJub2RlcyI6W3sibmFtZSI6ImEiLCJ3ZWlnaHQiOjEsInpvbmUiOiIifSx7Im5hbWUiOiJiIiwid2VpZ2h0IjoyLCJ6b25lIjoiIn1dLCJvcHRpb25zIjp7InNpemUiOjd9LCJsYXlvdXQiOltbInUxNiIsN11dfQAAAQABAAAAAQAAAAAAAQAAAA==',
  ],
  anchor: [
    'e96522936b4171d2',
    'nIvs4LcP7OtSaW5nAQAAAKYAAAAAAAAAeyJhbGdvcml0aG0iOiJhbmNob3IiLCJub2RlcyI6W3sibmFtZSI6ImMiLCJ3ZWlnaHQiOjEsInpvbmUiOiIifSx7Im5hbWUiOiJiIiwid2VpZ2h0IjoxLCJ6b25lIjoiIn1dLCJzdGF0ZSI6eyJuYW1lcyI6W251bGwsImIiLCJjIixudWxsXSwicmVtb3ZlZCI6WzMsMF19LCJsYXlvdXQiOltdfQAA',
  ],
};
for (const [name, [fingerprint, block]] of Object.entries(saved)) {
  test(`${name}: a block that the first version wrote`, () => {
    assert.equal(openPlacement(Buffer.from(block, 'base64')).fingerprint(), fingerprint);
  });
}

/** Refused with a code (false), or a placement like any: it finds an end, and nobody who is out or does not exist. */
function holdsUp(description: Description, arrays: readonly (Uint16Array | Uint32Array)[]): boolean {
  let placement: Placement;
  try {
    placement = openPlacement(sealBlock(description, arrays).memory);
  } catch (error) {
    assert.equal((error as { readonly code?: string }).code, 'OPTIONS_INVALID', String(error));
    return false;
  }
  const { length } = placement.nodes;
  for (const position of [0, 1, 5, 2 ** 31, -1, 0x55555555, 0x7fffffff, -0x33333333]) {
    const owner = placement.locate(position, null);
    assert.ok(owner >= -1 && owner < length);
    for (let out = 0; out < length; out++) {
      const index = placement.locate(position, new Uint8Array(length).fill(1).with(out, 0));
      assert.ok(index >= -1 && index < length && index !== out);
    }
  }
  placement.getReplicas('key', 3);
  placement.fingerprint();
  return true;
}

test('what somebody made up, with a checksum that is right, is refused or holds up', () => {
  const algorithm = fc.constantFrom('ring', 'maglev', 'anchor', 'rendezvous', 'jump', 'modulo', 'toString');
  const node = fc.record({ name: fc.constantFrom('a', 'b', 'c'), weight: fc.constantFrom(0, 1, 2) });
  const given = fc.oneof(fc.uniqueArray(node, { selector: ({ name }) => name }), fc.jsonValue());
  const small = fc.uint16Array({ max: 3, maxLength: 8 });
  const words = fc.uint32Array({ max: 9, maxLength: 8 });
  const description = fc.record({ algorithm, nodes: given, options: fc.option(fc.jsonValue()), state: fc.jsonValue() });
  fc.assert(
    fc.property(description, fc.array(fc.oneof(small, words), { maxLength: 3 }), (some, arrays) => {
      holdsUp(some, arrays);
    }),
    { numRuns: 2000 },
  );
});

test('a real block with some of its numbers and nodes changed is refused or holds up', () => {
  const subject = fc.constantFrom(...Object.values(subjects));
  const changes = fc.array(fc.record({ array: fc.nat(2), at: fc.nat(200), to: fc.nat(9) }), { maxLength: 3 });
  let held = 0;
  fc.assert(
    fc.property(subject, changes, fc.nat(3), (create, numbers, fewer) => {
      const { description, arrays } = openBlock(create().memory);
      const copies = arrays.map((array) => array.slice());
      const { nodes: list, state } = structuredClone(description) as {
        readonly nodes: unknown[];
        readonly state?: { readonly removed: number[] };
      };
      for (const { array, at, to } of numbers) {
        const numbersThere = copies[array] ?? state?.removed;
        if (numbersThere !== undefined && numbersThere.length > 0) numbersThere[at % numbersThere.length] = to;
      }
      if (fewer > 1) list.length = Math.min(list.length, fewer);
      if (holdsUp({ ...description, nodes: list, state }, copies)) held++;
    }),
    { numRuns: 3000 },
  );
  assert.ok(held > 100, `only ${held} could be opened at all`);
});

test('the history of an anchor removes each bucket without a name once', () => {
  const anchor = (removed: readonly number[]): unknown =>
    openPlacement(
      sealBlock({ algorithm: 'anchor', nodes: ['a'], state: { names: ['a', null, null], removed } }).memory,
    ).get('k');
  assert.equal(anchor([2, 1]), 'a');
  for (const removed of [[1, 1], [2], [0, 1], [1, 2, 2], [1, 3]]) assert.throws(() => anchor(removed), /history/);
});

test('what is no memory is refused with what it is', () => {
  assert.throws(() => openPlacement(new ArrayBuffer(4096)), /does not begin as one/);
  assert.throws(() => openPlacement(new Uint8Array(3)), /less than a header/);
  // @ts-expect-error No memory.
  assert.throws(() => openPlacement('memory'), refused);
});
