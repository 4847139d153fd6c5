/** What `spillway check` says of routes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, lines, says } from '../../../test/config-text.ts';
import { MistakeList } from '../../reading/mistakes.ts';
import { type Part, partsFrom } from './parts.ts';
import { checkRoutes } from './route-rules.ts';
import { checkRouted } from './service-rules.ts';

test('routes that can never match', () => {
  const routes = (...matches: readonly string[]) =>
    config({
      listeners: '[{ name: a, address: ":80" }, { name: b, address: ":81" }]',
      routes: `[${matches.map((match) => `{ service: shop, match: ${match} }`).join(', ')}]`,
    });
  const never = /routes\[\d\] can never match: routes\[0\] matches the same requests/;
  says(routes('{ path: /x }', '{ path: /x }'), never);
  says(routes('{}', '{ path: /* }'), never);
  says(routes('{ host: A.example }', '{ host: a.example. }'), never);
  says(routes('{ path: /x }', '{ path: /x, listeners: [a] }'), never);
  says(routes('{ listeners: [a] }', '{ listeners: [b] }', '{ listeners: [a, b] }'), never);
  assert.deepEqual(
    lines(routes('{ path: /x }', '{ path: /x/* }', '{ path: /y }', '{ host: a.example, path: /x }')),
    [],
  );
  assert.deepEqual(lines(routes('{ listeners: [a] }', '{ listeners: [b] }')), []);
  assert.deepEqual(lines(routes('{ listeners: [a] }', '{}')), []);
});

test('a route that is not understood is not said to be hidden by another', () => {
  const second = (match: string) =>
    config({ routes: `[{ service: shop }, { name: second, service: shop, match: ${match} }]` });
  says(second('{ host: "a b" }'), 'routes[1].match.host is not valid');
  says(second('{ hots: a.example }'), 'unknown key "hots" in routes[1].match');
  says(second('{ paht: /x, listeners: [web] }'), 'unknown key "paht"');
});

test('paths that no request has after normalisation (RFC 3986 §6.2.2)', () => {
  const route = (path: string) => config({ routes: `[{ service: shop, match: { path: "${path}" } }]` });
  says(route('/a/../b'), 'Did you mean /b?');
  says(route('/a/./b/.'), 'Did you mean /a/b/?');
  says(route('/%61/%2f'), 'Did you mean /a/%2F?');
  says(route('/api*'), 'Did you mean /api/*?');
  says(route('/%00'), 'no request ever has it');
  says(route('api'), 'expected a path that begins with /');
  says(route('/a?b'), 'expected a path');
  for (const path of ['/', '/*', '/a/*', '/a/', '/a//b', '/%2F', '/a..b', '/.well-known/x', "/~u/(a)'b"])
    assert.deepEqual(lines(route(path)), [], path);
});

test('what a route asks for', () => {
  const route = (match: string) => config({ routes: `[{ service: shop, match: ${match} }]` });
  says(route('{ pathRegex: "^/(a+)\\\\1$" }'), 'back-references cannot be matched in linear time (character 7)');
  says(route('{ headers: { x-a: { regex: "(a{1000}){1000}" } } }'), 'more than 2000 parts');
  says(route('{ headers: { "x a": "1" } }'), 'the name of a header field');
  says(route('{ headers: { x-a: { prefx: "1" } } }'), 'prefx');
  says(route('{ methods: [get] }'), 'a method, such as GET');
  says(route('{ clients: [10.0.0.0/33] }'), 'a prefix length from 0 to 32');
  says(route('{ path: "/users/{id}/{id}" }'), 'the name {id} stands twice');
  says(route('{ path: "/img-{id}" }'), 'names as whole segments');
  says(route('{ path: /a, pathRegex: "^/b" }'), 'a path or a pathRegex, not both');
  assert.deepEqual(lines(route('{ pathRegex: "^/(a+)+$" }')), [], 'it takes linear time here');
  says(route('{ pathRegex: "^/(?=a)b" }'), 'look-around cannot be matched in linear time (character 3)');
  for (const match of [
    '{ path: "/users/{id}/*", methods: [GET, PURGE], query: { q: "" }, cookies: { a: { present: false } } }',
    '{ pathRegex: "(?i)^/v[0-9]+/", contentTypes: [image/*], clients: ["fd00::/8"] }',
  ])
    assert.deepEqual(lines(route(match)), [], match);
});

test('routes with the same conditions in another order, or other names in the path, hide each other', () => {
  const both = (a: string, b: string) =>
    config({ routes: `[{ service: shop, name: a, match: ${a} }, { service: shop, name: b, match: ${b} }]` });
  const never = /routes\[1\] can never match/;
  says(both('{ path: "/u/{id}" }', '{ path: "/u/{name}" }'), never);
  says(
    both(
      '{ methods: [GET, PUT], headers: { a: "1", b: "2" } }',
      '{ headers: { b: "2", a: "1" }, methods: [PUT, GET] }',
    ),
    never,
  );
  assert.deepEqual(lines(both('{ headers: { a: "1" } }', '{ headers: { a: "2" } }')), []);
  assert.deepEqual(lines(both('{ path: /u }', '{ path: /u, methods: [GET] }')), []);
});

test('a route whose requests an earlier one takes all, and more, is a warning with both places', () => {
  const both = (a: string, b: string) =>
    config({ routes: `\n  - { service: shop, name: a, match: ${a} }\n  - { service: shop, name: b, match: ${b} }` });
  const never = /^f.yaml:5:5: warning: routes\[1\] can never match: routes\[0\] \(line 4\) takes all of its requests/;
  says(both('{ methods: [GET, POST] }', '{ methods: [GET] }'), never, 'it before routes[0]');
  says(both('{ headers: { X-A: { present: true } } }', '{ headers: { x-a: "1" } }'), never);
  says(both('{ query: { q: { prefix: ab } } }', '{ query: { q: { prefix: abc } } }'), never);
  says(both('{ cookies: { a: { regex: "^v[0-9]+$" } } }', '{ cookies: { a: v12 } }'), never);
  says(both('{ contentTypes: [image/*] }', '{ contentTypes: [image/png, IMAGE/gif] }'), never);
  for (const [a, b] of [
    ['{ methods: [GET] }', '{ methods: [GET, POST] }'],
    ['{ headers: { x-a: { present: true } } }', '{ headers: { x-a: "1" }, methods: [GET] }'],
    ['{ cookies: { A: { present: true } } }', '{ cookies: { a: "1" } }'],
    ['{ headers: { x-a: { prefix: a } } }', '{ headers: { x-a: { regex: "^a" } } }'],
    ['{ path: /x, methods: [GET, POST] }', '{ path: "/{x}", methods: [GET] }'],
  ] as const)
    assert.deepEqual(lines(both(a, b)), [], `${a} and ${b}`);
});

test('what is not an option of a condition is told, in a cookie as anywhere', () => {
  const route = (match: string) => config({ routes: `[{ service: shop, match: ${match} }]` });
  says(route('{ cookies: { session: { equls: a } } }'), 'unknown key "equls"', 'Did you mean equals?');
  says(route('{ cookie: { session: a } }'), 'unknown key "cookie" in routes[0].match', 'Did you mean cookies?');
});

test('hosts have no port and a * only in front', () => {
  const route = (host: string) => config({ routes: `[{ service: shop, match: { host: "${host}" } }]` });
  for (const host of [
    'shop.example:80',
    'https://shop.example',
    'a.*.example',
    '*',
    '*shop.example',
    '',
    'a b',
    'a..b',
  ])
    says(route(host), 'expected a host name without port');
  for (const host of ['shop.example', '*.shop.example', 'Shop.Example.', 'localhost', '127.0.0.1', '[::1]'])
    assert.deepEqual(lines(route(host)), [], host);
});

test('names of services are gone through once, and not for each route or service', () => {
  const names = Array.from({ length: 200 }, (_, n) => `s${n}`);
  const parts = partsFrom(
    {
      listeners: [{ name: 'web', address: ':80' }],
      services: names.map((name) => ({ name, endpoints: [{ address: '127.0.0.1:1' }] })),
      routes: names.slice(1).map((service) => ({ service, match: { path: `/${service}`, listeners: ['web'] } })),
    },
    null,
  );
  let asked = 0;
  const counted = <T>(part: Part<T>): Part<T> => ({
    value: part.value,
    get name() {
      asked += 1;
      return part.name;
    },
  });
  const list = new MistakeList('a.yaml', () => ({ line: 1, column: 1 }));
  const seen = { ...parts, services: parts.services.map(counted) };
  checkRoutes(seen, list);
  checkRouted(seen, list);
  assert.deepEqual(
    list.toArray().map(({ message }) => message),
    ['no route leads to service "s0"'],
  );
  assert.ok(asked <= 4 * names.length, `${asked} names were asked for`);
});
