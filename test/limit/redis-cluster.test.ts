/** Limits in a Redis cluster: each key's node decides, and scripts are known wherever they are needed. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { slotOf } from '../../src/drivers/redis.ts';
import { allOf, createLimiter, fixedWindow, redisStore, slidingLog, tokenBucket } from '../../src/limit/index.ts';
import { RedisCluster } from '../servers/redis.ts';
import { clusterClients } from '../servers/redis-clients.ts';

const cluster = await RedisCluster.start();
after(() => cluster[Symbol.asyncDispose]());
const ports = cluster.nodes.map(({ port }) => port);
const outage = { deadline: '30s' } as const;

/** Node by node. */
async function keysOfNodes(): Promise<number[]> {
  return Promise.all(cluster.nodes.map(({ admin }) => admin.dbsize()));
}

test('a key is in the slot that the servers say', async () => {
  for (const key of ['', 'ann', '{org:7}:user', 'a{}b', 'a{b', 'a}b{c}', '{{x}}', 'é \u{1f600}', 'x'.repeat(1000)]) {
    assert.equal(slotOf(key), await cluster.nodes[0]!.admin.call('cluster', 'keyslot', key), key);
  }
});

for (const [name, open] of Object.entries(clusterClients)) {
  const tag = name.replace(' ', '-');
  test(`${name}: what one tick asks goes to each key's node, and each caller hears of its own key`, async () => {
    for (const { admin } of cluster.nodes) await admin.flushall();
    await using opened = await open(ports);
    const store = redisStore(opened.client);
    const user = createLimiter({ name: 'user', algorithm: slidingLog({ limit: 10, per: '1d' }), store, outage });
    const costs = Array.from({ length: 200 }, (_, index) => index % 12);
    const decisions = await Promise.all(costs.map((cost, index) => user.take(`user:${index}`, { cost })));
    assert.deepEqual(
      decisions.map(({ remaining, allowed }) => [allowed, remaining]),
      costs.map((cost) => (cost > 10 ? [false, 10] : [true, 10 - cost])),
    );
    assert.ok(Math.min(...(await keysOfNodes())) > 20, 'every node has its part');
    const [first, ...others] = cluster.nodes;
    await first!.admin.script('FLUSH');
    const again = await Promise.all(costs.map((_, index) => user.peek(`user:${index}`)));
    assert.ok(again.every(({ source }) => source === 'store'));
    assert.equal(others.length, 2);
  });

  test(`${name}: R11: keys of one slot are taken from together; of several, the caller is told what to do`, async () => {
    await using opened = await open(ports);
    const store = redisStore(opened.client);
    const user = createLimiter({ name: `user-${tag}`, algorithm: slidingLog({ limit: 3, per: '1d' }), store, outage });
    const org = createLimiter({
      name: `org-${tag}`,
      algorithm: fixedWindow({ limit: 4, per: '366d' }),
      store,
      outage,
    });
    const rate = tokenBucket({ capacity: 9, refillPerSecond: 0.000001 });
    const everybody = createLimiter({ name: `all-${tag}`, algorithm: rate, store, outage });
    const both = allOf(user, org, everybody);
    const keysOf = (who: string): string[] => [`{org:7}:user:${who}`, '{org:7}', '{org:7}'];
    assert.equal((await both.take(keysOf('ann'), { cost: 3 })).allowed, true);
    const refused = await both.take(keysOf('bob'), { cost: 2 });
    assert.deepEqual([refused.allowed, refused.policy], [false, `org-${tag}`]);
    assert.equal((await user.peek(keysOf('bob')[0]!)).remaining, 3, 'nothing is taken by who is refused');
    await assert.rejects(both.take(['ann', 'bob', 'eve']), { code: 'KEYS_APART', message: /common part in braces/ });
    assert.equal(user.outage, null);
  });

  test(`${name}: a slot that moves to another node takes its counters with it`, async () => {
    await using opened = await open(ports);
    const store = redisStore(opened.client);
    const limiter = createLimiter({
      name: `move-${tag}`,
      algorithm: slidingLog({ limit: 9, per: '1d' }),
      store,
      outage,
    });
    await limiter.take('ann', { cost: 4 });
    const key = `spillway:move-${tag}:sliding-log-9:ann`;
    const slot = String(slotOf(key));
    const ids = await Promise.all(cluster.nodes.map(async ({ admin }) => String(await admin.call('cluster', 'myid'))));
    const sizes = await Promise.all(
      cluster.nodes.map(async ({ admin }) => Number(await admin.call('cluster', 'countkeysinslot', slot))),
    );
    const from = sizes.findIndex((size) => size > 0);
    const to = (from + 1) % cluster.nodes.length;
    await cluster.nodes[to]!.admin.call('cluster', 'setslot', slot, 'importing', ids[from]!);
    await cluster.nodes[from]!.admin.call('cluster', 'setslot', slot, 'migrating', ids[to]!);
    await cluster.nodes[from]!.admin.call('migrate', '127.0.0.1', String(ports[to]), key, '0', '5000');
    assert.equal((await limiter.take('ann')).remaining, 4, 'while it moves');
    for (const { admin } of cluster.nodes) await admin.call('cluster', 'setslot', slot, 'node', ids[to]!);
    assert.equal((await limiter.take('ann')).remaining, 3, 'when it has moved');
  });
}
