import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CellStore, compileSnapshot, diffConfigs, fingerprint, resolveConfig } from './index.ts';
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

const same = { version: 1, ticketSecret: new Uint8Array(32), pseudonym: 'spillway-1' };

function compiled(input: ConfigInput, cells = new CellStore(2)) {
  const config = resolved(input);
  return { config, snapshot: compileSnapshot(config, { ...same, cells }) };
}

test('a reload is told in lines for people', () => {
  const cells = new CellStore(2);
  const before = compiled(base, cells);
  const diff = (input: ConfigInput) => diffConfigs(before, compiled(input, cells));
  assert.deepEqual(diff(base), []);
  assert.deepEqual(
    diff({
      ...base,
      services: [{ name: 'shop', endpoints: [{ address: '127.0.0.1:9002', weight: 1 }, '127.0.0.1:9003'] }],
    }),
    [
      'service shop: endpoint 127.0.0.1:9001 removed',
      'service shop: endpoint 127.0.0.1:9002: weight 3 → 1',
      'service shop: endpoint 127.0.0.1:9003 added',
    ],
  );
  assert.deepEqual(
    diff({
      ...base,
      services: base.services.map((service) => ({
        ...service,
        endpoints: ['127.0.0.1:9001', { address: '127.0.0.1:9002', weight: 3, drain: true }],
      })),
    }),
    ['service shop: endpoint 127.0.0.1:9002: drain none → 25s'],
  );
  assert.deepEqual(
    diff({
      ...base,
      listeners: [{ name: 'web', address: '127.0.0.1:8081', timeouts: { idle: '90s' }, limits: { header: '64kb' } }],
    }),
    [
      'listener web: port 8080 → 8081',
      'listener web: limits.header 32kb → 64kb',
      'listener web: timeouts.idle 1m → 1.5m',
    ],
  );
  assert.deepEqual(
    diff({
      ...base,
      services: [...base.services, { name: 'blog', endpoints: ['b:1'] }],
      routes: [{ match: { path: '/api/*' }, service: 'blog' }, { service: 'shop' }],
    }),
    ['service blog: added', 'route * /api/*: service shop → blog', 'route * /*: added'],
  );
  assert.deepEqual(diff({ ...base, accessLog: 'stdout', drainTimeout: '5s' }), [
    'access log: share 0 → 1',
    'gateway: drainTimeout 25s → 5s',
  ]);
});

test('the order of routes alone is a line, the version is none', () => {
  const routes: ConfigInput['routes'] = [{ service: 'shop' }, { service: 'shop', match: { path: '/a' } }];
  const [a, b] = [compiled({ ...base, routes }), compiled({ ...base, routes: routes.toReversed() })];
  assert.deepEqual(diffConfigs(a, { ...b, snapshot: { ...b.snapshot, version: 2 } }), ['routes: order changed']);
});

test('what the control thread goes by is told too, secrets only as changed', () => {
  const cells = new CellStore(2);
  const checked = (active: object): ConfigInput => ({
    ...base,
    services: [{ ...base.services[0]!, health: { active } }],
  });
  const diff = (before: ConfigInput, after: ConfigInput) =>
    diffConfigs(compiled(before, cells), compiled(after, cells));
  assert.deepEqual(diff(base, checked({})), ['service shop: health checks added']);
  assert.deepEqual(diff(checked({}), base), ['service shop: health checks removed']);
  const more = { interval: '10s', path: '/up', expect: { status: [200, '204-206'] }, unhealthyAfter: 5 };
  assert.deepEqual(diff(checked({}), checked(more)), [
    'service shop: health.path none → /up',
    'service shop: health.unhealthyAfter 3 → 5',
    'service shop: health.expect.status none → 200, 204-206',
    'service shop: health.interval 5s → 10s',
  ]);
  const admin = { address: '127.0.0.1:9900', token: 'first-0123456789' };
  assert.deepEqual(
    diff(
      { ...base, admin, workers: 2 },
      { ...base, admin: { ...admin, token: 'other-0123456789' }, workers: 4, user: 'www-data' },
    ),
    ['admin: tokens changed', 'gateway: workers 2 → 4', 'gateway: user none → www-data'],
  );
  assert.deepEqual(diff(base, { ...base, admin: { address: 'unix:admin.sock' } }), ['admin: address unix:admin.sock']);
});

test('a fingerprint is of what a config says, not of how it is written, and of no secret', () => {
  const of = (input: ConfigInput) => fingerprint(resolved(input));
  const { listeners, services, routes } = base;
  assert.match(of(base), /^[0-9a-f]{12}$/);
  assert.equal(of({ routes, services, listeners }), of(base));
  assert.equal(of({ ...base, drainTimeout: '25000ms' }), of(base));
  assert.notEqual(of({ ...base, drainTimeout: '24s' }), of(base));
  assert.notEqual(of({ ...base, services: [{ ...services[0]!, health: { active: {} } }] }), of(base));
  const admin = (token: string): ConfigInput => ({ ...base, admin: { address: ':9900', token } });
  assert.equal(of(admin('first-0123456789')), of(admin('other-0123456789')));
});

test('of a credential that a route sets or asks for, or a check sends, only that it changed is told', () => {
  const cells = new CellStore(2);
  const given = (secret: string): ConfigInput => ({
    ...base,
    services: [
      { ...base.services[0]!, health: { active: { type: 'tcp', send: `AUTH ${secret}`, expect: { banner: 'OK' } } } },
    ],
    routes: [
      {
        name: 'all',
        service: 'shop',
        match: { headers: { 'X-Api-Key': secret }, query: { access_token: secret } },
        requestHeaders: { set: { Authorization: `Basic ${secret}`, 'X-Plain': 'same' } },
      },
    ],
  });
  const lines = diffConfigs(compiled(given('first'), cells), compiled(given('other'), cells));
  assert.deepEqual(lines.toSorted(), [
    'route all: match.headers.0 changed',
    'route all: match.query.0 changed',
    'route all: requestFields.set.0 changed',
    'service shop: health.send changed',
  ]);
  const plain = { ...given('first'), routes: [{ name: 'all', service: 'shop' }] };
  for (const more of [
    diffConfigs(compiled(plain, cells), compiled(given('first'), cells)),
    diffConfigs(compiled(given('first'), cells), compiled(plain, cells)),
  ]) {
    assert.doesNotMatch(more.join('\n'), /first/);
  }
});
