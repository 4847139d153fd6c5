/** What groups take, against JavaScript's own matcher, and the promise that it is one pass. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RegexCaptures } from './regex-captures.ts';
import { RegexMatcher } from './regex.ts';

interface Piece {
  readonly text: string;
  /** It may take no byte. */
  readonly empty: boolean;
}

// What is repeated takes a byte at least, and has no names in it: there JavaScript forgets, at each round, what groups had taken.
const atom = fc.constantFrom('a', 'b', '[ab]', '[^a]', '.', '\\w', '/');
const times = fc.constantFrom('', '*', '+', '?', '{2}', '{1,2}', '{0,2}', '*?', '+?', '??', '{1,}?', '{0,2}?');
const single = fc.tuple(atom, times).map(([of, many]): Piece => ({ text: of + many, empty: /^[*?]|^\{0/.test(many) }));
const row = (pieces: readonly Piece[]): Piece => ({
  text: pieces.map(({ text }) => text).join(''),
  empty: pieces.every(({ empty }) => empty),
});
const plain = fc.array(single, { minLength: 1, maxLength: 3 }).map(row);
const repeated = fc.tuple(fc.array(plain, { minLength: 1, maxLength: 2 }), times).map(([choices, many]): Piece => {
  const inside = choices.map(({ text }) => text).join('|');
  if (choices.some(({ empty }) => empty)) return { text: `(?:${inside})`, empty: true };
  return { text: `(?:${inside})${many}`, empty: /^[*?]|^\{0/.test(many) };
});
const piece = fc.oneof(single, repeated);
const body = fc.array(piece, { minLength: 1, maxLength: 3 }).map(row);

/** `@` stands for a group that is given a name of its own afterwards. */
const group = fc.oneof(
  body.map(({ text }) => `(@${text})`),
  fc.tuple(body, body, body).map(([a, b, c]) => `(@${a.text}(@${b.text})${c.text})`),
  fc.tuple(body, body).map(([a, b]) => `(?:(@${a.text})|(@${b.text}))`),
  body.map(({ text, empty }) => (empty ? `(@${text})` : `(?:(@${text}))?`)),
);
const part = fc.oneof(
  group,
  body.map(({ text }) => text),
);
const expression = fc
  .tuple(fc.constantFrom('', '^'), fc.array(part, { minLength: 1, maxLength: 3 }), fc.constantFrom('', '$'))
  .map(([begin, parts, end]) => {
    let number = 0;
    return (begin + parts.join('') + end).replaceAll('@', () => `?<g${number++}>`);
  });
const input = fc.string({ unit: fc.constantFrom('a', 'b', '/', 'c'), maxLength: 10 });

test('groups take what they take in JavaScript', () => {
  let matched = 0;
  let taken = 0;
  fc.assert(
    fc.property(expression, fc.array(input, { minLength: 1, maxLength: 8 }), (text, inputs) => {
      const theirs = new RegExp(text, 'sd');
      const ours = new RegexCaptures(text);
      const matcher = new RegexMatcher(text);
      for (const each of inputs) {
        // Between other bytes, so that it would show if it looked beyond its part.
        const bytes = Buffer.from(`a/${each}b/`);
        const found = ours.match(bytes, 2, bytes.length - 2);
        const expected = theirs.exec(each);
        assert.equal(found, expected !== null, `/${text}/ on ${JSON.stringify(each)}`);
        assert.equal(matcher.test(bytes, 2, bytes.length - 2), found);
        if (expected === null) continue;
        matched += 1;
        const spans = ours.names.map((_, group) => [ours.spans[2 * group]! - 2, ours.spans[2 * group + 1]! - 2]);
        const wanted = ours.names.map((name) => expected.indices?.groups?.[name] ?? [-3, -3]);
        assert.deepEqual(spans, wanted, `/${text}/ on ${JSON.stringify(each)}`);
        taken += wanted.filter(([start]) => start! >= 0).length;
      }
    }),
    { numRuns: 5_000 },
  );
  assert.ok(matched > 5_000 && taken > 5_000, `${matched} matched, ${taken} groups took part`);
});

test('expressions over which a matcher that goes back would sit for years take one pass', () => {
  const input = Buffer.from(`${'a'.repeat(20_000)}!`);
  for (const text of ['^(?<g>(a+)+)$', '^(?<g>(a|aa)+)$', '(?<g>a*)*b', '^(?<g>(a*)*)c']) {
    assert.equal(new RegexCaptures(text).match(input, 0, input.length), false, text);
  }
  const captures = new RegexCaptures('^(?<all>(a+)+)!');
  assert.ok(captures.match(input, 0, input.length));
  assert.deepEqual([...captures.spans], [0, 20_000]);
});
