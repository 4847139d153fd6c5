import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { ByteSearch } from './byte-search.ts';

/** Two letters, so that words overlap with themselves. */
const letters = (maxLength: number) =>
  fc.array(fc.constantFrom(97, 98), { maxLength }).map((bytes) => Uint8Array.from(bytes));

test('a word is found wherever the pieces are cut, and only if it is there', () => {
  const cuts = fc.array(fc.nat(60), { maxLength: 6 });
  const word = letters(5).filter(({ length }) => length > 0);
  fc.assert(
    fc.property(letters(60), word, cuts, fc.integer({ min: 1, max: 80 }), (bytes, wanted, places, bytesMax) => {
      const search = new ByteSearch({ word: wanted, bytesMax });
      const edges = [0, ...places.toSorted((a, b) => a - b).map((at) => Math.min(at, bytes.length)), bytes.length];
      for (let piece = 1; piece < edges.length; piece++) search.push(bytes.subarray(edges[piece - 1], edges[piece]));
      const text = String.fromCharCode(...bytes.subarray(0, bytesMax));
      const at = text.indexOf(String.fromCharCode(...wanted));
      assert.equal(search.found, at >= 0);
      assert.equal(search.done, at >= 0 || bytes.length >= bytesMax);
      assert.equal(search.bytes, at >= 0 ? at + wanted.length : text.length);
    }),
    { numRuns: 1_000 },
  );
});

test('what a person reads of it is printable and short', () => {
  const search = new ByteSearch({ word: Uint8Array.of(1), bytesMax: 1_000 });
  search.push(new TextEncoder().encode(`\u001b[31mred\r\n${'x'.repeat(200)}`));
  assert.equal(search.head, `[31mred  ${'x'.repeat(50)}…`);
});
