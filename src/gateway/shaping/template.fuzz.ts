/** Whatever a request holds, what is made of it stays within its place: no line break in a field, no other host, no other path. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { shaped } from '../../../test/engine/routed.ts';
import { normalizePath, PATH_REFUSED, PATH_SAME } from '../l7/target.ts';
import { FieldEdits } from './field-edits.ts';
import { pathNames } from './path-names.ts';
import { RouteAnswer } from './route-answer.ts';
import { Shaping } from './shaping.ts';
import { seededRandom } from '../../kernel/random.ts';

// Not only what a parser lets through: these are the last who look.
const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const sign = fc.constantFrom('/', '.', '%', '%2F', '%0d%0a', '\\', '\r\n', '?', '#', '&', '@', ':', ' ', 'a');
const path = fc.array(fc.oneof(byte, sign), { maxLength: 20 }).map((signs) => `/${signs.join('')}`);
const RULES = { escapedSlashes: 'reject', mergeSlashes: false } as const;
const NAMES = pathNames({ path: '/{id}/*', pathRegex: null });

test('RFC 9110 §5.5: a field is one line, and holds nothing but what may be seen', () => {
  const value = '{id}|{rest}|{/rest}|{path}|{host}|{query}|{client}';
  const edits = new FieldEdits({ set: [{ name: 'X-A', value }], add: [], remove: [] }, NAMES);
  fc.assert(
    fc.property(path, fc.string({ unit: byte, maxLength: 20 }), (given, host) => {
      const line = Buffer.from(edits.lines(shaped({ path: given, host }))).toString('latin1');
      assert.match(line, /^X-A: [ -~]*\r\n$/);
    }),
  );
});

test('RFC 3986 §4.2: a redirect to a path stays on this host, and its line is one', () => {
  for (const to of ['/{rest}', '{path}', '/{id}', '/{rest}?next={path}&{query}']) {
    const answer = new RouteAnswer({ kind: 'redirect', status: 308, to }, null, NAMES);
    fc.assert(
      fc.property(path, (given) => {
        const location = Buffer.from(answer.location(shaped({ path: given }))!).toString('latin1');
        assert.match(location, /^[!-~]*$/);
        assert.equal(new URL(location, 'http://here.example/x').host, 'here.example');
      }),
    );
  }
});

test('a redirect to an address goes to its host', () => {
  const to = 'https://there.example{path}?{query}';
  const answer = new RouteAnswer({ kind: 'redirect', status: 308, to }, null, NAMES);
  fc.assert(
    fc.property(path, (given) => {
      const location = Buffer.from(answer.location(shaped({ path: given }))!).toString('latin1');
      assert.equal(new URL(location).host, 'there.example');
    }),
  );
});

/** As the gateway makes it before it routes; null for what it refuses. */
function normalForm(given: string): string | null {
  const bytes = Buffer.from(given, 'latin1');
  const out = Buffer.alloc(bytes.length);
  const length = normalizePath(bytes, 0, bytes.length, out, RULES);
  if (length === PATH_SAME) return given;
  return length === PATH_REFUSED ? null : out.toString('latin1', 0, length);
}

test('a rewritten path is one path in its normal form, below what the route says, or is refused', () => {
  const plan = {
    split: null,
    answer: null,
    path: '/v2/{rest}',
    host: null,
    requestFields: null,
    responseFields: null,
    mirror: null,
  };
  const match = { path: '/{id}/*', pathRegex: null } as ConstructorParameters<typeof Shaping>[1]['match'];
  const shaping = new Shaping(plan, { name: 'r', match }, seededRandom(1));
  fc.assert(
    fc.property(path, (given) => {
      const normal = normalForm(given);
      if (normal === null || !shaping.rewrite(shaped({ path: normal }), RULES)) return;
      const { bytes, start, end } = shaping.path;
      const written = Buffer.from(bytes.subarray(start, end)).toString('latin1');
      assert.match(written, /^\/v2\/[^\0- "#<>?\u007f-\u{10ffff}]*$/u);
      assert.ok(!/\/\.\.?(\/|$)/.test(written), written);
    }),
  );
});
