/** A text comes out as it is, whatever is in it, and nothing around it is touched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FixedText, outOver } from './fixed-text.ts';

test('any text is written whole, where it is to be, and nothing else', () => {
  // Bytes that would make a double no number are among them, wherever they may stand.
  const character = fc.constantFrom('a', '"', '\u0000', '\u007f', 'é', '€', '\u{f0000}', '\u{10ffff}', '\ud800');
  const text = fc.oneof(fc.string({ unit: character, maxLength: 40 }), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(text, fc.nat(16), (given, at) => {
      const expected = Buffer.from(given, 'utf8');
      const memory = Buffer.alloc(at + expected.length + 9, 0xee);
      const out = outOver(memory.subarray(1, -1));
      const end = new FixedText(given).write(out, at);
      assert.equal(end, at + expected.length);
      const around = [Buffer.alloc(at + 1, 0xee), expected, Buffer.alloc(8, 0xee)];
      assert.deepEqual(memory, Buffer.concat(around));
    }),
    { numRuns: 1000 },
  );
});
