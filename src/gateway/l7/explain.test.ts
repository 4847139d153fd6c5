/** What `explain` says of a request: the route that wins, why the others lose, and what is refused before. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { endpoint, listener, plan, route, routes, service, shop, snapshot } from '../../../test/engine/explained.ts';
import { routed } from '../../../test/engine/routed.ts';
import { HEALTH_DOWN } from '../slots.ts';
import { createRouter } from '../routing/router.ts';
import { whyNoMatch } from '../routing/route-reasons.ts';
import { explain } from './explain.ts';

test('names the winner, and for every loser why', () => {
  const answer = explain(plan, { method: 'GET', url: 'http://shop.example:8080/api/x?y=1' });
  assert.equal(answer.route, 'api');
  assert.equal(answer.refusal, null);
  assert.deepEqual(answer.request, {
    method: 'GET',
    listener: 'web',
    host: 'shop.example',
    path: '/api/x',
    query: 'y=1',
  });
  assert.deepEqual(
    answer.routes.map(({ name, wins, reason }) => [name, wins, reason]),
    [
      ['all', false, 'it matches, but takes any host: shop.example is more specific'],
      ['api', true, 'it matches, and no other that matches is more specific or earlier'],
      ['wild', false, 'it matches, but *.example is a wildcard: the exact host shop.example is more specific'],
      ['admin', false, 'it is only for listener admin, and this is web'],
    ],
  );
});

test('a loser says which half of its match fails', () => {
  const reasons = (url: string) => explain(plan, { method: 'GET', url }).routes.map(({ reason }) => reason);
  assert.match(reasons('http://other.test/api')[1]!, /^host other\.test is not shop\.example$/);
  assert.match(reasons('http://shop.example/apix')[1]!, /begins with \/api but not on a segment/);
  assert.match(reasons('http://example/api/x')[2]!, /not below itself/);
  assert.match(reasons('http://shop.example/x')[2]!, /^path \/x is not \/api\/x$/);
});

test('what the gateway refuses before routing is refused here, by the same words', () => {
  const word = (url: string, headers: [string, string][] = [], method = 'GET') =>
    explain(plan, { method, url, headers }).refusal?.word;
  assert.equal(word('http://a@b/'), 'bad_host');
  assert.equal(word('/', [['Host', 'a/b']]), 'bad_host');
  assert.equal(word('http://shop.example/a%00'), 'bad_path');
  assert.equal(word('http://shop.example/a%2fb'), 'bad_path');
  assert.equal(word('http://shop.example/a b'), 'bad_request_line');
  assert.equal(word('http://shop.example/', [['X_A', '1']]), 'underscore_name');
  assert.equal(word('http://shop.example/', [], 'TRACE'), 'method_refused');
  assert.equal(
    word('http://shop.example/', [
      ['Content-Length', '5'],
      ['Transfer-Encoding', 'chunked'],
    ]),
    'bad_framing',
  );
  assert.equal(word('http://shop.example/', [['Content-Length', '1001']], 'POST'), 'body_too_large');
  assert.equal(word(`http://shop.example/${'x'.repeat(9000)}`), 'line_too_long');
  assert.equal(word('http://shop.example/', [['X', 'a\r\n\r\nGET / HTTP/1.1']]), 'bad_field');
  const refused = explain(plan, { method: 'GET', url: 'http://shop.example/a%00' });
  assert.equal(refused.refusal?.status, 400);
  assert.deepEqual(refused.routes, []);
});

test('no route and no endpoint are answers too', () => {
  const lonely = snapshot(
    [route('api', { path: '/api/*' })],
    [service('shop', endpoint('127.0.0.1:1', 1, HEALTH_DOWN))],
  );
  const lost = explain(lonely, { method: 'GET', url: '/' });
  assert.equal(lost.refusal?.word, 'no_route');
  assert.equal(lost.refusal.status, 404);
  assert.equal(lost.route, null);
  const down = explain(lonely, { method: 'GET', url: '/api' });
  assert.equal(down.refusal?.word, 'no_endpoint');
  assert.match(down.refusal.detail, /Retry-After: 3/);
  assert.equal(down.route, 'api');
});

test('the path is explained in the form that is routed', () => {
  const answer = explain(plan, { method: 'GET', url: 'http://shop.example/x/../%61pi/%78' });
  assert.equal(answer.request.path, '/api/x');
  assert.equal(answer.route, 'api');
  assert.ok(answer.notes.some((note) => note.includes('normal form')));
});

test('the listener is the one asked for, or the one that fits the URL', () => {
  const two = snapshot(
    routes,
    [shop],
    [listener('web', 80), listener('secure', 443, true), listener('alt', 8443, true)],
  );
  const arrives = (url: string, name?: string) =>
    explain(two, { method: 'GET', url, ...(name === undefined ? {} : { listener: name }) }).request.listener;
  assert.equal(arrives('http://a/'), 'web');
  assert.equal(arrives('https://a/'), 'secure');
  assert.equal(arrives('https://a:8443/'), 'alt');
  assert.equal(arrives('/'), 'web');
  assert.equal(arrives('https://a/', 'web'), 'web');
  assert.throws(() => arrives('/', 'wbe'), /There is no listener wbe/);
  const plain = explain(plan, { method: 'GET', url: 'https://shop.example/' });
  assert.ok(plain.notes.some((note) => note.includes('No listener speaks TLS')));
});

test('what was probably meant is noted: a URL without a scheme, a method in small letters', () => {
  const notes = (url: string, method = 'GET') => explain(plan, { method, url }).notes.join('\n');
  assert.match(
    notes('shop.example/api'),
    /begins with http:\/\/ or https:\/\/\. Did you mean http:\/\/shop\.example\/api\?/,
  );
  assert.match(notes('[::1]:80/'), /Did you mean http:\/\/\[::1\]:80\/\?/);
  assert.match(notes('/api'), /^No host was given; localhost is assumed/);
  assert.match(notes('http://shop.example/', 'get'), /^Methods are told apart by case, and get is not GET/);
  assert.doesNotMatch(notes('http://shop.example/', 'fetch-it'), /told apart/);
});

test('an upgrade and fields that stay behind are noted', () => {
  const headers: [string, string][] = [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
  ];
  const allowed = explain(plan, { method: 'GET', url: 'http://shop.example/', headers });
  assert.ok(allowed.notes.some((note) => note.includes('may be upgraded to websocket')));
  const closed = snapshot([{ ...route('all', {}), upgrade: [] }], [shop]);
  const refused = explain(closed, { method: 'GET', url: 'http://shop.example/', headers });
  assert.ok(refused.notes.some((note) => note.includes('does not upgrade to websocket')));
});

test('property: the reasons agree with the router', () => {
  const host = fc.constantFrom(null, 'a', 'b.a', '*.a', '*.b.a', '*');
  const path = fc.constantFrom(null, '/', '/*', '/x', '/x/*', '/x/y/*', '/{a}', '/{a}/y/*', '/{a}/{b}/z');
  const match = fc.record({
    host,
    path,
    listeners: fc.constantFrom(null, ['web'], ['admin']),
    methods: fc.constantFrom(null, null, ['GET'], ['POST']),
  });
  fc.assert(
    fc.property(
      fc.array(match, { maxLength: 8 }),
      fc.constantFrom('a', 'b.a', 'c.b.a', 'B.A', 'z'),
      fc.constantFrom('/', '/x', '/x/', '/xy', '/x/y/z'),
      (matches, name, target) => {
        const made = matches.map((one, index) => route(`r${index}`, one));
        const answer = explain(snapshot(made, [shop]), { method: 'GET', url: `http://${name}${target}` });
        const winner = createRouter(made)
          .table('web')
          .match(routed({ host: name, path: target }));
        assert.equal(answer.route, made[winner]?.name ?? null);
        for (const [index, verdict] of answer.routes.entries()) {
          assert.equal(verdict.wins, index === winner);
          assert.ok(verdict.wins || verdict.reason !== 'it matches', 'a route that matches loses to a winner only');
          const why = whyNoMatch(made[index]!.match, {
            listener: 'web',
            host: name.toLowerCase(),
            path: target,
            routed: routed({ host: name, path: target }),
          });
          if (verdict.wins) assert.equal(why, null);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('property: no request makes it throw', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.array(fc.tuple(fc.string(), fc.string())), (method, url, headers) => {
      explain(plan, { method, url, headers });
    }),
    { numRuns: 2000 },
  );
});
