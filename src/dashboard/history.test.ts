import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LiveState, tableKeys, tableOf } from '../gateway/admin/live-model.ts';
import { fillGaps, historyOf, meanOf, remember, rowKey } from './history.ts';

/** One process after the other, each test with its own. */
let processes = 0;

function gateway() {
  const startedAt = `process ${++processes}`;
  const empty = Object.fromEntries(Object.entries(tableKeys).map(([name, keys]) => [name, tableOf(keys as never, [])]));
  const tell = (atMs: number, requests: number): void =>
    remember({
      ...{ atMs, gateway: { startedAt }, problems: [] },
      tables: { ...empty, listeners: tableOf(['name', 'requests', 's5xx'], [{ name: 'web', requests, s5xx: 0 }]) },
    } as unknown as LiveState);
  return tell;
}

const web = rowKey('listeners', 'web');
const lately = (count: number): number[] => [...historyOf(web, 'requests')!.slice(-count)];

test('a slot is a second, however many events came in it', () => {
  const tell = gateway();
  tell(10_000, 0);
  tell(11_000, 10);
  tell(11_300, 13);
  tell(12_000, 30);
  assert.deepEqual(lately(3), [NaN, 10, 20]);
  // Two seconds at once are their mean, twice.
  tell(14_000, 50);
  assert.deepEqual(lately(4), [10, 20, 10, 10]);
  assert.equal(meanOf(web, 'requests', 4), 12.5);
});

test('a long silence, a counter that fell and another process are gaps', () => {
  const tell = gateway();
  tell(100_000, 0);
  tell(101_000, 10);
  tell(111_000, 1000);
  assert.deepEqual(lately(11), [10, ...Array.from({ length: 10 }, () => NaN)]);
  tell(112_000, 5);
  assert.deepEqual(lately(2), [NaN, NaN]);
  gateway()(113_000, 500);
  assert.deepEqual(lately(2), [NaN, NaN]);
});

test('what was not seen is filled from what the gateway keeps, and what was seen stays', () => {
  const tell = gateway();
  tell(200_000, 0);
  tell(201_000, 10);
  fillGaps(web, 'requests', (wallMs) => (wallMs > 197_000 ? Math.floor(wallMs / 1000) : null));
  assert.deepEqual(lately(5), [NaN, 197, 198, 199, 10]);
});
