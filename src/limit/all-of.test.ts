import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DistantStore, pass } from '../../test/limit/distant-store.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import {
  allOf,
  concurrency,
  createLimiter,
  type LeaseDecision,
  type LocalStore,
  memoryStore,
  type RemoteStore,
  tokenBucket,
} from './index.ts';

const bucket = (capacity: number) => tokenBucket({ capacity, refillPerSecond: 1 });

function three<S extends LocalStore | RemoteStore>(store: S, shadow = false) {
  const user = createLimiter({ name: 'user', algorithm: bucket(3), store });
  const org = createLimiter({ name: 'org', algorithm: bucket(5), store, shadow });
  const all = createLimiter({ name: 'all', algorithm: bucket(9), store });
  return { user, org, all };
}

test('all or none: what one refuses is taken from nobody, and the decision says who it was', async () => {
  for (const store of [memoryStore({ clock: new SimulatedClock() }), new DistantStore()]) {
    const { user, org, all } = three<LocalStore | RemoteStore>(store);
    const limits = allOf(user, org, all);
    const first = await limits.take(['ann', 'acme', '*'], { cost: 3 });
    assert.deepEqual([first.allowed, first.policy, first.remaining, first.granted], [true, 'user', 0, 3]);
    const second = await limits.take(['bob', 'acme', '*'], { cost: 3 });
    assert.deepEqual([second.allowed, second.policy, second.granted, second.retryAfterMs], [false, 'org', 0, 1000]);
    assert.deepEqual(
      second.decisions.map((decision) => decision?.allowed),
      [true, false, true],
    );
    assert.deepEqual(
      second.decisions.map((decision) => decision?.remaining),
      [3, 2, 6],
    );
    assert.equal((await user.peek('bob')).remaining, 3);
    assert.equal((await all.peek('*')).remaining, 6);
    assert.deepEqual([user.counts, org.counts.refused], [{ allowed: 1, refused: 0, shadowed: 0 }, 1]);
  }
});

test('waiting as told is enough for all that refused', () => {
  const clock = new SimulatedClock();
  const { user, org, all } = three(memoryStore({ clock }));
  const limits = allOf(user, org, all);
  limits.takeSync(['ann', 'acme', '*'], 3);
  limits.takeSync(['bob', 'acme', '*'], [2, 2, 2]);
  const refused = limits.takeSync(['ann', 'acme', '*'], [2, 4, 1]);
  assert.deepEqual([refused.policy, refused.retryAfterMs], ['org', 4000]);
  clock.pass(3999);
  assert.equal(limits.takeSync(['ann', 'acme', '*'], [2, 4, 1]).allowed, false);
  clock.pass(1);
  assert.equal(limits.takeSync(['ann', 'acme', '*'], [2, 4, 1]).allowed, true);
});

test('a limiter in shadow mode holds up nobody', async () => {
  for (const store of [memoryStore(), new DistantStore()]) {
    const { user, org, all } = three<LocalStore | RemoteStore>(store, true);
    const limits = allOf(user, org, all);
    await limits.take('x', { cost: [1, 4, 1] });
    const over = await limits.take('x', { cost: [1, 2, 1] });
    assert.deepEqual([over.allowed, over.shadowed], [true, true]);
    assert.deepEqual(
      over.decisions.map((decision) => decision?.granted),
      [1, 0, 1],
    );
    assert.equal((await org.peek('x')).remaining, 1, 'the shadow took nothing');
    assert.deepEqual(org.counts, { allowed: 1, refused: 0, shadowed: 1 });
    const refused = await limits.take('x', { cost: [9, 2, 1] });
    assert.deepEqual(
      [refused.allowed, refused.policy, refused.retryAfterMs],
      [false, 'user', Number.POSITIVE_INFINITY],
    );
  }
});

