/** What is held against each store on another engine, whichever it is: called by the tests of each with their own server. */
import assert from 'node:assert/strict';

import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import {
  allOf,
  concurrency,
  createLimiter,
  fixedWindow,
  gcra,
  type RemoteStore,
  slidingLog,
} from '../../src/limit/index.ts';

/** A limit that nothing comes back of while a test runs. */
export const hundred = slidingLog({ limit: 100, per: '1d' });

/** For what is not about deadlines: a busy machine is no outage. */
export const patient = { deadline: '30s' } as const;

/** Asks until the answer is from the store again: whoever is back must be noticed. */
export async function untilBack(take: () => Promise<{ readonly source: string }>): Promise<void> {
  while ((await take()).source !== 'store') await new Promise((resolve) => setTimeout(resolve, 20));
}

/** `names`: of all keys that the store holds; `prefix`: what they begin with. */
export async function takesGivesBackAndForgets(
  store: RemoteStore,
  names: () => Promise<readonly string[]>,
  prefix = '',
): Promise<void> {
  const api = createLimiter({ name: 'api', algorithm: gcra({ limit: 10, per: '1h' }), store, outage: patient });
  const taken = await api.take('ann', { cost: 4 });
  assert.deepEqual([taken.allowed, taken.remaining, taken.source], [true, 6, 'store']);
  assert.equal((await api.take('ann', { cost: 7 })).retryAfterMs > 350_000, true);
  assert.equal((await api.takeUpTo('ann', 100)).granted, 6);
  await api.refund('ann', 2);
  assert.equal((await api.peek('ann')).remaining, 2);
  await api.peek('bob');
  assert.deepEqual(await names(), [`${prefix}api:token-bucket:ann`], 'who is only looked at is not kept');
  await api.reset('ann');
  assert.deepEqual(await names(), []);

  const jobs = createLimiter({
    name: 'jobs',
    algorithm: concurrency({ limit: 1, lease: '1h' }),
    store,
    outage: patient,
  });
  const held = await jobs.take('ann');
  assert.equal((await jobs.take('ann')).allowed, false);
  assert.equal(await jobs.renew('ann', held.lease), true);
  assert.equal(await jobs.release('ann', held.lease), true);
  assert.equal(await jobs.release('ann', held.lease), false);
}

/** A thousand callers of two processes at once are admitted exactly as often as the limit says, a hundred times. */
export async function admitsExactly(stores: readonly [RemoteStore, RemoteStore]): Promise<void> {
  const limiters = stores.map((store) => createLimiter({ name: 'api', algorithm: hundred, store, outage: patient }));
  for (let run = 0; run < 100; run++) {
    const decisions = await Promise.all(
      Array.from({ length: 1000 }, async (_, caller) => {
        // Not all in one tick: each joins whatever call is next.
        for (let turns = caller % 5; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
        return limiters[caller % 2]!.take(`run ${run}`);
      }),
    );
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 100);
    assert.ok(decisions.every(({ source }) => source === 'store' || source === 'cache'));
  }
}

/** However many ask in one tick, and share a key, they are answered by the store. */
export async function answersCrowdsOfOneKey(store: RemoteStore): Promise<void> {
  const day = fixedWindow({ limit: 6000, per: '366d' });
  const [user, everybody] = ['user', 'all'].map((name) =>
    createLimiter({ name, algorithm: day, store, outage: patient }),
  );
  const both = allOf(user!, everybody!);
  const together = await Promise.all(Array.from({ length: 5000 }, (_, number) => both.take([`u${number}`, 'all'])));
  assert.ok(
    together.every(({ allowed, source }) => allowed && source === 'store'),
    user!.outage?.error.message,
  );
  // Two costs in turn: none may join the one before.
  const alone = await Promise.all(
    Array.from({ length: 9000 }, (_, number) => everybody!.take('all', { cost: number % 2 })),
  );
  assert.ok(
    alone.every(({ source }) => source === 'store'),
    everybody!.outage?.error.message,
  );
  assert.equal(alone.filter(({ granted }) => granted > 0).length, 1000);
}

/** The clock of the process that asks has no say. */
export async function goesByItsOwnClock(storeWith: (clock: Clock) => RemoteStore): Promise<void> {
  const remaining: number[] = [];
  for (const offMs of [0, 3_600_000, -3_600_000]) {
    const store = storeWith({
      ...systemClock,
      wallMs: () => Date.now() + offMs,
      nowMs: () => performance.now() + 2 * offMs,
    });
    const limiter = createLimiter({
      name: 'api',
      algorithm: fixedWindow({ limit: 9, per: '366d' }),
      store,
      outage: patient,
    });
    remaining.push((await limiter.take('ann')).remaining);
  }
  assert.deepEqual(remaining, [8, 7, 6]);
}
