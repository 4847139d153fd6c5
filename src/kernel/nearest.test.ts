import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest } from './nearest.ts';

test('a slip of the finger finds the name: letter missing, added, changed, swapped, case', () => {
  const names = ['address', 'endpoints', 'interval', 'timeout', 'tls'];
  for (const typo of ['adress', 'adddress', 'addrass', 'addrses', 'ADDRESS', 'addres'])
    assert.equal(nearest(typo, names), 'address', typo);
  assert.equal(nearest('endpoint', names), 'endpoints');
  assert.equal(nearest('tsl', names), 'tls');
});

test('an abbreviation finds the shortest name that begins so, unless a name is nearer', () => {
  assert.equal(nearest('cert', ['certificates', 'certificate', 'key']), 'certificate');
  assert.equal(nearest('Addr', ['adr', 'address']), 'adr');
  assert.equal(nearest('en', ['endpoints', 'name']), null);
});

test('a different word finds nothing', () => {
  assert.equal(nearest('certificate', ['address', 'name']), null);
  assert.equal(nearest('on', ['off', 'stdout']), null);
  assert.equal(nearest('', ['a']), null);
  assert.equal(nearest('x'.repeat(65), ['x'.repeat(65)]), null);
});

test('of equally near names the first wins, and a nearer one beats it', () => {
  assert.equal(nearest('cat', ['bat', 'car']), 'bat');
  assert.equal(nearest('cat', ['bat', 'cat']), 'cat');
});

/** By the definition: optimal string alignment, recursively. */
function naive(a: string, b: string): number {
  if (a === '' || b === '') return a.length + b.length;
  const same = a.at(-1) === b.at(-1) ? 0 : 1;
  const costs = [
    naive(a.slice(0, -1), b) + 1,
    naive(a, b.slice(0, -1)) + 1,
    naive(a.slice(0, -1), b.slice(0, -1)) + same,
  ];
  if (a.length > 1 && b.length > 1 && a.at(-1) === b.at(-2) && a.at(-2) === b.at(-1))
    costs.push(naive(a.slice(0, -2), b.slice(0, -2)) + 1);
  return Math.min(...costs);
}

test('the distance is that of its definition', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 6 });
  fc.assert(fc.property(word, word, (a, b) => assert.equal(editDistance(a, b), naive(a, b))));
});
