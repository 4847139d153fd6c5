/** The normal form of a path: cases from the RFC and from attacks, and its properties against a naive model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PATH_REFUSED, PATH_SAME, type PathRules, normalizePath } from './target.ts';

const strict: PathRules = { escapedSlashes: 'reject', mergeSlashes: false };
const merging: PathRules = { escapedSlashes: 'reject', mergeSlashes: true };
const keeping: PathRules = { escapedSlashes: 'keep', mergeSlashes: false };

/** The normal form, or null if the path is refused. */
function normal(path: string, rules: PathRules = strict): string | null {
  const buffer = Buffer.from(`xx${path}/..`, 'latin1');
  const out = Buffer.alloc(path.length + 1, 0xaa);
  const length = normalizePath(buffer, 2, 2 + path.length, out.subarray(0, path.length), rules);
  assert.equal(out[path.length], 0xaa);
  if (length === PATH_REFUSED) return null;
  if (length === PATH_SAME) return path;
  const text = out.toString('latin1', 0, length);
  assert.notEqual(text, path, 'a path that did not change is said to be the same');
  return text;
}

const cases: readonly (readonly [path: string, expected: string | null, rules?: PathRules])[] = [
  ['/', '/'],
  ['/a/b.c/d', '/a/b.c/d'],
  // RFC 3986 §5.2.4
  ['/a/b/c/./../../g', '/a/g'],
  ['/mid/content=5/../6', '/mid/6'],
  ['/.', '/'],
  ['/..', '/'],
  ['/../../a', '/a'],
  ['/a/.', '/a/'],
  ['/a/..', '/'],
  ['/a/b/..', '/a/'],
  ['/a/../', '/'],
  ['/.a/..b/...', '/.a/..b/...'],
  ['/a.', '/a.'],
  // RFC 3986 §6.2.2
  ['/%7euser', '/~user'],
  ['/%7Euser', '/~user'],
  ['/%41%2d%2E%5f', '/A-._'],
  ['/%e9', '/%E9'],
  ['/%C3%A9', '/%C3%A9'],
  ['/%2e%2e/a', '/a'],
  ['/x/%2E./a', '/a'],
  ['/x/.%2e', '/'],
  ['/x/%2e', '/x/'],
  // An escaped percent is not an escape.
  ['/%252e%252e/a', '/%252e%252e/a'],
  ['/%25%32%65', '/%252e'],
  ['/a%20b', '/a%20b'],
  ['/a%3fb%23', '/a%3Fb%23'],
  // Refused
  ['/%00', null],
  ['/a%00b', null],
  ['/a%00b', null, keeping],
  ['/%', null],
  ['/%4', null],
  ['/%zz', null, keeping],
  ['/%4g', null],
  ['/%u0041', null],
  ['/a%2fb', null],
  ['/a%2Fb', null],
  ['/a%5cb', null],
  ['/a\\b', null],
  ['/a/..%2fb', null],
  ['/a%2fb', '/a%2Fb', keeping],
  ['/a%5c..%2f', '/a%5C..%2F', keeping],
  ['/a\\b', '/a\\b', keeping],
  // Empty segments
  ['//a', '//a'],
  ['/a//b/', '/a//b/'],
  ['/a//../b', '/a/b'],
  ['//', '//'],
  ['//', '/', merging],
  ['//a', '/a', merging],
  ['/a//b', '/a/b', merging],
  ['/a///b//', '/a/b/', merging],
  ['/a//../b', '/b', merging],
  ['/a//.', '/a/', merging],
  ['/a//..', '/', merging],
  ['/./', '/', merging],
];

for (const [path, expected, rules] of cases) {
  test(`RFC 3986 §6.2.2: ${path} becomes ${expected ?? 'a refusal'} (${JSON.stringify(rules ?? strict)})`, () => {
    assert.equal(normal(path, rules), expected);
  });
}

/** RFC 3986 §5.2.4 and §6.2.2 by string operations. */
function naive(path: string, rules: PathRules): string | null {
  if (/%(?![0-9a-fA-F]{2})|%00/.test(path)) return null;
  if (rules.escapedSlashes === 'reject' && /%2f|%5c|\\/i.test(path)) return null;
  const decoded = path.replaceAll(/%../g, (escape) => {
    const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase();
  });
  const segments = decoded.split('/').slice(1);
  const last = segments.at(-1);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    if (segment === '.' || segment === '..') {
      if (segment === '..') kept.pop();
    } else if (segment !== '' || !rules.mergeSlashes || index === segments.length - 1) {
      kept.push(segment);
    }
  }
  if (last === '.' || last === '..') kept.push('');
  return `/${kept.join('/')}`;
}

const path = fc
  .array(
    fc.constantFrom(
      '/',
      '/',
      '/',
      '.',
      '..',
      'a',
      'bc',
      '%2e',
      '%2E',
      '%61',
      '%2f',
      '%5C',
      '%00',
      '%',
      '%e9',
      '\\',
      '~',
      '%7e',
      '%25',
      '[',
      ':',
    ),
    { maxLength: 14 },
  )
  .map((parts) => `/${parts.join('')}`);
const anyRules = fc.record({
  escapedSlashes: fc.constantFrom('reject' as const, 'keep' as const),
  mergeSlashes: fc.boolean(),
});

test('the normal form is the one of a naive model, its own normal form, and no dot segment is left in it', () => {
  fc.assert(
    fc.property(path, anyRules, (text, rules) => {
      const form = normal(text, rules);
      assert.equal(form, naive(text, rules));
      if (form === null) return;
      assert.equal(normal(form, rules), form);
      assert.ok(form.startsWith('/') && form.length <= text.length);
      assert.doesNotMatch(form, /\/\.{1,2}(\/|$)/);
      assert.doesNotMatch(form, /%[0-9A-F]?[a-f]/);
      if (rules.mergeSlashes) assert.ok(!form.includes('//'));
    }),
    { numRuns: 20_000 },
  );
});
