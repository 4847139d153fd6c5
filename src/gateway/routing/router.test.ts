import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoutePlan, ValueMatch } from '../snapshot.ts';
import { anyRequest } from '../../../test/engine/plans.ts';
import { type RequestText, routed } from '../../../test/engine/routed.ts';
import { createRouter } from './router.ts';

/** Routes written as `host path`, `-` for any; the name is what was written. */
function routes(...written: string[]): RoutePlan[] {
  return written.map((name) => {
    const [host = '-', path = '-', listener] = name.split(' ');
    return {
      name,
      match: {
        ...anyRequest,
        host: host === '-' ? null : host,
        path: path === '-' ? null : path,
        listeners: listener === undefined ? null : [listener],
      },
      service: 0,
      requestBodyBytesMax: 0,
      requestLimits: [],
      upgrade: [],
      shaping: null,
      tunnelIdleMs: 0,
      cell: new SharedArrayBuffer(8),
    };
  });
}

function winner(plans: RoutePlan[], host: string, path: string, listener = 'web'): string {
  return plans[createRouter(plans).table(listener).match(routed({ host, path }))]?.name ?? 'none';
}

test('an exact host is chosen before a wildcard, the longest wildcard before a shorter, any host last', () => {
  const plans = routes('- -', '*.example -', '*.shop.example -', 'a.shop.example -');
  assert.equal(winner(plans, 'a.shop.example', '/'), 'a.shop.example -');
  assert.equal(winner(plans, 'b.shop.example', '/'), '*.shop.example -');
  assert.equal(winner(plans, 'b.a.shop.example', '/'), '*.shop.example -');
  assert.equal(winner(plans, 'shop.example', '/'), '*.example -');
  assert.equal(winner(plans, 'example', '/'), '- -');
});

test('an exact path is chosen before a prefix, the longest prefix before a shorter, any path last', () => {
  const plans = routes('- -', '- /*', '- /api/*', '- /api/v2/*', '- /api/v2');
  assert.equal(winner(plans, 'h', '/api/v2'), '- /api/v2');
  assert.equal(winner(plans, 'h', '/api/v2/x'), '- /api/v2/*');
  assert.equal(winner(plans, 'h', '/api/v1'), '- /api/*');
  assert.equal(winner(plans, 'h', '/other'), '- /*');
  assert.equal(winner(plans, 'h', '*'), '- -');
});

test('a prefix ends on a segment boundary', () => {
  const plans = routes('- /api/*');
  for (const path of ['/api', '/api/', '/api/x', '/api//']) assert.equal(winner(plans, 'h', path), '- /api/*', path);
  for (const path of ['/apix', '/ap', '/', '', 'api/x', '/API/x', '//api/x']) {
    assert.equal(winner(plans, 'h', path), 'none', path);
  }
});

test('the host weighs more than the path', () => {
  assert.equal(winner(routes('- /exact', 'h /*'), 'h', '/exact'), 'h /*');
});

test('a specific host whose paths do not match does not hide a less specific one', () => {
  const plans = routes('a.shop.example /api/*', '*.example /img/*', '- /img/logo', '- /about');
  assert.equal(winner(plans, 'a.shop.example', '/img/logo'), '*.example /img/*');
  assert.equal(winner(plans, 'a.shop.example', '/about'), '- /about');
});

test('of equal matches the first in the file wins', () => {
  const plans = routes('- /a/*', '- /a/*');
  assert.equal(
    createRouter(plans)
      .table('web')
      .match(routed({ path: '/a/x' })),
    0,
  );
});

test('a route bound to listeners is seen by those alone', () => {
  const plans = routes('- /a/* admin', '- -');
  assert.equal(winner(plans, 'h', '/a/x', 'admin'), '- /a/* admin');
  assert.equal(winner(plans, 'h', '/a/x', 'web'), '- -');
});

test('hosts are compared without case, port and final dot', () => {
  const plans = routes('Shop.Example. -', '[::1] -');
  for (const host of ['shop.example', 'SHOP.example', 'shop.example.']) {
    assert.equal(winner(plans, host, '/'), 'Shop.Example. -', host);
  }
  assert.equal(winner(plans, '[::1]', '/'), '[::1] -');
});

/** Routes with more to ask for; the name says where in the list. */
function asking(...matches: Partial<RoutePlan['match']>[]): RoutePlan[] {
  const [any] = routes('- -');
  return matches.map((match, index) => ({ ...any!, name: `${index}`, match: { ...anyRequest, ...match } }));
}

function taker(plans: RoutePlan[], request: RequestText): number {
  return createRouter(plans).table('web').match(routed(request));
}

test('paths: exact, whole pattern, regular expression, longest prefix or open pattern, any', () => {
  const plans = asking(
    {},
    { path: '/users/*' },
    { path: '/users/{id}/*' },
    { path: '/users/admin/*' },
    { pathRegex: '^/users/[0-9]+$' },
    { path: '/users/{id}' },
    { path: '/users/me' },
    { path: '/users/{id}/orders/{order}' },
  );
  const expected: Record<string, number> = {
    '/users/me': 6,
    '/users/7': 5,
    '/users/admin/x': 3,
    '/users/7/orders/8': 7,
    '/users/7/orders': 2,
    '/users/': 1,
    '/users//orders': 1,
    '/users': 1,
    '/x': 0,
  };
  for (const [path, index] of Object.entries(expected)) assert.equal(taker(plans, { path }), index, path);
  assert.equal(taker(asking({ path: '/users/*' }, { pathRegex: '^/users/[0-9]+$' }), { path: '/users/7' }), 1);
});

