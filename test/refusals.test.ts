/**
 * Whatever the patterns are handed, what they throw is one of Spillway's errors, with a code: never a `TypeError` from within. Each export is called with what
 * is no argument of anything, and so is each method of what the exports make.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, test } from 'node:test';
import { inspect } from 'node:util';

import * as bloom from 'spillway/bloom';
import * as cache from 'spillway/cache';
import * as elect from 'spillway/elect';
import * as geo from 'spillway/geo';
import * as lease from 'spillway/lease';
import * as limit from 'spillway/limit';
import * as http from 'spillway/limit/http';
import * as lock from 'spillway/lock';
import * as resilience from 'spillway/resilience';
import * as ring from 'spillway/ring';

import { errorCodes } from '../src/kernel/errors.ts';

/** Of the entries of the package, those of the patterns. */
const modules: { readonly [entry: string]: { readonly [name: string]: unknown } } = {
  './bloom': bloom,
  './cache': cache,
  './elect': elect,
  './geo': geo,
  './lease': lease,
  './limit': limit,
  './limit/http': http,
  './lock': lock,
  './resilience': resilience,
  './ring': ring,
};
/** Made to be extended or tested with, or of parts that the gateway hands to each other as it has checked them. */
const others = ['.', './balance', './health', './observe', './observe/instrument', './testing'];

const wrong: readonly unknown[] = [
  undefined,
  null,
  0,
  -1,
  1.5,
  NaN,
  'text',
  '',
  Symbol('any'),
  {},
  [],
  true,
  1n,
  () => {},
  Object.create(null),
  [Symbol('in a list')],
];

const size = { capacity: 100, falsePositiveRate: '1%' } as const;
const algorithm = limit.tokenBucket({ capacity: 10, refillPerSecond: 1 });
const limiter = limit.createLimiter({ name: 'made', algorithm });
const nodes = ring.createRing(['a', 'b']);
const square = [
  { lat: 0, lon: 0 },
  { lat: 0, lon: 1 },
  { lat: 1, lon: 1 },
];
const leases = lease.memoryLeases();

const made: { readonly [name: string]: object } = {
  createFilter: bloom.createFilter(size),
  createCountingFilter: bloom.createCountingFilter(size),
  createCuckooFilter: bloom.createCuckooFilter(size),
  createScalableFilter: bloom.createScalableFilter({ ...size, bytesMax: '1mb' }),
  createSlidingFilter: bloom.createSlidingFilter({ ...size, window: '10m' }),
  createFuseFilter: bloom.createFuseFilter(['a', 'b']),
  createCache: cache.createCache({ name: 'made', ttl: '1m' }),
  memoryCache: cache.memoryCache({ entriesMax: 10 }),
  createElections: elect.createElections(leases),
  createPoints: geo.createPoints(square),
  createMoving: geo.createMoving({ capacity: 10 }),
  createQuadtree: geo.createQuadtree({ capacity: 10 }),
  createCells: geo.createCells(geo.geohashCells(6), { capacity: 10 }),
  createFences: geo.createFences(),
  createRegion: geo.createRegion([square]),
  'geo memoryStore': geo.memoryStore({ capacity: 10 }),
  geohash: geo.geohash,
  memoryRegister: lease.memoryRegister(),
  createLimiter: limiter,
  allOf: limit.allOf(limiter),
  createLocks: lock.createLocks(leases),
  createBreaker: resilience.createBreaker({ name: 'made' }),
  createRing: nodes,
  createAnchor: ring.createAnchor(['a', 'b'], { capacity: 4 }),
  createJump: ring.createJump(['a', 'b']),
  createMaglev: ring.createMaglev(['a', 'b']),
  createModulo: ring.createModulo(['a', 'b']),
  createRendezvous: ring.createRendezvous(['a', 'b']),
  createBoundedLoads: ring.createBoundedLoads(nodes),
};

/** What looks at no argument, and why. */
const exceptions: { readonly [name: string]: string } = {
  xxh64: 'a hash, asked for each key',
  murmur3: 'a hash, asked for each key',
  contains: 'a region, asked for each position: what are no numbers are in it or not',
  meets: 'what fences ask a region, of checked positions',
  locate: 'asked for each request, of a position',
  hash: 'asked for each key',
  flows: 'what plan asks a placement',
  weigh: 'what a cache asks its memory, of a checked key',
  part: 'between limiters and stores',
  change: 'between limiters and stores',
  fill: 'between limiters and stores',
  decisionOf: 'between limiters and stores',
};

