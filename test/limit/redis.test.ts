/** Limits in a real Redis, and what is done to it while they are in use. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, beforeEach, test } from 'node:test';

import type { SpillwayError } from '../../src/kernel/errors.ts';
import {
  allOf,
  concurrency,
  createLimiter,
  fixedWindow,
  gcra,
  redisStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/limit/index.ts';
import { RedisServer } from '../servers/redis.ts';
import { clients } from '../servers/redis-clients.ts';
import { Relay } from '../faults/relay.ts';
import {
  admitsExactly,
  answersCrowdsOfOneKey,
  goesByItsOwnClock,
  hundred,
  patient,
  takesGivesBackAndForgets,
  untilBack,
} from './remote-store.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

/** How often the server ran a script. */
async function scriptCalls(): Promise<number> {
  const stats = await server.admin.info('commandstats');
  return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

for (const [name, open] of Object.entries(clients)) {
  test(`${name}: takes, looks, gives back and forgets`, async () => {
    await using opened = await open(server.port);
    const store = redisStore(opened.client, { prefix: 'shop:limits' });
    await takesGivesBackAndForgets(store, () => server.admin.keys('*'), 'shop:limits:');
  });

  test(`${name}: R5: scripts that the server forgets in the middle of traffic are given to it again`, async () => {
    await using opened = await open(server.port);
    const limiter = createLimiter({
      name: 'api',
      algorithm: hundred,
      store: redisStore(opened.client),
      outage: patient,
    });
    let allowed = 0;
    for (let turn = 0; turn < 60; turn++) {
      const [flushed, ...decisions] = await Promise.all([
        server.admin.script('FLUSH'),
        ...Array.from({ length: 5 }, () => limiter.take('ann')),
      ]);
      assert.equal(flushed, 'OK');
      allowed += decisions.filter(({ allowed, source }) => allowed && source === 'store').length;
    }
    assert.equal(allowed, 100);
  });

  test(`${name}: at 200 ms there and back, a thousand callers of one tick are one call`, async () => {
    await using line = await Relay.open(server.port);
    line.delay(100);
    await using opened = await open(line.port);
    const store = redisStore(opened.client);
    const limiter = createLimiter({ name: 'api', algorithm: hundred, store, outage: patient });
    await limiter.take('warm');
    const before = await scriptCalls();
    const decisions = await Promise.all(Array.from({ length: 1000 }, () => limiter.take('ann')));
    assert.equal(decisions.filter(({ allowed }) => allowed).length, 100);
    assert.equal((await scriptCalls()) - before, 1);
    assert.equal((await limiter.take('ann')).source, 'cache', 'and who was refused is not asked about');
  });

  test(`${name}: R10: a server that is frozen, and a line that is dead, are answered for by the deadline`, async () => {
    await using line = await Relay.open(server.port);
    await using opened = await open(line.port);
    const store = redisStore(opened.client);
    const outage = { answer: 'closed', deadline: 50 } as const;
    const limiter = createLimiter({ name: 'api', algorithm: hundred, store, outage });
    await untilBack(() => limiter.take('ann'));
    server.freeze();
    try {
      const decision = await limiter.take('ann');
      assert.deepEqual([decision.allowed, decision.source], [false, 'closed']);
      assert.match(limiter.outage!.error.message, /no answer within 50 ms/);
    } finally {
      server.thaw();
    }
    await untilBack(() => limiter.take('ann'));
    assert.equal(limiter.outage, null);
    line.cut();
    assert.equal((await limiter.take('ann')).source, 'closed');
    line.pass();
    await untilBack(() => limiter.take('ann'));
  });

  test(`${name}: a slot that is granted after the deadline is given back when the answer comes`, async () => {
    const slots = concurrency({ limit: 1, lease: '1h' });
    await using near = await open(server.port);
    const others = createLimiter({ name: 'jobs', algorithm: slots, store: redisStore(near.client), outage: patient });
    // Both scripts are known then.
    await others.release('ann', (await others.take('ann')).lease);
    await using line = await Relay.open(server.port);
    line.delay(100);
    await using far = await open(line.port);
    // What is given up before there is a connection is not sent at all.
    await createLimiter({ name: 'api', algorithm: hundred, store: redisStore(far.client), outage: patient }).peek(
      'ann',
    );
    const before = await scriptCalls();
    const outage = { answer: 'closed', deadline: 20 } as const;
    const jobs = createLimiter({ name: 'jobs', algorithm: slots, store: redisStore(far.client), outage });
    assert.equal((await jobs.take('ann')).source, 'closed');
    // The take, and what gives it back.
    while ((await scriptCalls()) < before + 2) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await others.take('ann')).allowed, true);
  });

  test(`${name}: memory full is an outage and not a refusal, and nothing is done by half`, async () => {
    await using opened = await open(server.port);
    const store = redisStore(opened.client);
    const outage = { answer: 'open', deadline: '30s' } as const;
    const user = createLimiter({ name: 'user', algorithm: hundred, store, outage });
    const everybody = createLimiter({ name: 'all', algorithm: fixedWindow({ limit: 10, per: '366d' }), store, outage });
    const both = allOf(user, everybody);
    await both.take('ann');
    await server.admin.config('SET', 'maxmemory', '1');
    try {
      const decision = await both.take('ann');
      assert.deepEqual([decision.allowed, decision.source], [true, 'open']);
      assert.match(user.outage!.error.message, /OOM/);
    } finally {
      await server.admin.config('SET', 'maxmemory', '0');
    }
    await untilBack(() => user.take('bob'));
    assert.deepEqual([(await user.peek('ann')).remaining, (await everybody.peek('ann')).remaining], [99, 9]);
  });
}

