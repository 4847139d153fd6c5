/** Limits in memory beside one in a store that refuses late, in simulated time, against limits that never heard of who was refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DistantStore, pass } from '../../../test/limit/distant-store.ts';
import { type LimitInput, limitPlans } from '../../../test/engine/limits.ts';
import { routed } from '../../../test/engine/routed.ts';
import { createLimiter, memoryStore } from '../../limit/index.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { Leases } from './leases.ts';
import { Meter } from './meter.ts';
import { RemoteGate } from './remote-gate.ts';
import { createVerdict } from './verdict.ts';

type AlgorithmInput = LimitInput['algorithm'];

const LIMIT = 10;
const STEP_MS = 125;
const keyed = { routed: routed({ host: 'a', path: '/' }), listener: 'web', route: 'all' };
const fleet: LimitInput = {
  name: 'fleet',
  algorithm: { type: 'fixed-window', limit: 1, per: '1d' },
  store: { redis: 'redis://cache' },
  outage: { deadline: '1m' },
};

const part = { name: 'fleet', key: '*', cost: 1, times: 1, holder: 0 };

/** What is left in memory after a request was refused a second after it came, and what would be if it had not come. */
async function leftAfter(
  algorithm: AlgorithmInput,
  { beginMs, others }: { readonly beginMs: number; readonly others: readonly { waitMs: number; cost: number }[] },
): Promise<{ left: number; without: number }> {
  const clock = new SimulatedClock();
  clock.pass(beginMs);
  const distant = new DistantStore(clock);
  const [here, there] = limitPlans([{ name: 'here', algorithm }, fleet]);
  const [local] = Meter.local(here!, memoryStore({ clock }), 1);
  const [remote] = Meter.remote(there!, distant, 1);
  const gate = new RemoteGate({
    local: [{ meter: local!, cost: 1 }],
    remote: [{ meter: remote!, cost: 1 }],
    leases: new Leases(() => clock.nowMs()),
    clock,
  });
  const { limiter } = local!;
  const reference = createLimiter({ name: 'here', algorithm: limiter.algorithm, store: memoryStore({ clock }) });
  // By another gateway, so that this one has to ask.
  await distant.ask([{ verb: 'take', parts: [{ ...part, algorithm: remote!.limiter.algorithm }] }]);
  distant.roundTripMs = 1000;
  const entered = Promise.resolve(gate.enter(keyed, createVerdict())).then((allowed) => {
    assert.equal(allowed, false);
    return { left: limiter.peekSync('*').remaining, without: reference.peekSync('*').remaining };
  });
  let leftMs = 1000;
  for (const { waitMs, cost } of others) {
    const wait = Math.min(waitMs, leftMs);
    leftMs -= wait;
    await pass(clock, wait, STEP_MS);
    // Who is refused in one place takes nothing in the other, so that both count the same.
    const { granted } = limiter.takeSync('*', cost);
    reference.takeSync('*', granted);
  }
  // A step may be late by its length, twice on the way.
  await pass(clock, leftMs + 2 * STEP_MS, STEP_MS);
  return entered;
}

const per = fc.integer({ min: 100, max: 3000 }).map((ms) => `${ms}ms`);
const algorithm: fc.Arbitrary<AlgorithmInput> = fc.oneof(
  per.map((of): AlgorithmInput => ({ type: 'fixed-window', limit: LIMIT, per: of as '1s' })),
  per.map((of): AlgorithmInput => ({ type: 'sliding-window', limit: LIMIT, per: of as '1s' })),
  per.map((of): AlgorithmInput => ({ type: 'sliding-log', limit: LIMIT, per: of as '1s' })),
  fc
    .integer({ min: 1, max: 40 })
    .map((rate): AlgorithmInput => ({ type: 'token-bucket', capacity: LIMIT, refillPerSecond: rate / 4 })),
);
const moments = fc.record({
  beginMs: fc.integer({ min: 0, max: 3000 }),
  others: fc.array(fc.record({ waitMs: fc.integer({ min: 0, max: 1000 }), cost: fc.integer({ min: 1, max: 4 }) }), {
    maxLength: 4,
  }),
});

test('a late refusal gives back what is its own, and never what others have taken since', async () => {
  await fc.assert(
    fc.asyncProperty(algorithm, moments, async (given, when) => {
      const { left, without } = await leftAfter(given, when);
      // What half a token more comes to.
      const most = given.type === 'token-bucket' ? without + 1 : without;
      assert.ok(left <= most, `${left} are left, and ${without} would be`);
    }),
    { numRuns: 200 },
  );
});

test('what comes back slowly is given back whole', async () => {
  const per = '1d';
  for (const given of [
    { type: 'fixed-window', limit: LIMIT, per },
    { type: 'sliding-window', limit: LIMIT, per },
    { type: 'sliding-log', limit: LIMIT, per },
    { type: 'token-bucket', capacity: LIMIT, refillPerSecond: 0.001 },
  ] as const) {
    const others = [{ waitMs: 400, cost: 3 }];
    assert.deepEqual(await leftAfter(given, { beginMs: 0, others }), { left: 7, without: 7 }, given.type);
  }
});
