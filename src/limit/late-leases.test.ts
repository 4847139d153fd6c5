/** Leases that a remote store grants when nobody waits for them any more. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DistantStore, pass, settle } from '../../test/limit/distant-store.ts';
import { allOf, concurrency, createLimiter } from './index.ts';

test('leases that are granted too late, or to who has given up, are given back, and others are not', async () => {
  const store = new DistantStore();
  const slots = concurrency({ limit: 5, lease: '1h' });
  const outage = { answer: 'closed', deadline: 100 } as const;
  const jobs = createLimiter({ name: 'jobs', algorithm: slots, store, outage });
  const other = createLimiter({ name: 'other', algorithm: slots, store, outage });
  const free = (name: string): number =>
    createLimiter({ name, algorithm: slots, store: store.memory }).peekSync('ann').remaining;

  store.roundTripMs = 150;
  const late = Promise.all([jobs.take('ann'), jobs.take('ann', { cost: 2 }), allOf(jobs, other).take('ann')]);
  await pass(store.clock, 120);
  assert.deepEqual(
    (await late).map(({ source }) => source),
    ['closed', 'closed', 'closed'],
  );
  assert.deepEqual([free('jobs'), free('other')], [1, 4]);
  assert.equal((await jobs.take('ann')).source, 'closed', 'in a pause');
  await pass(store.clock, 150);
  assert.deepEqual([free('jobs'), free('other')], [5, 5]);

  store.roundTripMs = 40;
  await pass(store.clock, 10_000);
  assert.equal((await answered(store, jobs.take('bob'))).source, 'store');
  const gone = new AbortController();
  const { signal } = gone;
  const staying = jobs.take('ann');
  const leaving = Promise.allSettled([jobs.take('ann', { signal }), allOf(jobs, other).take('ann', { signal })]);
  await settle();
  gone.abort();
  assert.deepEqual(
    (await leaving).map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await pass(store.clock, 100);
  assert.deepEqual([(await staying).source, free('jobs'), free('other')], ['store', 4, 5]);
  const { lease } = await staying;
  assert.equal(await answered(store, jobs.release('ann', lease)), true);
});

async function answered<T>(store: DistantStore, asked: Promise<T>): Promise<T> {
  await pass(store.clock, store.roundTripMs);
  return asked;
}
