import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoutePlan } from '../snapshot.ts';
import { createRouter, hostName } from './router.ts';

/** Routes written as `host path`, `-` for any; the name is what was written. */
function routes(...written: string[]): RoutePlan[] {
  return written.map((name) => {
    const [host = '-', path = '-', listener] = name.split(' ');
    return {
      name,
      match: {
        host: host === '-' ? null : host,
        path: path === '-' ? null : path,
        listeners: listener === undefined ? null : [listener],
      },
      service: 0,
      requestBodyBytesMax: 0,
      upgrade: [],
      tunnelIdleMs: 0,
      cell: new SharedArrayBuffer(8),
    };
  });
}

function winner(plans: RoutePlan[], host: string, path: string, listener = 'web'): string {
  return plans[createRouter(plans).match(listener, host, path)]?.name ?? 'none';
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
  assert.equal(createRouter(plans).match('web', 'h', '/a/x'), 0);
});

test('a route bound to listeners is seen by those alone', () => {
  const plans = routes('- /a/* admin', '- -');
  assert.equal(winner(plans, 'h', '/a/x', 'admin'), '- /a/* admin');
  assert.equal(winner(plans, 'h', '/a/x', 'web'), '- -');
});

test('hosts are compared without case, port and final dot', () => {
  const plans = routes('Shop.Example. -', '[::1] -');
  for (const host of ['shop.example', 'SHOP.example:8080', 'shop.example.']) {
    assert.equal(winner(plans, host, '/'), 'Shop.Example. -', host);
  }
  assert.equal(winner(plans, '[::1]:8080', '/'), '[::1] -');
  assert.equal(hostName('[::1]:80'), '[::1]');
  assert.equal(hostName('[::1]'), '[::1]');
});

test('bytes and strings give the same answer, wherever the bytes lie', () => {
  const table = createRouter(routes('shop.example /api/*')).table('web');
  const head = Buffer.from('GET /api/x?y HTTP/1.1\r\nHost: SHOP.example:80\r\n\r\n');
  const host = head.indexOf('SHOP');
  assert.equal(table.matchBytes(head, host, host + 12, head, 4, 10), 0);
  assert.equal(table.matchBytes(head, host, host + 11, head, 4, 10), -1);
  assert.equal(table.matchBytes(head, host, host + 12, head, 4, 7), -1);
});

test('a thousand routes and a path of only slashes are no trouble', () => {
  const plans = routes(
    ...Array.from({ length: 1000 }, (_, index) => `h${index}.example /${'s/'.repeat(index % 9)}p${index}/*`),
  );
  assert.equal(winner(plans, 'h777.example', `/${'s/'.repeat(777 % 9)}p777/x`), plans[777]!.name);
  assert.equal(winner(plans, 'h777.example', '/'.repeat(8000)), 'none');
});
