import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DistantStore, pass, settle } from '../../test/limit/distant-store.ts';
import {
  concurrency,
  createLimiter,
  fixedWindow,
  type LimiterOptions,
  memoryStore,
  slidingWindow,
  tokenBucket,
} from './index.ts';

const bucket = tokenBucket({ capacity: 10, refillPerSecond: 10 });

function limiter(options: Partial<LimiterOptions<typeof bucket, DistantStore>> = {}) {
  const store = options.store ?? new DistantStore();
  return { store, clock: store.clock, api: createLimiter({ name: 'api', algorithm: bucket, ...options, store }) };
}

test('takes of a tick are one call, those of a key one question, and the answer is dealt out in order', async () => {
  const { store, api } = limiter();
  const decisions = await Promise.all([
    ...Array.from({ length: 12 }, () => api.take('ann')),
    api.take('bob', { cost: 3 }),
    api.takeUpTo('carl', 50),
  ]);
  assert.deepEqual(
    decisions.slice(0, 12).map(({ allowed }) => allowed),
    [...Array(10).fill(true), false, false],
  );
  assert.deepEqual(
    decisions.slice(0, 12).map(({ remaining }) => remaining),
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0],
  );
  assert.deepEqual(
    decisions.slice(0, 12).map(({ retryAfterMs }) => retryAfterMs),
    [...Array(10).fill(0), 100, 100],
  );
  assert.deepEqual([decisions[12]!.remaining, decisions[13]!.granted], [7, 10]);
  assert.equal(store.calls.length, 1);
  assert.deepEqual(
    store.calls[0]!.map(({ parts }) => [parts[0].key, parts[0].cost, parts[0].times]),
    [
      ['ann', 1, 12],
      ['bob', 3, 1],
      ['carl', 1, 11],
    ],
  );
});

test('a cost that is given by itself, as takeSync takes it, is refused and not taken for 1', async () => {
  const here = createLimiter({ name: 'api', algorithm: bucket });
  const there = createLimiter({ name: 'api', algorithm: bucket, store: new DistantStore() });
  for (const limiter of [here, there]) {
    for (const options of [5, null] as unknown[] as object[]) {
      for (const answer of [
        limiter.take('ann', options),
        limiter.peek('ann', options),
        limiter.takeUpTo('ann', 1, options),
      ]) {
        await assert.rejects(answer, { code: 'OPTIONS_INVALID', message: /expected \{ cost, signal \}/ });
      }
    }
  }
});

test('whatever is asked in a tick is answered as if asked one after another', async () => {
  const ask = fc.oneof(
    fc.record({ verb: fc.constant('take' as const), amount: fc.nat(4) }),
    fc.record({ verb: fc.constant('upTo' as const), amount: fc.nat(6) }),
    fc.record({ verb: fc.constant('refund' as const), amount: fc.nat(3) }),
    fc.record({ verb: fc.constant('peek' as const), amount: fc.nat(3) }),
  );
  const key = fc.constantFrom('ann', 'bob');
  const name = fc.constantFrom('api', 'login');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.record({ name, key, ask }), { maxLength: 30 }), async (asks) => {
      const distant = new DistantStore();
      const near = memoryStore({ clock: new DistantStore().clock });
      const made = (name: string) => ({
        there: createLimiter({ name, algorithm: bucket, store: distant, knownRefusals: false }),
        here: createLimiter({ name, algorithm: bucket, store: near }),
      });
      const limiters = { api: made('api'), login: made('login') };
      const tell = (
        of: Pick<typeof limiters.api.there, 'take' | 'takeUpTo' | 'refund' | 'peek'>,
        { key, ask }: (typeof asks)[number],
      ) => {
        if (ask.verb === 'take') return of.take(key, { cost: ask.amount });
        if (ask.verb === 'upTo') return of.takeUpTo(key, ask.amount);
        if (ask.verb === 'peek') return of.peek(key, { cost: ask.amount });
        return of.refund(key, ask.amount);
      };
      const there = await Promise.all(asks.map((each) => tell(limiters[each.name].there, each)));
      for (const [index, each] of asks.entries()) {
        const expected = await tell(limiters[each.name].here, each);
        const seen = there[index];
        if (expected === undefined || seen === undefined) continue;
        // When all has come back is told as of the end of the tick.
        assert.deepEqual({ ...seen, resetAfterMs: 0 }, { ...expected, resetAfterMs: 0 });
      }
    }),
    { numRuns: 300 },
  );
});

