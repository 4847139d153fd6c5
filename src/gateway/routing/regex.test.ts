import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegexMatcher } from './regex.ts';
import { RegexError } from './regex-syntax.ts';

function matches(text: string, input: string): boolean {
  const bytes = Buffer.from(input);
  return new RegexMatcher(text).test(bytes, 0, bytes.length);
}

test('a match may lie anywhere unless it is tied', () => {
  assert.ok(matches('b', 'abc'));
  assert.ok(!matches('^b', 'abc'));
  assert.ok(!matches('b$', 'abc'));
  assert.ok(matches('^abc$', 'abc'));
  assert.ok(matches('^$', ''));
  assert.ok(!matches('^$', 'a'));
  assert.ok(matches('', ''));
});

test('letters beyond ASCII are their UTF-8 bytes, and (?i) folds ASCII', () => {
  assert.ok(matches('^/caf(é|É)s?$', '/cafés'));
  assert.ok(matches('(?i)^/API/v[0-9]+$', '/api/V12'));
  assert.ok(!matches('^/API', '/api'));
});

test('RFC 9485 §8: expressions that break backtracking matchers take one look a byte', () => {
  // A backtracking matcher needs 2^50 steps for the first and would never return.
  const input = 'a'.repeat(50_000);
  for (const text of ['^(a+)+$', '^(a|aa)+$', '^(a*)*$', '(a|b|ab)*c$', '^(.*a){20}$']) {
    assert.equal(matches(text, `${input}!`), false, text);
  }
});

test('an expression whose automaton has more states than are remembered is still right', () => {
  // The state must know the last 12 letters: 2^12 sets.
  const matcher = new RegexMatcher('^[ab]*a[ab]{12}$');
  let seed = 7;
  for (let round = 0; round < 200; round++) {
    let text = '';
    for (let at = 0; at < 200; at++) text += (seed = (seed * 1103515245 + 12345) & 0x7fffffff) & 0x10000 ? 'a' : 'b';
    const bytes = Buffer.from(text);
    assert.equal(matcher.test(bytes, 0, bytes.length), text.at(-13) === 'a');
  }
});

test('RFC 9485 §8: what has no linear time, or no meaning, is refused with a reason and a place', () => {
  const refused: readonly (readonly [string, RegExp, number])[] = [
    ['(a)\\1', /back-references/, 3],
    ['^(?=a)b', /look-around/, 1],
    ['(?<!a)b', /look-around/, 0],
    ['a\\bc', /word boundaries/, 1],
    ['(ab', /never closed/, 0],
    ['ab)', /closes nothing/, 2],
    ['[ab', /never closed/, 0],
    ['[b-a]', /backwards/, 2],
    ['*a', /nothing before \*/, 0],
    ['a**', /quantifier follows/, 2],
    ['a{3,2}', /more than it allows/, 1],
    ['(a{1000}){1000}', /more than 2000/, 0],
    ['\\q', /not known/, 0],
    ['('.repeat(60), /nested/, 51],
  ];
  for (const [text, message, at] of refused) {
    assert.throws(
      () => new RegexMatcher(text),
      (error) => {
        assert.ok(error instanceof RegexError, text);
        assert.match(error.message, message);
        assert.equal(error.at, at, text);
        return true;
      },
    );
  }
});
