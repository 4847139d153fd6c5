/** What `spillway check` says of what routes do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, lines, says } from '../../../test/config-text.ts';

/** Beside it a route to the service, which has one in any case. */
const route = (text: string): string =>
  config({ routes: `[{ ${text} }, { match: { host: b.example }, service: shop }]` });
const fine = (text: string): void => assert.deepEqual(lines(route(text)), [], text);

test('somebody has to answer, and only one can', () => {
  says(
    config({ routes: '[{ match: { path: /x } }]' }),
    'nobody answers this route',
    'service, split, redirect, respond',
  );
  says(route('service: shop, redirect: { to: /x }'), 'this has service and redirect');
  says(
    route('redirect: { to: /x }, rewrite: { path: /y }'),
    'rewrite means nothing here: the gateway answers by itself',
  );
  says(route('respond: {}, mirror: { service: shop }'), 'mirror means nothing here');
  fine('respond: { status: 204 }, responseHeaders: { set: { X-A: b } }');
});

test('splits', () => {
  const split = (arms: string, by = 'random') => route(`split: { by: ${by}, arms: [${arms}] }`);
  const shop = '{ service: shop, weight: 0 }';
  says(split(shop), 'the weights of this split sum to 0', 'one arm with a weight above 0');
  says(split('{ service: shop, weight: 1 }, { service: shop, weight: 2 }'), 'arm 1 has the same name as arm 0');
  says(split('{ service: shpo, weight: 1 }'), 'there is no service "shpo"', 'Did you mean shop?');
  says(split('{ service: shop, weight: -1 }'), '0, or a number from 0.000001 to 1000000');
  says(split('{ service: shop, weight: 1 }', 'user'), 'client, path, header:NAME, query:NAME or cookie:NAME');
  says(route('split: { arms: [] }'), 'at least 1 of arms');
  fine('split: { by: "cookie:user", arms: [{ service: shop, weight: 90 }, { service: shop, weight: 10, name: b }] }');
});

test('redirects that could lead astray', () => {
  const to = (text: string, path = '/u/{id}/*') => route(`match: { path: "${path}" }, redirect: { to: "${text}" }`);
  says(to('https://{id}.example/'), '{id} cannot be part of a host');
  says(to('https://shop.example{rest}'), '{rest} cannot be part of a host');
  says(to('//evil.example/'), 'a redirect leads to a path or to an address with http or https');
  says(to('javascript:alert(1)'), 'a redirect leads to a path or to an address');
  says(to('users/{id}'), 'a redirect leads to a path or to an address');
  says(to('/x/{nr}'), 'there is no {nr}');
  says(to('/x', '/x'), 'this redirect leads to itself');
  says(route('redirect: { to: /x, status: 304 }'), 'one of 301, 302, 303, 307, 308');
  for (const good of [
    '/x/{id}?from={path}',
    'https://{host}{path}?{query}',
    '{scheme}://a.example:81{/rest}',
    '/#/u/{id}',
  ])
    assert.deepEqual(lines(to(good)), [], good);
});

test('rewrites', () => {
  const rewrite = (text: string, path = '/api/*') =>
    route(`match: { path: "${path}" }, service: shop, rewrite: { ${text} }`);
  says(rewrite('path: /a, prefix: /b'), 'a rewrite has a path or a prefix, not both');
  says(rewrite('prefix: /b', '/api'), 'a prefix can be replaced only where the path of the route ends in /*');
  says(rewrite('prefix: "/{id}"'), 'a prefix has no names in it');
  says(rewrite('path: v2'), 'this is no path: it does not begin with /');
  says(rewrite('path: "/a?b=c"'), 'the query goes along by itself');
  says(rewrite('path: "/{nr}"'), 'there is no {nr}');
  says(rewrite('host: "a b"'), 'a host name with or without a port');
  says(rewrite('path: "/{host}"', '/{host}/*'), '{host} is what the gateway itself fills in');
  fine('match: { path: "/u/{id}/*" }, service: shop, rewrite: { path: "/v2/{id}{/rest}", host: "b.example:81" }');
  const regex = (pathRegex: string, path: string) =>
    route(`match: { pathRegex: "${pathRegex}" }, service: shop, rewrite: { path: "${path}" }`);
  assert.deepEqual(lines(regex('^/v(?<version>[0-9]+)/(?P<name>.*)', '/{name}/{version}')), []);
  says(regex('^/v(?<version>[0-9]+)/', '/{vresion}'), 'there is no {vresion}', '{version}');
  says(regex('^/(?<path>.*)', '/{path}'), '{path} is what the gateway itself fills in');
  says(regex('^/(?<a>.)(?<a>.)', '/{a}'), 'the name a stands twice (character 10)');
  says(regex('^/(?<a>[0-9]{600})', '/{a}'), 'more than 500 parts: repeat less, or give no names');
});

test('RFC 9110 §5.5: fields that are not to be changed, and values that would break out', () => {
  const request = (text: string) => route(`service: shop, requestHeaders: { ${text} }`);
  const answer = (text: string) => route(`service: shop, responseHeaders: { ${text} }`);
  for (const name of ['Content-Length', 'transfer-encoding', 'Connection', 'Upgrade', 'TE', 'Trailer']) {
    says(request(`set: { ${name}: "1" }`), `the field ${name} of a request cannot be changed: it says where`);
    says(answer(`remove: [${name}]`), `the field ${name} of an answer cannot be changed: it says where`);
  }
  says(request('set: { Host: a }'), 'the host is changed by rewrite.host');
  for (const name of ['X-Forwarded-For', 'x-forwarded-ssl', 'Via', 'X-Request-Id', 'traceparent'])
    says(request(`add: { ${name}: a }`), 'the gateway writes it itself: see forwarding of the listener');
  says(request('set: { "X A": a }'), 'the name of a header field');
  says(request('set: { X-A: "a\\r\\nX-B: c" }'), 'the text of a header field');
  says(request('set: { X-A: "ü" }'), '"ü" cannot stand in a field');
  says(request('set: { X-A: "{nobody}" }'), 'there is no {nobody}');
  says(
    route('respond: { headers: { Content-Length: "3" } }'),
    'the field Content-Length of an answer cannot be changed',
  );
  says(route('respond: { status: 204, body: x }'), 'an answer 204 has no content');
  fine(
    'service: shop, requestHeaders: { set: { X-A: "{client}" }, remove: [Cookie] }, responseHeaders: { add: { Vary: Cookie } }',
  );
});

test('a service that only gets copies, or an arm, has a route', () => {
  const services = '[{ name: shop, endpoints: ["127.0.0.1:9001"] }, { name: shadow, endpoints: ["127.0.0.1:9002"] }]';
  assert.deepEqual(lines(config({ services, routes: '[{ service: shop, mirror: { service: shadow } }]' })), []);
  says(
    config({ services, routes: '[{ service: shop, mirror: { service: shadwo } }]' }),
    'there is no service "shadwo"',
  );
});
