import assert from 'node:assert/strict';
import { test } from 'node:test';

import { knowing, stale, world } from '../../test/cache/world.ts';
import { isCoded, SpillwayError } from '../kernel/errors.ts';
import { redisCache, type SharedAnswer, type SharedCache } from './index.ts';

/** A store that answers as it is told to, and notes what it is asked. The real one: test/cache/redis.test.ts. */
class ScriptedStore implements SharedCache {
  readonly name = 'scripted';
  readonly calls: string[] = [];
  readonly beyondMs: number[] = [];
  answer: SharedAnswer | Error = { is: 'leased' };
  fills: boolean | Error = true;

  async ask(_key: string, { beyondMs }: { readonly beyondMs: number }): Promise<SharedAnswer> {
    this.beyondMs.push(beyondMs);
    return this.#said('ask', this.answer);
  }

  async fill(): Promise<boolean> {
    return this.#said('fill', this.fills);
  }

  async release(): Promise<void> {
    this.#said('release', undefined);
  }

  async set(): Promise<void> {
    this.#said('set', undefined);
  }

  async delete(): Promise<void> {
    this.#said('delete', undefined);
  }

  #said<T>(call: string, answer: T | Error): T {
    this.calls.push(call);
    if (this.answer instanceof Error) throw this.answer;
    if (answer instanceof Error) throw answer;
    return answer;
  }
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('a store that fails is asked again after a pause that doubles, and nobody waits for it meanwhile', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = world({ shared: { store } });
  store.answer = new Error('connection refused');
  let key = 0;
  const asksInMs = async (ms: number): Promise<number> => {
    const before = store.calls.length;
    for (let passed = 0; passed < ms; passed += 50) {
      clock.pass(50);
      assert.equal(await cache.get(`k${key++}`, () => 'alone'), 'alone');
    }
    return store.calls.length - before;
  };
  await cache.get('first', () => 'alone');
  assert.equal(store.calls.length, 1);
  // After 100 ms, 200 more, 400 more, 800 more.
  assert.deepEqual([await asksInMs(300), await asksInMs(400), await asksInMs(800)], [2, 1, 1]);
  assert.ok((await asksInMs(60_000)) <= 15, 'at most one in five seconds, in the end');
  const { sinceMs, error } = cache.outage!;
  assert.equal(sinceMs, clock.wallMs() - 61_500);
  assert.match(error.message, /scripted is unavailable: connection refused/);
  store.answer = { is: 'leased' };
  clock.pass(5000);
  await cache.get(`k${key}`, () => 'v');
  assert.equal(cache.outage, null);
});

test('calls that were under way when the store failed lengthen no pause', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = world({ shared: { store } });
  store.answer = new Error('connection refused');
  await Promise.all(Array.from({ length: 20 }, (_, nth) => cache.get(`k${nth}`, () => 'alone')));
  assert.equal(store.calls.length, 20);
  clock.pass(100);
  await cache.get('next', () => 'alone');
  assert.equal(store.calls.length, 21);
});

test('a store that refuses is told from one that is away', async () => {
  const store = new ScriptedStore();
  const { cache } = world({ shared: { store } });
  store.answer = new SpillwayError('STORE_REFUSED', 'NOPERM');
  assert.equal(await cache.get('k', () => 'alone'), 'alone');
  assert.equal(cache.outage?.error.code, 'STORE_REFUSED');
  await assert.rejects(cache.set('k', 'v'), (error) => isCoded(error, 'STORE_REFUSED'));
  assert.equal(cache.peek('k'), 'v', 'here it is done');
});

test('what another is loading is asked for again, soon and then less often, and for no longer than `wait`', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = world({ shared: { store, wait: '5s' } });
  store.answer = { is: 'taken', leaseMs: 30_000 };
  const asked = cache.get('k', () => 'by himself');
  let answered = false;
  void asked.then(() => (answered = true));
  let passedMs = 0;
  for (; !answered; passedMs += 5) {
    await turn();
    clock.pass(5);
    assert.ok(passedMs < 5300);
  }
  assert.ok(passedMs >= 5000, `${passedMs}`);
  assert.ok(store.calls.length > 25 && store.calls.length < 150, `${store.calls.length} questions`);
  assert.equal(store.calls.includes('fill'), false, 'he has no lease');
});

test('who waits for another or for the store has time left to load, however short the deadline', async () => {
  for (const silent of [false, true]) {
    const store = new ScriptedStore();
    store.answer = { is: 'taken', leaseMs: 30_000 };
    if (silent) store.ask = () => new Promise(() => {});
    const { cache, clock } = world({ shared: { store }, deadline: 400 });
    const asked = cache.get('k', () => 'by himself');
    for (let passedMs = 0; passedMs < 400; passedMs += 5) {
      await turn();
      clock.pass(5);
    }
    assert.equal(await asked, 'by himself');
  }
});

