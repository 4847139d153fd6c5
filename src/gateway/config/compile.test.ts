import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Authority } from '../../../test/certificates.ts';
import { anyRequest } from '../../../test/engine/plans.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { ConnectionCount } from '../connection-count.ts';
import {
  CellStore,
  compileHealthPlans,
  compileSnapshot,
  findConfig,
  loadConfig,
  parseConfig,
  resolveConfig,
} from './index.ts';
import type { Config, ConfigInput } from './index.ts';

const base = {
  listeners: [{ name: 'web', address: '127.0.0.1:8080' }],
  services: [{ name: 'shop', endpoints: ['127.0.0.1:9001', { address: '127.0.0.1:9002', weight: 3 }] }],
  routes: [{ match: { path: '/api/*' }, service: 'shop' }],
} satisfies ConfigInput;

function resolved(input: ConfigInput): Config {
  const { config, mistakes } = resolveConfig(input);
  assert.ok(config, JSON.stringify(mistakes));
  return config;
}

const options = (cells = new CellStore(2)) => ({
  version: 1,
  cells,
  ticketSecret: new Uint8Array(32),
  pseudonym: 'spillway-1',
});
const compile = (input: ConfigInput, cells?: CellStore) => compileSnapshot(resolved(input), options(cells));

test('what a client may send and how long it may take is bounded by default (RFC 9112 §9.5, RFC 9110 §15.5.9)', () => {
  const { listeners, services, routes } = compile(base);
  const { cell: _, ...listener } = listeners[0]!;
  assert.deepEqual(listener.limits, {
    requestLineBytesMax: 8192,
    headerBytesMax: 32768,
    headerFieldsMax: 100,
    connectionsMax: 20_000,
    connectionsPerIpMax: 4000,
    requestsPerConnectionMax: 10_000,
    requestBodyRateMin: 500,
  });
  const { timeouts } = listener;
  assert.deepEqual(timeouts, {
    headerMs: 10_000,
    idleMs: 60_000,
    bodyIdleMs: 30_000,
    writeIdleMs: 30_000,
    handshakeMs: 5000,
    halfCloseMs: 10_000,
  });
  assert.ok(services[0]!.timeouts.idleMs < 5000, "below the shortest usual idle time of a server's");
  assert.ok(Number.isFinite(routes[0]!.requestBodyBytesMax));
});

test('every number of a service arrives in its own place', () => {
  const timeouts = {
    connect: '1s',
    responseHeader: '2s',
    perTry: '1500ms',
    total: '3s',
    bodyIdle: '4s',
    idle: '4500ms',
    queue: '6s',
  } as const;
  const limits = {
    connections: 1,
    idleConnections: 512,
    queue: 3,
    responseHeader: '1kb',
    responseHeaderFields: 5,
    requestsPerConnection: 6,
  } as const;
  const endpoints = [{ address: 'a:1', connectionsMax: 8 }, 'b:1'];
  const [plan] = compile({
    ...base,
    services: [{ name: 'shop', endpoints, timeouts, limits, retries: { attempts: 7 }, retryAfter: '1.5s' }],
  }).services;
  assert.deepEqual(plan?.timeouts, {
    connectMs: 1000,
    responseHeaderMs: 2000,
    perTryMs: 1500,
    totalMs: 3000,
    bodyIdleMs: 4000,
    idleMs: 4500,
    queueMs: 6000,
  });
  assert.deepEqual(plan?.limits, {
    connectionsMax: 1,
    idleConnectionsMax: 1, // never more than there may be
    queueMax: 3,
    responseHeaderBytesMax: 1024,
    responseHeaderFieldsMax: 5,
    requestsPerConnectionMax: 6,
  });
  assert.deepEqual([plan?.retries.attemptsMax, plan?.retryAfterS], [7, 2]);
  assert.deepEqual(
    plan?.endpoints.map(({ connectionsMax }) => connectionsMax),
    [8, null],
  );
});

