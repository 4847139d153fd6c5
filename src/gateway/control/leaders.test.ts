import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ReceivedSeries } from './received-metrics.ts';
import { heldOf, locksOf, seatsOf } from './leaders.ts';

function told(name: string, instance: string, labels: Record<string, string>, value: number): ReceivedSeries {
  return { service: 'shop', instance, name, type: 'gauge', unit: '', labels, value, atMs: 0 };
}

const term = (holder: string, value: number) => told('spillway_seat_term', holder, { seat: 'cron', holder }, value);
const since = (holder: string, value: number) =>
  told('spillway_seat_since_timestamp_seconds', holder, { seat: 'cron', holder }, value);

test('who leads is who says so with the greatest term', () => {
  const both = [term('a', 7), since('a', 100), term('b', 9), since('b', 200), term('c', 0), since('c', 0)];
  assert.deepEqual(seatsOf(both), [{ seat: 'cron', holder: 'b', term: 9, sinceMs: 200_000, candidates: 3 }]);
  assert.deepEqual(seatsOf([term('a', 0), since('a', 0)]), [
    { seat: 'cron', holder: null, term: null, sinceMs: null, candidates: 1 },
  ]);
  assert.deepEqual(seatsOf([]), []);
});

test('what processes hold and wait for is added up, by lock, service and store', () => {
  const lock = (name: string, instance: string, value: number, store = 'redis') =>
    told(`spillway_lock_${name}`, instance, { lock: 'order', store }, value);
  const rows = locksOf([
    lock('held', 'a', 1),
    lock('held', 'b', 2),
    lock('waiting', 'b', 5),
    lock('held', 'a', 4, 'sqlite'),
  ]);
  assert.deepEqual(rows, [
    { lock: 'order', service: 'shop', store: 'redis', held: 3, waiting: 5 },
    { lock: 'order', service: 'shop', store: 'sqlite', held: 4, waiting: 0 },
  ]);
});

test('locks that are held are those that are told still, the longest first', () => {
  const held = (name: string, sinceS: number, atMs: number): ReceivedSeries => {
    const labels = { lock: 'order', store: 'redis', name, holder: 'a' };
    return { ...told('spillway_lock_held_since_timestamp_seconds', 'a', labels, sinceS), atMs };
  };
  const series = [held('order:1', 30, 9), held('order:2', 25, 9), held('order:2', 20, 9), held('order:3', 10, 8)];
  const whose = { lock: 'order', service: 'shop', store: 'redis', holder: 'a' };
  assert.deepEqual(heldOf(series), [
    { ...whose, name: 'order:2', sinceMs: 20_000 },
    { ...whose, name: 'order:1', sinceMs: 30_000 },
  ]);
  const other = { ...told('spillway_lock_waiting', 'a', {}, 0), atMs: 10 };
  assert.deepEqual(heldOf([...series, other]), []);
});
