/** What `spillway check` says of limits, and what they are compiled to. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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