test('a snapshot crosses to a worker, cells shared', () => {
  const snapshot = compile(base);
  const copy = structuredClone(snapshot);
  assert.deepEqual(copy.routes[0]?.match, snapshot.routes[0]?.match);
  new Int32Array(snapshot.cell)[0] = 7;
  assert.equal(new Int32Array(copy.cell)[0], 7);
});

test('routes: what they ask for is plain data', () => {
  const match = {
    path: '/users/{id}',
    methods: ['GET'],
    headers: { 'x-a': '1', 'x-b': { present: true }, 'x-c': { present: false } },
    query: { q: { prefix: 'a' }, r: { equals: '' } },
    cookies: { arm: { regex: '^b' } },
    contentTypes: ['image/*'],
    clients: ['10.0.0.0/8'],
  };
  const { routes } = compile({ ...base, routes: [{ service: 'shop', match }] });
  assert.equal(routes[0]!.name, '* /users/{id} GET');
  assert.deepEqual(routes[0]!.match, {
    ...anyRequest,
    path: '/users/{id}',
    methods: ['GET'],
    headers: [
      { name: 'x-a', kind: 'equals', value: '1' },
      { name: 'x-b', kind: 'present' },
      { name: 'x-c', kind: 'absent' },
    ],
    query: [
      { name: 'q', kind: 'prefix', value: 'a' },
      { name: 'r', kind: 'equals', value: '' },
    ],
    cookies: [{ name: 'arm', kind: 'regex', value: '^b' }],
    contentTypes: ['image/*'],
    clients: ['10.0.0.0/8'],
  });
});

test('routes: names, hosts without a final dot in lower case, /* is any path, services by index', () => {
  const { routes } = compile({
    ...base,
    services: [...base.services, { name: 'blog', endpoints: ['127.0.0.1:9003'] }],
    routes: [
      { match: { host: 'Blog.Example.', path: '/*' }, service: 'blog' },
      {
        match: { listeners: ['web'] },
        service: 'shop',
        limits: { requestBody: '1mb' },
        upgrade: ['websocket'],
        tunnelIdle: '1m',
      },
    ],
  });
  const [first, second] = routes.map(({ cell: _, ...route }) => route);
  assert.deepEqual(first?.match, { ...anyRequest, host: 'blog.example' });
  assert.deepEqual([first?.name, first?.service], ['blog.example. /*', 1]);
  assert.deepEqual(second, {
    name: '* /* on web',
    match: { ...anyRequest, listeners: ['web'] },
    service: 0,
    requestBodyBytesMax: 2 ** 20,
    requestLimits: [],
    upgrade: ['websocket'],
    shaping: null,
    tunnelIdleMs: 60_000,
  });
});

test('what is known survives: cells by identity, for what stays and only for that', () => {
  const cells = new CellStore(2);
  const before = compile(base, cells);
  const after = compile(
    {
      ...base,
      services: [{ name: 'shop', endpoints: ['127.0.0.1:9002', '127.0.0.1:9003'], timeouts: { idle: '3s' } }],
    },
    cells,
  );
  assert.equal(after.services[0]?.endpoints[0]?.cell, before.services[0]?.endpoints[1]?.cell);
  assert.equal(after.routes[0]?.cell, before.routes[0]?.cell);
  assert.equal(after.listeners[0]?.cell, before.listeners[0]?.cell);
  assert.equal(after.cell, before.cell);
  assert.notEqual(after.services[0]?.endpoints[1]?.cell, before.services[0]?.endpoints[0]?.cell);
  assert.equal(cells.size, 5);
  cells.retain(after);
  assert.equal(cells.size, 4);
  assert.equal(compile(base, cells).services[0]?.endpoints[1]?.cell, after.services[0]?.endpoints[0]?.cell);
});

