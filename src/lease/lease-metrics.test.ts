import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { brokenMetrics } from '../../test/observe/broken-metrics.ts';
import { createElections } from '../elect/index.ts';
import { createLocks } from '../lock/index.ts';
import { createMetrics, type Metrics } from '../observe/index.ts';
import { memoryLeases } from './memory.ts';
import type { Claim, LeaseStore, Waiting } from './store.ts';

/** Samples of a page, without the buckets of histograms. */
async function samples(metrics: Metrics): Promise<Record<string, number>> {
  let text = '';
  for await (const chunk of metrics.expose().body) text += chunk;
  const found = text.matchAll(/^spillway_((?:lock|seat)_[^ ]+) (\S+)$/gm);
  return Object.fromEntries(
    [...found].map(([, name, value]) => [name!, Number(value)] as const).filter(([name]) => !name.includes('_bucket')),
  );
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

async function pass(clock: SimulatedClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    clock.pass(50);
    await settle();
  }
}

function storeAt(clock: SimulatedClock): LeaseStore {
  return memoryLeases({ clock });
}

const kindOf = (name: string): string => name.split(':')[0]!;

test('locks: how long it took to have one, or not; how long it was held; who waits and who holds', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  await using locks = createLocks(storeAt(clock), { metrics, metricsName: kindOf });
  const first = await locks.acquire('payment:42', { ttl: '10s' });
  assert.equal(await locks.tryAcquire('payment:42', { ttl: '10s' }), null);
  const giveUp = new AbortController();
  const second = locks.acquire('payment:42', { ttl: '10s' });
  const third = locks.acquire('payment:42', { ttl: '10s', signal: giveUp.signal });
  await settle();
  let now = await samples(metrics);
  assert.equal(now['lock_waiting{lock="payment",store="memory"}'], 2);
  assert.equal(now['lock_held{lock="payment",store="memory"}'], 1);
  await pass(clock, 2000);
  giveUp.abort(new Error('enough'));
  await assert.rejects(third, /enough/);
  await first.release();
  await (await second).release();

  now = await samples(metrics);
  const labels = 'lock="payment",store="memory"';
  assert.deepEqual(now, {
    [`lock_acquire_duration_seconds_sum{${labels},outcome="granted"}`]: 2,
    [`lock_acquire_duration_seconds_count{${labels},outcome="granted"}`]: 2,
    [`lock_acquire_duration_seconds_sum{${labels},outcome="taken"}`]: 0,
    [`lock_acquire_duration_seconds_count{${labels},outcome="taken"}`]: 1,
    [`lock_acquire_duration_seconds_sum{${labels},outcome="given_up"}`]: 2,
    [`lock_acquire_duration_seconds_count{${labels},outcome="given_up"}`]: 1,
    [`lock_held_duration_seconds_sum{${labels},end="released"}`]: 2,
    [`lock_held_duration_seconds_count{${labels},end="released"}`]: 2,
    [`lock_waiting{${labels}}`]: 0,
    [`lock_held{${labels}}`]: 0,
  });
});

test('a lock that is lost is counted by why', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  const renew = store.renew.bind(store);
  let answer: 'none' | 'gone' | 'true' = 'none';
  store.renew = (claim, waiting) =>
    answer === 'none'
      ? Promise.withResolvers<never>().promise
      : answer === 'gone'
        ? Promise.resolve({ held: false })
        : renew(claim, waiting);
  await using locks = createLocks(store, { metrics });
  const expired = await locks.acquire('a', { ttl: 3000 });
  await pass(clock, 3000);
  assert.equal(expired.signal.aborted, true);
  answer = 'gone';
  const gone = await locks.acquire('b', { ttl: 3000 });
  await pass(clock, 2000);
  assert.equal(gone.signal.aborted, true);
  await expired.release();
  await gone.release();
  const now = await samples(metrics);
  assert.equal(now['lock_held_duration_seconds_count{lock="",store="memory",end="expired"}'], 1);
  assert.equal(now['lock_held_duration_seconds_count{lock="",store="memory",end="gone"}'], 1);
  assert.equal(now['lock_held_duration_seconds_count{lock="",store="memory",end="released"}'], undefined);
  assert.equal(now['lock_held{lock="",store="memory"}'], 0);
});

test('asking that fails, and a grant that came late', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  const ask = store.try.bind(store);
  let failing = true;
  store.try = async (claim, waiting) => {
    if (failing) throw new Error('no such server');
    clock.pass(800);
    return ask(claim, waiting);
  };
  await using locks = createLocks(store, { metrics });
  await assert.rejects(locks.acquire('a', { ttl: 1000, wait: 0 }), /no such server/);
  failing = false;
  await assert.rejects(locks.acquire('a', { ttl: 1000, wait: 0 }), { code: 'LEASE_LATE' });
  const now = await samples(metrics);
  assert.equal(now['lock_acquire_duration_seconds_count{lock="",store="memory",outcome="failed"}'], 1);
  assert.equal(now['lock_acquire_duration_seconds_sum{lock="",store="memory",outcome="late"}'], 0.8);
  assert.equal(now['lock_held{lock="",store="memory"}'], 0, 'nobody had it');
});

