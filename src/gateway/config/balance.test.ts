/** Algorithm, slow start and affinity: from what people write to what the workers get, and what is said of mistakes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { config, lines, says, service } from '../../../test/config-text.ts';
import { CellStore, compileSnapshot, parseConfig, resolveConfig } from './index.ts';
import type { ServicePlan } from '../snapshot.ts';

const SECRET = 'sixteen-characters-or-more';

function plan(text: string): ServicePlan {
  const { config: valid, mistakes } = parseConfig(service(text), { environment: { PINS: SECRET } });
  assert.ok(valid, JSON.stringify(mistakes));
  const options = { version: 1, cells: new CellStore(2), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  return compileSnapshot(valid, options).services[0]!;
}

test('balance: a name, or an algorithm with its key', () => {
  const none = { key: null, loadFactor: 1.25 };
  assert.deepEqual(plan('balance: two-choices').balance, { algorithm: 'two-choices', ...none });
  assert.deepEqual(plan('balance: ip-hash').balance, {
    algorithm: 'ip-hash',
    key: { kind: 'client' },
    loadFactor: 1.25,
  });
  assert.deepEqual(plan('balance: { algorithm: consistent-hash, key: "cookie:user", headroom: 50% }').balance, {
    algorithm: 'consistent-hash',
    key: { kind: 'cookie', name: 'user' },
    loadFactor: 1.5,
  });
});

test('balance: what an algorithm does not have is a mistake and not ignored', () => {
  says(service('balance: { algorithm: random, key: client }'), 'no key: only consistent-hash and maglev have one');
  says(service('balance: { algorithm: maglev, headroom: 10% }'), 'no headroom: only consistent-hash has one');
  says(service('balance: { algorithm: maglev, key: "body:x" }'), 'client, path, header:NAME');
  says(service('balance: { key: client }'), 'algorithm');
  says(service('balance: { algorithm: magleb }'), 'Did you mean maglev?');
});

test('more endpoints than can be counted are refused, not lost', () => {
  const endpoints = Array.from({ length: 9400 }, (_, at) => `10.0.${at >> 8}.${at & 255}:80`);
  const { mistakes } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:8080' }],
    services: ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ name, endpoints })),
    routes: [{ service: 'a' }],
  });
  const [error] = mistakes.filter(({ severity }) => severity === 'error');
  assert.deepEqual([error?.found, error?.expected], ['65800 endpoints', 'at most 65536']);
});

test('more arms than have metrics of their own are refused', () => {
  const arms = Array.from({ length: 32 }, (_, at) => ({ service: 'a', weight: 1, name: `arm${at}` }));
  const routes = (count: number) =>
    Array.from({ length: count }, (_, at) => ({ name: `r${at}`, match: { path: `/${at}` }, split: { arms } }));
  const errors = (count: number) =>
    resolveConfig({
      listeners: [{ name: 'web', address: '127.0.0.1:8080' }],
      services: [{ name: 'a', endpoints: ['127.0.0.1:9001'] }],
      routes: routes(count),
    }).mistakes.filter(({ severity }) => severity === 'error');
  assert.deepEqual(errors(312), []);
  assert.deepEqual(
    errors(313).map(({ found, expected }) => [found, expected]),
    [['10016 arms', 'at most 10000']],
  );
});

test('a limit of an endpoint that each worker is below by itself is a warning', () => {
  const limited = (connectionsMax: number, workers: number) => {
    const endpoints = `["a:1", { address: "b:1", connectionsMax: ${connectionsMax} }]`;
    const services = `[{ name: shop, endpoints: ${endpoints}, limits: { connections: 10, idleConnections: 5 } }]`;
    return config({ services, rest: `workers: ${workers}` });
  };
  says(
    limited(31, 3),
    'warning',
    'this limits nothing. Found 31, expected at most 30',
    'connections (10) × workers (3)',
  );
  assert.deepEqual(lines(limited(30, 3)), []);
});

test('slow start: a duration, or all of it', () => {
  assert.deepEqual(plan('slowStart: 30s').slowStart, { windowMs: 30_000, floor: 0.1, exponent: 1 });
  assert.deepEqual(plan('slowStart: { window: 1m, floor: 5%, curve: 2 }').slowStart, {
    windowMs: 60_000,
    floor: 0.05,
    exponent: 2,
  });
  says(service('slowStart: { window: 1m, floor: 0% }'), 'floor');
});

test('affinity: pins follow from the secret, the service and the endpoint', () => {
  const given = plan(
    `affinity: { secret: "${SECRET}", cookie: seat, maxAge: 1h, domain: shop.example, sameSite: strict }`,
  );
  assert.deepEqual(given.affinity, {
    cookie: 'seat',
    attributes: '; Path=/; Domain=shop.example; Max-Age=3600; HttpOnly; SameSite=Strict',
    secure: 'auto',
  });
  const { pin } = given.endpoints[0]!;
  assert.match(pin!, /^[\w-]{20}$/);
  assert.equal(plan('affinity: { secret: "env:PINS" }').endpoints[0]!.pin, pin, 'after a restart, and elsewhere');
  assert.notEqual(plan('affinity: { secret: "another-secret-of-some-length" }').endpoints[0]!.pin, pin);
  assert.equal(plan('').endpoints[0]!.pin, null);
});

test('affinity: mistakes, without a word of the secret', () => {
  says(service('affinity: {}'), 'affinity.secret is missing');
  says(service('affinity: { secret: short }'), 'Found a value that is not shown, expected a secret of 16');
  says(service('affinity: { secret: "env:SPILLWAY_NOT_SET" }'), 'SPILLWAY_NOT_SET is not set');
  says(service(`affinity: { secret: "${SECRET}", sameSite: none, secure: never }`), 'browsers refuse');
  says(service(`affinity: { secret: "${SECRET}", sessionOnly: true }`), 'unknown key "sessionOnly"');
  assert.deepEqual(lines(service(`affinity: { secret: "${SECRET}" }`)), []);
});

test('zones: of which one the gateway is says which endpoints are near', () => {
  const endpoints =
    '[{ address: "a:1", zone: east }, { address: "b:1", zone: west }, "c:1", { address: "d:1", priority: 1, backup: true }]';
  const of = (rest: string) => config({ services: `[{ name: shop, endpoints: ${endpoints} }]`, rest });
  const { config: valid } = parseConfig(of('zone: east'));
  const options = { version: 1, cells: new CellStore(2), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  const plans = compileSnapshot(valid!, options).services[0]!.endpoints;
  assert.deepEqual(
    plans.map(({ local, priority, backup }) => [local, priority, backup]),
    [
      [true, 0, false],
      [false, 0, false],
      [true, 0, false],
      [true, 1, true],
    ],
  );
  says(of(''), 'not said which one this gateway is in');
  says(of('zone: north'), 'no endpoint is in this zone');
  assert.deepEqual(lines(of('zone: west')), []);
});
