import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { DistantStore, pass, settle } from '../../test/limit/distant-store.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { concurrency, createLimiter, type Decision, fixedWindow, gcra, memoryStore } from './index.ts';

/** One every 100 ms. */
const spaced = gcra({ limit: 10, per: '1s', burst: 1 });

function limiter() {
  const clock = new SimulatedClock();
  return { clock, api: createLimiter({ name: 'api', algorithm: spaced, store: memoryStore({ clock }) }) };
}

/** Notes who was served, in which order and when. */
function log(clock: SimulatedClock) {
  const startMs = clock.nowMs();
  const served: string[] = [];
  return {
    served,
    note: (name: string) => (decision: Decision) => {
      const atMs = Math.floor((clock.nowMs() - startMs) / 100) * 100;
      served.push(`${name} ${decision.allowed ? 'at' : 'refused at'} ${atMs}`);
      return decision;
    },
  };
}

test('who waits is served in the order of coming, each as soon as there is room', async () => {
  const { clock, api } = limiter();
  const { served, note } = log(clock);
  for (const name of ['a', 'b', 'c', 'd']) void api.wait('ann').then(note(name));
  await pass(clock, 350, 1);
  assert.deepEqual(served, ['a at 0', 'b at 100', 'c at 200', 'd at 300']);
  assert.deepEqual(api.counts, { allowed: 4, refused: 0, shadowed: 0 }, 'looking again and again is not counted');
  assert.equal(clock.timers, 0, 'nobody waits, nothing ticks');
});

test('a higher priority goes first, and among equals the first; another key has its own queue', async () => {
  const { clock, api } = limiter();
  const { served, note } = log(clock);
  void api.wait('ann').then(note('a'));
  for (const [name, priority] of [
    ['low', -1],
    ['b', 0],
    ['high', 5],
    ['c', 0],
    ['higher', 5],
  ] as const) {
    void api.wait('ann', { priority }).then(note(name));
  }
  void api.wait('bob').then(note('bob'));
  await pass(clock, 550, 1);
  assert.deepEqual(served, [
    'a at 0',
    'bob at 0',
    'high at 100',
    'higher at 200',
    'b at 300',
    'c at 400',
    'low at 500',
  ]);
});

test('nobody who wants little overtakes one who wants much', async () => {
  const clock = new SimulatedClock();
  const algorithm = gcra({ limit: 10, per: '1s', burst: 5 });
  const api = createLimiter({ name: 'api', algorithm, store: memoryStore({ clock }) });
  const { served, note } = log(clock);
  api.takeSync('ann', 5);
  void api.wait('ann', { cost: 3 }).then(note('much'));
  void api.wait('ann', { cost: 1 }).then(note('little'));
  await pass(clock, 450, 1);
  assert.deepEqual(served, ['much at 300', 'little at 400']);
});

test('who cannot be served in time is refused at once, or when the time is up', async () => {
  const { clock, api } = limiter();
  const { served, note } = log(clock);
  api.takeSync('ann');
  void api.wait('ann', { maxWait: 50 }).then(note('hopeless'));
  void api.wait('ann', { maxWait: 0 }).then(note('impatient'));
  void api.wait('ann', { cost: 2 }).then(note('too much'));
  await settle();
  assert.deepEqual(served.toSorted(), ['hopeless refused at 0', 'impatient refused at 0', 'too much refused at 0']);
  served.length = 0;
  void api.wait('ann').then(note('a'));
  void api.wait('ann', { maxWait: 150 }).then(note('behind'));
  void api.wait('ann').then(note('b'));
  await pass(clock, 300, 1);
  assert.deepEqual(served, ['a at 100', 'behind refused at 100', 'b at 200']);
  assert.equal(clock.timers, 0);
});

test('who gives up leaves the queue, and the next moves up', async () => {
  const { clock, api } = limiter();
  const { served, note } = log(clock);
  api.takeSync('ann');
  const controller = new AbortController();
  const left = api.wait('ann', { signal: controller.signal });
  void api.wait('ann').then(note('next'));
  await pass(clock, 50, 1);
  const reason = new Error('closed the tab');
  controller.abort(reason);
  await assert.rejects(left, reason);
  await pass(clock, 100, 1);
  assert.deepEqual(served, ['next at 100']);
  await assert.rejects(api.wait('ann', { signal: controller.signal }), reason);
  assert.equal(clock.timers, 0);
});

test('a refund, a reset and a release serve the first at once', async () => {
  const { clock, api } = limiter();
  api.takeSync('ann');
  const first = api.wait('ann');
  await settle();
  api.refundSync('ann');
  assert.equal((await first).allowed, true);
  const second = api.wait('ann');
  await settle();
  await api.reset('ann');
  assert.equal((await second).allowed, true);
  const algorithm = concurrency({ limit: 1, lease: '1h' });
  const jobs = createLimiter({ name: 'jobs', algorithm, store: memoryStore({ clock }) });
  const held = jobs.takeSync('ann');
  const third = jobs.wait('ann');
  await settle();
  jobs.releaseSync('ann', held.lease);
  assert.equal((await third).allowed, true);
  clock.pass(10);
  assert.equal(clock.timers, 0);
});

test('a release elsewhere is noticed while waiting for a lease', async () => {
  const clock = new SimulatedClock();
  const store = memoryStore({ clock });
  const algorithm = concurrency({ limit: 1, lease: '1h' });
  const here = createLimiter({ name: 'jobs', algorithm, store });
  const elsewhere = createLimiter({ name: 'jobs', algorithm, store });
  const held = elsewhere.takeSync('ann');
  const waiting = here.wait('ann');
  await pass(clock, 500);
  elsewhere.releaseSync('ann', held.lease);
  await pass(clock, 110, 1);
  assert.equal((await waiting).allowed, true);
});

