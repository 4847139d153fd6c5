import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { type Claim, WHOLE } from './store.ts';
import { Unrenewed } from './unrenewed.ts';

const claim: Claim = { key: 'k', id: '1', holder: 'me', share: WHOLE, of: WHOLE, ttlMs: 1000, queue: false };

test('what is granted late is given back a ttl after that, when its holder knows that it is over', async () => {
  const clock = new SimulatedClock();
  const gone: Claim[] = [];
  const unrenewed = new Unrenewed(clock, async (given) => void gone.push(given));
  await unrenewed.add(claim);
  clock.pass(700);
  unrenewed.granted(claim);
  clock.pass(999);
  assert.deepEqual(gone, []);
  clock.pass(201);
  assert.deepEqual(gone, [claim]);
});

test('what is being given back is not kept by an answer that comes after all', async () => {
  const clock = new SimulatedClock();
  let asked = 0;
  const unrenewed = new Unrenewed(clock, async () => {
    asked += 1;
    throw new Error('reset');
  });
  await unrenewed.add(claim);
  clock.pass(1200);
  assert.equal(asked, 1);
  await Promise.resolve();
  unrenewed.granted(claim);
  clock.pass(600);
  assert.ok(asked > 1, 'it is asked for again');
  unrenewed.clear();
  assert.equal(clock.timers, 0);
});
