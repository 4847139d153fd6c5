import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { DistantStore, pass } from '../../test/limit/distant-store.ts';
import { brokenMetrics } from '../../test/observe/broken-metrics.ts';
import { createMetrics, createTraces, createTraceStore, type Metrics } from '../observe/index.ts';
import { allOf, concurrency, createLimiter, fixedWindow, memoryStore, tokenBucket } from './index.ts';

const two = fixedWindow({ limit: 2, per: '366d' });

/** What was counted, as `limit outcome source` with how often. */
function decisions(metrics: Metrics): Record<string, number> {
  const family = metrics.counter({
    name: 'spillway_limit_decisions_total',
    help: 'Decisions of a limiter: allowed, refused, or shadowed (let through only because it is in shadow mode), and who decided.',
    labels: ['limit', 'outcome', 'source'],
  });
  return Object.fromEntries(
    family
      .series()
      .map(({ labels, reading }) => [`${labels['limit']} ${labels['outcome']} ${labels['source']}`, reading]),
  );
}

async function page(metrics: Metrics): Promise<string> {
  let text = '';
  for await (const chunk of metrics.expose().body) text += chunk;
  return text;
}

test('decisions are counted by limiter and outcome, whichever way was asked, and a peek is none', async () => {
  const metrics = createMetrics();
  const api = createLimiter({ name: 'api', algorithm: two, metrics });
  const trial = createLimiter({ name: 'trial', algorithm: two, metrics, shadow: true });
  for (const limiter of [api, trial]) {
    limiter.takeSync('ann');
    await limiter.take('ann');
    await limiter.wait('ann', { maxWait: 0 });
    limiter.takeUpToSync('ann', 5);
    limiter.peekSync('ann');
  }
  assert.deepEqual(decisions(metrics), {
    'api allowed store': 2,
    'api refused store': 2,
    'trial allowed store': 2,
    'trial shadowed store': 2,
  });
});

test('of several limits at once, each that decided is counted', () => {
  const metrics = createMetrics();
  const store = memoryStore();
  const user = createLimiter({ name: 'user', algorithm: two, store, metrics });
  const all = createLimiter({ name: 'all', algorithm: fixedWindow({ limit: 1, per: '366d' }), store, metrics });
  const both = allOf(user, all);
  both.takeSync(['ann', 'all']);
  both.takeSync(['ann', 'all']);
  assert.deepEqual(decisions(metrics), { 'user allowed store': 1, 'all allowed store': 1, 'all refused store': 1 });
});

