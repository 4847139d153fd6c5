import assert from 'node:assert/strict';
import { createTrafficCell } from '../../health/index.ts';
import { test } from 'node:test';
import { createLoadTable } from '../../balance/index.ts';
import * as fc from 'fast-check';
import { anyRequest } from '../../../test/engine/plans.ts';
import { routed } from '../../../test/engine/routed.ts';
import { cellHeader, cellLane, createCell } from '../../kernel/cells.ts';
import {
  CLOSED,
  CUT,
  DRAIN,
  DRAINING,
  ENDPOINT_SLOTS,
  endpointSlots,
  SERVING,
  HEALTH,
  HEALTH_DOWN,
  HEALTH_UP,
} from '../slots.ts';
import type { EndpointPlan, ListenerPlan, RoutePlan, ServicePlan, Snapshot } from '../snapshot.ts';
import { explain, type KnownReader } from './explain.ts';
import { createRouter } from '../routing/router.ts';
import { whyNoMatch } from '../routing/route-reasons.ts';

const cell = new SharedArrayBuffer(64);

function listener(id: string, port: number, tls = false): ListenerPlan {
  const limits = { requestLineBytesMax: 8192, headerBytesMax: 32_768, headerFieldsMax: 100 };
  return {
    id,
    host: '127.0.0.1',
    port,
    tls: tls
      ? {
          certificates: [],
          minVersion: 'TLSv1.2',
          ticketKeys: new Uint8Array(48),
          unknownSni: 'default',
          clientCaPem: null,
        }
      : null,
    limits: {
      ...limits,
      connectionsMax: 100,
      connectionsPerIpMax: 100,
      requestsPerConnectionMax: 100,
      requestBodyRateMin: 0,
    },
    timeouts: { headerMs: 1, idleMs: 1, bodyIdleMs: 1, writeIdleMs: 1, handshakeMs: 1, halfCloseMs: 1 },
    trustedProxies: [],
    requestLimits: [],
    forwarding: { xForwarded: true, forwarded: true, requestId: true, traceparent: true },
    proxyProtocol: 'off',
    strict: { underscoresInNames: 'reject', escapedSlashes: 'reject', mergeSlashes: false },
    cell,
  };
}

function endpoint(id: string, weight = 1, health = 0): EndpointPlan {
  const own = createCell(2, ENDPOINT_SLOTS);
  Atomics.store(cellHeader(own), HEALTH, health);
  return {
    id,
    host: '127.0.0.1',
    port: Number(id.split(':')[1]),
    identity: '127.0.0.1',
    source: 'config',
    weight,
    priority: 0,
    ...{ local: true, zone: null },
    backup: false,
    connectionsMax: 3,
    drainMs: null,
    pin: null,
    traffic: createTrafficCell(1),
    loadSlot: 0,
    cell: own,
  };
}

function knownBy(endpoint: KnownReader['endpoint']): KnownReader {
  return { endpoint, breaker: () => '60 % of 20 calls failed' };
}

function service(name: string, ...endpoints: EndpointPlan[]): ServicePlan {
  return {
    name,
    balance: { algorithm: 'round-robin', key: null, loadFactor: 1 },
    slowStart: null,
    affinity: null,
    judged: null,
    breaker: null,
    endpoints,
    discovery: null,
    tls: null,
    allowLinkLocal: false,
    timeouts: {
      connectMs: 1,
      responseHeaderMs: 1,
      perTryMs: 0,
      totalMs: 0,
      bodyIdleMs: 1,
      idleMs: 1,
      queueMs: 1,
    },
    limits: {
      connectionsMax: 1,
      idleConnectionsMax: 1,
      queueMax: 1,
      responseHeaderBytesMax: 1,
      responseHeaderFieldsMax: 1,
      requestsPerConnectionMax: 1,
    },
    deadlineField: null,
    retries: {
      attemptsMax: 1,
      statuses: [],
      backoffBaseMs: 0,
      backoffMaxMs: 0,
      budgetShare: 0,
      budgetMin: 0,
      hedgeAfterMs: 0,
    },
    retryAfterS: 3,
  };
}

function route(name: string, match: Partial<RoutePlan['match']>, target = 0): RoutePlan {
  return {
    name,
    match: { ...anyRequest, ...match },
    service: target,
    requestBodyBytesMax: 1000,
    requestLimits: [],
    upgrade: ['websocket'],
    shaping: null,
    tunnelIdleMs: 1,
    cell,
  };
}

