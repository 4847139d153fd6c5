import assert from 'node:assert/strict';
import { test } from 'node:test';
import { styleText, stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { wrap, wrapLine } from './wrap.ts';

test('a long line is broken at spaces and goes on indented', () => {
  const text = '  route api   any host /api/*  it matches, and no other that matches';
  assert.deepEqual(wrapLine(text, 50), [
    '  route api   any host /api/*  it matches, and no',
    '      other that matches',
  ]);
  assert.deepEqual(wrapLine('short', 50), ['short']);
  assert.deepEqual(wrapLine('', 50), ['']);
});

test('colours take no room', () => {
  const text = styleText('red', 'x'.repeat(30) + ' yes', { validateStream: false });
  assert.deepEqual(wrap(text, 40, 2), [text]);
});

test('no line is wider than the terminal, unless a word is; and nothing but spaces is lost', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'é', '→', '😀'), minLength: 1, maxLength: 30 });
  const text = fc
    .array(fc.tuple(word, fc.constantFrom(' ', '   ')), { minLength: 1 })
    .map((parts) => parts.flat().join(''));
  fc.assert(
    fc.property(text, fc.integer({ min: 40, max: 120 }), fc.nat(10), (given, width, hang) => {
      const lines = wrap(given, width, hang);
      for (const line of lines) assert.ok(Array.from(stripVTControlCharacters(line)).length <= width, line);
      const words = (of: string): string[] => of.split(/ +/).filter((each) => each !== '');
      assert.deepEqual(words(lines.join(' ')), words(given));
    }),
  );
});
