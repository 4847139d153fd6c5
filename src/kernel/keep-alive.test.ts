import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeepAlive } from './keep-alive.ts';

/** Timers that keep this process alive. */
const awake = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

test('one timer keeps the process alive while anybody awaits something, and none when nobody does', () => {
  const before = awake();
  const [one, other] = [new KeepAlive(), new KeepAlive()];
  one.set(false);
  assert.equal(awake(), before);
  one.set(true);
  one.set(true);
  other.set(true);
  assert.equal(awake(), before + 1);
  one.set(false);
  assert.equal(awake(), before + 1);
  other.set(false);
  assert.equal(awake(), before);
  other.set(true);
  assert.equal(awake(), before + 1);
  other.set(false);
  assert.equal(awake(), before);
});
