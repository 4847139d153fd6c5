import assert from 'node:assert/strict';
import { test } from 'node:test';

import { brokenMetrics } from '../../test/observe/broken-metrics.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { createMetrics, createTraces, createTraceStore, type Metrics } from '../observe/index.ts';
import type { CacheOptions } from './create-cache.ts';
import { type Cache, createCache, memoryCache } from './index.ts';

const stale = { whileRevalidate: '30s', ifError: '10m' } as const;

function make(options: Partial<CacheOptions<string | null>> = {}): {
  cache: Cache<string | null>;
  clock: SimulatedClock;
} {
  const clock = new SimulatedClock();
  const fixed = { name: 'shop', ttl: '60s', jitter: '0%', earlyRefresh: 0, stale, deadline: '5s', clock } as const;
  return { clock, cache: createCache<string | null>({ ...fixed, ...options }) };
}

/** The series of the page that begin so, without their buckets. */
async function lines(metrics: Metrics, start: string): Promise<string[]> {
  let text = '';
  for await (const chunk of metrics.expose().body) text += chunk;
  return text.split('\n').filter((line) => line.startsWith(start) && !/_bucket|_sum|_created/.test(line)).toSorted(); // prettier-ignore
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

const fails = (): never => {
  throw new Error('no database');
};

/** One request that ends in each way. */
async function allWays({ cache, clock }: ReturnType<typeof make>): Promise<void> {
  const answer = Promise.withResolvers<string>();
  const both = [cache.get('k', () => answer.promise), cache.get('k', () => answer.promise)]; // miss, joined
  answer.resolve('v');
  await Promise.all(both);
  await cache.get('k', fails); // hit
  await cache.get('none', () => null); // miss
  await cache.get('none', fails); // absent
  await cache.get('bad', fails).catch(() => {}); // failed
  await cache.get('k', fails, { signal: AbortSignal.abort() }).catch(() => {}); // aborted
  clock.pass(60_000);
  await cache.get('k', fails); // stale, and the refresh fails
  await turn();
  clock.pass(60_000);
  await cache.get('k', fails); // stale_error
  await turn();
}

const expected = { hit: 1, absent: 1, stale: 1, stale_error: 1, miss: 2, joined: 1, failed: 1, aborted: 1 };

test('requests are counted by how they ended, each once, with metrics and without', async () => {
  const plain = make();
  await allWays(plain);
  const { loads, refreshesFailed, evictions, ...results } = plain.cache.counts;
  assert.deepEqual(results, expected);
  assert.deepEqual({ loads, refreshesFailed, evictions }, { loads: 5, refreshesFailed: 2, evictions: 0 });

  const metrics = createMetrics();
  const counted = make({ metrics });
  await allWays(counted);
  assert.deepEqual(
    await lines(metrics, 'spillway_cache_requests_total'),
    Object.entries(expected)
      .map(([result, count]) => `spillway_cache_requests_total{cache="shop",result="${result}"} ${count}`)
      .toSorted(),
  );
});

test('loads are timed, by whom they are for and how they ended', async () => {
  const metrics = createMetrics();
  const { cache, clock } = make({ metrics });
  const slow = Promise.withResolvers<string>();
  const load = cache.get('k', () => slow.promise);
  clock.pass(250);
  slow.resolve('v');
  await load;
  const late = cache.get('late', () => new Promise<string>(() => {}));
  clock.pass(5000);
  await assert.rejects(late);
  const leave = new AbortController();
  const left = cache.get('left', () => new Promise<string>(() => {}), { signal: leave.signal });
  leave.abort();
  await assert.rejects(left);
  const outdated = Promise.withResolvers<string>();
  const waiting = cache.get('o', () => outdated.promise);
  await cache.delete('o');
  outdated.resolve('old');
  await waiting;
  await cache.get('none', () => null);
  clock.pass(60_000);
  await cache.get('k', fails);
  await turn();
  const count = (reason: string, outcome: string): string =>
    `spillway_cache_load_duration_seconds_count{cache="shop",reason="${reason}",outcome="${outcome}"} 1`;
  assert.deepEqual(
    await lines(metrics, 'spillway_cache_load_duration_seconds'),
    [
      count('miss', 'loaded'),
      count('miss', 'late'),
      count('miss', 'abandoned'),
      count('miss', 'outdated'),
      count('miss', 'absent'),
      count('refresh', 'failed'),
    ].toSorted(),
  );
  let page = '';
  for await (const chunk of metrics.expose().body) page += chunk;
  assert.match(page, /_load_duration_seconds_sum\{cache="shop",reason="miss",outcome="loaded"\} 0\.25\n/);
});

test('entries, bytes and evictions are those of the cache, and what was asked for is in no label', async () => {
  const metrics = createMetrics();
  const memory = memoryCache({ entriesMax: 2, bytesMax: 5000, sizeOf: (value) => (value as string).length });
  const { cache } = make({ metrics, memory });
  for (const key of ['secret-1', 'secret-2', 'secret-3']) await cache.set(key, 'x');
  await cache.set('secret-4', 'x'.repeat(5000));
  assert.deepEqual(await lines(metrics, 'spillway_cache_'), [
    `spillway_cache_bytes{cache="shop"} ${cache.bytes}`,
    'spillway_cache_entries{cache="shop"} 2',
    'spillway_cache_evictions_total{cache="shop",cause="room"} 1',
    'spillway_cache_evictions_total{cache="shop",cause="size"} 1',
  ]);
  await cache.clear();
  const empty = await lines(metrics, 'spillway_cache_');
  assert.deepEqual(empty.slice(0, 2), ['spillway_cache_bytes{cache="shop"} 0', 'spillway_cache_entries{cache="shop"} 0']); // prettier-ignore
});

test('each request is an event of the span that asked, at once or when it is answered, and its key is not in it', async () => {
  const store = createTraceStore();
  const traces = createTraces({ service: 'shop', to: store, sample: 1 });
  const { cache, clock } = make({ traces });
  await traces.withSpan('all ways', () => allWays({ cache, clock }));
  const [trace] = store.find().traces;
  const events = store.trace(trace!.traceId)!.spans.flatMap((span) => span.events);
  assert.ok(events.every(({ name, attributes }) => name === 'cache' && attributes['cache'] === 'shop'));
  const seen: Record<string, number> = {};
  for (const { attributes } of events) {
    const result = String(attributes['result']);
    seen[result] = (seen[result] ?? 0) + 1;
  }
  assert.deepEqual(seen, expected);
});

test('two requests that wait for one load are told each in its own span', async () => {
  const store = createTraceStore();
  const traces = createTraces({ service: 'shop', to: store, sample: 1 });
  const { cache } = make({ traces });
  const answer = Promise.withResolvers<string>();
  const leave = new AbortController();
  const spans = [
    traces.withSpan('first', () => cache.get('k', () => answer.promise)),
    traces.withSpan('second', () => cache.get('k', () => answer.promise)),
    traces.withSpan('third', () => cache.get('k', fails, { signal: leave.signal }).catch(() => {})),
  ];
  leave.abort();
  answer.resolve('v');
  await Promise.all(spans);
  const seen = store.find().traces.map(({ traceId }) => {
    const [{ name, events } = assert.fail()] = store.trace(traceId)!.spans;
    return `${name} ${events.map(({ attributes }) => String(attributes['result'])).join()}`;
  });
  assert.deepEqual(seen.toSorted(), ['first miss', 'second joined', 'third aborted']);
});

test('a cache answers though the metrics and the spans fail', async () => {
  const span = {
    isRecording: true,
    addEvent: (): never => {
      throw new Error('no more events');
    },
  };
  const { cache, clock } = make({ metrics: brokenMetrics(), traces: { current: span } });
  await allWays({ cache, clock });
  const traces = {
    get current(): never {
      throw new Error('no span');
    },
  };
  const other = make({ traces });
  await allWays(other);
  assert.equal(other.cache.counts.hit, 1);
});