test('who gives up at the store, or is closed, held nothing', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  await using holder = createLocks(store);
  await using lease = await holder.acquire('a', { ttl: '10s' });
  const locks = createLocks(store, { metrics });
  const stop = new AbortController();
  const one = locks.acquire('a', { ttl: '10s', signal: stop.signal });
  await settle();
  stop.abort(new Error('enough'));
  await assert.rejects(one, /enough/);
  const two = locks.acquire('a', { ttl: '10s' });
  await Promise.all([locks[Symbol.asyncDispose](), assert.rejects(two, { code: 'LEASES_CLOSED' })]);
  lease.assertHeld();
  const now = await samples(metrics);
  assert.equal(now['lock_acquire_duration_seconds_count{lock="",store="memory",outcome="given_up"}'], 2);
  assert.deepEqual([now['lock_held{lock="",store="memory"}'], now['lock_waiting{lock="",store="memory"}']], [0, 0]);
});

test('ids in names make no series, nor more than a bound of them where they do; and a name that cannot be found ends no lock', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  await using ofKind = createLocks(store, { metrics, metricsName: kindOf });
  await using ofName = createLocks(store, { metrics, metricsName: (name) => name });
  await using broken = createLocks(store, {
    metrics,
    metricsName: () => {
      throw new Error('no name');
    },
  });
  for (let id = 0; id < 1000; id++) {
    for (const locks of [ofKind, ofName]) await (await locks.acquire(`order:${id}`, { ttl: '10s' })).release();
  }
  const lease = await broken.acquire('c', { ttl: '10s' });
  assert.equal(await lease.release(), true);
  const now = await samples(metrics);
  const counts = Object.entries(now).filter(([name]) => name.startsWith('lock_acquire_duration_seconds_count'));
  assert.equal(counts.length, 501);
  assert.equal(now['lock_acquire_duration_seconds_count{lock="order",store="memory",outcome="granted"}'], 1000);
  assert.equal(
    counts.reduce((sum, [, count]) => sum + count, 0),
    2001,
  );
});

test('the locks that are held longest: since when and by whom, by name only where it is asked for, and one that is had anew is no new series', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  await using shown = createLocks(store, { holder: 'ann', metrics, metricsName: kindOf, showNames: true });
  await using nameless = createLocks(store, { holder: 'bob', metrics, metricsName: kindOf });
  const told = async (): Promise<[string, number][]> =>
    Object.entries(await samples(metrics)).flatMap(([name, value]) => {
      const [, labels] = /^lock_held_since_timestamp_seconds\{(.*)\}$/.exec(name) ?? [];
      return labels === undefined ? [] : [[labels.replaceAll(/\w+="([^"]*)"/g, '$1'), value] as [string, number]];
    });
  const sinceS = clock.wallMs() / 1000;
  const first = await shown.acquire('order:1', { ttl: '10s' });
  const reader = await shown.acquire('stock', { ttl: '10s', mode: 'read' });
  const other = await shown.acquire('stock', { ttl: '10s', mode: 'read' });
  // Had and given back at once: no series.
  await (await shown.acquire('order:2', { ttl: '10s' })).release();
  assert.deepEqual(await told(), []);
  await pass(clock, 1500);
  const second = await nameless.acquire('secret:1', { ttl: '10s' });
  await pass(clock, 500);
  const third = await nameless.acquire('secret:2', { ttl: '10s' });
  await pass(clock, 1500);
  const [ofFirst, ofStock] = [
    ['order,memory,order:1,ann', sinceS],
    ['stock,memory,stock,ann', sinceS],
  ];
  assert.deepEqual(await told(), [ofFirst, ofStock, ['secret,memory,,bob', sinceS + 1.5]]);

  for (const lease of [first, second, reader]) await lease.release();
  assert.deepEqual(await told(), []);
  await pass(clock, 250);
  assert.deepEqual(
    new Map(await told()),
    new Map([
      ['secret,memory,,bob', sinceS + 2],
      ['stock,memory,stock,ann', sinceS],
    ]),
  );
  await third.release();
  await other.release();
  await first.release();
  const again = await shown.acquire('order:1', { ttl: '10s' });
  await pass(clock, 1500);
  assert.deepEqual(await told(), [[ofFirst[0], sinceS + 3.75]]);
  assert.ok(again.token > first.token);
  store.renew = () => Promise.resolve({ held: false });
  await pass(clock, 5000);
  assert.deepEqual(await told(), []);
});

