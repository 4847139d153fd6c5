/** Work in turns, of the event loop and of a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from './simulated-clock.ts';
import { atOnce, inTurns, type Steps } from './steps.ts';

/** A millisecond each. */
function* work(clock: SimulatedClock, steps: number, onStep: () => void = () => {}): Steps<string> {
  for (let step = 0; step < steps; step++) {
    clock.pass(1);
    onStep();
    yield;
  }
  return 'done';
}

/** How often others have their turn until it is over. */
async function turnsOf(running: Promise<unknown>): Promise<number> {
  let [isOver, turns] = [false, 0];
  const over = running.finally(() => (isOver = true)).catch(() => {});
  for (; !isOver; turns++) await new Promise((resolve) => setImmediate(resolve));
  await over;
  return turns;
}

test('others have their turn as soon as one is over, and not before', async () => {
  const clock = new SimulatedClock();
  const running = inTurns(work(clock, 20), { clock, turnMs: 4 });
  const turns = await turnsOf(running);
  assert.equal(await running, 'done');
  assert.ok(turns >= 5 && turns <= 7, `${turns}`);
  assert.equal(await turnsOf(inTurns(work(clock, 3), { clock, turnMs: 4 })), 1);
  assert.equal(atOnce(work(clock, 3)), 'done');
});

test('once it is alone it goes on to its end, and what it throws is thrown', async () => {
  const clock = new SimulatedClock();
  let steps = 0;
  const isAlone = (): boolean => steps > 5;
  const running = inTurns(
    work(clock, 1000, () => steps++),
    { clock, turnMs: 1, isAlone },
  );
  assert.ok((await turnsOf(running)) < 10);
  assert.equal(steps, 1000);
  const failing = work(clock, 10, () => {
    throw new RangeError('no');
  });
  await assert.rejects(inTurns(failing, { clock, turnMs: 1 }), /no/);
});
