/** What `spillway check` says of limits, and what they are compiled to. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { CliProcess } from '../../../test/cli-process.ts';
import { config, lines, says } from '../../../test/config-text.ts';
import { CellStore } from './cell-store.ts';
import { compileSnapshot, resolveConfig } from './index.ts';
import type { LimitInput } from '../../../test/engine/limits.ts';

const FEW = '{ name: few, algorithm: { type: fixed-window, limit: 10, per: 1m } }';
const USED = '[{ service: shop, limits: { requests: [few] } }]';
const limits = (text: string, routes = USED): string => config({ routes, rest: `limits: [${text}]` });
const algorithm = (text: string): string => limits(`{ name: few, algorithm: { ${text} } }`);
const keyed = (text: string): string => limits(`{ name: few, algorithm: { type: gcra, limit: 1, per: 1s }, ${text} }`);

test('each algorithm has its own options, and only those', () => {
  for (const good of [
    'type: token-bucket, capacity: 100, refillPerSecond: 0.5',
    'type: gcra, limit: 10, per: 1m, burst: 2',
    'type: fixed-window, limit: 10, per: 366d',
    'type: sliding-window, limit: 10, per: 1s',
    'type: sliding-log, limit: 10, per: 1s',
    'type: concurrency, limit: 10',
  ]) {
    assert.deepEqual(lines(algorithm(good)), [], good);
  }
  says(algorithm('type: token-bucket, capacity: 100'), 'refillPerSecond', 'capacity, refillPerSecond');
  says(algorithm('type: fixed-window, limit: 10, per: 1m, burst: 3'), 'limits[0].algorithm.burst', 'no burst');
  says(algorithm('type: leaky-bucket, limit: 10'), 'limits[0].algorithm.type', 'token-bucket');
  says(algorithm('type: fixed-window, limit: 0, per: 1m'), 'f.yaml:4:', 'a whole number from 1');
  says(algorithm('type: fixed-window, limit: 10, per: 0s'), 'limits[0].algorithm.per');
  says(algorithm('type: token-bucket, capacity: 1, refillPerSecond: 0'), 'refillPerSecond is 0', 'gcra');
  says(algorithm('type: concurrency, limit: 1001'), 'limits[0].algorithm.limit', 'from 1 to 1000');
  says(algorithm('type: sliding-log, limit: 10001, per: 1s'), 'limits[0].algorithm.limit');
  says(algorithm('type: token-bucket, capacity: 1000000000, refillPerSecond: 0.000001'), 'cannot be counted exactly');
});

test('keys', () => {
  for (const good of [
    'key: client',
    'key: "header:X-Api-Key"',
    'key: [client, route, "claim:https://a.example/org"]',
  ]) {
    assert.deepEqual(lines(keyed(good)), [], good);
  }
  says(keyed('key: header'), 'limits[0].key', 'header:NAME');
  says(keyed('key: [client, "cookie:a b"]'), 'limits[0].key[1]');
  says(keyed('key: client, withoutKey: skip'), 'limits[0].withoutKey', 'every request has this key');
  says(keyed('key: [], shadow: true'), 'limits[0].key');
});

test('names: unknown with the nearest, twice, unused, and what never lets anybody pass', () => {
  says(limits(FEW, '[{ service: shop, limits: { requests: [few, fwe] } }]'), 'no limit "fwe"', 'Did you mean few?');
  says(limits(FEW, '[{ service: shop, limits: { requests: [few, few] } }]'), 'is named twice');
  says(limits(FEW, '[{ service: shop }]'), 'f.yaml:4:', 'limit "few" limits nothing');
  const cost = (text: string): string => `[{ service: shop, limits: { requests: [{ limit: few, cost: ${text} }] } }]`;
  says(limits(FEW, cost('11')), 'would cost more than limit "few" ever has', 'at most 10');
  says(limits(FEW, cost('0')), 'cost', 'from 1');
  assert.deepEqual(lines(limits(FEW, cost('10'))), []);
  says(limits(`${FEW}, ${FEW}`), 'limits[1] has the same name as limits[0]');
});

test('counters are the same as long as limit and algorithm are; each limit has its own', () => {
  const cells = new CellStore(2);
  const compile = (...given: LimitInput[]) => {
    const { config: valid } = resolveConfig({
      listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: given.map(({ name }) => name) } }],
      services: [{ name: 'shop', endpoints: ['127.0.0.1:9'] }],
      routes: [{ service: 'shop' }],
      limits: given,
    });
    return compileSnapshot(valid!, { version: 1, cells, ticketSecret: new Uint8Array(32), pseudonym: 'p' });
  };
  const window = (limit: number): LimitInput => ({
    name: 'a',
    algorithm: { type: 'fixed-window', limit, per: '1m' },
    key: 'claim:sub',
  });
  const first = compile(window(10), { ...window(10), name: 'b' });
  const [a, b] = first.limits;
  assert.equal(new Set([a!.memory, a!.floor, b!.memory, b!.floor]).size, 4);
  const [changed] = compile(window(20)).limits;
  assert.equal(changed!.memory, a!.memory);
  assert.equal(changed!.floor, a!.floor);
  assert.equal(changed!.cell, a!.cell);
  const [other] = compile({ ...window(20), algorithm: { type: 'sliding-log', limit: 20, per: '1m' } }).limits;
  assert.notEqual(other!.memory, a!.memory);
  assert.equal(other!.refusedKeys, a!.refusedKeys);
  cells.retain(compile({ ...window(10), name: 'b' }));
  assert.notEqual(compile(window(10)).limits[0]!.memory, a!.memory, 'forgotten with the limit');
});

test('the memory of a limit is bounded, whatever its algorithm needs for a key', () => {
  const cells = new CellStore(2);
  for (const [algorithm, most] of [
    [{ type: 'concurrency', limit: 1000 }, 300e6],
    [{ type: 'sliding-log', limit: 10_000, per: '1m' }, 300e6],
    [{ type: 'fixed-window', limit: 10, per: '1m' }, 20e6],
  ] as const) {
    const given: LimitInput[] = [{ name: algorithm.type, algorithm, key: 'client' }];
    const { config: valid } = resolveConfig({
      listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: [algorithm.type] } }],
      services: [{ name: 'shop', endpoints: ['127.0.0.1:9'] }],
      routes: [{ service: 'shop' }],
      limits: given,
    });
    const snapshot = compileSnapshot(valid!, { version: 1, cells, ticketSecret: new Uint8Array(32), pseudonym: 'p' });
    const { byteLength } = snapshot.limits[0]!.memory;
    assert.ok(byteLength <= most, `${algorithm.type}: ${byteLength} bytes`);
  }
});

const stored = (text: string): string => limits(`{ name: few, algorithm: { type: gcra, limit: 1, per: 1s }, ${text} }`);

test('a store has the address of a Redis server, and what it says wrongly is not repeated', () => {
  for (const good of [
    'store: { redis: "redis://cache.internal" }',
    'store: { redis: "rediss://user:pass%20word@10.0.0.1:6380/3", prefix: "shop:gw" }',
    'store: { redis: "redis://:secret@[::1]:6379" }, outage: { answer: open, deadline: 100ms }',
    'store: { redis: "redis://cache" }, outage: { share: 50% }, keysMax: 10',
  ]) {
    assert.deepEqual(lines(stored(good)), [], good);
  }
  for (const bad of [
    'http://topsecret@cache',
    'redis://',
    'redis://:topsecret@cache/x',
    // What no client can decode.
    'redis://user:topsecret%zz@cache',
    'redis://%zz:topsecret@cache',
    'redis://c/0?p=topsecret',
    '7',
  ]) {
    says(stored(`store: { redis: "${bad}" }`), 'limits[0].store.redis', 'redis://cache.internal:6379', 'env:NAME');
    assert.doesNotMatch(lines(stored(`store: { redis: "${bad}" }`)).join(), /topsecret/);
  }
  says(stored('store: {}'), 'limits[0].store.redis is missing');
  says(stored('store: { redis: "redis://c", prefix: "a b" }'), 'limits[0].store.prefix');
  says(stored('store: { redis: "env:NO_SUCH_VARIABLE" }'), 'f.yaml:4:', 'NO_SUCH_VARIABLE is not set');
  says(stored('store: { redis: "file:no-such-file" }'), 'f.yaml:4:', 'no-such-file');
});

test('outage goes with a store, and its parts with each other', () => {
  const inRedis = (text: string): string => stored(`store: { redis: "redis://c" }, ${text}`);
  says(stored('outage: { answer: open }'), 'limits[0].outage', 'without a store');
  says(inRedis('outage: { answer: closed, share: 50% }'), 'limits[0].outage.share', 'for fallback');
  says(inRedis('outage: { answer: open }, keysMax: 7'), 'limits[0].keysMax', 'Redis keeps the keys');
  says(inRedis('outage: { deadline: 2m }'), 'limits[0].outage.deadline', '1m');
  says(inRedis('outage: { answer: maybe }'), 'limits[0].outage.answer', 'fallback');
  const leased = (lease: string, deadline: string): string =>
    limits(
      `{ name: few, algorithm: { type: concurrency, limit: 1${lease} }, store: { redis: "redis://c" }, outage: { deadline: ${deadline} } }`,
    );
  says(leased(', lease: 1s', '1001ms'), 'f.yaml:4:', 'limits[0].outage.deadline', 'at most the lease, 1s');
  says(leased('', '31s'), 'limits[0].outage.deadline', 'at most the lease, 30s');
  assert.deepEqual(lines(leased(', lease: 1s', '1s')), []);
});

test('limits that one request would meet are in one store', () => {
  const two = (routes: string, rest = ''): string =>
    config({
      listeners: '[{ name: web, address: "127.0.0.1:8080", limits: { requests: [a] } }, { name: b, address: ":81" }]',
      routes,
      rest:
        'limits: [{ name: a, algorithm: { type: gcra, limit: 1, per: 1s }, store: { redis: "redis://one" } },' +
        ` { name: b, algorithm: { type: gcra, limit: 1, per: 1s }, store: { redis: "redis://two" } }${rest}]`,
    });
  says(two('[{ service: shop, limits: { requests: [b] } }]'), 'f.yaml:3:', '"a" and "b"', 'one store');
  says(two('[{ service: shop, limits: { requests: [a, b] } }]'), 'f.yaml:3:', 'one store');
  const apart =
    '[{ service: shop, match: { listeners: [b] }, limits: { requests: [b] } }, { service: shop, match: { listeners: [web] } }]';
  assert.deepEqual(lines(two(apart)), []);
});

test('without a package to reach Redis with, check says which to install', async () => {
  const home = mkdtempSync(join(tmpdir(), 'spillway-check-'));
  try {
    const file = join(home, 'f.yaml');
    writeFileSync(file, stored('store: { redis: "redis://cache" }'));
    // As on a machine where neither is installed.
    const hooks = join(home, 'hooks.mjs');
    writeFileSync(
      hooks,
      `import { registerHooks } from 'node:module';
      registerHooks({ resolve(name, context, next) {
        if (name === 'ioredis' || name === 'redis') throw new Error('not there');
        return next(name, context);
      } });`,
    );
    const environment = { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${pathToFileURL(hooks).href}` };
    await using check = new CliProcess(['check', file], { environment });
    const { code, out, err } = await check.exit;
    assert.equal(code, 1, err);
    assert.match(`${out}${err}`, /f\.yaml:4:\d+: no package to reach Redis with is installed.*npm install ioredis/);
  } finally {
    rmSync(home, { recursive: true });
  }
});