test('R2: a thousand callers of two processes at once are admitted exactly as often as the limit says, a hundred times', async () => {
  await using first = await clients['ioredis 6'](server.port);
  await using second = await clients['node-redis 6'](server.port);
  await admitsExactly([redisStore(first.client), redisStore(second.client)]);
});

test('thousands who ask in one tick and share a key are answered by Redis, and not by the outage', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  await answersCrowdsOfOneKey(redisStore(opened.client));
});

test('two processes that take ten ahead admit exactly the limit, with a tenth of the calls', async () => {
  await using first = await clients['ioredis 6'](server.port);
  await using second = await clients['node-redis 6'](server.port);
  const algorithm = slidingLog({ limit: 1000, per: '1d' });
  const limiters = [first, second].map(({ client }) =>
    createLimiter({ name: 'api', algorithm, store: redisStore(client), reserve: 10, outage: { deadline: '30s' } }),
  );
  const before = await scriptCalls();
  /** One take after another, so that nobody shares a call. */
  const drained = await Promise.all(
    limiters.map(async (limiter) => {
      const sources: string[] = [];
      for (let take = await limiter.take('ann'); take.allowed; take = await limiter.take('ann'))
        sources.push(take.source);
      return sources;
    }),
  );
  const sources = drained.flat();
  assert.equal(sources.length, 1000);
  assert.ok(sources.every((source) => source === 'store' || source === 'reserve'));
  // A hundred that were granted, one for each that was refused at last; and a slow run gives some back and asks anew.
  const calls = (await scriptCalls()) - before;
  assert.ok(calls >= 100 && calls <= 110, `${calls} calls`);
});

test('R3: the clock of the process that asks has no say', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  await goesByItsOwnClock((clock) => redisStore(opened.client, { clock }));
});

