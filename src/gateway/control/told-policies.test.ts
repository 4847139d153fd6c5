import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceivedSeries } from './received-metrics.ts';
import { toldCaches, toldLimits } from './told-policies.ts';

function told(name: string, instance: string, labels: Record<string, string>, value: number): ReceivedSeries {
  return { service: 'shop', instance, name, type: 'gauge', unit: '', labels, value, atMs: 0 };
}

test('what processes decided is added up, by limit and service', () => {
  const decided = (instance: string, outcome: string, source: string, value: number) =>
    told('spillway_limit_decisions_total', instance, { limit: 'logins', outcome, source }, value);
  const series = [
    decided('a', 'allowed', 'memory', 5),
    decided('b', 'allowed', 'store', 2),
    decided('b', 'refused', 'store', 3),
    { ...decided('a', 'shadowed', 'memory', 1), service: 'cron' },
    // Of another gateway.
    told('spillway_limit_decisions_total', 'c', { limit: 'logins', source: 'store' }, 9),
  ];
  const none = { allowed: 0, refused: 0, shadowed: 0 };
  assert.deepEqual(toldLimits(series), [
    { ...none, limit: 'logins', service: 'shop', allowed: 7, refused: 3, sources: { memory: 5, store: 5 } },
    { ...none, limit: 'logins', service: 'cron', shadowed: 1, sources: { memory: 1 } },
  ]);
});

test('a cache is what its processes say together, and what is not told is not known', () => {
  const asked = (instance: string, result: string, value: number) =>
    told('spillway_cache_requests_total', instance, { cache: 'users', result }, value);
  const series = [
    ...[asked('a', 'hit', 6), asked('b', 'hit', 1), asked('a', 'absent', 1), asked('a', 'stale', 1), asked('b', 'miss', 2)],
    ...[asked('b', 'failed', 1), told('spillway_cache_entries', 'a', { cache: 'users' }, 40)],
    told('spillway_cache_evictions_total', 'a', { cache: 'users', cause: 'room' }, 3),
  ];
  assert.deepEqual(toldCaches(series), [
    { cache: 'users', service: 'shop', requests: 12, hits: 8, stale: 1, failed: 1, evictions: 3, entries: 40, bytes: null },
  ]);
}); // prettier-ignore
