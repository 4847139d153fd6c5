import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DistantStore, pass, settle } from '../../test/limit/distant-store.ts';
import type { Ask, Outcome } from './algorithm.ts';
import {
  allOf,
  concurrency,
  createLimiter,
  fixedWindow,
  memoryStore,
  type RateAlgorithm,
  type RemoteStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from './index.ts';

const hourly = fixedWindow({ limit: 20, per: '1h' });

/** Limiters of several processes: each has its own way to the one store. */
function processes(count: number, algorithm: RateAlgorithm, reserve: number) {
  const store = new DistantStore();
  const outage = { answer: 'closed', deadline: '1m' } as const;
  const limiters = Array.from({ length: count }, () => {
    const far: RemoteStore = { local: false, name: 'distant', clock: store.clock, ask: store.ask.bind(store) };
    return createLimiter({ name: 'api', algorithm, store: far, reserve, outage });
  });
  /** What the store counts. */
  const truth = createLimiter({ name: 'api', algorithm, store: store.memory });
  return { store, clock: store.clock, limiters, truth };
}

function one(algorithm: RateAlgorithm = hourly, reserve = 5) {
  const { limiters, ...rest } = processes(1, algorithm, reserve);
  return { ...rest, api: limiters[0]! };
}

/** What a store has granted and got back, once it is asked. */
function counting(store: DistantStore): { granted: number; givenBack: number } {
  const counted = { granted: 0, givenBack: 0 };
  const open = store.memory.open.bind(store.memory);
  store.memory.open = (name, algorithm) => {
    const counters = open(name, algorithm);
    const take = counters.take.bind(counters);
    const refund = counters.refund.bind(counters);
    return Object.assign(Object.create(counters) as typeof counters, {
      take(key: string, ask: Ask, out: Outcome): void {
        take(key, ask, out);
        counted.granted += out.granted * ask.cost;
      },
      refund(key: string, ask: Ask): void {
        refund(key, ask);
        counted.givenBack += ask.cost;
      },
    });
  };
  return counted;
}

test('what is taken ahead is handed out without asking, as the store would have answered', async () => {
  const { store, api } = one();
  const decisions = [];
  for (let take = 0; take < 22; take++) decisions.push(await api.take('ann'));
  assert.deepEqual(
    decisions.map(({ remaining }) => remaining),
    [...Array.from({ length: 20 }, (_, taken) => 19 - taken), 0, 0],
  );
  const five = ['store', ...Array<string>(4).fill('reserve')];
  assert.deepEqual(
    decisions.map(({ source }) => source),
    [...five, ...five, ...five, ...five, 'store', 'cache'],
  );
  assert.deepEqual(
    decisions.map(({ granted }) => granted),
    [...Array<number>(20).fill(1), 0, 0],
  );
  assert.equal(store.calls.length, 5);
});

test('takes of one tick share what one of them took ahead, and none is refused while some is left', async () => {
  const { store, api } = one();
  const decisions = await Promise.all(Array.from({ length: 24 }, () => api.take('ann')));
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 20);
  assert.equal(store.calls.length, 1);
  assert.ok(decisions.every(({ allowed, retryAfterMs }) => allowed === (retryAfterMs === 0)));
});

test('what is not used within a second is given back, and the timer ends with it', async () => {
  const { store, clock, api, truth } = one();
  await api.take('ann');
  assert.equal(truth.peekSync('ann').remaining, 15);
  await pass(clock, 999, 999);
  assert.equal(truth.peekSync('ann').remaining, 15);
  assert.equal((await api.take('ann')).source, 'reserve');
  await pass(clock, 1, 1);
  assert.equal(truth.peekSync('ann').remaining, 18);
  assert.equal(store.calls.length, 2);
  // Until the deadline of the calls.
  await pass(clock, 60_000, 60_000);
  assert.equal(clock.timers, 0);
});

test('a take that comes while the last of a limit is on its way back has it', async () => {
  const { store, clock, api, truth } = one();
  truth.takeSync('ann', 18);
  await api.take('ann');
  clock.pass(1000);
  const decision = await api.take('ann');
  assert.deepEqual([decision.allowed, decision.source, decision.remaining], [true, 'store', 0]);
  assert.equal(store.calls.length, 2);
});