function snapshot(routes: RoutePlan[], services: ServicePlan[], listeners = [listener('web', 8080)]): Snapshot {
  return {
    version: 1,
    pseudonym: 'test',
    listeners,
    services,
    routes,
    limits: [],
    accessLog: { share: 0, target: 'stdout', redactQuery: [] },
    traces: null,
    loads: createLoadTable(1, 1),
    memoryBytesMax: 1,
    drainTimeoutMs: 1,
    cell,
  };
}

const shop = service(
  'shop',
  endpoint('127.0.0.1:9001', 1, HEALTH_UP),
  endpoint('127.0.0.1:9002', 0),
  endpoint('127.0.0.1:9003', 1, HEALTH_DOWN),
);
const routes = [
  route('all', {}),
  route('api', { host: 'shop.example', path: '/api/*' }),
  route('wild', { host: '*.example', path: '/api/x' }),
  route('admin', { path: '/api/*', listeners: ['admin'] }),
];
const plan = snapshot(routes, [shop], [listener('web', 8080), listener('admin', 9000)]);

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

test('says of each endpoint whether it may be picked and why not', () => {
  const busy = cellLane(shop.endpoints[0]!.cell, ENDPOINT_SLOTS, 1);
  busy[endpointSlots.inFlight] = 2;
  busy[endpointSlots.connections] = 4;
  busy[endpointSlots.idle] = 1;
  const known = { up: 'status 200', down: 'connection refused' };
  const healthOf = (_service: string, id: string) => {
    const health = id.endsWith('9003') ? 'down' : 'up';
    return { health, reason: known[health] } as const;
  };
  const { service: explained } = explain(plan, { method: 'GET', url: 'http://shop.example:8080/' }, knownBy(healthOf));
  assert.deepEqual(
    explained?.endpoints.map(({ address, mayBePicked, health, reason, inFlight }) => [
      address,
      mayBePicked,
      health,
      reason,
      inFlight,
    ]),
    [
      ['127.0.0.1:9001', true, 'up', 'status 200; full: all its connections are in use, 3 of 3', 2],
      ['127.0.0.1:9002', false, 'up', 'weight 0: it gets no new work', 0],
      ['127.0.0.1:9003', false, 'down', 'its checks fail: connection refused', 0],
    ],
  );
  busy.fill(0);
});

test('says that an endpoint drains, by a command or by its config, and who may still come', () => {
  const reasonOf = (drain: number, drainMs: number | null, affinity: ServicePlan['affinity'] = null) => {
    const endpoint = { ...shop.endpoints[0]!, drainMs, cell: createCell(2, ENDPOINT_SLOTS) };
    Atomics.store(cellHeader(endpoint.cell), DRAIN, drain);
    const services = [{ ...shop, affinity, endpoints: [endpoint] }];
    const { service: explained } = explain({ ...plan, services }, { method: 'GET', url: 'http://shop.example:8080/' });
    const { mayBePicked, reason } = explained!.endpoints[0]!;
    assert.equal(mayBePicked, false);
    return reason;
  };
  const cookie = { cookie: 'pin', attributes: '', secure: 'never' } as const;
  assert.equal(reasonOf(CLOSED, null), 'it drains: no new work');
  assert.equal(
    reasonOf(DRAINING, null, cookie),
    'it drains: no new work but that of clients who are pinned to it, for half of its time',
  );
  assert.equal(reasonOf(CUT, 1000, cookie), 'it drains by its config: no new work');
  assert.equal(reasonOf(SERVING, 1000), 'it drains by its config: no new work');
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

test('says which of checks and traffic took an endpoint out, and that a file knows of neither', () => {
  const reasonOf = (...known: Parameters<typeof explain>[2][]) =>
    explain(plan, { method: 'GET', url: 'http://shop.example:8080/' }, ...known).service?.endpoints[0]?.reason;
  assert.equal(
    reasonOf(knownBy(() => ({ health: 'ejected', reason: '5 errors in a row: 502 connection refused' }))),
    'ejected for what its traffic says: 5 errors in a row: 502 connection refused',
  );
  assert.equal(
    reasonOf(knownBy(() => ({ health: 'trial', reason: 'on trial after 5 errors in a row' }))),
    'on trial after 5 errors in a row, with a tenth of its share',
  );
  assert.equal(reasonOf(), 'not known to a file, only to a running gateway (--admin)');
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
