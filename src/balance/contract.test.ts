/** Every algorithm against the contract of balancers, and the contract against balancers with a bug. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { bugs } from '../../test/broken-balancers.ts';
import { balancerContract, type BalancerSubject } from '../testing/index.ts';
import { seededRandom } from '../kernel/random.ts';
import { algorithms, type BalancerName, createBalancer } from './algorithms.ts';
import { createLoads } from './loads.ts';

const traits: Readonly<Record<BalancerName, Omit<BalancerSubject, 'name' | 'module' | 'exported'>>> = {
  'round-robin': { kind: 'turn' },
  'weighted-round-robin': { kind: 'turn' },
  random: { kind: 'chance' },
  'least-connections': { kind: 'load' },
  'two-choices': { kind: 'load' },
  'least-time': { kind: 'load' },
  'peak-ewma': { kind: 'load' },
  // 512 to 1024 points an endpoint: a standard deviation of 3 to 4 %.
  'ip-hash': { kind: 'key', shareTolerance: 0.15 },
  'consistent-hash': { kind: 'key', shareTolerance: 0.15 },
  // A table is even, but a change of the list moves more than it must.
  maglev: { kind: 'key', shareTolerance: 0.01, needlessMoves: 0.05 },
};

const own = import.meta.resolve('./algorithms.ts');
for (const name of Object.keys(algorithms) as BalancerName[]) {
  const cases = await balancerContract({ name, module: own, exported: `algorithms.${name}`, ...traits[name] });
  for (const { name: title, run } of cases) test(title, run);
}

const endpoint = fc.record({ weight: fc.constantFrom(0, 0.001, 1, 3, 1e6), ramp: fc.constantFrom(0.01, 0.5, 1) });
const steps = fc.array(
  fc.record({ mask: fc.infiniteStream(fc.nat(1)), keyHash: fc.integer(), nowMs: fc.nat(60_000) }),
  {
    maxLength: 60,
  },
);
for (const name of Object.keys(algorithms) as BalancerName[]) {
  test(`${name}: whatever comes and goes, a pick is one that may be picked, or -1 if there is none`, () => {
    fc.assert(
      fc.property(fc.array(endpoint, { maxLength: 20 }), steps, fc.integer(), (endpoints, sequence, seed) => {
        const weights = endpoints.map(({ weight }) => weight);
        const loads = createLoads(weights.length);
        const balancer = createBalancer(name, { weights, loads, random: seededRandom(seed) });
        for (const { mask, keyHash, nowMs } of sequence) {
          const eligible = Uint8Array.from([...mask.take(weights.length)]);
          const ramp = keyHash % 2 === 0 ? null : Float64Array.from(endpoints, (each) => each.ramp);
          const pick = balancer.pick({ eligible, keyHash, nowMs, ramp });
          if (pick !== -1) assert.ok(eligible[pick] === 1 && weights[pick]! > 0, `${pick}`);
          else assert.ok(weights.every((weight, index) => weight === 0 || eligible[index] === 0));
          if (pick >= 0) loads.started(pick, nowMs);
        }
      }),
      { numRuns: 40 },
    );
  });
}

const broken = import.meta.resolve('../../test/broken-balancers.ts');
for (const [name, { kind, clause }] of Object.entries(bugs)) {
  test(`the contract finds one that ${name}`, async () => {
    const cases = await balancerContract({ name, module: broken, exported: `bugs.${name}.create`, kind });
    const fitting = cases.filter(({ name: title }) => clause.test(title));
    assert.equal(fitting.length, 1);
    await assert.rejects(fitting[0]!.run(), assert.AssertionError);
  });
}

const subject: BalancerSubject = { name: 'a', module: own, exported: 'algorithms.random', kind: 'chance' };
const clause = 'a weight of 0 gets nothing, and a huge one nearly all';

test('a deviation is shown with its reason, must be one, and of a clause that there is', async () => {
  const declaring = (deviations: BalancerSubject['deviations'], exported = subject.exported) =>
    balancerContract({
      ...subject,
      module: exported === subject.exported ? own : broken,
      exported,
      ...(deviations && { deviations }),
    });
  const { create } = bugs['has a use for endpoints without weight'];
  assert.ok(create);
  const declared = await declaring({ [clause]: 'on purpose' }, 'bugs.has a use for endpoints without weight.create');
  const [deviating] = declared.filter(({ name }) => name.includes('on purpose'));
  assert.equal(deviating?.name, `a: deviates from “${clause}”: on purpose`);
  await deviating.run();
  const [kept] = (await declaring({ [clause]: 'on purpose' })).filter(({ name }) => name.includes('on purpose'));
  await assert.rejects(kept!.run(), /is kept after all/);
  await assert.rejects(declaring({ 'no such clause': '' }), /There is no clause “no such clause”/);
});

test('what is no function is said to be none', async () => {
  await assert.rejects(
    balancerContract({ ...subject, exported: 'algorithms.nobody' }),
    /has no function “algorithms.nobody”/,
  );
});
