/** Waiting in a real Redis where nothing tells: who waits asks by itself, and soon. */
import { after, beforeEach, test } from 'node:test';
import type { Redis } from 'ioredis';
import { redisLeases } from '../../src/lease/index.ts';
import { Leases } from '../../src/lease/leases.ts';
import { electionContract } from '../../src/testing/index.ts';
import { Relay } from '../faults/relay.ts';
import { clients } from '../servers/redis-clients.ts';
import { RedisServer } from '../servers/redis.ts';
import { until } from './claims.ts';
import { listenersAt, untilListens } from './redis-store.ts';

const server = await RedisServer.start();
after(() => server[Symbol.asyncDispose]());
beforeEach(() => server.admin.flushall());

const open = async () => {
  await server.admin.flushall();
  const one = await clients['ioredis 6'](server.port);
  return {
    connect: () => redisLeases(one.client, { listen: false }),
    close: async () => await one[Symbol.asyncDispose](),
  };
};
for (const clause of electionContract({ name: 'redis without listening', open })) test(clause.name, clause.run);

for (const kind of Object.keys(clients) as (keyof typeof clients)[]) {
  test(`who waits asks by itself while the listening connection is down, with ${kind}`, async () => {
    await using relay = await Relay.open(server.port);
    await using direct = await clients[kind](server.port);
    await using ear = await clients[kind](relay.port);
    // What it asks by goes on.
    Object.assign(direct.client, { duplicate: (options: object) => (ear.client as Redis).duplicate(options) });
    await using store = redisLeases(direct.client);
    const leases = new Leases({ store, timeoutMs: 5000 });
    const others = new Leases({ store, timeoutMs: 5000 });
    const request = { key: 'k', holder: 'me', ttlMs: 3_600_000, waitMs: 30_000 };
    const held = await others.acquire(request);
    const next = leases.acquire(request);
    await untilListens(server, 1);
    relay.refuse();
    relay.reset();
    await until(async () => (await listenersAt(server)) === 0);
    await held!.release();
    await (await next)!.release();
  });
}