test('R2: 2,000 callers at once on a budget of 100 are granted exactly 100', async () => {
  const store = new DistantStore();
  const daily = createLimiter({ name: 'daily', algorithm: fixedWindow({ limit: 100, per: '1d' }), store });
  const decisions = await Promise.all(Array.from({ length: 2_000 }, () => daily.take('all')));
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 100);
  assert.deepEqual(daily.counts, { allowed: 100, refused: 1_900, shadowed: 0 });
});

test('a key that was refused is refused here until the moment that the store named, and then asked for again', async () => {
  const { store, clock, api } = limiter();
  store.roundTripMs = 20;
  const first = api.take('ann', { cost: 10 });
  await pass(clock, 20, 1);
  await first;
  const second = api.take('ann');
  await pass(clock, 20, 1);
  assert.equal((await second).source, 'store');
  assert.equal((await second).retryAfterMs, 80);
  const calls = store.calls.length;
  const known = await api.take('ann');
  assert.deepEqual([known.allowed, known.source, known.retryAfterMs], [false, 'cache', 80]);
  // The question was sent 20 ms ago: had it been answered at once, the moment would be 60 ms from now.
  clock.pass(59);
  assert.equal((await api.take('ann')).source, 'cache');
  assert.equal(store.calls.length, calls);
  clock.pass(21);
  const third = api.take('ann');
  await pass(clock, 20, 1);
  assert.deepEqual([(await third).allowed, (await third).source], [true, 'store']);
});

test('a known refusal never refuses what the store would grant', async () => {
  const algorithms = fc.constantFrom(
    () => tokenBucket({ capacity: 3, refillPerSecond: 20 }),
    () => fixedWindow({ limit: 3, per: 200 }),
    () => slidingWindow({ limit: 3, per: 200 }),
  );
  const step = fc.record({ afterMs: fc.nat(60), cost: fc.integer({ min: 1, max: 4 }) });
  await fc.assert(
    fc.asyncProperty(algorithms, fc.array(step, { maxLength: 30 }), fc.nat(40), async (make, steps, roundTripMs) => {
      const store = new DistantStore();
      const api = createLimiter({ name: 'api', algorithm: make(), store });
      store.roundTripMs = roundTripMs;
      for (const { afterMs, cost } of steps) {
        const truth = createLimiter({ name: 'api', algorithm: make(), store: store.memory }).peekSync('ann', cost);
        const taking = api.take('ann', { cost });
        await pass(store.clock, roundTripMs, roundTripMs / 2);
        const { source, allowed } = await taking;
        if (source === 'cache') {
          assert.equal(allowed, false);
          assert.equal(truth.allowed, false, 'refused here and granted there');
        }
        store.clock.pass(afterMs);
      }
    }),
    { numRuns: 100 },
  );
});

test('what this process gives back it also forgets to refuse, and a limiter can be told to always ask', async () => {
  const { api } = limiter();
  await api.take('ann', { cost: 10 });
  assert.equal((await api.take('ann')).allowed, false);
  await api.refund('ann', 1);
  assert.equal((await api.take('ann')).allowed, true);
  assert.equal((await api.take('ann')).allowed, false);
  await api.reset('ann');
  assert.equal((await api.take('ann')).allowed, true);
  const asking = limiter({ knownRefusals: false });
  await asking.api.take('ann', { cost: 10 });
  await asking.api.take('ann');
  assert.equal((await asking.api.take('ann')).source, 'store');
});

test('a refusal that was under way when its limit was changed, or something given back, is not kept', async () => {
  const { store, clock, api } = limiter();
  store.roundTripMs = 20;
  const asked = async <T>(promise: Promise<T>): Promise<T> => {
    await pass(clock, 20, 10);
    return promise;
  };
  await asked(api.take('ann', { cost: 10 }));
  const refused = api.take('ann', { cost: 5 });
  await pass(clock, 15, 5);
  api.change(tokenBucket({ capacity: 100, refillPerSecond: 10 }));
  assert.equal((await asked(refused)).allowed, false);
  assert.equal((await asked(api.take('ann', { cost: 5 }))).source, 'store');
  // The refund, asked later on another connection, is answered first.
  const ask = store.ask.bind(store);
  store.ask = async (questions) => {
    const replies = await ask(questions);
    if (questions[0]!.verb === 'take') await new Promise<void>((resolve) => void clock.after(30, resolve));
    return replies;
  };
  const late = api.take('ann', { cost: 100 });
  await pass(clock, 11, 1);
  await asked(api.refund('ann', 100));
  await pass(clock, 30, 1);
  assert.equal((await late).allowed, false);
  store.ask = ask;
  const again = await asked(api.take('ann', { cost: 100 }));
  assert.deepEqual([again.allowed, again.source], [true, 'store']);
});