test('ten thousand wait and one more is refused; all are served or refused in the end', async () => {
  const { clock, api } = limiter();
  api.takeSync('ann');
  const waits = Array.from({ length: 10_000 }, () => api.wait('ann', { maxWait: 1_050 }));
  await settle();
  assert.equal((await api.wait('ann')).allowed, false);
  await pass(clock, 1_100, 10);
  const decisions = await Promise.all(waits);
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 10);
  assert.equal(clock.timers, 0);
});

test('with a remote store the order is the same, and what is granted to one who left is given back', async () => {
  const store = new DistantStore();
  const { clock } = store;
  const api = createLimiter({ name: 'api', algorithm: spaced, store });
  const { served, note } = log(clock);
  for (const name of ['a', 'b', 'c']) void api.wait('ann').then(note(name));
  await pass(clock, 250, 1);
  assert.deepEqual(served, ['a at 0', 'b at 100', 'c at 200']);
  await api.reset('ann');
  clock.pass(1);
  await api.take('ann');
  store.roundTripMs = 20;
  const controller = new AbortController();
  const waiting = api.wait('ann', { signal: controller.signal });
  // Until its take has been granted and the answer is on its way.
  const calls = store.calls.length;
  while (store.calls.length < calls + 2) await pass(clock, 1, 1);
  controller.abort(new Error('left'));
  await assert.rejects(waiting, /left/);
  await pass(clock, 50, 1);
  const there = createLimiter({ name: 'api', algorithm: spaced, store: store.memory });
  assert.equal(there.peekSync('ann').allowed, true);
});

test('who gives up while the store is asked for the first time is told so at once, and has taken nothing', async () => {
  const store = new DistantStore();
  const { clock } = store;
  store.roundTripMs = 20;
  const api = createLimiter({ name: 'api', algorithm: spaced, store });
  const reason = new Error('left');
  const there = createLimiter({ name: 'api', algorithm: spaced, store: store.memory });
  for (const room of [true, false]) {
    if (!room) there.takeSync('ann');
    const controller = new AbortController();
    const waiting = api.wait('ann', { signal: controller.signal });
    const told = assert.rejects(waiting, reason);
    await pass(clock, 15, 1);
    controller.abort(reason);
    await pass(clock, 50, 1);
    assert.equal(await Promise.race([told.then(() => 'told'), settle().then(() => 'waiting')]), 'told');
    assert.equal(there.peekSync('ann').allowed, room);
    await told;
  }
});

test('what is given back while the store is asked for the first serves it', async () => {
  const store = new DistantStore();
  const { clock } = store;
  const algorithm = fixedWindow({ limit: 1, per: '30d' });
  const daily = createLimiter({ name: 'daily', algorithm, store, knownRefusals: false });
  await daily.take('ann');
  // Answers to takes are slower than those to refunds: another connection.
  store.roundTripMs = 20;
  const ask = store.ask.bind(store);
  store.ask = async (questions) => {
    const replies = await ask(questions);
    if (questions[0]!.verb === 'take') await new Promise<void>((resolve) => void clock.after(30, resolve));
    return replies;
  };
  const waiting = daily.wait('ann', { maxWait: '60d' });
  // Until the store has refused it a second time, as the first of a queue.
  await pass(clock, 62, 1);
  assert.equal(store.calls.length, 3);
  const refunding = daily.refund('ann');
  await pass(clock, 100, 1);
  await refunding;
  const decision = await Promise.race([waiting, settle().then(() => null)]);
  assert.equal(decision?.allowed, true);
});

test('R14: waiting keeps nothing of who happened to be the first', async () => {
  const storage = new AsyncLocalStorage<string>();
  const clock = new SimulatedClock();
  const seen: (string | undefined)[] = [];
  const every = clock.every.bind(clock);
  clock.every = (periodMs, run) => {
    seen.push(storage.getStore());
    return every(periodMs, run);
  };
  const api = createLimiter({ name: 'api', algorithm: spaced, store: memoryStore({ clock }) });
  api.takeSync('ann');
  const waiting = storage.run('request 1', async () => {
    const decision = await api.wait('ann');
    return [decision.allowed, storage.getStore()];
  });
  await pass(clock, 110, 1);
  assert.deepEqual(await waiting, [true, 'request 1'], 'who waits finds its own context again');
  assert.deepEqual(seen, [undefined]);
});

test('options that mean nothing are refused', async () => {
  const { api } = limiter();
  for (const options of [{ cost: -1 }, { priority: Number.NaN }, { maxWait: -1 }, { maxWait: 'soon' }, { until: 5 }]) {
    await assert.rejects(api.wait('ann', options as never), { code: 'OPTIONS_INVALID' });
  }
});

test('R14: who waits is served before the process ends, and nothing keeps it alive after that', async () => {
  const index = new URL('./index.ts', import.meta.url).href;
  const program = `
    import { createLimiter, gcra } from '${index}';
    const api = createLimiter({ name: 'api', algorithm: gcra({ limit: 50, per: '1s', burst: 1 }) });
    for (let wait = 0; wait < 3; wait++) api.wait('ann').then(({ allowed }) => process.stdout.write(String(allowed) + ' '));
    api.wait('ann', { maxWait: '20d', cost: 0 });
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program]);
  assert.equal(stdout, 'true true true ');
});
