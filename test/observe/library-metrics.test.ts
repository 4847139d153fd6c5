/** What the modules of the library count, written down: docs/metrics.md lists their series, and no other. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { createCache } from 'spillway/cache';
import { createElections } from 'spillway/elect';
import { memoryLeases } from 'spillway/lease';
import { createLimiter, tokenBucket } from 'spillway/limit';
import { createLocks } from 'spillway/lock';
import { createLogs, createMetrics, createTraces, type MetricsSink } from 'spillway/observe';
import { createBreaker } from 'spillway/resilience';
import { DatabaseCalls } from '../../src/observe/instrument/database-call.ts';
import { HttpClientMetrics, HttpServerMetrics } from '../../src/observe/instrument/http-metrics.ts';
import { DistantStore } from '../limit/distant-store.ts';

/** Metrics that are not ours, as far as types go: they write down what is defined. */
function recording(rows: Set<string>): MetricsSink {
  const metrics = createMetrics();
  const note = (
    kind: string,
    { name, labels = [], help }: { name: string; labels?: readonly string[]; help: string },
  ) => rows.add(`| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`);
  return {
    counter(options) {
      note('counter', options);
      return metrics.counter(options);
    },
    gauge(options) {
      note('gauge', options);
      return metrics.gauge(options);
    },
    histogram(options) {
      note('histogram', options);
      return metrics.histogram(options);
    },
    rows(options) {
      note('gauge', options);
      return metrics.rows(options);
    },
  };
}

test('docs/metrics.md lists exactly the series of limits, caches, locks, elections, breakers, logs and services', async () => {
  const rows = new Set<string>();
  const metrics = recording(rows);
  const store = memoryLeases();
  createLimiter({
    name: 'a',
    algorithm: tokenBucket({ capacity: 1, refillPerSecond: 1 }),
    store: new DistantStore(),
    metrics,
  });
  createLimiter({ name: 'a', algorithm: tokenBucket({ capacity: 1, refillPerSecond: 1 }), metrics });
  createCache({ name: 'a', ttl: '1s', metrics });
  await using _locks = createLocks(store, { metrics });
  await using _elections = createElections(store, { metrics });
  createBreaker({ name: 'a', metrics });
  await using _logs = createLogs({ service: 'a', target: '/dev/null', metrics });
  const ofServices = [
    new HttpServerMetrics(metrics),
    new HttpClientMetrics(metrics),
    new DatabaseCalls(createTraces({ service: 'shop', to: [] }), metrics),
  ];
  assert.equal(ofServices.length, 3);
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const [, ofLibrary = ''] = page.split('\n# ');
  const listed = ofLibrary.split('\n').filter((line) => line.startsWith('| `'));
  assert.deepEqual(listed, [...rows]);
});