test('a refund that may or may not have been counted is counted on', async () => {
  const { store, clock, api } = limiter({ outage: { deadline: 30 } });
  await api.take('ann', { cost: 10 });
  assert.equal((await api.take('ann', { cost: 9 })).allowed, false);
  const ask = store.ask.bind(store);
  store.ask = async (questions) => {
    await ask(questions);
    return Promise.withResolvers<never>().promise;
  };
  const refunding = assert.rejects(api.refund('ann', 10), { code: 'STORE_UNAVAILABLE' });
  await pass(clock, 31, 1);
  await refunding;
  store.ask = ask;
  clock.pass(100);
  assert.equal((await api.take('ann', { cost: 9 })).allowed, true);
});

test('what another process gives back is heard within a second', async () => {
  const store = new DistantStore();
  const { clock } = store;
  const algorithm = fixedWindow({ limit: 1, per: '366d' });
  const [here, there] = [1, 2].map(() => createLimiter({ name: 'yearly', algorithm, store }));
  await here!.take('ann');
  assert.equal((await here!.take('ann')).source, 'store');
  await there!.reset('ann');
  clock.pass(999);
  assert.equal((await here!.take('ann')).source, 'cache');
  clock.pass(1);
  assert.equal((await here!.take('ann')).allowed, true);
});

test('R10: a store that is down is answered for as the limiter says, at once after the first time, and is back by itself', async () => {
  for (const answer of ['open', 'closed', 'fallback'] as const) {
    const { store, clock, api } = limiter({ outage: { answer, deadline: 100 } });
    await api.take('ann', { cost: 9 });
    store.silent = true;
    const taking = api.take('ann', { cost: 2 });
    await pass(clock, 99, 99);
    assert.equal(await Promise.race([taking, settle().then(() => 'waiting')]), 'waiting');
    await pass(clock, 1);
    const decision = await taking;
    assert.equal(decision.source, answer);
    assert.equal(decision.allowed, answer !== 'closed');
    assert.equal(api.outage?.error.code, 'STORE_UNAVAILABLE');
    assert.match(api.outage.error.message, /distant is unavailable: no answer within 100 ms/);
    if (answer === 'closed') assert.equal(decision.retryAfterMs, 100);
    if (answer === 'fallback') assert.equal(decision.remaining, 8, 'counted here, anew');
    // Nobody waits for it during the pause.
    assert.equal((await api.take('ann')).source, answer);
    store.silent = false;
    assert.equal((await api.take('ann')).source, answer);
    clock.pass(100);
    const [probe, other] = await Promise.all([api.take('ann'), api.take('bob')]);
    assert.deepEqual([probe.source, other.source], ['store', 'store']);
    assert.equal(api.outage, null);
    assert.equal(probe.remaining, 2, 'nine of ten were taken, two came back, and this took one');
  }
});

test('while a store stays down it is tried less and less often, by one call at a time', async () => {
  const { store, clock, api } = limiter({ outage: { answer: 'open', deadline: 100 } });
  store.failure = new Error('connection refused');
  let calls = 0;
  const ask = store.ask.bind(store);
  store.ask = (questions) => {
    calls += 1;
    return ask(questions);
  };
  for (let ms = 0; ms < 60_000; ms += 50) {
    clock.pass(50);
    const answers = await Promise.all([api.take('ann'), api.take('bob')]);
    for (const { source } of answers) assert.equal(source, 'open');
  }
  // At 0, 0.1, 0.3, 0.7, 1.5, 3.1 s, and every 5 s from then on.
  assert.ok(calls >= 15 && calls <= 19, `${calls} calls in a minute`);
  const sinceMs = api.outage!.sinceMs;
  assert.ok(clock.wallMs() - sinceMs > 59_000, 'the outage began with the first failure');
});

