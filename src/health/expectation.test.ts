import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  BANNER_BYTES_MAX,
  BODY_BYTES_MAX,
  judgeHead,
  matchesPattern,
  readBanner,
  readBody,
  type HttpExpectation,
} from './expectation.ts';

const fine: HttpExpectation = { status: [{ from: 200, to: 299 }], headers: [], body: null };
const bytes = (text: string) => new TextEncoder().encode(text);

test('a status is in one of the ranges, or the reason names both', () => {
  assert.deepEqual(judgeHead(fine, 204, {}), { kind: 'success', reason: 'status 204' });
  assert.deepEqual(judgeHead(fine, 500, {}), {
    kind: 'failure',
    code: 'status',
    reason: 'status 500, expected 200-299',
  });
  const status = [
    { from: 200, to: 200 },
    { from: 300, to: 302 },
  ];
  assert.equal(judgeHead({ ...fine, status }, 301, {}).kind, 'success');
  assert.equal(judgeHead({ ...fine, status }, 303, {}).reason, 'status 303, expected 200, 300-302');
});

test('a field must be there, or be so; its name is found in any case', () => {
  const wants = (name: string, value: string | null): HttpExpectation => ({ ...fine, headers: [{ name, value }] });
  const headers = { 'x-version': '2.14.1', 'set-cookie': ['a=1', 'b=2'] };
  assert.equal(judgeHead(wants('X-Version', null), 200, headers).kind, 'success');
  assert.equal(judgeHead(wants('X-Version', '2.*'), 200, headers).kind, 'success');
  assert.equal(judgeHead(wants('Set-Cookie', 'b=2'), 200, headers).kind, 'success', 'any of several');
  assert.equal(judgeHead(wants('X-Version', '3.*'), 200, headers).reason, 'X-Version is "2.14.1", expected "3.*"');
  assert.equal(judgeHead(wants('X-Role', null), 200, headers).reason, 'status 200 without the field X-Role');
  assert.equal(judgeHead(wants('constructor', null), 200, headers).kind, 'failure', 'not a property of objects');
  const evil = judgeHead(wants('X-Role', 'primary'), 200, { 'x-role': `\u001b[2J${'a'.repeat(500)}` });
  assert.equal(evil.reason, `X-Role is "?[2J${'a'.repeat(76)}…", expected "primary"`);
});

test('a body is read until the word is there, until it ends, or until it is too long', () => {
  const wants: HttpExpectation = { ...fine, body: '"ready":true' };
  const head = judgeHead(wants, 200, {});
  const cut = readBody(wants, head);
  assert.equal(cut.push(bytes('{"rea')), null);
  assert.deepEqual(cut.push(bytes('dy":true}')), { kind: 'success', reason: 'status 200, ""ready":true" found' });

  const other = readBody(wants, head);
  assert.equal(other.push(bytes('{"ready":false}')), null);
  assert.equal(
    other.end().reason,
    'status 200, but its body does not contain ""ready":true" in 15 bytes; it begins "{"ready":false}"',
  );
  assert.equal(readBody(wants, head).end().reason, 'status 200, but its body is empty, expected ""ready":true"');

  const endless = readBody(wants, head);
  let pieces = 0;
  while (endless.push(new Uint8Array(1_000)) === null) pieces += 1;
  assert.equal(pieces, Math.floor((BODY_BYTES_MAX - 1) / 1_000));
});

test('without a wish for the body it only has to end, or to be long', () => {
  const head = judgeHead(fine, 200, {});
  const body = readBody(fine, head);
  assert.equal(body.push(new Uint8Array(BODY_BYTES_MAX)), null);
  assert.deepEqual(body.push(new Uint8Array(1)), head);
  assert.deepEqual(readBody(fine, head).end(), head);
});

test('a banner contains what is expected within its first bytes', () => {
  const wants = { send: null, expect: 'SSH-2.0' };
  assert.equal(readBanner(wants).push(bytes('SSH-2.0-OpenSSH\r\n'))?.reason, 'said "SSH-2.0"');
  const other = readBanner(wants);
  other.push(bytes('HTTP/1.1 400 Bad Request\r\n'));
  const verdict = other.end();
  assert.deepEqual(verdict, {
    kind: 'failure',
    code: 'banner',
    reason: 'the banner does not contain "SSH-2.0" in 26 bytes; it begins "HTTP/1.1 400 Bad Request"',
  });
  assert.equal(readBanner(wants).push(new Uint8Array(BANNER_BYTES_MAX))?.kind, 'failure');
  assert.equal(readBanner({ send: null, expect: null }).end().kind, 'success');
});

test('a pattern is the regular expression it would be', () => {
  const text = (...letters: string[]) =>
    fc.array(fc.constantFrom(...letters), { maxLength: 12 }).map((all) => all.join(''));
  fc.assert(
    fc.property(text('a', 'b'), text('a', 'b', '*'), (value, pattern) => {
      assert.equal(matchesPattern(value, pattern), new RegExp(`^${pattern.replaceAll(/\*+/g, '.*')}$`).test(value));
    }),
    { numRuns: 2_000 },
  );
});

test('a pattern that would take a regular expression for ever is a few steps', () => {
  assert.equal(matchesPattern('a'.repeat(16_384), `${'*a'.repeat(100)}*b`), false);
});