test('of a thousand locks that are held, the twenty of longest are told, and the next when one of these is given back', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  await using locks = createLocks(storeAt(clock), { metrics, showNames: true });
  const leases = [];
  for (let at = 0; at < 1000; at++) leases.push(await locks.acquire(`order:${at}`, { ttl: '1h' }));
  await pass(clock, 2000);
  const told = async (): Promise<number[]> =>
    Object.keys(await samples(metrics))
      .flatMap((name) => /^lock_held_since.*,name="order:(\d+)"/.exec(name)?.[1] ?? [])
      .map(Number)
      .toSorted((a, b) => a - b);
  assert.deepEqual(
    await told(),
    Array.from({ length: 20 }, (_, at) => at),
  );
  await leases[3]!.release();
  assert.equal((await told()).length, 19);
  await pass(clock, 500);
  assert.deepEqual((await told()).slice(2), [2, ...Array.from({ length: 17 }, (_, at) => at + 4)]);
});

test('who leads a seat, in which term, since when; and who only campaigns does not', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  await using ann = createElections(store, { holder: 'ann', metrics });
  await using bob = createElections(store, { holder: 'bob', metrics });
  const term = await ann.campaign('cron:report');
  const sinceS = clock.wallMs() / 1000;
  const next = bob.campaign('cron:report');
  await pass(clock, 1000);
  let now = await samples(metrics);
  assert.equal(now['seat_term{seat="cron:report",holder="ann"}'], Number(term.term));
  assert.equal(now['seat_since_timestamp_seconds{seat="cron:report",holder="ann"}'], sinceS);
  assert.equal(now['seat_term{seat="cron:report",holder="bob"}'], 0);
  assert.equal(now['seat_waiting{seat="cron:report",store="memory"}'], 1);

  await term.resign();
  const second = await next;
  now = await samples(metrics);
  assert.equal(now['seat_term{seat="cron:report",holder="ann"}'], 0);
  assert.equal(now['seat_since_timestamp_seconds{seat="cron:report",holder="ann"}'], 0);
  assert.equal(now['seat_term{seat="cron:report",holder="bob"}'], Number(second.term));
  assert.ok(second.term > term.term);
  assert.equal(now['seat_held_duration_seconds_sum{seat="cron:report",store="memory",end="released"}'], 1);
  await second.resign();
});

test('several elections of one process that count in one place show the leader, whichever it is', async () => {
  const clock = new SimulatedClock();
  const metrics = createMetrics();
  const store = storeAt(clock);
  const shown = async (): Promise<(number | undefined)[]> => {
    const now = await samples(metrics);
    const labels = '{seat="cron",holder="ann"}';
    return [now[`seat_term${labels}`], now[`seat_since_timestamp_seconds${labels}`]];
  };
  const claims: Claim[] = [];
  const waitings: Waiting[] = [];
  const ask = store.try.bind(store);
  store.try = (claim, waiting) => {
    claims.push(claim);
    waitings.push(waiting);
    return ask(claim, waiting);
  };
  await using one = createElections(store, { holder: 'ann', metrics });
  await using two = createElections(store, { holder: 'ann', metrics });
  await using elsewhere = createElections(storeAt(clock), { holder: 'ann', metrics });
  const first = await one.campaign('cron', { ttl: '10s' });
  await pass(clock, 1000);
  const other = await elsewhere.campaign('cron');
  assert.equal(await other.resign(), true);
  assert.deepEqual(await shown(), [Number(first.term), clock.wallMs() / 1000 - 1]);

  // The store gives it away before the first has heard that it is lost.
  const next = two.campaign('cron', { ttl: '10s' });
  const renew = store.renew.bind(store);
  store.renew = (claim, waiting) => (claim === claims[0] ? new Promise(() => {}) : renew(claim, waiting));
  await store.release(claims[0]!, waitings[0]!);
  await pass(clock, 1000);
  const second = await next;
  assert.equal(first.signal.aborted, false);
  const now = await shown();
  assert.equal(now[0], Number(second.term));
  await pass(clock, 10_000);
  assert.equal(first.signal.aborted, true);
  assert.deepEqual(await shown(), now);
  await second.resign();
  assert.deepEqual(await shown(), [0, 0]);
});

test('who leads is shown though what else is counted fails', async () => {
  const clock = new SimulatedClock();
  const metrics: Metrics = Object.assign(createMetrics(), { histogram: brokenMetrics().histogram });
  await using elections = createElections(storeAt(clock), { holder: 'ann', metrics });
  const term = await elections.campaign('cron');
  const shown = async (): Promise<unknown> => (await samples(metrics))['seat_term{seat="cron",holder="ann"}'];
  assert.equal(await shown(), Number(term.term));
  await term.resign();
  assert.equal(await shown(), 0);
});

test('locks and seats are granted, lost and given back though the metrics fail', async () => {
  const clock = new SimulatedClock();
  const metrics = brokenMetrics();
  const store = storeAt(clock);
  await using locks = createLocks(store, { metrics });
  await using elections = createElections(store, { metrics });
  const lease = await locks.acquire('a', { ttl: '10s' });
  const next = locks.acquire('a', { ttl: '10s' });
  assert.equal(await lease.release(), true);
  assert.equal(await (await next).release(), true);
  const term = await elections.campaign('cron');
  store.renew = () => Promise.resolve({ held: false });
  await pass(clock, 10_000);
  assert.equal(term.signal.aborted, true);
  assert.equal(await term.resign(), false);
});
