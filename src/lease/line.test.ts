import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { Line } from './line.ts';

test('who waits without an end has the turn also after months', async () => {
  const clock = new SimulatedClock();
  const line = new Line();
  const options = { clock, waitMs: Infinity, signal: undefined };
  const first = await line.turn('leader', options);
  const second = line.turn('leader', options);
  clock.pass(100 * 86_400_000);
  first?.[Symbol.dispose]();
  assert.ok((await second) !== null);
  assert.equal(clock.timers, 0);
});