test('a share of the limit is kept during an outage, and leases of the outage end here', async () => {
  const { store, api } = limiter({ outage: { share: 0.5 } });
  store.failure = new Error('down');
  const granted = await Promise.all(Array.from({ length: 10 }, () => api.take('ann')));
  assert.equal(granted.filter(({ allowed }) => allowed).length, 5);
  const jobs = createLimiter({
    name: 'jobs',
    algorithm: concurrency({ limit: 2, lease: '1m' }),
    store,
    outage: { share: 0.5 },
  });
  const lease = await jobs.take('ann');
  assert.deepEqual([lease.allowed, lease.source], [true, 'fallback']);
  assert.equal((await jobs.take('ann')).allowed, false);
  assert.equal(await jobs.release('ann', lease.lease), true);
  assert.equal((await jobs.take('ann')).allowed, true);
  await assert.rejects(jobs.release('ann', 12345), { code: 'STORE_UNAVAILABLE', retryable: true });
});

test('leases of one tick each have their own holder', async () => {
  const store = new DistantStore();
  const jobs = createLimiter({ name: 'jobs', algorithm: concurrency({ limit: 3, lease: '1m' }), store });
  const leases = await Promise.all([1, 2, 3, 4].map(() => jobs.take('ann')));
  assert.deepEqual(
    leases.map(({ allowed }) => allowed),
    [true, true, true, false],
  );
  assert.equal(new Set(leases.slice(0, 3).map(({ lease }) => lease)).size, 3);
  assert.equal(await jobs.release('ann', leases[1]!.lease), true);
  assert.equal(await jobs.renew('ann', leases[0]!.lease), true);
  assert.equal(await jobs.release('ann', leases[1]!.lease), false);
  assert.equal((await jobs.take('ann')).allowed, true, 'a release is never too late to be seen: refusals are not kept');
});

test('a call that is given up rejects with the reason of its signal and leaves no listener', async () => {
  const { store, clock, api } = limiter();
  store.roundTripMs = 50;
  const controller = new AbortController();
  const taking = api.take('ann', { signal: controller.signal });
  await pass(clock, 10);
  const reason = new Error('client left');
  controller.abort(reason);
  await assert.rejects(taking, reason);
  await assert.rejects(api.take('ann', { signal: AbortSignal.abort(reason) }), reason);
  // Until the deadline of the call.
  await pass(clock, 500);
  assert.equal(clock.timers, 0);
});

test('what is no options makes a promise that rejects, and takes nothing', async () => {
  const { store, api } = limiter();
  const taking = api.take('ann', null as never);
  await assert.rejects(taking, { code: 'OPTIONS_INVALID' });
  assert.equal(store.calls.length, 0);
});

test('a store that answers nonsense is unavailable, not believed', async () => {
  const { store, api } = limiter({ outage: { answer: 'closed' } });
  store.ask = async () => [];
  assert.equal((await api.take('ann')).source, 'closed');
  assert.match(api.outage!.error.message, /1 questions had 0 answers/);
});

test('options of an outage that mean nothing are refused', () => {
  const refused = (outage: object, message: RegExp): void => {
    assert.throws(() => limiter({ outage }), { code: 'OPTIONS_INVALID', message });
  };
  refused({ answer: 'opne' }, /outage\.answer is “opne”/);
  refused({ share: 0 }, /outage\.share is 0/);
  refused({ share: 2 }, /outage\.share is 2/);
  refused({ answer: 'open', share: 0.5 }, /share is for fallback/);
  refused({ deadline: 0 }, /deadline is 0/);
  refused({ deadline: '2m' }, /deadline is 2m/);
  refused({ dead: 1 }, /no option “dead”/);
  const local = { name: 'a', algorithm: bucket, store: memoryStore(), outage: {} };
  assert.throws(() => createLimiter(local), { code: 'OPTIONS_INVALID', message: /never fails/ });
});

test('refusals are known of what comes back by itself, and never of leases, also after a change from one to the other', async () => {
  const slots = concurrency({ limit: 1, lease: '1m' });
  for (const first of [slots, bucket]) {
    const store = new DistantStore();
    const api = createLimiter<typeof first, DistantStore>({ name: 'api', algorithm: first, store });
    const sources = async (algorithm: typeof first): Promise<string[]> => {
      api.change(algorithm);
      // What was asked in the moment of a change is not believed.
      store.clock.pass(1);
      await api.take('ann', { cost: algorithm.limit });
      return [(await api.take('ann')).source, (await api.take('ann')).source];
    };
    assert.deepEqual(await sources(slots), ['store', 'store']);
    assert.deepEqual(await sources(bucket), ['store', 'cache']);
    assert.deepEqual(await sources(slots), ['store', 'store']);
  }
});
