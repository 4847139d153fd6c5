import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { createRing, type RingOptions } from './ring.ts';

const fleet = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 });
const weight = fc.constantFrom(0, 0.001, 0.5, 1, 2, 5);

/** The definition: of all points not before the position the nearest, else the first of all. */
function nearest(ends: readonly number[], position: number): number {
  let best = -1;
  for (const [at, end] of ends.entries()) {
    if (end >= position && (best < 0 || end < ends[best]!)) best = at;
  }
  return best < 0 ? ends.indexOf(Math.min(...ends)) : best;
}

test('a position belongs to the next point, as a search through all of them says', () => {
  fc.assert(
    fc.property(fleet, fc.integer({ min: 1, max: 40 }), fc.array(fc.integer()), (names, pointsPerWeight, some) => {
      const ring = createRing(names, { pointsPerWeight });
      const { ends, owners } = ring.arcs()!;
      assert.equal(ends.length, names.length * pointsPerWeight);
      const list = [...ends];
      // On a point, beside it, and at both ends of the circle.
      const edges = [...list.slice(0, 9).flatMap((end) => [end, end - 1, end + 1]), 0, 0xffffffff, list.at(-1)! + 1];
      for (const position of [...some, ...edges]) {
        assert.equal(ring.locate(position, null), owners[nearest(list, position >>> 0)], `${position}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('points are in proportion to weight, at least one, and the same whatever the other weights', () => {
  fc.assert(
    fc.property(
      fleet,
      fc.array(weight, { minLength: 12, maxLength: 12 }),
      fc.nat(11),
      weight,
      (names, some, at, other) => {
        const nodes = names.map((name, index) => ({ name, weight: some[index]! }));
        const changed = nodes.map((node, index) => (index === at % names.length ? { ...node, weight: other } : node));
        const points = (given: typeof nodes): number[][] => {
          const { ends, owners } = createRing(given, { pointsPerWeight: 50 }).arcs()!;
          return names.map((_, index) => [...ends].filter((_end, point) => owners[point] === index));
        };
        const [before, after] = [points(nodes), points(changed)];
        for (const [index, own] of before.entries()) {
          const expected = some[index] === 0 ? 0 : Math.max(1, Math.round(some[index]! * 50));
          assert.equal(own.length, expected);
          if (index !== at % names.length) assert.deepEqual(after[index], own);
        }
        // Of the changed node one set holds the other: more weight is more of the same points.
        const [fewer, more] = [before[at % names.length]!, after[at % names.length]!].sort(
          (a, b) => a.length - b.length,
        );
        assert.ok(fewer!.every((point) => more!.includes(point)));
      },
    ),
    { numRuns: 60 },
  );
});

test('the shares scatter as points drawn by lot do: one over the root of their number', () => {
  for (const pointsPerWeight of [100, 1000]) {
    const nodes = Array.from({ length: 100 }, (_, index) => `node-${index}`);
    const shares = createRing(nodes, { pointsPerWeight }).shares();
    const variance = shares.reduce((sum, share) => sum + (share * 100 - 1) ** 2, 0) / 100;
    const ratio = variance * pointsPerWeight;
    assert.ok(ratio > 0.6 && ratio < 1.5, `${ratio}`);
  }
});

test('where keys lie is fixed for good', () => {
  // A change of these numbers moves the data of everyone who upgrades.
  const ring = createRing(['cache-1', 'cache-2', { name: 'cache-3', weight: 2 }]);
  assert.equal(ring.fingerprint(), '2a26ef8060c2a715');
  assert.deepEqual(
    ['a', 'b', 'c', 'user:42', 'Grüße'].map((key) => ring.get(key)),
    ['cache-3', 'cache-3', 'cache-3', 'cache-3', 'cache-3'],
  );
});

test('a ring in shared memory is the same ring in another thread', async () => {
  const ring = createRing([{ name: 'a', weight: 2, zone: 'x' }, 'b', 'c'], { shared: true, pointsPerWeight: 64 });
  assert.ok(ring.memory instanceof SharedArrayBuffer);
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ openPlacement }) => {
      const ring = openPlacement(workerData.memory);
      parentPort.postMessage([ring.fingerprint(), ring.nodes, ring.getReplicas('key', 3), ring.with(['a', 'd']).get('key')]);
    });`;
  const module = new URL('open.ts', import.meta.url).href;
  const worker = new Worker(program, { eval: true, workerData: { memory: ring.memory, module } });
  const [message] = (await once(worker, 'message')) as [unknown];
  assert.deepEqual(message, [
    ring.fingerprint(),
    ring.nodes,
    ring.getReplicas('key', 3),
    ring.with(['a', 'd']).get('key'),
  ]);
  await worker.terminate();
});

test('options that mean nothing are refused', () => {
  assert.throws(() => createRing(['a'], { pointsPerWeight: 0 }), /pointsPerWeight is 0/);
  // @ts-expect-error A text.
  assert.throws(() => createRing(['a'], { pointsPerWeight: '9' }), /pointsPerWeight is '9'/);
  assert.throws(() => createRing(['a'], { compatible: 'nginx', pointsPerWeight: 9 }), /that of nginx/);
  // @ts-expect-error A client that is not known.
  const unknown: RingOptions = { compatible: 'memcachex' };
  assert.throws(() => createRing(['a'], unknown), /libmemcached, libmemcached-unweighted, hashring, nginx/);
  assert.throws(() => createRing([{ name: 'a', weight: 1e6 }]), /divide the weights/);
});