test('at the end of a window what is left has lapsed: the next is not given it twice, nor is it given back there', async () => {
  const { clock, api, truth } = one(fixedWindow({ limit: 20, per: 500 }));
  await pass(clock, 500 - (clock.wallMs() % 500) + 300, 400);
  await api.take('ann');
  truth.takeSync('ann', 15);
  await pass(clock, 199, 199);
  assert.equal((await api.take('ann')).source, 'reserve');
  await pass(clock, 1, 1);
  truth.takeSync('ann', 18);
  const decisions = [];
  for (let take = 0; take < 4; take++) decisions.push((await api.take('ann')).allowed);
  assert.deepEqual(decisions, [true, true, false, false]);
  truth.refundSync('ann', 2);
  await pass(clock, 299, 299);
  assert.equal(truth.peekSync('ann').remaining, 2);
});

test('peek says what a take would get; other costs and allOf ask the store; a reset forgets', async () => {
  const { api, truth } = one();
  await api.take('ann');
  const seen = await api.peek('ann');
  assert.deepEqual([seen.allowed, seen.granted, seen.remaining, seen.source], [true, 0, 19, 'reserve']);
  assert.deepEqual((await api.take('ann', { cost: 2 })).source, 'store');
  assert.equal((await allOf(api).take('ann')).source, 'store');
  assert.equal(truth.peekSync('ann').remaining, 12);
  await api.reset('ann');
  assert.equal((await api.take('ann')).source, 'store');
  assert.equal(truth.peekSync('ann').remaining, 15);
});

test('what is asked for while the key is reset is not handed out', async () => {
  const { store, clock, api } = one();
  store.roundTripMs = 10;
  const taking = api.take('ann');
  await settle();
  store.roundTripMs = 2;
  const resetting = api.reset('ann');
  await pass(clock, 2, 1);
  await resetting;
  await pass(clock, 10, 1);
  await taking;
  const then = api.take('ann');
  await pass(clock, 2, 1);
  assert.equal((await then).source, 'store');
});

test('who gives up loses one and not what was taken ahead with it', async () => {
  const { store, clock, api } = one();
  store.roundTripMs = 10;
  const controller = new AbortController();
  const taking = api.take('ann', { signal: controller.signal });
  await pass(clock, 2);
  controller.abort(new Error('left'));
  await assert.rejects(taking, /left/);
  await pass(clock, 20);
  assert.equal((await api.take('ann')).source, 'reserve');
});

test('while the store is down what is here is handed out; what cannot be given back is nobody’s error', async () => {
  const { store, clock, api } = one();
  await api.take('ann');
  store.failure = new Error('down');
  assert.equal((await api.take('ann')).source, 'reserve');
  assert.equal((await api.take('bob')).source, 'closed');
  await pass(clock, 1000);
  assert.equal((await api.take('ann')).source, 'closed');
  store.failure = null;
  await pass(clock, 5000);
  assert.equal((await api.take('ann')).source, 'store');
  assert.equal((await api.take('bob')).source, 'store');
  assert.equal((await api.take('bob')).source, 'reserve');
});

test('an answer without an outcome is the caller’s to hear, and leaves nothing behind', async () => {
  const { store, api } = one();
  let nonsense = true;
  const ask = store.ask.bind(store);
  const far: RemoteStore = {
    local: false,
    name: 'far',
    clock: store.clock,
    ask: async (questions) => (nonsense ? [[]] : ask(questions)),
  };
  const limiter = createLimiter({ name: 'api', algorithm: hourly, store: far, reserve: 5 });
  await assert.rejects(limiter.take('ann'), TypeError);
  await settle();
  nonsense = false;
  await limiter.take('ann');
  assert.equal((await limiter.take('ann')).source, 'reserve');
  assert.equal((await api.peek('ann')).remaining, 15);
});

test('with another algorithm nothing of the old one is handed out or given back', async () => {
  for (const other of [fixedWindow({ limit: 30, per: '1h' }), concurrency({ limit: 2, lease: '1m' })]) {
    const { store, clock, api } = one();
    await api.take('ann');
    api.change(other);
    await pass(clock, 2000, 1000);
    assert.equal(store.calls.length, 1);
    await api.take('ann');
    api.change(hourly);
    assert.equal((await api.take('ann')).source, 'store');
  }
});

test('until what was left has arrived no more is taken ahead', async () => {
  const { store, clock, api } = one();
  await api.take('ann');
  store.roundTripMs = 10;
  await pass(clock, 1000, 1000);
  const taking = api.take('ann');
  await pass(clock, 20, 5);
  assert.equal((await taking).allowed, true);
  const then = api.take('ann');
  await pass(clock, 20, 5);
  await then;
  const asked = store.calls.flat().map(({ verb, parts: [{ cost, times }] }) => `${verb} ${cost * times}`);
  assert.deepEqual(asked, ['take 5', 'refund 4', 'take 1', 'take 5']);
});

