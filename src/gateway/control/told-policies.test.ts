import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceivedSeries } from './received-metrics.ts';
import { toldCaches, toldLimits, toldRefused } from './told-policies.ts';

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
  const none = { allowed: 0, refused: 0, shadowed: 0, lately: null, fullness: null };
  assert.deepEqual(toldLimits(series), [
    { ...none, limit: 'logins', service: 'shop', allowed: 7, refused: 3, sources: { memory: 5, store: 5 } },
    { ...none, limit: 'logins', service: 'cron', shadowed: 1, sources: { memory: 1 } },
  ]);
});

test('how full a limit was lately, and what it refused, is what its processes count since a minute ago', () => {
  const counted = (instance: string, name: string, labels: Record<string, string>, was: number | null, value: number) => ({
    ...told(`spillway_limit_${name}`, instance, { limit: 'logins', ...labels }, value),
    was,
  });
  const decided = (instance: string, outcome: string, was: number | null, value: number) =>
    counted(instance, 'decisions_total', { outcome, source: 'store' }, was, value);
  const filled = (instance: string, share: string, was: number | null, value: number) =>
    counted(instance, 'filled_total', { filled: share }, was, value);
  const [row] = toldLimits([
    ...[decided('a', 'allowed', 10, 14), decided('a', 'refused', 0, 1), decided('b', 'allowed', 3, 5), decided('c', 'allowed', null, 900)],
    ...[filled('a', '0.1', 10, 13), filled('a', '1', 5, 5), filled('b', '0.4', 0, 3), filled('b', '0.7', 0, 1), filled('c', '0.9', null, 50)],
    { ...filled('a', '1', 0, 4), service: 'another' },
  ]);
  assert.deepEqual(row!.lately, { asked: 7, refused: 1 });
  assert.deepEqual(row!.fullness, { most: 0.7, usual: 0.4 });
}); // prettier-ignore

test('keys that are refused most are those that are told still, and a key that is shown is one of all processes', () => {
  const at = (atMs: number, instance: string, key: string, value: number): ReceivedSeries => ({
    ...told('spillway_limit_most_refused', instance, { limit: 'logins', key }, value),
    atMs,
  });
  const decided = (instance: string, atMs: number) => ({ ...told('spillway_limit_decisions_total', instance, {}, 1), atMs });
  const series = [at(9, 'a', 'ann', 3), at(8, 'a', 'gone', 90), decided('a', 9), at(5, 'b', 'ann', 4), at(5, 'b', 'bob', 8), decided('b', 5)];
  assert.deepEqual(toldRefused([...series, at(1, 'c', 'gone too', 4), decided('c', 2)]), [
    { key: 'bob', limit: 'logins', service: 'shop', refused: 8 },
    { key: 'ann', limit: 'logins', service: 'shop', refused: 7 },
  ]);
}); // prettier-ignore

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
