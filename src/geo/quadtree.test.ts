/** The quadtree as a map, its memory, and that it grows and shrinks with what is in it. Right answers are in mutable-index.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { hardWorld } from '../testing/geo-world.ts';
import { createQuadtree } from './quadtree.ts';
import { QuadtreeNodes } from './quadtree-nodes.ts';

const invalid = { code: 'OPTIONS_INVALID' };

test('set, get, remove and boxes are those of a map, while leaves split and become one again', () => {
  const step = fc.tuple(fc.nat(29), fc.integer({ min: -8, max: 8 }), fc.integer({ min: -8, max: 8 }), fc.boolean());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), fc.integer({ min: 1, max: 5 }), (steps, leafMax) => {
      const index = createQuadtree({ capacity: 30, leafMax });
      const model = new Map<number, { lat: number; lon: number }>();
      for (const [id, north, east, removes] of steps) {
        const position = { lat: north * 11.25, lon: east * 22.5 };
        if (removes) assert.equal(index.remove(id), model.delete(id));
        else {
          index.set(id, position);
          model.set(id, position);
        }
        assert.deepEqual(index.get(id), model.get(id) ?? null);
        assert.equal(index.size, model.size);
      }
      const all = index.inBox({ south: -90, west: -180, north: 90, east: 180 });
      const expected = [...model].map(([id, position]) => ({ id, ...position })).sort((a, b) => a.id - b.id);
      assert.deepEqual(all, expected);
    }),
    { numRuns: 300 },
  );
});

test('nodes are few for what is there, and given back when it goes', () => {
  const nodes = new QuadtreeNodes(10_000, 16);
  const positions = hardWorld(seededRandom(1), 10_000);
  for (let round = 0; round < 3; round++) {
    for (const [id, { lat, lon }] of positions.entries()) nodes.put(id, lat, lon);
    assert.ok(nodes.nodeCount > 1000 && nodes.nodeCount < 4 * 26 * (10_000 / 16), `${nodes.nodeCount} nodes`);
    for (const id of positions.keys()) assert.ok(nodes.take(id));
    assert.equal(nodes.nodeCount, 1);
  }
});

test('any number can be at one place', () => {
  const index = createQuadtree({ capacity: 1000 });
  for (let id = 0; id < 1000; id++) index.set(id, { lat: 90, lon: 180 });
  assert.equal(index.within({ lat: 90, lon: 180 }, 0).length, 1000);
});

test('memory is 28 bytes for each id and 16 for each node', () => {
  const index = createQuadtree({ capacity: 100_000 });
  assert.equal(index.bytes, 28 * 100_000 + 16 * 64);
  const random = seededRandom(2);
  for (let id = 0; id < 100_000; id++) index.set(id, { lat: random.unit() * 180 - 90, lon: random.unit() * 360 - 180 });
  assert.ok(index.bytes <= 28 * 100_000 + 16 * 2 ** 15, `${index.bytes} bytes`);
});

test('what cannot be meant is refused', () => {
  for (const capacity of [0, 1.5, Number.NaN, 2 ** 31]) assert.throws(() => createQuadtree({ capacity }), invalid);
  for (const leafMax of [0, 1.5, 1025]) assert.throws(() => createQuadtree({ capacity: 1, leafMax }), invalid);
  const misspelt = { capacity: 1, leafmax: 4 };
  assert.throws(() => createQuadtree(misspelt), { ...invalid, message: /no option “leafmax”/ });
  const index = createQuadtree({ capacity: 2 });
  assert.throws(() => index.set(2, { lat: 0, lon: 0 }), invalid);
  assert.throws(() => index.set(0, { lat: 0, lon: Number.NaN }), invalid);
});