test('killed and restarted: each outage policy answers, and the store is back by itself', async () => {
  await using redis = await RedisServer.start();
  await using opened = await clients['ioredis 6'](redis.port);
  const store = redisStore(opened.client);
  const limiterWith = (answer: 'open' | 'closed' | 'fallback') =>
    createLimiter({
      name: answer,
      algorithm: slidingLog({ limit: 10, per: '1d' }),
      store,
      outage: answer === 'fallback' ? { ...patient, answer, share: 0.5 } : { ...patient, answer },
    });
  const [open, closed, fallback] = [limiterWith('open'), limiterWith('closed'), limiterWith('fallback')];
  for (const limiter of [open, closed, fallback])
    assert.equal((await limiter.take('ann', { cost: 4 })).source, 'store');
  await redis.kill();
  const of = async (limiter: typeof open) =>
    (await Promise.all(Array.from({ length: 20 }, () => limiter.take('ann')))).map(
      ({ allowed, source }) => `${source} ${allowed}`,
    );
  assert.deepEqual(
    await of(open),
    Array.from({ length: 20 }, () => 'open true'),
  );
  assert.deepEqual(
    await of(closed),
    Array.from({ length: 20 }, () => 'closed false'),
  );
  const local = await of(fallback);
  assert.deepEqual(local.filter((each) => each === 'fallback true').length, 5, 'half of the limit');
  await redis.restart();
  await untilBack(() => closed.take('bob'));
  const back = await closed.peek('ann');
  assert.deepEqual([back.source, back.remaining], ['store', 10], 'nothing was saved, so everybody begins anew');
});

test('R15: a replica decides nothing; once it is promoted, it goes on with what had reached it', async () => {
  await using master = await RedisServer.start({ args: ['--repl-diskless-sync-delay', '0'] });
  await using replica = await RedisServer.start({ args: ['--replicaof', '127.0.0.1', String(master.port)] });
  await using toMaster = await clients['node-redis 6'](master.port);
  await using toReplica = await clients['node-redis 6'](replica.port);
  const before = createLimiter({
    name: 'api',
    algorithm: hundred,
    store: redisStore(toMaster.client),
    outage: patient,
  });
  const outage = { answer: 'closed', deadline: '30s' } as const;
  const afterwards = createLimiter({ name: 'api', algorithm: hundred, store: redisStore(toReplica.client), outage });
  while (!(await master.admin.info('replication')).includes('state=online')) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await before.take('ann', { cost: 60 });
  // It waits for what its own connection wrote, and so for all that was written before.
  await master.admin.set('after', 'the take');
  assert.equal(await master.admin.wait(1, 10_000), 1);
  const refused = await afterwards.peek('ann');
  assert.deepEqual([refused.allowed, refused.source], [false, 'closed']);
  assert.match(afterwards.outage!.error.message, /READONLY/);
  await master.kill();
  await replica.admin.replicaof('NO', 'ONE');
  await untilBack(() => afterwards.peek('ann'));
  assert.equal((await afterwards.peek('ann')).remaining, 40);
});

test('R6: what another type of data stands for is read as unused, and every key has an end', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const limiter = createLimiter({ name: 'api', algorithm: hundred, store: redisStore(opened.client), outage: patient });
  const key = 'spillway:api:sliding-log-100:ann';
  await server.admin.lpush(key, 'not ours');
  assert.equal((await limiter.take('ann')).remaining, 99);
  assert.ok((await server.admin.pttl(key)) > 0);
  await server.admin.set(key, 'seven b');
  assert.equal((await limiter.take('ann')).remaining, 99);
});

test('R6: a key outlives what it says by ten seconds at most, and is given another end only when it must', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const algorithm = tokenBucket({ capacity: 1000, refillPerSecond: 1 });
  const limiter = createLimiter({ name: 'ends', algorithm, store: redisStore(opened.client), outage: patient });
  const serverMs = async (): Promise<number> => {
    const [seconds, micros] = await server.admin.time();
    return Number(seconds) * 1000 + Number(micros) / 1000;
  };
  const endAfter = async (cost: number): Promise<number> => {
    const beforeMs = await serverMs();
    const { resetAfterMs } = await limiter.take('ann', { cost });
    const endMs = Number(await server.admin.call('pexpiretime', 'spillway:ends:token-bucket:ann'));
    assert.ok(endMs >= beforeMs + resetAfterMs - 1, 'not before it is as good as new');
    assert.ok(endMs <= (await serverMs()) + resetAfterMs + 10_001, 'ten seconds later at most');
    return endMs;
  };
  const first = await endAfter(100);
  assert.equal(await endAfter(2), first, 'one that is far enough stays');
  const second = await endAfter(500);
  assert.ok(second > first);
  await limiter.refund('ann', 500);
  assert.ok((await endAfter(1)) < second, 'and one that is too far comes nearer');
});

