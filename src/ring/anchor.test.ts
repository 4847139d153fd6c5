import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createAnchor } from './anchor.ts';

const keys = Array.from({ length: 600 }, (_, index) => `key ${index}`);

test('over any history a change moves keys only from the node that goes or to the node that comes', () => {
  const history = fc.array(fc.nat(15), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), history, (count, changes) => {
      let names = Array.from({ length: count }, (_, index) => `node ${index}`);
      let placement = createAnchor(names, { capacity: 16 });
      for (const change of changes) {
        const name = `node ${change}`;
        const was = keys.map((key) => placement.get(key));
        const goes = names.includes(name);
        if (goes && names.length === 1) continue;
        names = goes ? names.filter((other) => other !== name) : [...names, name];
        placement = placement.with(names);
        for (const [at, key] of keys.entries()) {
          const owner = placement.get(key)!;
          assert.ok(names.includes(owner));
          if (was[at] !== owner) assert.equal(goes ? was[at] : owner, name, key);
        }
      }
      // Still even: 600 keys over at most 16 nodes, six standard deviations.
      const mean = keys.length / names.length;
      for (const name of names) {
        const own = keys.filter((key) => placement.get(key) === name).length;
        assert.ok(Math.abs(own - mean) < 6 * Math.sqrt(mean), `${name} has ${own} of ${mean}`);
      }
    }),
    { numRuns: 60 },
  );
});

test('the node that went last and comes back has its keys back', () => {
  const before = createAnchor(['a', 'b', 'c', 'd'], { capacity: 8 });
  const after = before.with(['a', 'd']).with(['a', 'c', 'd']).with(['a', 'b', 'c', 'd']);
  assert.equal(after.fingerprint(), before.fingerprint());
  for (const key of keys) assert.equal(after.get(key), before.get(key));
});

test('more nodes than the capacity are refused', () => {
  assert.throws(() => createAnchor(['a', 'b'], { capacity: 2 }).with(['a', 'b', 'c']), /No bucket is left for “c”/);
  assert.throws(() => createAnchor(['a', 'b'], { capacity: 1 }), /capacity is 1/);
});
