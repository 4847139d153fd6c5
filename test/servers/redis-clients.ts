/** Clients as users make them, for what must hold with each. */
import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis-5';
import { createClient, createCluster } from 'redis';
import { createClient as createClient5, createCluster as createCluster5 } from 'redis-5';

import type { RedisClient } from '../../src/drivers/redis.ts';

export interface OpenClient<Client = RedisClient> extends AsyncDisposable {
  readonly client: Client;
}

/** A moment after a connection is lost. */
const RECONNECT_MS = 20;

const nothing = (): void => {};

async function ofIoredis<Client extends Redis | Redis5 | Cluster | Cluster5>(
  client: Client,
): Promise<OpenClient<Client>> {
  // Both have it; the union of their overloads cannot be called.
  (client as Redis).on('error', nothing);
  return { client, [Symbol.asyncDispose]: async () => client.disconnect() };
}

interface NodeRedis {
  on(event: 'error', listener: () => void): unknown;
  connect(): Promise<unknown>;
  destroy(): void;
}

async function ofNodeRedis<Client extends RedisClient>(client: Client & NodeRedis): Promise<OpenClient<Client>> {
  client.on('error', nothing);
  await client.connect();
  return { client, [Symbol.asyncDispose]: async () => client.destroy() };
}

const io = { maxRetriesPerRequest: 1, retryStrategy: () => RECONNECT_MS };
const node = (port: number) => ({
  url: `redis://127.0.0.1:${port}`,
  socket: { reconnectStrategy: () => RECONNECT_MS },
});

/** To one server. */
export const clients = {
  'ioredis 6': (port: number) => ofIoredis(new Redis(port, io)),
  'ioredis 5': (port: number) => ofIoredis(new Redis5(port, io)),
  'node-redis 6': (port: number) => ofNodeRedis(createClient(node(port))),
  'node-redis 5': (port: number) => ofNodeRedis(createClient5(node(port))),
};

const nodes = (ports: readonly number[]) => ports.map((port) => ({ host: '127.0.0.1', port }));
const rootNodes = (ports: readonly number[]) => ports.map((port) => ({ url: `redis://127.0.0.1:${port}` }));

/** To a cluster. */
export const clusterClients = {
  'ioredis 6': (ports: readonly number[]) => ofIoredis(new Cluster(nodes(ports), { enableAutoPipelining: true })),
  'ioredis 5': (ports: readonly number[]) => ofIoredis(new Cluster5(nodes(ports), { enableAutoPipelining: true })),
  'node-redis 6': (ports: readonly number[]) => ofNodeRedis(createCluster({ rootNodes: rootNodes(ports) })),
  'node-redis 5': (ports: readonly number[]) => ofNodeRedis(createCluster5({ rootNodes: rootNodes(ports) })),
};