test('no more is handed out than was granted, none is lost, and what is out is bounded', async () => {
  /** Of the last, nothing lapses while the test runs. */
  const algorithms = {
    bucket: () => tokenBucket({ capacity: 12, refillPerSecond: 4 }),
    fixed: () => fixedWindow({ limit: 12, per: '3s' }),
    sliding: () => slidingWindow({ limit: 12, per: '3s' }),
    log: () => slidingLog({ limit: 12, per: '3s' }),
    hourly: () => hourly,
  } as const;
  const step = fc.record({
    of: fc.nat(2),
    takes: fc.nat(6),
    afterMs: fc.oneof(fc.constant(0), fc.nat(30), fc.nat(1500)),
  });
  const run = fc.record({
    which: fc.constantFrom(...(Object.keys(algorithms) as (keyof typeof algorithms)[])),
    reserve: fc.integer({ min: 2, max: 5 }),
    roundTripMs: fc.constantFrom(0, 8),
    steps: fc.array(step, { maxLength: 20 }),
  });
  await fc.assert(
    fc.asyncProperty(run, async ({ which, reserve, roundTripMs, steps }) => {
      const algorithm = algorithms[which]();
      const { store, clock, limiters } = processes(3, algorithm, reserve);
      store.roundTripMs = roundTripMs;
      const counted = counting(store);
      const atMs: number[] = [];
      const spare = 3 * (reserve - 1);
      const held = (): number => counted.granted - counted.givenBack - atMs.length;
      for (const { of, takes, afterMs } of steps) {
        for (let take = 0; take < takes; take++) {
          void limiters[of]!.take('ann').then(({ allowed }) => {
            if (allowed) atMs.push(clock.nowMs());
          });
        }
        await pass(clock, afterMs, Math.max(1, afterMs / 8));
        assert.ok(held() >= 0, 'handed out what was not granted');
        if (which === 'hourly' && roundTripMs === 0) assert.ok(held() <= spare, `${held()} held`);
      }
      await pass(clock, 1000 + 2 * roundTripMs, 4);
      if (which === 'hourly') assert.equal(held(), 0, 'all that was granted was handed out or given back');
      const promised = which === 'log' ? 12 : 2 * algorithm.limit;
      const most = promised + (which === 'sliding' ? 2 * spare : spare);
      for (const fromMs of atMs) {
        // An answer is up to half a round trip old.
        const untilMs = fromMs + algorithm.windowMs - roundTripMs;
        const inside = atMs.filter((ms) => ms >= fromMs && ms < untilMs).length;
        assert.ok(inside <= most, `${inside} in a window`);
      }
    }),
    { numRuns: 100 },
  );
});

test('of n processes that reserve k, (n - 1) × (k - 1) is refused to the last at most, and for a second', async () => {
  const { clock, limiters } = processes(3, hourly, 4);
  const [first, second, third] = limiters as [(typeof limiters)[0], (typeof limiters)[0], (typeof limiters)[0]];
  await first.take('ann');
  await second.take('ann');
  const drain = async (): Promise<number> => {
    let allowed = 0;
    while ((await third.take('ann')).allowed) allowed += 1;
    return allowed;
  };
  assert.equal(await drain(), 20 - 2 - 6);
  await pass(clock, 1000);
  await settle();
  await third.refund('ann', 0); // Others gave back, which is not heard here: ask again.
  assert.equal(await drain(), 6);
});

test('while ten thousand keys have a reservation, the next has none', async () => {
  const { store, clock, api } = one();
  await Promise.all(Array.from({ length: 10_000 }, (_, key) => api.take(`key ${key}`)));
  await api.take('ann');
  assert.equal(store.calls.at(-1)![0]!.parts[0].times, 1);
  await pass(clock, 1000, 1000);
  await api.take('ann');
  assert.equal(store.calls.at(-1)![0]!.parts[0].times, 5);
});

test('a reserve that means nothing is refused', () => {
  const store = new DistantStore();
  const refused = (options: object, message: RegExp): void => {
    assert.throws(() => createLimiter({ name: 'api', algorithm: hourly, store, ...options }), {
      code: 'OPTIONS_INVALID',
      message,
    });
  };
  refused({ reserve: 1 }, /reserve is 1; expected an integer from 2 to 20/);
  refused({ reserve: 21 }, /reserve is 21/);
  refused({ reserve: 2.5 }, /reserve is 2\.5/);
  refused(
    { reserve: 2, algorithm: concurrency({ limit: 9, lease: '1m' }) },
    /reserve is 2, and the algorithm has leases/,
  );
  refused({ reserve: 2, store: memoryStore() }, /local store/);
});