test('R6: a key of a short window outlives what it says by no more than another', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const short = { limit: 100, per: '1s' } as const;
  const algorithms = [
    tokenBucket({ capacity: 100, refillPerSecond: 100 }),
    gcra(short),
    fixedWindow(short),
    slidingWindow(short),
    slidingLog(short),
    concurrency({ limit: 100, lease: '1s' }),
  ];
  for (const algorithm of algorithms) {
    const limiter = createLimiter({ name: 'short', algorithm, store: redisStore(opened.client), outage: patient });
    // Alone, and among others.
    for (const keys of [['ann'], ['ann', 'bob', 'cid']]) {
      await Promise.all(keys.map((key) => limiter.take(key, { cost: 90 })));
      await Promise.all(keys.map((key) => limiter.peek(key)));
    }
    // Two windows of the sliding counter say something, and a third is for the next.
    for (const key of await server.admin.keys('spillway:short:*'))
      assert.ok((await server.admin.pttl(key)) <= 3001, key);
  }
});

test('the rights that the page of errors names are enough', async () => {
  const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  const [, rights = ''] = /\(Redis: `(.*?)` on the keys of the prefix/.exec(page) ?? [];
  await server.admin.call('acl', 'setuser', 'limits', 'reset', 'on', 'nopass', '~spillway:*', ...rights.split(' '));
  await using opened = await clients['ioredis 6'](server.port);
  await opened.client.call('auth', 'limits', 'any');
  // Of a state that is as long, and a key that lasts long enough: what is written over takes another right than what is new.
  const algorithm = tokenBucket({ capacity: 100, refillPerSecond: 1 });
  const limiter = createLimiter({ name: 'api', algorithm, store: redisStore(opened.client), outage: patient });
  for (let take = 0; take < 3; take++) {
    assert.equal((await limiter.take('ann')).source, 'store', limiter.outage?.error.message);
  }
  await limiter.refund('ann');
  const both = await Promise.all(['ann', 'bob'].map((key) => limiter.take(key)));
  await limiter.reset('ann');
  assert.deepEqual(
    [...both, await limiter.peek('ann')].map(({ source }) => source),
    ['store', 'store', 'store'],
  );
});

for (const [lacks, rights] of [
  ['to run scripts', ['+@read']],
  ['to read', ['+evalsha', '+eval', '+time', '+set', '+del']],
] as const) {
  test(`a user without the right ${lacks} is refused for good, and told so`, async () => {
    await server.admin.call('acl', 'setuser', 'guest', 'reset', 'on', 'nopass', '~*', ...rights);
    await using opened = await clients['ioredis 6'](server.port);
    await opened.client.call('auth', 'guest', 'any');
    const store = redisStore(opened.client);
    const outage = { answer: 'closed', deadline: '30s' } as const;
    const limiter = createLimiter({ name: 'api', algorithm: hundred, store, outage });
    const refused = (error: SpillwayError): boolean =>
      error.code === 'STORE_REFUSED' &&
      !error.retryable &&
      /NOPERM|can't run this command|has no permissions/.test(error.message);
    assert.equal((await limiter.take('ann')).source, 'closed');
    assert.ok(refused(limiter.outage!.error), limiter.outage!.error.message);
    const part = { name: 'api', algorithm: hundred, key: 'ann', cost: 1, times: 1, holder: 0 };
    await assert.rejects(
      store.ask([{ verb: 'take', parts: [part] }], { signal: new AbortController().signal }),
      refused,
    );
    await assert.rejects(limiter.reset('ann'), { code: 'STORE_REFUSED' });
  });
}

test('what is no client of Redis is refused', () => {
  for (const client of [null, {}, { sendCommand: 1 }, 'redis://localhost']) {
    assert.throws(() => redisStore(client as never), { code: 'OPTIONS_INVALID' });
  }
  assert.throws(() => redisStore({} as never, { prefix: 'a b' }), { code: 'OPTIONS_INVALID' });
});
