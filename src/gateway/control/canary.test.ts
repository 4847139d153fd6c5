import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { bucketOf } from '../durations.ts';
import { ROUTE_SLOTS, routeSlots } from '../slots.ts';
import { Canary, type CanaryVerdict } from './canary.ts';

function trial(watchMs = 60_000) {
  const clock = new ManualClock();
  const cells = { canary: createCell(2, ROUTE_SLOTS), others: createCell(2, ROUTE_SLOTS) };
  const verdicts: CanaryVerdict[] = [];
  const canary = new Canary({ clock, cells, watchMs, onVerdict: (verdict) => verdicts.push(verdict) });
  const answered = (who: keyof typeof cells, slot: number, count: number, ms: number): void => {
    const lane = cellLane(cells[who], ROUTE_SLOTS, 1);
    lane[slot]! += count;
    lane[routeSlots.buckets + bucketOf(ms)]! += count;
  };
  return { clock, canary, verdicts, answered };
}

test('promoted when the time is over and it was no worse', () => {
  const { clock, verdicts, answered } = trial();
  answered('others', routeSlots.responses2xx, 900, 20);
  answered('canary', routeSlots.responses2xx, 100, 20);
  clock.pass(59_000);
  assert.equal(verdicts.length, 0);
  clock.pass(2000);
  const [verdict] = verdicts;
  assert.equal(verdict?.kind, 'promote');
  assert.match(verdict?.canary ?? '', /^100 requests, 0 errors/);
  clock.pass(10_000);
  assert.equal(verdicts.length, 1, 'once');
});

test('taken back within a second when it fails, with the numbers', () => {
  const { clock, verdicts, answered } = trial();
  answered('others', routeSlots.responses2xx, 900, 20);
  clock.pass(5000);
  answered('canary', routeSlots.responses5xx, 30, 20);
  clock.pass(1000);
  assert.deepEqual(
    verdicts.map(({ kind, reason }) => [kind, reason]),
    [['roll-back', '100.0 % of its requests fail, 0.00 % of the others']],
  );
});

test('taken back when too few requests came to tell', () => {
  const { clock, verdicts, answered } = trial(2000);
  answered('canary', routeSlots.responses2xx, 3, 20);
  clock.pass(3000);
  assert.deepEqual(
    verdicts.map(({ kind }) => kind),
    ['roll-back'],
  );
  assert.match(verdicts[0]!.reason, /only 3 requests/);
});

test('one that is ended says nothing more', () => {
  const { clock, canary, verdicts, answered } = trial(2000);
  canary.end();
  answered('canary', routeSlots.responses5xx, 300, 20);
  clock.pass(10_000);
  assert.deepEqual(verdicts, []);
});
