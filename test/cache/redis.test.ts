/** Caches of several processes before one real Redis, and what is done to it while they are in use. */
import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';

import fc from 'fast-check';
import { Redis } from 'ioredis';
import { type Cache, type CacheOptions, createCache, type LoadContext, redisCache } from 'spillway/cache';
import { createMetrics } from 'spillway/observe';
import type { RedisClient } from '../../src/drivers/redis.ts';
import { isCoded } from '../../src/kernel/errors.ts';
import { Relay } from '../faults/relay.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';
import { clients, clusterClients } from '../servers/redis-clients.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

/** So long that nothing here waits for it. */
const deadline = '60s';

/** A cache of one process. */
function process(client: RedisClient, options: Partial<CacheOptions<string | null>> = {}): Cache<string | null> {
  const shared = { store: redisCache(client, { prefix: 'shop:cache' }), deadline, wait: '60s' } as const;
  return createCache<string | null>({ name: 'products', ttl: '1h', deadline, shared, ...options });
}

const fails = (): never => assert.fail('was to be known');

for (const [name, open] of Object.entries(clients)) {
  test(`${name}: what one process has loaded, another is given; what is absent too`, async () => {
    await using opened = await open(server.port);
    const [one, other] = [process(opened.client), process(opened.client)];
    assert.equal(await one.get('42', () => '{"Chair"} ü 🪑'), '{"Chair"} ü 🪑');
    assert.equal(await other.get('42', fails), '{"Chair"} ü 🪑');
    assert.equal(await one.get('none', () => null), null);
    assert.equal(await other.get('none', fails), null);
    assert.equal(other.peek('42'), '{"Chair"} ü 🪑', 'and is in memory then');
    assert.deepEqual((await server.admin.keys('*')).toSorted(), ['shop:cache:products:42', 'shop:cache:products:none']);
    for (const key of await server.admin.keys('*'))
      assert.ok((await server.admin.pttl(key)) > 0, 'every key has an end');
  });

  test(`${name}: what another type of data stands for is unknown, and is no outage`, async () => {
    await using opened = await open(server.port);
    const [one, other] = [process(opened.client), process(opened.client)];
    await server.admin.set('shop:cache:products:42', 'not ours');
    assert.equal(await one.get('42', () => 'Chair'), 'Chair');
    assert.equal(one.outage, null);
    assert.equal(await other.get('42', fails), 'Chair');
  });

  test(`${name}: a fleet of twenty processes with fifty callers each: one load`, async () => {
    await using opened = await open(server.port);
    const fleet = Array.from({ length: 20 }, () => process(opened.client));
    let loads = 0;
    const load = async (): Promise<string> => {
      loads += 1;
      // As long as it takes that all others have asked, and were told to wait.
      while (Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.admin.info('commandstats'))?.[1] ?? 0) < 20) {
        await new Promise((resolve) => setImmediate(resolve));
      }
      return 'Chair';
    };
    await server.admin.config('RESETSTAT');
    const answers = await Promise.all(
      fleet.flatMap((cache) => Array.from({ length: 50 }, () => cache.get('42', load))),
    );
    assert.deepEqual([answers.length, new Set(answers)], [1000, new Set(['Chair'])]);
    assert.equal(loads, 1);
  });

  test(`${name}: what was loaded before another process changed it is kept by nobody`, async () => {
    await using opened = await open(server.port);
    for (const change of [
      (cache: Cache<string | null>) => cache.delete('42'),
      (cache: Cache<string | null>) => cache.set('42', 'new'),
    ]) {
      await server.admin.flushall();
      const [reader, writer] = [process(opened.client), process(opened.client)];
      const row = Promise.withResolvers<string>();
      const begun = Promise.withResolvers<void>();
      const reading = reader.get('42', () => {
        begun.resolve();
        return row.promise;
      });
      await begun.promise;
      await change(writer);
      row.resolve('old');
      assert.equal(await reading, 'old', 'who asked before the change');
      assert.equal(reader.peek('42'), undefined);
      assert.notEqual(await process(opened.client).get('42', () => 'new'), 'old');
    }
  });

  test(`${name}: a server that is silent is answered for by the deadline: each loads for itself, says so, and comes back`, async () => {
    await using line = await Relay.open(server.port);
    await using opened = await open(line.port);
    const metrics = createMetrics();
    const shared = { store: redisCache(opened.client), deadline: 100, wait: '60s' } as const;
    const cache = process(opened.client, { shared, metrics });
    // Until it has answered once, a busy machine may be late.
    const answered = async (): Promise<void> => {
      for (let nth = 0; nth === 0 || cache.outage !== null; nth++) {
        await cache.get(`warm-${nth}`, () => 'v');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    await answered();
    line.cut();
    assert.equal(await cache.get('42', () => 'by itself'), 'by itself');
    assert.ok(isCoded(cache.outage?.error, 'STORE_UNAVAILABLE') && cache.outage.error.retryable);
    assert.match(cache.outage.error.message, /no answer within 100 ms.*loads for itself/);
    assert.equal(cache.peek('42'), 'by itself');
    await assert.rejects(cache.delete('42'), (error) => isCoded(error, 'STORE_UNAVAILABLE'));
    assert.equal(cache.peek('42'), undefined, 'here it is gone all the same');
    line.pass();
    await answered();
    let page = '';
    for await (const chunk of metrics.expose().body) page += chunk;
    assert.match(
      page,
      /spillway_cache_store_duration_seconds_count\{cache="products",store="redis",outcome="answered"\} [1-9]/,
    );
    assert.match(
      page,
      /spillway_cache_store_duration_seconds_count\{cache="products",store="redis",outcome="late"\} [1-9]/,
    );
  });
}

test('a set that was refused without a connection is not done when there is one again, however patient the client', async () => {
  await using line = await Relay.open(server.port);
  const client = new Redis(line.port, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
  client.on('error', () => {});
  try {
    const shared = { store: redisCache(client), deadline: 50, wait: '60s' } as const;
    const cache = process(client, { shared });
    const isSet = (key: string): Promise<boolean> => cache.set(key, 'v').then(() => true, () => false); // prettier-ignore
    while (!(await isSet('warm')));
    line.refuse();
    line.reset();
    while (client.status === 'ready') await new Promise((resolve) => setImmediate(resolve));
    for (let nth = 0; nth < 5; nth++) assert.equal(await isSet('refused'), false);
    await line.accept();
    while (!(await isSet('done')));
    const keys = await server.admin.keys('*');
    assert.deepEqual(keys.toSorted(), ['spillway:cache:products:done', 'spillway:cache:products:warm']);
  } finally {
    client.disconnect();
  }
});

test('a server that is full goes on answering what it knows and who is to load; what there is no room for is not known, and nothing old in its place', async () => {
  await using own = await RedisServer.start({ args: ['--maxmemory-policy', 'noeviction'] });
  await using opened = await clients['ioredis 6'](own.port);
  const [one, other] = [process(opened.client), process(opened.client)];
  for (const key of ['read', 'set', 'deleted']) await one.set(key, 'before');
  await own.admin.config('SET', 'maxmemory', '1');
  assert.equal(await other.get('read', fails), 'before');
  await one.set('set', 'new');
  await one.delete('deleted');
  const row = Promise.withResolvers<string>();
  const loading = one.get('miss', () => row.promise);
  const begun = async (): Promise<boolean> => (await own.admin.hget('shop:cache:products:miss', 'token')) !== null;
  while (!(await begun())) await new Promise((resolve) => setImmediate(resolve));
  const waiting = other.get('miss', () => 'loaded by the next');
  row.resolve('loaded');
  assert.equal(await loading, 'loaded');
  assert.equal(one.peek('miss'), 'loaded', 'here it is kept');
  assert.equal(await waiting, 'loaded by the next', 'who waited loads it after that, for it is not there');
  assert.deepEqual(await own.admin.keys('*'), ['shop:cache:products:read']);
  assert.equal(await other.get('read', fails), 'before');
  assert.deepEqual([one.outage, other.outage], [null, null]);
  await own.admin.config('SET', 'maxmemory', '0');
  await one.set('set', 'newer');
  assert.equal(await other.get('set', fails), 'newer');
});

test('in a cluster too, each key on its own node', async () => {
  await using cluster = await RedisCluster.start();
  for (const open of Object.values(clusterClients)) {
    await using opened = await open(cluster.nodes.map(({ port }) => port));
    const [one, other] = [process(opened.client), process(opened.client)];
    for (let nth = 0; nth < 20; nth++) {
      await one.get(`k${nth}`, () => `of ${nth}`);
      assert.equal(await other.get(`k${nth}`, fails), `of ${nth}`);
      await one.delete(`k${nth}`);
    }
  }
});

test('a loader that fails gives its lease back: the next process loads at once, and is not made to wait', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  await assert.rejects(
    process(opened.client).get('42', () => Promise.reject(new Error('no database'))),
    /no database/,
  );
  assert.equal(await process(opened.client).get('42', () => 'Chair'), 'Chair');
});

test('a value that JSON cannot hold is refused to who asked, and its lease given back', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const cache = process(opened.client) as unknown as Cache<bigint>;
  await assert.rejects(
    cache.get('42', () => 1n),
    TypeError,
  );
  assert.equal(await process(opened.client).get('42', () => 'Chair'), 'Chair');
});

