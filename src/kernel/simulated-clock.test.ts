import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from './simulated-clock.ts';

test('timers run in the order of their times, each at its time, and cleared ones do not', () => {
  const clock = new SimulatedClock();
  const startMs = clock.nowMs();
  const ran: string[] = [];
  const note = (name: string) => () => void ran.push(`${name}@${clock.nowMs() - startMs}`);
  clock.after(30, note('b'));
  clock.after(10, note('a'));
  const every = clock.every(20, note('tick'));
  clock.after(25, note('never')).clear();
  clock.after(30, () => clock.after(5, note('nested')));
  clock.pass(9);
  assert.deepEqual(ran, []);
  clock.pass(36);
  assert.deepEqual(ran, ['a@10', 'tick@20', 'b@30', 'nested@35', 'tick@40']);
  every.clear();
  clock.pass(1e6);
  assert.equal(ran.length, 5);
  assert.equal(clock.timers, 0);
  assert.equal(clock.wallMs() - clock.nowMs(), new SimulatedClock().wallMs() - new SimulatedClock().nowMs());
});
