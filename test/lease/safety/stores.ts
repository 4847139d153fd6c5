/** How a process under test opens the store that it is told. */
import { Redis } from 'ioredis';
import pg from 'pg';

import {
  EtcdClient,
  etcdLeases,
  type LeaseStore,
  postgresLeases,
  postgresSessionLeases,
  redisLeases,
  redlockLeases,
  sqliteLeases,
  type RedisReplicas,
  zookeeperLeases,
} from '../../../src/lease/index.ts';
import { TICK_MS } from '../../servers/zookeeper.ts';

/** What a process needs to know to open a store; ports are of this machine, of servers or of relays. */
export interface StoreAddress {
  readonly store: 'etcd' | 'postgres' | 'postgresSession' | 'redis' | 'redlock' | 'sqlite' | 'zookeeper';
  readonly ports: readonly number[];
  /** Of Redis. */
  readonly replicas?: RedisReplicas;
  /** Of SQLite. */
  readonly path?: string;
}

/** A moment after a connection is lost. */
const RECONNECT_MS = 20;

function redis(port: number): Redis {
  const client = new Redis(port, { maxRetriesPerRequest: 1, retryStrategy: () => RECONNECT_MS });
  client.on('error', () => {});
  return client;
}

/** Longer than a round trip on a line that a test made slow; four fit in the shortest ttl. */
const NODE_TIMEOUT_MS = 700;

function postgresAt(port: number): pg.ClientConfig {
  return { host: '127.0.0.1', port, user: 'postgres', database: 'postgres' };
}

async function connect(port: number): Promise<pg.Client> {
  const client = new pg.Client(postgresAt(port));
  await client.connect();
  return client;
}

function postgres(port: number): LeaseStore {
  const pool = new pg.Pool({ ...postgresAt(port), max: 4 });
  pool.on('error', () => {});
  return postgresLeases(pool, { listen: () => connect(port) });
}

export function openStore({ store, ports, replicas, path = '' }: StoreAddress): LeaseStore {
  const [port = 0] = ports;
  switch (store) {
    case 'etcd': {
      const endpoints = ports.map((each) => `http://127.0.0.1:${each}`);
      return etcdLeases(new EtcdClient({ endpoints, timeoutMs: 1000 }));
    }
    case 'postgres':
      return postgres(port);
    case 'postgresSession':
      return postgresSessionLeases(() => connect(port));
    case 'redlock':
      return redlockLeases(ports.map(redis), { nodeTimeout: NODE_TIMEOUT_MS });
    case 'redis':
      return redisLeases(redis(port), replicas === undefined ? {} : { replicas });
    case 'sqlite':
      return sqliteLeases(path);
    case 'zookeeper':
      return zookeeperLeases({ servers: ports.map((each) => `127.0.0.1:${each}`), tickTime: TICK_MS });
    default:
      return store satisfies never;
  }
}