test('an endpoint that is gone but has work, and is put back, is the same; what a worker had there that ended is taken off', () => {
  const cells = new CellStore(3);
  const before = compile(base, cells).services[0]!.endpoints[0]!;
  const without = compile({ ...base, services: [{ name: 'shop', endpoints: ['127.0.0.1:9002'] }] }, cells);
  const [one, other] = [1, 2].map((lane) => new ConnectionCount(before.cell, lane));
  one!.take(1);
  cells.retain(without);
  const again = compile(base, cells).services[0]!.endpoints[0]!;
  assert.deepEqual([again.cell === before.cell, again.loadSlot], [true, before.loadSlot]);
  assert.equal(other!.take(1), false);
  cells.retain(without);
  cells.clearLane(1);
  assert.equal(other!.take(1), true);
  other!.giveBack();
  cells.retain(without);
  assert.notEqual(compile(base, cells).services[0]!.endpoints[0]!.cell, before.cell);
});

test('the same address in two services is two endpoints', () => {
  const { services } = compile({
    ...base,
    services: [...base.services, { name: 'blog', endpoints: ['127.0.0.1:9001'] }],
  });
  assert.notEqual(services[0]?.endpoints[0]?.cell, services[1]?.endpoints[0]?.cell);
});

test('the access log: off, stdout, a file relative to the config', () => {
  assert.deepEqual(compile(base).accessLog, { share: 0, target: 'stdout', redactQuery: [] });
  assert.equal(compile({ ...base, accessLog: false }).accessLog.share, 0);
  assert.equal(compile({ ...base, accessLog: 'stdout' }).accessLog.share, 1);
  const { config } = parseConfig(
    JSON.stringify({ ...base, accessLog: { target: 'a.log', sample: '10%', redactQuery: ['token'] } }),
    { file: '/spillway.yaml' },
  );
  assert.ok(config);
  assert.deepEqual(compileSnapshot(config, options()).accessLog, {
    share: 0.1,
    target: '/a.log',
    redactQuery: ['token'],
  });
});

test('health plans: the check of a service for each of its endpoints, with the cell its word goes to', () => {
  const config = resolved({
    ...base,
    services: [
      {
        name: 'shop',
        endpoints: ['127.0.0.1:9001'],
        tls: { serverName: 'shop.example' },
        health: {
          active: {
            path: '/health',
            interval: '1s',
            timeout: '500ms',
            expect: { status: [200, '300-302'] },
            port: 9100,
            host: 'h.example',
            jitter: '0%',
          },
        },
      },
      { name: 'db', endpoints: ['127.0.0.1:9003'], health: { active: { type: 'tcp' } } },
      { name: 'often', endpoints: ['127.0.0.1:9005'], health: { active: { type: 'tcp', interval: '1s' } } },
      { name: 'none', endpoints: [{ address: '127.0.0.1:9004', weight: 4 }] },
    ],
  });
  const snapshot = compileSnapshot(config, options());
  const plans = compileHealthPlans(config, snapshot);
  assert.deepEqual(
    plans.map(({ service, endpoint }) => `${service} ${endpoint}`),
    ['shop 127.0.0.1:9001', 'db 127.0.0.1:9003', 'often 127.0.0.1:9005', 'none 127.0.0.1:9004'],
  );
  assert.equal(plans[0]?.cell, snapshot.services[0]?.endpoints[0]?.cell);
  assert.deepEqual(plans[0]?.check, {
    host: '127.0.0.1',
    identity: '127.0.0.1',
    port: 9100,
    probe: {
      type: 'http',
      method: 'GET',
      path: '/health',
      host: 'h.example',
      fields: {},
      expectation: {
        status: [
          { from: 200, to: 200 },
          { from: 300, to: 302 },
        ],
        headers: [],
        body: null,
      },
    },
    tls: {
      caPem: null,
      serverName: 'shop.example',
      verify: true,
      certificatePem: null,
      keyPem: null,
      closeNotify: 'required',
    },
    intervalMs: 1000,
    allowLinkLocal: false,
    jitterRatio: 0,
    timeoutMs: 500,
    unhealthyAfter: 3,
    healthyAfter: 1,
  });
  assert.deepEqual(plans[1]?.check?.probe, { type: 'tcp', expectation: { send: null, expect: null } });
  assert.deepEqual([plans[3]?.check, plans[3]?.weight], [null, 4]);
  // Not longer than until the next one.
  assert.deepEqual([plans[1]?.check?.timeoutMs, plans[2]?.check?.timeoutMs], [2000, 1000]);
});

