/** What is asked of leases in a real Redis in one tick: in few calls, and each claim by itself. */
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import { type Claim, type LeaseStore, redisLeases, type RedisLeasesClient } from '../../src/lease/index.ts';
import { WHOLE } from '../../src/lease/store.ts';
import { Relay } from '../faults/relay.ts';
import { clients } from '../servers/redis-clients.ts';
import { RedisServer } from '../servers/redis.ts';
import { busy, claimOf, granted, until, waiting } from './claims.ts';
import { openStore } from './redis-store.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

async function calls(): Promise<number> {
  const stats = await server.admin.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** The server knows the scripts from then on: one that it has to be sent is done after what was asked later. */
async function learn(store: LeaseStore): Promise<void> {
  const [first, next] = [claimOf(), claimOf()];
  await granted(store, first);
  await store.renew(first, waiting);
  await Promise.all([store.release(first, waiting), granted(store, next)]);
  await store.release(next, waiting);
}

async function openWarm(kind: keyof typeof clients = 'ioredis 6') {
  const one = await openStore(server.port, { listen: false }, kind);
  await learn(one.store);
  await server.admin.config('RESETSTAT');
  return one;
}

const keyed = (count: number): Claim[] => Array.from({ length: count }, (_, at) => claimOf({ key: `k${at}` }));

for (const kind of Object.keys(clients) as (keyof typeof clients)[]) {
  test(`a hundred of one tick are four calls of each verb, with ${kind}`, async () => {
    await using one = await openWarm(kind);
    const claims = keyed(100);
    const tokens = await Promise.all(claims.map((claim) => granted(one.store, claim)));
    assert.equal(await calls(), 4);
    assert.deepEqual(
      tokens,
      tokens.toSorted((a, b) => Number(a - b)),
    );
    assert.equal(new Set(tokens).size, 100);
    assert.ok(BigInt((await server.admin.get('spillway:fence'))!) >= tokens.at(-1)!);
    const renewals = await Promise.all(claims.map((claim) => one.store.renew(claim, waiting)));
    assert.ok(renewals.every(({ held }) => held));
    assert.equal(await calls(), 8);
    await Promise.all(claims.map((claim) => one.store.release(claim, waiting)));
    assert.equal(await calls(), 12);
    assert.deepEqual(await server.admin.keys('*'), ['spillway:fence']);
  });
}

test('a later call never gives a smaller token than an earlier one, also if not all of that were granted', async () => {
  await using one = await openWarm();
  let last = 0n;
  for (let round = 0; round < 20; round++) {
    const claims = keyed(5).map((claim, at) => (at === 3 ? { ...claim, key: 'k0' } : claim));
    const answers = await Promise.all(claims.map((claim) => one.store.try(claim, waiting)));
    assert.deepEqual(
      answers.map((answer) => answer.granted),
      [true, true, true, false, true],
    );
    for (const answer of answers) {
      if (!answer.granted) continue;
      assert.ok(answer.token > last);
      last = answer.token;
    }
    await Promise.all(claims.map((claim) => one.store.release(claim, waiting)));
  }
});

test('what a server refuses of one claim is no error of those beside it', async () => {
  await using one = await openWarm();
  const claims = keyed(4);
  await server.admin.lpush('spillway:lease:k1', 'a list');
  const tried = await Promise.allSettled(claims.map((claim) => one.store.try(claim, waiting)));
  const refused = (results: readonly PromiseSettledResult<unknown>[], message: RegExp): void => {
    for (const [at, result] of results.entries()) {
      assert.equal(result.status, at === 1 ? 'rejected' : 'fulfilled');
      if (result.status === 'rejected') assert.match(String(result.reason), message);
    }
  };
  refused(tried, /WRONGTYPE/);
  refused(await Promise.allSettled(claims.map((claim) => one.store.renew(claim, waiting))), /WRONGTYPE/);
  refused(await Promise.allSettled(claims.map((claim) => one.store.release(claim, waiting))), /WRONGTYPE/);
  assert.deepEqual((await server.admin.keys('*')).toSorted(), ['spillway:fence', 'spillway:lease:k1']);
});

test('what was given up is not asked for again behind its release when the server refuses the call it was in', async () => {
  await using one = await openWarm();
  await server.admin.lpush('spillway:lease:k0', 'a list');
  const [bad, given, kept] = keyed(3) as [Claim, Claim, Claim];
  const gone = new AbortController();
  const tried = Promise.allSettled([
    one.store.try(bad, waiting),
    one.store.try(given, { signal: gone.signal }),
    one.store.try(kept, waiting),
  ]);
  await new Promise<void>((resolve) => process.nextTick(resolve));
  gone.abort();
  await one.store.release(given, waiting);
  assert.deepEqual(
    (await tried).map(({ status }) => status),
    ['rejected', 'rejected', 'fulfilled'],
  );
  assert.deepEqual(await one.store.read(given.key, waiting), []);
  assert.equal((await one.store.read(kept.key, waiting)).length, 1);
});

test('what fails with the connection fails for all, and once', async () => {
  await using own = await RedisServer.start();
  await using one = await openStore(own.port, { listen: false });
  await granted(one.store, claimOf());
  await own.kill();
  const failed = await Promise.allSettled(keyed(3).map((claim) => one.store.try(claim, waiting)));
  for (const result of failed) {
    assert.equal(result.status, 'rejected');
    assert.equal(result.reason.code, 'STORE_UNAVAILABLE');
  }
});

test('who is next asks together with the release before it, whatever else was asked before', async () => {
  await using one = await openWarm();
  const [held, other, next] = [claimOf(), claimOf({ key: 'other' }), claimOf({ queue: true })];
  await granted(one.store, held);
  const first = granted(one.store, other);
  const released = one.store.release(held, waiting);
  assert.ok((await granted(one.store, next)) > 0n);
  await Promise.all([first, released]);
});

for (const kind of Object.keys(clients) as (keyof typeof clients)[]) {
  test(`a release and what is claimed beside it is one call, with ${kind}`, async () => {
    await using one = await openWarm(kind);
    const [held, next, last] = [claimOf(), claimOf(), claimOf({ queue: true })];
    const first = await granted(one.store, held);
    const [, second] = await Promise.all([one.store.release(held, waiting), granted(one.store, next)]);
    assert.ok(second > first);
    assert.equal(await calls(), 2);
    await Promise.all([one.store.release(held, waiting), busy(one.store, last)]);
    await Promise.all([one.store.release(next, waiting), granted(one.store, last)]);
    assert.equal(await calls(), 4);
    // More is claimed than is given back.
    await Promise.all([one.store.release(last, waiting), ...keyed(2).map((claim) => granted(one.store, claim))]);
    assert.equal(await calls(), 6);
  });
}

test('what a server refuses of a release or of a claim beside it is no error of the other', async () => {
  await using one = await openWarm();
  await server.admin.lpush('spillway:lease:k0', 'a list');
  const [bad, held, next] = [claimOf({ key: 'k0' }), claimOf(), claimOf({ key: 'k1' })];
  await granted(one.store, held);
  const given = await Promise.allSettled([one.store.release(held, waiting), one.store.try(bad, waiting)]);
  assert.deepEqual(
    given.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  );
  assert.deepEqual(await one.store.read(held.key, waiting), []);
  const taken = await Promise.allSettled([one.store.release(bad, waiting), granted(one.store, next)]);
  assert.deepEqual(
    taken.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
});

test('a full memory takes back what is given back beside more than that which is claimed', async () => {
  await using own = await RedisServer.start({ args: ['--maxmemory-policy', 'noeviction'] });
  await using one = await openStore(own.port);
  const claim = claimOf({ key: 'held' });
  await granted(one.store, claim);
  await own.admin.config('SET', 'maxmemory', '1');
  const asked = [one.store.release(claim, waiting), ...keyed(2).map((other) => one.store.try(other, waiting))];
  assert.deepEqual(
    (await Promise.allSettled(asked)).map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected'],
  );
  assert.deepEqual(await own.admin.keys('*'), ['spillway:fence']);
});

test('what was given up is not asked for by a server that has to learn the script first', async () => {
  for (const beside of [false, true]) {
    await using one = await openWarm();
    const held = claimOf({ key: 'held' });
    await granted(one.store, held);
    await server.admin.script('FLUSH');
    const [given, kept] = keyed(2) as [Claim, Claim];
    const gone = new AbortController();
    const released = beside ? [one.store.release(held, waiting), one.store.release(held, waiting)] : [];
    const tried = Promise.allSettled([
      one.store.try(given, { signal: gone.signal }),
      one.store.try(kept, waiting),
      ...released,
    ]);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    gone.abort();
    await one.store.release(given, waiting);
    assert.deepEqual(
      (await tried).map(({ status }) => status),
      ['rejected', 'fulfilled', ...released.map(() => 'fulfilled')],
    );
    assert.deepEqual(await one.store.read(given.key, waiting), []);
    assert.equal((await one.store.read(kept.key, waiting)).length, 1);
    assert.equal((await one.store.read(held.key, waiting)).length, beside ? 0 : 1);
    await server.admin.flushall();
  }
});

for (const kind of ['node-redis 6', 'node-redis 5'] as const) {
  test(`a call that nobody waits for any more is not sent, and one that somebody does is, with ${kind}`, async () => {
    await using relay = await Relay.open(server.port);
    await using opened = await clients[kind](relay.port);
    const client = opened.client as RedisLeasesClient & { readonly isReady: boolean };
    const store = redisLeases(client, { listen: false });
    await granted(store, claimOf({ key: 'warm' }));
    relay.refuse();
    relay.reset();
    await until(() => !client.isReady);
    const [stop, stopToo] = [new AbortController(), new AbortController()];
    const ask = (claim: Claim, { signal }: AbortController) => store.try(claim, { signal });
    const given = Promise.allSettled([ask(claimOf({ key: 'a' }), stop), ask(claimOf({ key: 'b' }), stopToo)]);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    const kept = Promise.allSettled([
      ask(claimOf({ key: 'c', ttlMs: 90_000 }), stop),
      store.try(claimOf({ key: 'd', ttlMs: 90_000 }), waiting),
    ]);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    stop.abort();
    stopToo.abort();
    await relay.accept();
    assert.deepEqual(
      (await given).map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.deepEqual(
      (await kept).map(({ status }) => status),
      ['fulfilled', 'fulfilled'],
    );
    assert.deepEqual((await server.admin.keys('spillway:lease:*')).toSorted(), [
      'spillway:lease:c',
      'spillway:lease:d',
      'spillway:lease:warm',
    ]);
  });
}

const asked = fc.array(
  fc.record({
    verb: fc.constantFrom('try' as const, 'try' as const, 'renew' as const, 'release' as const),
    who: fc.nat(11),
  }),
  { maxLength: 60 },
);
/** Of a dozen claims on three keys: alone, together, in line. */
const claimants = fc.array(
  fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    share: fc.constantFrom(1, WHOLE),
    queue: fc.boolean(),
    ttlMs: fc.constantFrom(60_000, 90_000),
  }),
  { minLength: 12, maxLength: 12 },
);

async function ask(store: LeaseStore, claim: Claim, verb: 'try' | 'renew' | 'release'): Promise<unknown> {
  if (verb === 'try') return (await store.try(claim, waiting)).granted;
  if (verb === 'renew') return (await store.renew(claim, waiting)).held;
  return await store.release(claim, waiting);
}

test('what is asked in one tick is answered as what is asked one after the other', async () => {
  await using together = await openStore(server.port, { prefix: 'together', listen: false });
  await using alone = await openStore(server.port, { prefix: 'alone', listen: false });
  await learn(together.store);
  await fc.assert(
    fc.asyncProperty(claimants, fc.array(asked, { minLength: 1, maxLength: 4 }), async (given, ticks) => {
      await server.admin.flushdb();
      const claims = given.map((change) => claimOf(change));
      for (const steps of ticks) {
        const answers = await Promise.all(steps.map(({ who, verb }) => ask(together.store, claims[who]!, verb)));
        for (const [at, { who, verb }] of steps.entries()) {
          assert.equal(answers[at], await ask(alone.store, claims[who]!, verb), `${verb} of ${who}, step ${at}`);
        }
        for (const key of ['a', 'b', 'c']) {
          const held = async (store: LeaseStore) =>
            (await store.read(key, waiting)).map(({ holder, share }) => ({ holder, share }));
          assert.deepEqual(await held(together.store), await held(alone.store));
        }
      }
      for (const { store } of [together, alone])
        await Promise.all(claims.map((claim) => store.release(claim, waiting)));
      assert.deepEqual(
        (await server.admin.keys('*')).filter((key) => !key.endsWith(':fence')),
        [],
      );
    }),
    { numRuns: 100 },
  );
});

test('one that is busy beside one that is granted keeps its place', async () => {
  await using one = await openWarm();
  const [held, second, third] = [claimOf(), claimOf({ queue: true }), claimOf({ queue: true })];
  await granted(one.store, held);
  await Promise.all([
    busy(one.store, second),
    granted(one.store, claimOf({ key: 'free', queue: true })),
    busy(one.store, third),
  ]);
  await one.store.release(held, waiting);
  await busy(one.store, third);
  await granted(one.store, second);
});
