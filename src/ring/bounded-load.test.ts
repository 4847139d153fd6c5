import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createBoundedLoads, LoadBound } from './bounded-load.ts';
import { createRing } from './ring.ts';

const weights = fc.array(fc.constantFrom(0.5, 1, 2, 4), { minLength: 1, maxLength: 8 });

test('no node ever has more than its bound, whatever the keys, and every key finds a node', () => {
  const steps = fc.array(fc.record({ key: fc.nat(5), release: fc.boolean() }), { maxLength: 200 });
  fc.assert(
    fc.property(weights, fc.constantFrom(1, 1.25, 2), steps, (given, factor, work) => {
      const nodes = given.map((weight, index) => ({ name: `n${index}`, weight }));
      const sum = given.reduce((a, b) => a + b, 0);
      const loads = createBoundedLoads(createRing(nodes, { pointsPerWeight: 32 }), { factor });
      const busy: string[] = [];
      for (const { key, release } of work) {
        const done = release ? busy.shift() : undefined;
        if (done !== undefined) loads.release(done);
        const node = loads.acquire(`key ${key}`);
        assert.ok(node !== null);
        busy.push(node);
        const { weight } = nodes.find(({ name }) => name === node)!;
        assert.ok(loads.inFlight(node) <= Math.ceil((factor * busy.length * weight) / sum + 1e-9));
      }
      for (const node of busy) loads.release(node);
      for (const { name } of nodes) assert.equal(loads.inFlight(name), 0);
    }),
  );
});

test('for many nodes a bound is at most two rounds old, and no key is without a node', () => {
  const steps = fc.array(fc.record({ key: fc.nat(20), release: fc.boolean() }), { minLength: 300, maxLength: 600 });
  fc.assert(
    fc.property(fc.integer({ min: 17, max: 120 }), fc.constantFrom(1, 1.25), steps, (count, factor, work) => {
      const names = Array.from({ length: count }, (_, index) => `n${index}`);
      const loads = createBoundedLoads(createRing(names, { pointsPerWeight: 16 }), { factor });
      const busy: string[] = [];
      const recent: number[] = [];
      for (const { key, release } of work) {
        const done = release && key > 10 ? busy.shift() : undefined;
        if (done !== undefined) loads.release(done);
        const node = loads.acquire(`key ${key}`);
        assert.ok(node !== null);
        busy.push(node);
        recent.push(busy.length);
        if (recent.length > 2 * Math.ceil(count / 16)) recent.shift();
        // Work that moved while it was added up may have been seen twice.
        const seen = Math.max(...recent) + recent.length;
        assert.ok(loads.inFlight(node) <= Math.ceil((factor * seen) / count), `${loads.inFlight(node)} of ${seen}`);
      }
    }),
    { numRuns: 30 },
  );
});

test('while the load is even a key stays where it lies', () => {
  const ring = createRing(['a', 'b', 'c', 'd']);
  const bound = new LoadBound(ring, { inFlight: () => 10 });
  for (let key = 0; key < 500; key++) {
    const position = ring.position(`${key}`);
    assert.equal(bound.locate(position, null), ring.locate(position, null));
  }
});

test('the keys of a node that is full go where they would go if it were out; the others stay', () => {
  const ring = createRing(['a', 'b', 'c', 'd']);
  const bound = new LoadBound(ring, { inFlight: (index) => (index === 1 ? 100 : 0) });
  for (let key = 0; key < 500; key++) {
    const position = ring.position(`${key}`);
    assert.equal(bound.locate(position, null), ring.locate(position, Uint8Array.of(1, 0, 1, 1)));
  }
  // The last one is used, full or not.
  assert.equal(bound.locate(1, Uint8Array.of(0, 1, 0, 0)), 1);
  assert.equal(bound.locate(1, new Uint8Array(4)), -1);
});

test('when nodes come and go what is in flight stays counted, also at those that are gone', () => {
  const fleets = fc.subarray(['a', 'b', 'c', 'd', 'e'], { minLength: 1 });
  const acts = fc.oneof(fc.nat(8), fc.constant('release' as const), fleets);
  fc.assert(
    fc.property(fleets, fc.array(acts, { maxLength: 120 }), (first, sequence) => {
      const empty = createRing([], { pointsPerWeight: 16 });
      const loads = createBoundedLoads(empty.with(first));
      const busy: string[] = [];
      let present: readonly string[] = first;
      for (const act of sequence) {
        if (act === 'release') {
          const done = busy.shift();
          if (done !== undefined) loads.release(done);
        } else if (typeof act === 'number') {
          const node = loads.acquire(`key ${act}`)!;
          assert.ok(present.includes(node));
          busy.push(node);
        } else {
          present = act;
          loads.use(empty.with(act));
        }
        for (const name of new Set([...present, ...busy])) {
          assert.equal(loads.inFlight(name), busy.filter((node) => node === name).length, name);
        }
      }
      for (const node of busy) loads.release(node);
      for (const name of ['a', 'b', 'c', 'd', 'e'].filter((other) => !present.includes(other))) {
        assert.throws(() => loads.release(name), /No node is called/);
      }
    }),
  );
});

test('what a node of weight 0 still has in flight loosens nobody else’s bound', () => {
  const loads = createBoundedLoads(createRing(['leaving']));
  for (let key = 0; key < 1000; key++) loads.acquire(`${key}`);
  loads.use(createRing([{ name: 'leaving', weight: 0 }, 'b', 'c', 'd']));
  for (let request = 0; request < 30; request++) loads.acquire('one hot key');
  for (const node of ['b', 'c', 'd']) assert.ok(loads.inFlight(node) <= Math.ceil((1.25 * 30) / 3), node);
});

test('misuse is refused', () => {
  const ring = createRing(['a']);
  const loads = createBoundedLoads(ring);
  assert.throws(() => loads.release('a'), /once more/);
  assert.throws(() => loads.release('b'), /No node is called “b”/);
  // @ts-expect-error A misspelt option.
  assert.throws(() => createBoundedLoads(ring, { faktor: 2 }), /Did you mean factor/);
  for (const factor of [0.9, Number.NaN, Infinity, '1.5' as unknown as number])
    assert.throws(() => createBoundedLoads(ring, { factor }), /factor is/);
});
