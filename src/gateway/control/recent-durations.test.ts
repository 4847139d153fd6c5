import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cell, cellLanes, createCell } from '../../kernel/cells.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { bucketOf, BUCKETS } from '../durations.ts';
import { RecentDurations } from './recent-durations.ts';

const slots = { buckets: 1, durationSumMs: 0 };
const SLOTS = BUCKETS + 1;

function setting() {
  const clock = new SimulatedClock();
  const cells = [createCell(2, SLOTS), createCell(2, SLOTS)] as const;
  const recent = new RecentDurations(clock);
  const count = (cell: Cell, durationMs: number, times: number, lane = 0): void => {
    const own = cellLanes(cell, SLOTS)[lane]!;
    own[slots.buckets + bucketOf(durationMs)]! += times;
    own[slots.durationSumMs]! += durationMs * times;
  };
  /** Looks each second, as the feed does. */
  const look = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      recent.read(cells, SLOTS, slots);
      clock.pass(1000);
    }
    return recent.read(cells, SLOTS, slots);
  };
  return { cells, clock, count, look, recent };
}

test('what was slow a minute ago is forgotten, what is slow now is seen at once', () => {
  const { cells, count, look } = setting();
  count(cells[0], 1000, 100);
  assert.equal(look(0).count, 100);
  const later = look(61);
  assert.equal(later.count, 0);
  count(cells[0], 10, 98);
  count(cells[1], 500, 2, 1);
  const now = look(0);
  assert.equal(now.count, 100);
  assert.ok(Math.abs(now.quantile(0.5) / 10 - 1) < 0.03);
  assert.ok(Math.abs(now.quantile(0.99) / 500 - 1) < 0.03);
  assert.equal(now.sum, 98 * 10 + 2 * 500);
});

test('the time it tells of is between half a minute and a minute', () => {
  const { cells, count, look } = setting();
  look(31);
  count(cells[0], 10, 1);
  for (let second = 0; second < 29; second++) assert.equal(look(1).count, 1, `${second}`);
  assert.equal(look(31).count, 0);
});

test('before a minute was looked at, and after nobody did, it is all since the start', () => {
  const { cells, clock, count, look, recent } = setting();
  count(cells[0], 10, 5);
  assert.equal(look(29).count, 5);
  assert.equal(recent.isRecent, false);
  look(60);
  assert.equal(look(0).count, 0);
  assert.equal(recent.isRecent, true);
  clock.pass(600_000);
  assert.equal(recent.read(cells, SLOTS, slots).count, 5);
  assert.equal(recent.isRecent, false);
});

test('a lane that was cleared is no negative count', () => {
  const { cells, count, look } = setting();
  count(cells[0], 10, 5);
  look(31);
  cellLanes(cells[0], SLOTS)[0]!.fill(0);
  const reading = look(0);
  assert.equal(reading.count, 0);
  assert.ok(reading.sum >= 0);
});
