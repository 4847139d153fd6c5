import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';

const NODE_MS_MAX = 2 ** 31 - 1;

test('a timer may be set further ahead than one of Node, and for ever', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const rang: string[] = [];
  const delayMs = 2 * NODE_MS_MAX + 1000;
  systemClock.after(delayMs, () => rang.push('late'));
  const cleared = systemClock.after(delayMs, () => rang.push('cleared'));
  const never = systemClock.after(Infinity, () => rang.push('never'));
  // The mock sets what a timer sets as of the end of its tick.
  for (const tickMs of [NODE_MS_MAX, NODE_MS_MAX, 999]) t.mock.timers.tick(tickMs);
  cleared.clear();
  assert.deepEqual(rang, []);
  t.mock.timers.tick(1);
  assert.deepEqual(rang, ['late']);
  t.mock.timers.tick(NODE_MS_MAX);
  never.clear();
  assert.deepEqual(rang, ['late']);
});

/** Timers that keep this process alive. */
const awake = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('one timer keeps the process alive while anybody awaits something, and none when nobody does', () => {
  const before = awake();
  const { keepAlive } = systemClock;
  const say = (isAwaited: boolean): number => {
    keepAlive?.(isAwaited);
    return awake() - before;
  };
  assert.deepEqual([true, true, false, false, true, false].map(say), [1, 1, 1, 0, 1, 0]);
});