test('who waits for a process that has died waits no longer than he said, and then loads for himself', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const dead = process(opened.client);
  const begun = Promise.withResolvers<void>();
  void dead.get('42', () => {
    begun.resolve();
    return new Promise<string>(() => {});
  });
  await begun.promise;
  const shared = { store: redisCache(opened.client, { prefix: 'shop:cache' }), deadline, wait: 50 } as const;
  assert.equal(await process(opened.client, { shared }).get('42', () => 'by himself'), 'by himself');
});

test('when all callers have left, the next process is not made to wait for the load that they began', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const leave = new AbortController();
  const begun = Promise.withResolvers<void>();
  const load = ({ signal }: LoadContext): Promise<string> =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      begun.resolve();
    });
  const left = process(opened.client).get('42', load, { signal: leave.signal });
  await begun.promise;
  leave.abort();
  await assert.rejects(left);
  assert.equal(await process(opened.client).get('42', () => 'Chair'), 'Chair');
});

test('a refresh before the end loads once in the fleet, and is not content with what is known', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const store = redisCache(opened.client);
  const signal = new AbortController().signal;
  const value = { text: '"old"', freshMs: 3_600_000, tookMs: 5 };
  await store.set('k', value, { signal });
  const ask = (token: string, beyondMs: number) => store.ask('k', { token, leaseMs: 3_600_000, beyondMs }, { signal });
  assert.equal((await ask('a', 0)).is, 'known');
  assert.equal((await ask('b', 3_700_000)).is, 'leased');
  assert.equal((await ask('c', 3_700_000)).is, 'taken');
  assert.equal((await ask('d', 0)).is, 'known', 'who is content with it is not made to wait');
  assert.equal(await store.fill('k', 'b', { ...value, text: '"new"' }, { signal }), true);
  assert.deepEqual(
    (await ask('e', 0)).is === 'known' && (await server.admin.hget('spillway:cache:k', 'text')),
    '"new"',
  );
});

