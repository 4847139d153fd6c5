import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shaped } from '../../../test/engine/routed.ts';
import { pathNames } from './path-names.ts';
import { mistakeInTemplate, type Place, Template } from './template.ts';

const namesOf = (path: string | null) => pathNames({ path, pathRegex: null });

/** What `text` becomes for a request of `path` that the pattern `match` takes. */
function filled(text: string, place: Place, match: string | null, request: Parameters<typeof shaped>[0]): string {
  const template = new Template(text, place, namesOf(match));
  const made = shaped(request);
  const out = new Uint8Array(template.room(made));
  return Buffer.from(out.subarray(0, template.write(made, out, 0))).toString('latin1');
}

test('names are filled in from the request', () => {
  const request = { path: '/users/7/orders/9/x', query: 'a=1&b', host: 'shop.example', client: '2001:db8::1' };
  const match = '/users/{id}/orders/*';
  const texts: Record<string, string> = {
    '/{id}/{rest}': '/7/9/x',
    '/v2{/rest}': '/v2/9/x',
    '{path}?{query}': '/users/7/orders/9/x?a=1&b',
    '/u?id={id}&from={path}': '/u?id=7&from=/users/7/orders/9/x',
    '/{{id}}': '/{id}',
  };
  for (const [text, expected] of Object.entries(texts))
    assert.equal(filled(text, 'path', match, request), expected, text);
  assert.equal(filled('{client} of {host}', 'field', match, request), '2001:db8::1 of shop.example');
  assert.equal(
    filled('{scheme}://{host}{path}', 'authority', match, request),
    'http://shop.example/users/7/orders/9/x',
  );
});

test('groups of a regular expression are filled in, each request its own, also where the bytes lie as before', () => {
  const names = pathNames({ path: null, pathRegex: '^/v(?<version>[0-9]+)(?:/(?<name>[^/]+))?' });
  assert.deepEqual(names.names, ['version', 'name']);
  const template = new Template('{name}|{version}|{/rest}', 'field', names);
  const buffer = Buffer.alloc(64);
  const fill = (path: string): string => {
    const made = shaped({ path });
    made.routed.path = { bytes: buffer, start: 3, end: 3 + buffer.write(path, 3), changed: true };
    const out = new Uint8Array(template.room(made));
    return Buffer.from(out.subarray(0, template.write(made, out, 0))).toString('latin1');
  };
  assert.equal(fill('/v12/ann'), 'ann|12|/v12/ann');
  assert.equal(fill('/v13/bob'), 'bob|13|/v13/bob');
  assert.equal(fill('/v13'), '|13|/v13');
  assert.equal(fill('/other'), '||/other');
  assert.equal(fill('/v13'), '|13|/v13');
});

test('a rest: what /* stands for, all of it where any path is taken, nothing where the path is given', () => {
  const rests = (match: string | null, path: string) => filled('{rest}|{/rest}', 'field', match, { path });
  assert.equal(rests('/api/*', '/api/a/b'), 'a/b|/a/b');
  assert.equal(rests('/api/*', '/api/'), '|/');
  assert.equal(rests('/api/*', '/api'), '|');
  assert.equal(rests(null, '/a/b'), 'a/b|/a/b');
  assert.equal(rests('/login', '/login'), '|');
  assert.equal(rests('/u/{id}', '/u/7'), '|');
});

test('a value cannot end the place it stands in (RFC 3986 §2.2)', () => {
  const request = { path: "/u/a&b=c+d;e'%26%2f[x]\\y", query: 'x=1&y=[2]' };
  const as = (text: string, place: Place) => filled(text, place, '/u/*', request);
  assert.equal(
    as('/q?v={rest}', 'path'),
    "/q?v=a%26b%3Dc%2Bd%3Be'%26%2f%5Bx%5D%5Cy",
    'one parameter, whatever it holds',
  );
  assert.equal(as('/p/{rest}', 'path'), "/p/a&b=c+d;e'%26%2f[x]%5Cy", 'a backslash is a slash to some');
  assert.equal(as('/q?{query}', 'path'), '/q?x=1&y=[2]', 'the query as a whole stays what it is');
  assert.equal(as('/q/{query}', 'path'), '/q/x=1&y=[2]');
});

test('what a template may not be, when the config is read', () => {
  const mistake = (text: string, place: Place = 'path', match: string | null = '/u/{id}') =>
    mistakeInTemplate(text, place, namesOf(match)) ?? 'none';
  assert.match(mistake('/{nr}'), /there is no \{nr\}; there are \{scheme\}.*\{id\}/);
  assert.match(mistake('/{id', 'path'), /no name in braces/);
  assert.match(mistake('/a}b'), /\}\} is the sign itself/);
  assert.match(mistake('a\r\nSet-Cookie: x=1', 'field'), /"\\r" cannot stand in a field/);
  assert.match(mistake('naïve', 'field'), /cannot stand in a field/);
  assert.match(mistake('/a b'), /" " cannot stand in a path/);
  assert.match(mistake('/50%'), /"%" cannot stand in a path/);
  for (const host of [
    'https://{id}.example/',
    'https://shop.example{rest}',
    'https://a.example:{id}/',
    'https://{query}',
  ]) {
    assert.match(mistake(host, 'authority'), /cannot be part of a host/, host);
  }
  for (const fine of ['https://{host}{path}?{query}', '{scheme}://a.example:8443{/rest}', 'https://a.example/{id}']) {
    assert.equal(mistake(fine, 'authority'), 'none', fine);
  }
});