/** The series of a metric, as its labels' values with its value. */
async function shownOf(metrics: Metrics, name: string): Promise<Record<string, number>> {
  const found = (await page(metrics)).matchAll(new RegExp(`^${name}\\{(.*)\\} (\\S+)$`, 'gm'));
  return Object.fromEntries(
    [...found].map(([, labels = '', value]) => [labels.replaceAll(/\w+="([^"]*)"/g, '$1'), Number(value)]),
  );
}

test('how full a limit was is counted by tenths, as the key that asked had used it', async () => {
  const metrics = createMetrics();
  const limiter = createLimiter({ name: 'api', algorithm: fixedWindow({ limit: 20, per: '366d' }), metrics });
  for (const cost of [1, 1, 1, 9, 8, 1]) limiter.takeSync('ann', cost);
  limiter.takeSync('bob');
  limiter.takeSync('cid', 0);
  assert.deepEqual(await shownOf(metrics, 'spillway_limit_filled_total'), {
    'api,0.1': 4,
    'api,0.2': 1,
    'api,0.6': 1,
    'api,1': 2,
  });
});

test('of a store that nobody could ask, nobody knows how full the limit was', async () => {
  const metrics = createMetrics();
  const store = new DistantStore();
  store.failure = new Error('gone');
  for (const answer of ['open', 'closed'] as const) {
    await createLimiter({ name: answer, algorithm: two, store, outage: { answer }, metrics }).take('ann');
  }
  assert.deepEqual(await shownOf(metrics, 'spillway_limit_filled_total'), {});
});

test('who is refused most is told, as a hash or, where it is asked for, as it is; also in shadow mode', async () => {
  const metrics = createMetrics();
  const limiters = [
    createLimiter({ name: 'hashed', algorithm: two, metrics }),
    createLimiter({ name: 'shown', algorithm: two, metrics, showKeys: true }),
    createLimiter({ name: 'shadow', algorithm: two, metrics, showKeys: true, shadow: true }),
  ];
  for (const limiter of limiters) {
    for (const key of ['ann', 'ann', 'bob', 'ann', 'ann', 'ann', 'bob', 'bob']) limiter.takeSync(key);
  }
  const told = Object.entries(await shownOf(metrics, 'spillway_limit_most_refused'));
  assert.deepEqual(
    told.map(([labels, value]) => [labels.replace(/[0-9a-f]{16}/, '#'), value]),
    [['hashed,#', 3], ['hashed,#', 1], ['shown,ann', 3], ['shown,bob', 1], ['shadow,ann', 3], ['shadow,bob', 1]],
  ); // prettier-ignore
  assert.equal(new Set(told.map(([labels]) => labels)).size, 6);
  assert.doesNotMatch(await page(metrics), /hashed.*(?:ann|bob)/);
});

test('two threads that show a key they both refuse show the sum of what they refused', async () => {
  const metrics = createMetrics();
  for (const each of [metrics, createMetrics({ shared: metrics.shared })]) {
    const limiter = createLimiter({ name: 'api', algorithm: two, metrics: each, showKeys: true });
    for (let take = 0; take < 5; take += 1) limiter.takeSync('ann');
  }
  assert.deepEqual(await shownOf(metrics, 'spillway_limit_most_refused'), { 'api,ann': 6 });
});

test('of a flood of keys only those stand out that are refused more than others, and about as often as it is said', async () => {
  const metrics = createMetrics();
  const limiter = createLimiter({
    name: 'api',
    algorithm: fixedWindow({ limit: 1, per: '366d' }),
    metrics,
    showKeys: true,
  });
  let refused = 0;
  // Twice, for the first is not refused.
  for (let client = 0; client < 20_000; client++) {
    for (let take = 0; take < 2; take++) limiter.takeSync(`client-${client}`);
    if (client % 4 === 0) refused += Number(!limiter.takeSync('loud').allowed);
  }
  const told = await shownOf(metrics, 'spillway_limit_most_refused');
  assert.deepEqual(Object.keys(told), ['api,loud']);
  // Drawn: four standard deviations of one in eight.
  const spread = 4 * Math.sqrt(7 * refused);
  assert.ok(Math.abs(told['api,loud']! - refused) < spread, `${told['api,loud']} of ${refused} ± ${spread}`);
});

test('keys that are refused most come and go in as many rows as there are', async () => {
  const metrics = createMetrics();
  const limiters = Array.from({ length: 30 }, (_, at) =>
    createLimiter({ name: `limit-${at}`, algorithm: fixedWindow({ limit: 1, per: '366d' }), metrics }),
  );
  for (const limiter of limiters) {
    for (let key = 0; key < 16; key++) for (let take = 0; take < 2; take++) limiter.takeSync(`key-${key}`);
  }
  assert.equal(Object.keys(await shownOf(metrics, 'spillway_limit_most_refused')).length, 320);
  assert.deepEqual(await shownOf(metrics, 'spillway_metrics_refused_total'), { series: 0, memory: 0, value: 0 });
});

test('in memory one decision in 64 is timed, by nanoseconds', async () => {
  const metrics = createMetrics();
  const limiter = createLimiter({ name: 'api', algorithm: two, metrics });
  for (let take = 0; take <= 128; take++) limiter.takeSync('ann');
  const shown = await page(metrics);
  const of = (what: string) =>
    Number(new RegExp(`^spillway_limit_take_duration_seconds_${what} (.+)$`, 'm').exec(shown)?.[1]);
  assert.equal(of('count{limit="api"}'), 3);
  assert.ok(of('sum{limit="api"}') > 0);
});

test('what a client can choose is no label', async () => {
  const metrics = createMetrics();
  const limiter = createLimiter({ name: 'api', algorithm: two, metrics });
  for (let client = 0; client < 5000; client++) limiter.takeSync(`client-${client}`);
  assert.deepEqual(decisions(metrics), { 'api allowed store': 5000 });
  assert.doesNotMatch(await page(metrics), /client-/);
});

test('of a remote store: who decided in its place, and how long its calls took', async () => {
  const metrics = createMetrics();
  const store = new DistantStore();
  const { clock } = store;
  store.roundTripMs = 10;
  const outage = { deadline: 100 } as const;
  const asked = createLimiter({ name: 'asked', algorithm: two, store, outage, metrics });
  const ahead = createLimiter({
    name: 'ahead',
    algorithm: tokenBucket({ capacity: 10, refillPerSecond: 1 }),
    store,
    outage,
    reserve: 5,
    metrics,
  });
  const open = createLimiter({ name: 'open', algorithm: two, store, outage: { ...outage, answer: 'open' }, metrics });
  const closed = createLimiter({
    name: 'closed',
    algorithm: two,
    store,
    outage: { ...outage, answer: 'closed' },
    metrics,
  });
  const done = async (work: Promise<unknown>): Promise<void> => {
    await Promise.all([work, pass(clock, 200, 5)]);
  };
  for (let take = 0; take < 4; take++) await done(asked.take('ann'));
  for (let take = 0; take < 3; take++) await done(ahead.take('ann'));
  store.failure = new Error('gone');
  for (const limiter of [asked, open, closed]) await done(limiter.take('bob'));
  store.failure = null;
  store.silent = true;
  await pass(clock, 10_000);
  await done(asked.take('bob'));

  assert.deepEqual(decisions(metrics), {
    'asked allowed store': 2,
    'asked refused store': 1,
    'asked refused cache': 1,
    'ahead allowed store': 1,
    'ahead allowed reserve': 2,
    'asked allowed fallback': 2,
    'open allowed open': 1,
    'closed refused closed': 1,
  });
  const text = await page(metrics);
  const count = (outcome: string): string | undefined =>
    new RegExp(`^spillway_store_duration_seconds_count{store="distant",outcome="${outcome}"} (\\d+)$`, 'm').exec(
      text,
    )?.[1];
  assert.deepEqual([count('answered'), count('failed'), count('late')], ['4', '3', '1']);
  const sum = /^spillway_store_duration_seconds_sum\{store="distant",outcome="(?:answered|late)"\} (.+)$/gm;
  const sums = [...text.matchAll(sum)].map(([, value]) => Number(value));
  // Four round trips, and one deadline.
  assert.deepEqual(
    sums.map((seconds) => seconds.toFixed(3)),
    ['0.040', '0.100'],
  );
});

test('each decision is an event of the span that asked, without its key, also of a store far away and where traces fail', async () => {
  const store = createTraceStore();
  const traces = createTraces({ service: 'shop', to: store, sample: 1 });
  const distant = new DistantStore();
  distant.roundTripMs = 10;
  const near = createLimiter({ name: 'near', algorithm: two, traces });
  const far = createLimiter({ name: 'far', algorithm: two, store: distant, traces });
  const asked = ['first', 'second'].map((name) =>
    traces.withSpan(name, async () => {
      near.peekSync('secret');
      await near.take('secret', { cost: name === 'first' ? 2 : 1 });
      await far.take('secret');
    }),
  );
  await Promise.all([...asked, pass(distant.clock, 200, 5)]);
  near.takeSync('secret');
  const events = store.find().traces.map(({ traceId }) => {
    const [{ name, events } = assert.fail()] = store.trace(traceId)!.spans;
    const told = events.map(({ name: event, attributes }) => `${event} ${Object.values(attributes).join(' ')}`);
    return `${name}: ${told.join(', ')}`;
  });
  assert.deepEqual(events.toSorted(), [
    'first: limit near allowed store, limit far allowed store',
    'second: limit near refused store, limit far allowed store',
  ]);

  const broken = {
    get current(): never {
      throw new Error('no traces');
    },
  };
  const later = { current: { isRecording: true, addEvent: () => Promise.reject(new Error('no traces')) } };
  for (const own of [broken, later]) {
    assert.equal(createLimiter({ name: 'api', algorithm: two, traces: own }).takeSync('ann').allowed, true);
  }
});

test('any series of takes: what is counted is what the limiter says of itself', () => {
  const take = fc.record({ key: fc.constantFrom('a', 'b'), cost: fc.nat(3), shadow: fc.boolean() });
  fc.assert(
    fc.property(fc.array(take, { maxLength: 60 }), (takes) => {
      const metrics = createMetrics({ memoryBytes: '64kb' });
      const algorithm = tokenBucket({ capacity: 4, refillPerSecond: 1 });
      const limiters = [false, true].map((shadow) =>
        createLimiter({ name: shadow ? 'shadow' : 'real', algorithm, shadow, metrics }),
      );
      for (const { key, cost, shadow } of takes) limiters[Number(shadow)]!.takeSync(key, cost);
      const counted = decisions(metrics);
      for (const { name, counts } of limiters) {
        for (const outcome of ['allowed', 'refused', 'shadowed'] as const) {
          assert.equal(counted[`${name} ${outcome} store`] ?? 0, counts[outcome]);
        }
      }
    }),
  );
});

test('leases are decided as everything else', async () => {
  const metrics = createMetrics();
  const limiter = createLimiter({ name: 'slots', algorithm: concurrency({ limit: 1, lease: '1m' }), metrics });
  const { lease } = limiter.takeSync('ann');
  limiter.takeSync('ann');
  limiter.releaseSync('ann', lease);
  limiter.takeSync('ann');
  assert.deepEqual(decisions(metrics), { 'slots allowed store': 2, 'slots refused store': 1 });
});

test('a limit holds though the metrics fail: of a store that answers and of one that is away', async () => {
  const metrics = brokenMetrics();
  const local = createLimiter({ name: 'local', algorithm: two, metrics });
  const store = new DistantStore();
  const remote = createLimiter({ name: 'remote', algorithm: two, store, outage: { answer: 'closed' }, metrics });
  const allowed = [];
  for (let take = 0; take < 3; take++) {
    allowed.push([local.takeSync('ann').allowed, (await remote.take('ann')).allowed]);
  }
  assert.deepEqual(allowed, [[true, true], [true, true], [false, false]]); // prettier-ignore
  store.failure = new Error('gone');
  assert.equal((await remote.take('bob')).allowed, false);
});