test('whoever leaves while another loads loads nothing himself', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = world({ shared: { store } });
  store.answer = { is: 'taken', leaseMs: 30_000 };
  const leave = new AbortController();
  const asked = cache.get('k', () => assert.fail('loads for nobody'), { signal: leave.signal });
  await turn();
  leave.abort();
  await assert.rejects(asked);
  store.answer = { is: 'leased' };
  clock.pass(1000);
  await turn();
  assert.equal(store.calls.at(-1), 'release');
});

test('a refresh before the end wants what lasts longer than what is here; who finds nothing is content with anything', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = world({ shared: { store }, earlyRefresh: 10, stale });
  store.answer = { is: 'known', text: '"v"', freshMs: 10_000, tookMs: 500 };
  await cache.get('k', () => assert.fail());
  clock.pass(9000);
  while (store.calls.length === 1) {
    assert.equal(await cache.get('k', () => assert.fail()), 'v');
    clock.pass(1);
    await turn();
  }
  const [first, second] = store.beyondMs;
  assert.equal(first, 0);
  assert.ok(second! > 100 && second! <= 1100, `${second}`);
});

test('what the store knows is fresh here for as long as there, and no longer', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = world({ shared: { store } });
  store.answer = { is: 'known', text: '"v"', freshMs: 700, tookMs: 5 };
  await cache.get('k', () => assert.fail());
  clock.pass(699);
  assert.equal(cache.peek('k'), 'v');
  clock.pass(1);
  assert.equal(cache.peek('k'), undefined);
});

test('a fill that is refused is for who waits, and kept nowhere', async () => {
  const store = new ScriptedStore();
  store.fills = false;
  const { cache } = world({ shared: { store } });
  assert.equal(await cache.get('k', () => 'old'), 'old');
  assert.equal(cache.peek('k'), undefined);
});

test('a fill that has no answer may have been refused: it is for who waits, and kept nowhere', async () => {
  const store = new ScriptedStore();
  store.fills = new Error('connection lost');
  const { cache, clock } = world({ shared: { store } });
  assert.equal(await cache.get('k', () => 'perhaps old'), 'perhaps old');
  assert.equal(cache.peek('k'), undefined);
  assert.match(cache.outage!.error.message, /connection lost/);
  assert.equal(await cache.get('k', () => 'new'), 'new');
  assert.equal(cache.peek('k'), 'new', 'loaded while the store is known to be out, and so without a lease');
  assert.equal(clock.timers, 0);
});

test('a set that is done after it was said not to be is taken back', async () => {
  const store = new ScriptedStore();
  const late = Promise.withResolvers<void>();
  store.set = () => late.promise;
  const { cache, clock } = world({ shared: { store } });
  const set = assert.rejects(cache.set('k', 'v'), (error) => isCoded(error, 'STORE_UNAVAILABLE'));
  clock.pass(500);
  await set;
  assert.deepEqual(store.calls, []);
  late.resolve();
  await turn();
  assert.deepEqual(store.calls, ['delete']);
});

test('a text that cannot be read is as good as none', async () => {
  const store = new ScriptedStore();
  const { cache } = world({ shared: { store } });
  store.answer = { is: 'known', text: '{broken', freshMs: 700, tookMs: 5 };
  assert.equal(await cache.get('k', () => 'v'), 'v');
});

test('a lease that is given after nobody waited for the answer any more is given back', async () => {
  const store = new ScriptedStore();
  const late = Promise.withResolvers<SharedAnswer>();
  store.ask = () => late.promise;
  const { cache, clock } = world({ shared: { store } });
  const asked = cache.get('k', () => 'alone');
  clock.pass(500);
  assert.equal(await asked, 'alone');
  assert.deepEqual(store.calls, []);
  late.resolve({ is: 'leased' });
  await turn();
  assert.deepEqual(store.calls, ['release']);
});

test('a value that JSON cannot hold is no failure of the store', async () => {
  const store = new ScriptedStore();
  const { cache } = world({ shared: { store } });
  await assert.rejects(cache.set('k', 1n as unknown as string), TypeError);
  assert.equal(cache.outage, null);
});

test('an old value is served while a store is out and loading fails, as without one', async () => {
  const store = new ScriptedStore();
  const { cache, clock } = await knowing({ shared: { store }, stale });
  store.answer = new Error('connection refused');
  clock.pass(120_000);
  const fails = (): never => {
    throw new Error('no database');
  };
  assert.equal(await cache.get('k', fails), 'old');
  assert.deepEqual([cache.counts.stale_error, clock.timers], [1, 0]);
});

test('an answer of a client that makes no sense is refused, and what it says is in no error', async () => {
  const client = { isReady: true, sendCommand: async () => [1, 700, 5, Buffer.from('"a secret"')] };
  const { signal } = new AbortController();
  const asked = redisCache(client).ask('k', { token: 't', leaseMs: 1000, beyondMs: 0 }, { signal });
  await assert.rejects(asked, (error: Error) => isCoded(error, 'STORE_REFUSED') && !error.message.includes('34,97,32')); // prettier-ignore
});
