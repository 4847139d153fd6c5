/** The matcher against JavaScript's own on generated expressions and inputs, and its promises: linear time, bounded memory. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RegexMatcher } from './regex.ts';
import { RegexError } from './regex-syntax.ts';

const atom = fc.constantFrom('a', 'b', 'c', '.', '[ab]', '[^a]', '\\d', '\\w', '1', '/', '\\.', '[a-c1]', '\\W');
const quantifier = fc.constantFrom('', '', '', '*', '+', '?', '{2}', '{1,2}', '{0,3}', '{1,}', '*?', '+?');
const { expression } = fc.letrec<{ expression: string; sequence: string; item: string }>((tie) => ({
  expression: fc.array(tie('sequence'), { minLength: 1, maxLength: 3 }).map((parts) => parts.join('|')),
  sequence: fc.array(tie('item'), { maxLength: 4 }).map((parts) => parts.join('')),
  item: fc.oneof(
    { maxDepth: 2 },
    fc.tuple(atom, quantifier).map(([of, times]) => of + times),
    fc.constantFrom('^', '$'),
    fc
      .tuple(fc.constantFrom('(', '(?:'), tie('expression'), quantifier)
      .map(([open, inside, times]) => `${open}${inside})${times}`),
  ),
}));
const input = fc
  .array(fc.constantFrom('a', 'b', 'c', 'A', 'd', '1', '/', '.', '-'), { maxLength: 8 })
  .map((all) => all.join(''));

function ours(matcher: RegexMatcher, text: string): boolean {
  // Between other bytes, so that it would show if it looked beyond its part.
  const bytes = Buffer.from(`a1${text}b/`);
  return matcher.test(bytes, 2, bytes.length - 2);
}

test('the matcher agrees with JavaScript', () => {
  let matched = 0;
  let missed = 0;
  fc.assert(
    fc.property(
      expression,
      fc.boolean(),
      fc.array(input, { minLength: 1, maxLength: 12 }),
      (text, foldCase, inputs) => {
        const theirs = new RegExp(text, foldCase ? 'is' : 's');
        const matcher = new RegexMatcher(foldCase ? `(?i)${text}` : text);
        for (const each of inputs) {
          const expected = theirs.test(each);
          if (expected) matched++;
          else missed++;
          assert.equal(ours(matcher, each), expected, `/${text}/ on ${JSON.stringify(each)}`);
        }
      },
    ),
    { numRuns: 5000 },
  );
  assert.ok(matched > 1000 && missed > 1000, `${matched} matched, ${missed} did not`);
});

test('any text is an expression or refused with a place in it', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ maxLength: 30 }),
        fc.string({ unit: fc.constantFrom(...Array.from('()[]{}|*+?^$\\.a1-,:=!<')), maxLength: 30 }),
      ),
      (text) => {
        try {
          new RegexMatcher(text).test(Buffer.from('abc'), 0, 3);
        } catch (error) {
          assert.ok(error instanceof RegexError, String(error));
          assert.ok(error.at >= 0 && error.at <= text.length);
        }
      },
    ),
    { numRuns: 5000 },
  );
});