test('a route whose conditions do not hold does not hide a less specific one', () => {
  const plans = asking(
    { path: '/a/*' },
    { path: '/a/b/*', methods: ['POST'] },
    { path: '/a/b/c', methods: ['PUT', 'PATCH'] },
    {
      path: '/a/b/c',
      methods: ['PUT'],
      headers: [{ name: 'X-Beta', kind: 'equals', value: '1' }],
    },
  );
  assert.equal(taker(plans, { path: '/a/b/c' }), 0);
  assert.equal(taker(plans, { path: '/a/b/c', method: 'POST' }), 1);
  assert.equal(taker(plans, { path: '/a/b/c', method: 'PATCH' }), 2);
  assert.equal(taker(plans, { path: '/a/b/c', method: 'PUT' }), 2);
  assert.equal(taker(plans, { path: '/a/b/c', method: 'PUT', fields: [['x-beta', '1']] }), 3, 'who asks for more');
});

test('headers: any line of the name, in any case; what is not forwarded is not seen, but for Upgrade', () => {
  const asks = (match: ValueMatch) => asking({ headers: [match] });
  const takes = (match: ValueMatch, ...fields: [string, string][]) => taker(asks(match), { fields }) === 0;
  assert.ok(takes({ name: 'x-v', kind: 'equals', value: 'b' }, ['X-V', 'a'], ['X-v', 'b']));
  assert.ok(!takes({ name: 'x-v', kind: 'equals', value: 'B' }, ['X-V', 'b']));
  assert.ok(takes({ name: 'x-v', kind: 'prefix', value: 'Bea' }, ['X-V', 'Bearer x']));
  assert.ok(takes({ name: 'x-v', kind: 'regex', value: '^[a-z]{3}$' }, ['X-V', 'abc']));
  assert.ok(takes({ name: 'x-v', kind: 'present' }, ['X-V', '']));
  assert.ok(!takes({ name: 'x-v', kind: 'present' }));
  assert.ok(takes({ name: 'x-v', kind: 'absent' }, ['X-W', '']));
  assert.ok(!takes({ name: 'x-v', kind: 'absent' }, ['X-V', '']));
  const upgrade: [string, string][] = [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
  ];
  assert.ok(takes({ name: 'upgrade', kind: 'equals', value: 'websocket' }, ...upgrade));
  assert.ok(!takes({ name: 'keep-alive', kind: 'present' }, ['Keep-Alive', 'timeout=5']));
});

test('query parameters are compared decoded, any of the name', () => {
  const plans = asking({ query: [{ name: 'a b', kind: 'equals', value: '1/é' }] });
  assert.equal(taker(plans, { query: 'x=1&a%20b=1%2F%C3%A9' }), 0);
  assert.equal(taker(plans, { query: 'a+b=2&a+b=1/%c3%a9&c' }), 0);
  assert.equal(taker(plans, { query: 'A+b=1/%c3%a9' }), -1);
  assert.equal(taker(plans, {}), -1);
  const flag = asking({ query: [{ name: 'debug', kind: 'equals', value: '' }] });
  for (const query of ['debug', 'debug=', 'a&debug&b']) assert.equal(taker(flag, { query }), 0, query);
  assert.equal(taker(flag, { query: 'debug=1' }), -1);
  const odd = asking({ query: [{ name: 'p', kind: 'equals', value: '100%' }] });
  assert.equal(taker(odd, { query: 'p=100%' }), 0, 'an escape that is none is itself');
  const long = 'x'.repeat(7000);
  assert.equal(taker(asking({ query: [{ name: 'q', kind: 'equals', value: long }] }), { query: `q=${long}` }), 0);
});

test('cookies are found in any Cookie line (RFC 6265 §4.2.1)', () => {
  const plans = asking({ cookies: [{ name: 'arm', kind: 'equals', value: 'b' }] });
  for (const cookie of ['arm=b', 'x=1; arm=b', 'x=1;arm=b ;y', 'arm=a; arm=b', ' ; arm=b']) {
    assert.equal(taker(plans, { fields: [['Cookie', cookie]] }), 0, cookie);
  }
  for (const cookie of ['arm=bb', 'charm=b', 'ARM=b', 'arm', 'arm=', 'x="arm=b"']) {
    assert.equal(taker(plans, { fields: [['Cookie', cookie]] }), -1, cookie);
  }
  assert.equal(
    taker(plans, {
      fields: [
        ['Cookie', 'x=1'],
        ['Cookie', 'arm=b'],
      ],
    }),
    0,
  );
});

test('content type and client address', () => {
  const json = asking({ contentTypes: ['application/json', 'image/*'] });
  for (const type of ['application/json', 'Application/JSON ; charset=utf-8', 'image/png']) {
    assert.equal(taker(json, { fields: [['Content-Type', type]] }), 0, type);
  }
  for (const type of ['application/jsonp', 'image/', 'images/png', 'text/html; x=application/json']) {
    assert.equal(taker(json, { fields: [['Content-Type', type]] }), -1, type);
  }
  const office = asking({ clients: ['10.0.0.0/8', '2001:db8::/32'] });
  assert.equal(taker(office, { client: '10.1.2.3' }), 0);
  assert.equal(taker(office, { client: '2001:db8::1' }), 0);
  assert.equal(taker(office, { client: '11.1.2.3' }), -1);
});

test('a thousand routes and a path of only slashes are no trouble', () => {
  const plans = routes(
    ...Array.from({ length: 1000 }, (_, index) => `h${index}.example /${'s/'.repeat(index % 9)}p${index}/*`),
  );
  assert.equal(winner(plans, 'h777.example', `/${'s/'.repeat(777 % 9)}p777/x`), plans[777]!.name);
  assert.equal(winner(plans, 'h777.example', '/'.repeat(8000)), 'none');
});