function methodsOf(object: object): string[] {
  const names = new Set<string>();
  for (let at = object; at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) {
      const { value } = Object.getOwnPropertyDescriptor(at, name)!;
      if (typeof value === 'function' && name !== 'constructor') names.add(name);
    }
  }
  return [...names];
}

function isCoded(error: unknown): boolean {
  return error instanceof Error && 'code' in error && Object.hasOwn(errorCodes, String(error.code));
}

type Callable = (...args: unknown[]) => unknown;

/** Calls that end otherwise than they may: what they throw at once, or reject with in this turn or soon after. */
async function faultsOf(name: string, call: Callable): Promise<string[]> {
  const faults = new Set<string>();
  const take = (error: unknown, args: readonly unknown[]): void => {
    if (!isCoded(error))
      faults.add(
        `${name}(${args.map((each) => inspect(each)).join(', ')}): ${String(error)} ${(error as Error).stack?.split('\n')[1]}`,
      );
  };
  const lists = [
    [],
    ...wrong.map((first) => [first]),
    ...wrong.flatMap((first) => wrong.map((second) => [first, second])),
  ];
  const settled: Promise<void>[] = [];
  for (const args of lists) {
    try {
      const answer = call(...args);
      if (answer instanceof Promise)
        settled.push(
          answer.then(
            () => {},
            (error: unknown) => take(error, args),
          ),
        );
    } catch (error) {
      take(error, args);
    }
  }
  // Some wait for what nobody will do; that is no fault.
  await Promise.race([Promise.all(settled), new Promise((resolve) => setTimeout(resolve, 100))]);
  return [...faults];
}

const before = process.cwd();
/** What was begun by then ends with what it was begun at. */
after(() =>
  Promise.all(
    [leases, made['createLocks'], made['createElections']].map((each) =>
      (each as AsyncDisposable)[Symbol.asyncDispose](),
    ),
  ),
);
const folder = mkdtempSync(`${tmpdir()}/spillway-refusals-`);
process.chdir(folder);
after(() => {
  process.chdir(before);
  rmSync(folder, { recursive: true });
});

test('each entry of the package is looked at, or is not for a reason', () => {
  const { exports } = JSON.parse(readFileSync(`${import.meta.dirname}/../package.json`, 'utf8')) as { exports: object };
  const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.json'));
  assert.deepEqual(entries.toSorted(), [...Object.keys(modules), ...others].toSorted());
});

for (const [entry, module] of Object.entries(modules)) {
  for (const [name, value] of Object.entries(module)) {
    if (typeof value !== 'function' || Object.hasOwn(exceptions, name)) continue;
    const isClass = value.toString().startsWith('class');
    const call: Callable = isClass ? (...args) => Reflect.construct(value, args) : (value as Callable);
    test(`${entry}: ${name} refuses what is no argument of it with a code`, async () => {
      assert.deepEqual(await faultsOf(name, call), []);
    });
  }
}

for (const [name, object] of Object.entries(made)) {
  for (const method of methodsOf(object)) {
    if (Object.hasOwn(exceptions, method)) continue;
    test(`what ${name} makes: ${method} refuses what is no argument of it with a code`, async () => {
      const call: Callable = (...args) => Reflect.apply(Reflect.get(object, method), object, args);
      assert.deepEqual(await faultsOf(method, call), []);
    });
  }
}

test('what is no position has no score, and what is no score no position', () => {
  const code = { code: 'OPTIONS_INVALID' };
  assert.throws(() => geo.redisScore({ lat: 0, lon: 200 }), code);
  assert.ok(Number.isNaN(geo.redisScore({ lat: 90, lon: 0 })), 'Redis has none for the poles');
  for (const score of [NaN, -1, 0.5, 2 ** 52]) assert.throws(() => geo.redisPosition(score), code);
});

test('what stands for leases and has their methods only when they are asked for is taken', async () => {
  const behind = new Proxy({} as typeof leases, {
    get: (_, name) => {
      const part: unknown = Reflect.get(leases, name);
      return typeof part === 'function' ? part.bind(leases) : part;
    },
  });
  const locks = lock.createLocks(behind);
  await using held = await locks.acquire('behind', { ttl: '10s', wait: 0 });
  held.assertHeld();
});