test('in a remote store it is one question, and what is known to be refused is none', async () => {
  const store = new DistantStore();
  const { user, org, all } = three(store);
  const limits = allOf(user, org, all);
  await Promise.all([limits.take(['ann', 'acme', '*'], { cost: 3 }), limits.take(['bob', 'acme', '*'], { cost: 2 })]);
  assert.deepEqual(
    store.calls.map((questions) => questions.map(({ parts }) => parts.length)),
    [[3, 3]],
  );
  const refused = await limits.take(['ann', 'acme', '*']);
  assert.deepEqual([refused.allowed, refused.source], [false, 'store']);
  const known = await limits.take(['ann', 'acme', '*']);
  assert.deepEqual([known.allowed, known.source, known.decisions.length], [false, 'cache', 3]);
  assert.equal(store.calls.length, 2);
});

test('while the store is unavailable each limiter answers as its own option says', async () => {
  const store = new DistantStore();
  const make = (name: string, answer: 'open' | 'closed' | 'fallback') =>
    createLimiter({ name, algorithm: bucket(2), store, outage: { answer } });
  const [local, other, open, closed] = [
    make('local', 'fallback'),
    make('other', 'fallback'),
    make('open', 'open'),
    make('closed', 'closed'),
  ];
  store.failure = new Error('down');
  assert.deepEqual([(await allOf(local, open).take('x', { cost: 2 })).source], ['fallback']);
  const refused = await allOf(local, other, open).take('x');
  assert.deepEqual([refused.allowed, refused.policy, refused.source], [false, 'local', 'fallback']);
  assert.equal((await other.peek('x')).remaining, 2, 'nothing was taken from the other');
  const shut = await allOf(other, closed).take('x');
  assert.deepEqual([shut.allowed, shut.policy, shut.source], [false, 'closed', 'closed']);
  assert.equal((await allOf(open).take('x')).source, 'open');
});

test('leases are taken together with rates, and released by themselves', async () => {
  const store = memoryStore();
  const rate = createLimiter({ name: 'rate', algorithm: bucket(9), store });
  const jobs = createLimiter({ name: 'jobs', algorithm: concurrency({ limit: 1, lease: '1m' }), store });
  const both = allOf(rate, jobs);
  const { decisions } = both.takeSync('x');
  assert.equal(both.takeSync('x').policy, 'jobs');
  assert.equal(rate.peekSync('x').remaining, 8);
  jobs.releaseSync('x', (decisions[1] as LeaseDecision).lease);
  assert.equal(both.takeSync('x').allowed, true);
});

test('a call that is given up rejects; what cannot be put together is refused', async () => {
  const store = new DistantStore();
  const { user, all } = three(store);
  store.roundTripMs = 10;
  const controller = new AbortController();
  const taking = allOf(user, all).take('x', { signal: controller.signal });
  controller.abort(new Error('left'));
  await assert.rejects(taking, /left/);
  await pass(store.clock, 20);
  const here = createLimiter({ name: 'here', algorithm: bucket(1) });
  assert.throws(() => allOf(user, here), { code: 'OPTIONS_INVALID', message: /“user”, “here” are in 2 stores/ });
  assert.throws(() => allOf(user, user), { code: 'OPTIONS_INVALID', message: /two limiters are called “user”/ });
  assert.throws(() => allOf(...([] as unknown as [typeof user])), { code: 'OPTIONS_INVALID' });
  assert.throws(() => allOf({} as typeof user), { code: 'OPTIONS_INVALID', message: /createLimiter/ });
  assert.throws(() => allOf(here).takeSync(['a', 'b']), { message: /2 keys for 1 limiters/ });
  assert.throws(() => allOf(here).takeSync('a', [1, 2]), { message: /2 costs for 1 limiters/ });
  assert.throws(() => allOf(here).takeSync(''), { code: 'OPTIONS_INVALID' });
  assert.throws(() => allOf(here).takeSync('a', -1), { code: 'OPTIONS_INVALID' });
});
