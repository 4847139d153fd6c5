/** Leases at a Redis of a test, through a client as users make it, and who listens there. */
import {
  redisLeases,
  type LeaseStore,
  type RedisLeasesClient,
  type RedisLeasesOptions,
} from '../../src/lease/index.ts';
import { clients } from '../servers/redis-clients.ts';
import type { RedisServer } from '../servers/redis.ts';
import { until } from './claims.ts';

export interface OpenStore extends AsyncDisposable {
  readonly store: LeaseStore;
}

export async function openStore(
  port: number,
  options: RedisLeasesOptions = {},
  kind: keyof typeof clients = 'ioredis 6',
): Promise<OpenStore> {
  const opened = await clients[kind](port);
  const client: RedisLeasesClient = opened.client;
  const store = redisLeases(client, options);
  return {
    store,
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]();
      await opened[Symbol.asyncDispose]();
    },
  };
}

export async function listenersAt({ admin }: RedisServer): Promise<number> {
  return String(await admin.call('client', 'list', 'type', 'pubsub')).split('\n').length - 1;
}

export async function untilListens(server: RedisServer, count: number): Promise<void> {
  await until(async () => (await listenersAt(server)) >= count);
}