test('certificates are in the snapshot, with their names; each listener has ticket keys of its own', (t) => {
  using authority = new Authority();
  const folder = mkdtempSync(join(tmpdir(), 'spillway-compile-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const pair = authority.issue(['shop.example']);
  writeFileSync(join(folder, 'c.pem'), pair.certificatePem);
  writeFileSync(join(folder, 'k.pem'), pair.keyPem, { mode: 0o600 });
  writeFileSync(join(folder, 'token'), ' 0123456789abcdef\n', { mode: 0o600 });
  const tls = { certificate: 'c.pem', key: 'k.pem', clientCa: 'c.pem', minVersion: 1.3 } as const;
  const input: ConfigInput = {
    ...base,
    listeners: [
      { name: 'a', address: ':8443', tls },
      { name: 'b', address: ':8444', tls },
    ],
    admin: { address: ':9900', token: 'file:token', metricsToken: 'none' },
  };
  const { config, mistakes } = resolveConfig(input, { file: join(folder, 'config') });
  assert.deepEqual(mistakes, []);
  assert.ok(config);
  assert.deepEqual(config.adminGrants, [
    { role: 'write', token: '0123456789abcdef' },
    { role: 'metrics', token: null },
  ]);
  const { listeners } = compileSnapshot(config, options());
  const { ticketKeys, ...plan } = listeners[0]!.tls!;
  assert.deepEqual(plan, {
    certificates: [pair],
    minVersion: 'TLSv1.3',
    unknownSni: 'default',
    clientCaPem: pair.certificatePem,
  });
  assert.equal(ticketKeys.length, 48);
  assert.notDeepEqual(ticketKeys, listeners[1]!.tls!.ticketKeys);
  assert.deepEqual(ticketKeys, compileSnapshot(config, options()).listeners[0]!.tls!.ticketKeys);
});

test('a file that cannot be read is an error with a code', async () => {
  await assert.rejects(
    loadConfig('/nonexistent/spillway.yaml'),
    (error) =>
      error instanceof SpillwayError && error.code === 'CONFIG_NOT_FOUND' && /does not exist/.test(error.message),
  );
  await assert.rejects(loadConfig('/'), /is not a file/);
});

test('the config of a folder: yaml before ts, none is null', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-find-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.equal(findConfig(folder), null);
  writeFileSync(join(folder, 'spillway.config.ts'), '');
  assert.equal(findConfig(folder), 'spillway.config.ts');
  writeFileSync(join(folder, 'spillway.yaml'), '');
  assert.equal(findConfig(folder), 'spillway.yaml');
});

test('what is asked by a check: fields, a greeting, gRPC', () => {
  const probeOf = (active: object) => {
    const config = resolved({ ...base, services: [{ ...base.services[0]!, health: { active } }] });
    return compileHealthPlans(config, compileSnapshot(config, options()))[0]?.check?.probe;
  };
  const expect = { headers: { 'X-Role': '*' }, body: 'ready' };
  assert.deepEqual(probeOf({ method: 'GET', headers: { 'X-A': 'b' }, expect }), {
    type: 'http',
    method: 'GET',
    path: '/',
    host: null,
    fields: { 'X-A': 'b' },
    expectation: { status: [{ from: 200, to: 299 }], headers: [{ name: 'X-Role', value: '*' }], body: 'ready' },
  });
  assert.deepEqual(probeOf({ type: 'tcp', send: 'PING', expect: { banner: '+PONG' } }), {
    type: 'tcp',
    expectation: { send: 'PING', expect: '+PONG' },
  });
  const grpc = { type: 'grpc', service: 'shop', host: 'a.example', headers: { 'X-A': 'b' } };
  assert.deepEqual(probeOf(grpc), { type: 'grpc', service: 'shop', host: 'a.example', fields: { 'X-A': 'b' } });
});
