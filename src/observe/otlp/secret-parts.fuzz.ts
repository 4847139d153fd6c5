/** Values, and what others make of them: whatever part of one comes back, however it is written, is found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SecretParts } from './secret-parts.ts';

/** A backslash and an x would be one more thing that nobody can tell from what they encode. */
const value = fc.string({
  unit: fc.constantFrom(...Array.from('abcWYZ0189-_+/=.:!"\\')),
  minLength: 12,
  maxLength: 40,
});
const codes = (text: string, how: (code: number) => string): string =>
  Array.from(text, (character) => how(character.codePointAt(0)!)).join('');
const hex = (code: number, length: number): string => code.toString(16).padStart(length, '0');
const ways: Readonly<Record<string, (text: string) => string>> = {
  whole: (text) => text,
  json: (text) => JSON.stringify(text),
  'json, by number': (text) => codes(text, (code) => `\\u${hex(code, 4)}`),
  url: (text) => encodeURIComponent(text),
  'url, each': (text) => codes(text, (code) => `%${hex(code, 2)}`),
  html: (text) => codes(text, (code) => (code % 2 === 0 ? `&#${code};` : `&#x${hex(code, 2)};`)),
  'html, by name': (text) => text.replaceAll('"', '&quot;').replaceAll('&', '&amp;'),
  'in two lines': (text) => `${text.slice(0, 5)}\n  ${text.slice(5)}`,
  'as code': (text) => codes(text, (code) => `\\x${hex(code, 2)}`),
  loud: (text) => text.toUpperCase(),
};
const letters = /[a-z0-9]/gi;

test('a part of four letters or digits is found, escaped once or twice, in any case', () => {
  fc.assert(
    fc.property(value, fc.nat(), fc.nat(), fc.constantFrom(...Object.keys(ways)), fc.constantFrom(...Object.keys(ways).filter((way) => way !== 'in two lines')), (secret, from, length, way, again) => {
      const start = from % (secret.length - 4);
      const part = secret.slice(start, start + 4 + (length % secret.length));
      fc.pre((part.match(letters) ?? []).length >= 4);
      const parts = new SecretParts([`Bearer ${secret}`]);
      const once = ways[way]!(part);
      assert.ok(parts.isIn(`no key ${once}.`), once);
      assert.ok(parts.isIn(`no key ${ways[again]!(once)}.`), ways[again]!(once));
    }),
    { numRuns: 1000 },
  );
}); // prettier-ignore

test('what encodes a value is found wherever it begins, and what a value encodes', () => {
  fc.assert(
    fc.property(
      value,
      fc.string({ unit: fc.constantFrom('p', 'q', 'r', 's', 't'), maxLength: 5 }),
      (secret, before) => {
        fc.pre((secret.match(letters) ?? []).length >= 9);
        const encoded = Buffer.from(before + secret).toString('base64');
        assert.ok(new SecretParts([secret]).isIn(encoded), encoded);
        const basic = new SecretParts([`Basic ${Buffer.from(`somebody:${secret}`).toString('base64')}`]);
        assert.ok(basic.isIn(`the password ${secret} is wrong`));
      },
    ),
  );
});

test('a value with letters beyond ASCII is found, whatever has become of those', () => {
  const parts = new SecretParts(['pässwörd']);
  for (const told of ['pässwörd', 'p\ufffdssw\ufffdrd', 'p ssw rd', 'pÃ¤sswÃ¶rd', encodeURIComponent('pässwörd'), 'p%E4ssw%F6rd', 'p\\u00e4ssw\\u00f6rd']) {
    assert.ok(parts.isIn(`no key ${told}`), told);
  }
  assert.equal(new SecretParts(['äöüéèà']).isTooShort, true, 'nothing of it could be looked for');
}); // prettier-ignore

test('what has no part of a value is shown', () => {
  const parts = new SecretParts(['Bearer abcdefabcdef0123', 'tenant-9']);
  for (const text of ['invalid bearer token', 'no such key', '{"code":16,"message":"unauthenticated"}', 'abc and def', '%']) {
    assert.equal(parts.isIn(text), false, text);
  }
  assert.equal(parts.isIn('of TENANT 9'), true);
  assert.equal(parts.isIn(`%25${'25'.repeat(30)}61`), true, 'escaped more often than anybody does, it is not known');
  assert.deepEqual([parts.isTooShort, new SecretParts(['ab', '']).isTooShort, new SecretParts(['']).isTooShort], [false, true, false]);
}); // prettier-ignore
