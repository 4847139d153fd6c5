/** The algorithms that go by the hash of a key, beyond the contract (contract.test.ts): weights of any size, and the bound. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../kernel/random.ts';
import { createPickContext, type Balancer, type BalancerOptions } from './balancer.ts';
import { createConsistentHash } from './consistent-hash.ts';
import { createIpHash } from './ip-hash.ts';
import { createLoads } from './loads.ts';
import { createMaglevBalancer } from './maglev.ts';

interface Algorithm {
  readonly create: (options: BalancerOptions) => Balancer;
  /** How far an endpoint may be from its share, relative. */
  readonly shareError: number;
}

const algorithms: Readonly<Record<string, Algorithm>> = {
  'ip-hash': { create: createIpHash, shareError: 0.25 },
  'consistent-hash': { create: createConsistentHash, shareError: 0.25 },
  maglev: { create: createMaglevBalancer, shareError: 0.05 },
};

const random = seededRandom(7);
const keys = Int32Array.from({ length: 20_000 }, () => random.int32());

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `10.0.0.${index + 1}:8080`);
}

function picks(balancer: Balancer, endpoints: number): number[] {
  const context = createPickContext(endpoints);
  return Array.from(keys, (keyHash) => balancer.pick(Object.assign(context, { keyHash })));
}

for (const [name, { create, shareError }] of Object.entries(algorithms)) {
  test(`${name}: shares follow weights of any size`, () => {
    for (const unit of [0.001, 1, 1000]) {
      const weights = Array.from({ length: 10 }, (_, index) => unit * (1 + (index % 3)));
      const sum = weights.reduce((a, b) => a + b);
      const made = picks(create({ weights, names: names(10) }), 10);
      for (const [index, weight] of weights.entries()) {
        const expected = (keys.length * weight) / sum;
        const count = made.filter((pick) => pick === index).length;
        assert.ok(Math.abs(count / expected - 1) < shareError + 0.05, `${index}: ${count} of ${expected}`);
      }
    }
  });

  test(`${name}: options that mean nothing are refused`, () => {
    assert.throws(() => create({ weights: [1, Number.NaN] }), /Weight 1 is NaN/);
    assert.throws(() => create({ weights: [1, 1], names: ['a'] }), /1 names for 2 weights/);
    assert.throws(() => create({ weights: [1, 1], names: ['a', 'a'] }), /Two nodes are named “a”/);
  });
}

for (const [name, create] of Object.entries({ 'ip-hash': createIpHash, 'consistent-hash': createConsistentHash })) {
  test(`${name}: an endpoint that comes, or weighs another, moves keys from or to itself only, however many there are`, () => {
    const ones = (count: number): number[] => new Array<number>(count).fill(1);
    for (const [before, after, changed] of [
      [ones(64), ones(65), 64],
      [ones(128), ones(129), 128],
      [ones(1000), ones(1001), 1000],
      [[1, 1, 1], [2, 1, 1], 0],
      [[5, 0.5, 1], [5, 0.5, 10], 2],
    ] as const) {
      const [was, is] = [before, after].map((weights) =>
        picks(create({ weights, names: names(weights.length) }), weights.length),
      ) as [number[], number[]];
      for (const [at, from] of was.entries()) {
        assert.ok(from === is[at] || from === changed || is[at] === changed, `${before.length}: ${from} to ${is[at]}`);
      }
    }
  });
}

test('consistent-hash: one hot key is spread as soon as its endpoint has more than its share, and comes home after', () => {
  const loads = createLoads(4);
  const balancer = createConsistentHash({ weights: [1, 1, 1, 1], loads });
  const context = createPickContext(4);
  context.keyHash = 12_345;
  const home = balancer.pick(context);
  const counts = [0, 0, 0, 0];
  for (let made = 0; made < 100; made++) {
    const index = balancer.pick(context);
    loads.started(index, 0);
    counts[index]! += 1;
    assert.ok(counts[index]! <= Math.ceil((1.25 * (made + 1)) / 4), counts.join(' '));
  }
  assert.equal(Math.max(...counts), counts[home], 'home has the most of its key');
  for (const [index, count] of counts.entries()) for (let done = 0; done < count; done++) loads.finished(index);
  assert.equal(balancer.pick(context), home);
});

test('consistent-hash: the factor is the slack; ip-hash knows no bound', () => {
  for (const [factor, most] of [
    [1, 25],
    [2, 50],
  ] as const) {
    const loads = createLoads(4);
    const balancer = createConsistentHash({ weights: [1, 1, 1, 1], loads, loadFactor: factor });
    const context = createPickContext(4);
    for (let made = 0; made < 100; made++) loads.started(balancer.pick(context), 0);
    assert.equal(Math.max(...[0, 1, 2, 3].map((index) => loads.inFlight(index))), most);
  }
  assert.throws(() => createConsistentHash({ weights: [1], loadFactor: 0.5 }), /load factor is 0.5/);
  const loads = createLoads(2);
  const balancer = createIpHash({ weights: [1, 1], loads });
  for (let made = 0; made < 50; made++) loads.started(balancer.pick(createPickContext(2)), 0);
  assert.equal(Math.max(loads.inFlight(0), loads.inFlight(1)), 50);
});