const step = fc.record({
  verb: fc.constantFrom('ask', 'ask', 'must', 'set', 'delete', 'fill', 'fill', 'release'),
  /** Of the leases that were had, which is filled or given back. */
  nth: fc.nat(4),
});

test('any interleaving of leases, fills, sets and deletes is that of the model: a lease ends with any change, and what it brings is refused', async () => {
  await using opened = await clients['ioredis 6'](server.port);
  const store = redisCache(opened.client);
  const waiting = { signal: new AbortController().signal };
  const hour = 3_600_000;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
      await server.admin.flushall();
      let [known, lease]: [string | null, string | null] = [null, null];
      const leases: string[] = [];
      for (const [nth, each] of steps.entries()) {
        const text = String(nth);
        const value = { text, freshMs: hour, tookMs: 1 };
        if (each.verb === 'ask' || each.verb === 'must') {
          const answer = await store.ask(
            'k',
            { token: text, leaseMs: hour, beyondMs: each.verb === 'must' ? 2 * hour : 0 },
            waiting,
          );
          if (known !== null && each.verb === 'ask')
            assert.deepEqual([answer.is, answer.is === 'known' && answer.text], ['known', known]);
          else if (lease !== null) assert.equal(answer.is, 'taken');
          else {
            assert.equal(answer.is, 'leased');
            leases.push((lease = text));
          }
        } else if (each.verb === 'set') {
          await store.set('k', value, waiting);
          [known, lease] = [text, null];
        } else if (each.verb === 'delete') {
          await store.delete('k', waiting);
          [known, lease] = [null, null];
        } else {
          const token = leases[each.nth];
          if (token === undefined) continue;
          if (each.verb === 'release') {
            await store.release('k', token, waiting);
            if (token === lease) lease = null;
          } else {
            assert.equal(await store.fill('k', token, value, waiting), token === lease);
            if (token === lease) [known, lease] = [text, null];
          }
        }
      }
    }),
    { numRuns: 60 },
  );
});
