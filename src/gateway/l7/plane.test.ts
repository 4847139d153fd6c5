/** The time that a plane's connections go by: read once for several events of a turn, and never old. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { snapshotOf } from '../../../test/engine/plans.ts';
import { seededRandom } from '../../kernel/random.ts';
import { Plane } from './plane.ts';

/** In a turn of which somebody is told the end: of that and of nothing else the clock is not read for each event. */
function inTurn(): { plane: Plane; clock: ManualClock; snapshot: ReturnType<typeof snapshotOf> } {
  const clock = new ManualClock();
  const snapshot = snapshotOf([1]);
  const plane = new Plane({
    clock,
    random: seededRandom(1),
    lane: 1,
    transport: 'auto',
    snapshot,
    rowFull: () => {},
    traced: () => {},
    notice: () => {},
  });
  plane.outbox.tell({ turned: () => {} });
  plane.tick();
  return { plane, clock, snapshot };
}

test('in a turn that lasts, what comes late in it is not taken for what came at its beginning', () => {
  const { plane, clock } = inTurn();
  let oldest = 0;
  for (let event = 0; event < 1000; event += 1) {
    clock.pass(1);
    plane.tick();
    oldest = Math.max(oldest, clock.nowMs() - plane.nowMs);
  }
  assert.ok(oldest <= 16, `the time is that of ${oldest} events ago`);
});

test('what comes after a config was put in force has the time after it', () => {
  const { plane, clock, snapshot } = inTurn();
  clock.pass(500);
  plane.apply(snapshot);
  plane.tick();
  assert.equal(plane.nowMs, clock.nowMs());
  clock.pass(500);
  plane.setCanary(null);
  plane.tick();
  assert.equal(plane.nowMs, clock.nowMs());
});
