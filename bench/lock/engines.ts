/** The engines that leases can be kept in: how each is started, reached, and how many requests are in what is sent to it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import {
  EtcdClient,
  etcdLeases,
  type LeaseStore,
  postgresLeases,
  postgresSessionLeases,
  redisLeases,
  sqliteLeases,
  zookeeperLeases,
} from '../../src/lease/index.ts';
import { EtcdServer } from '../../test/servers/etcd.ts';
import { PostgresServer } from '../../test/servers/postgres.ts';
import { RedisServer } from '../../test/servers/redis.ts';
import { TICK_MS, ZookeeperServer } from '../../test/servers/zookeeper.ts';

/** A store with connections of its own, which go with it. */
export interface Opened extends AsyncDisposable {
  readonly store: LeaseStore;
}

interface Started extends AsyncDisposable {
  /** A port of this machine; or a file. */
  readonly address: string;
}

export interface Engine {
  readonly start: () => Promise<Started>;
  readonly open: (address: string) => Promise<Opened>;
  /** How many requests are in bytes that clients sent; null where none are sent. */
  readonly requests: ((bytes: Buffer) => number) | null;
}

function opened(store: LeaseStore, close: () => unknown = () => {}): Opened {
  const dispose = async (): Promise<void> => {
    await store[Symbol.asyncDispose]();
    await close();
  };
  return { store, [Symbol.asyncDispose]: dispose };
}

async function atPort(starting: Promise<AsyncDisposable & { readonly port: number }>): Promise<Started> {
  const server = await starting;
  return { address: String(server.port), [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

async function startPostgres(): Promise<Started> {
  const server = await PostgresServer.start();
  await postgresLeases(server.pool({ max: 1 })).migrate();
  return atPort(Promise.resolve(server));
}

async function startSqlite(): Promise<Started> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-locks-'));
  return {
    address: join(folder, 'locks.db'),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Connections a process has, with many callers; two when it has one. */
const POOL = 10;

const postgresAt = (port: string) =>
  ({ host: '127.0.0.1', port: Number(port), user: 'postgres', database: 'postgres' }) as const;

async function connectPostgres(port: string): Promise<pg.Client> {
  const client = new pg.Client(postgresAt(port));
  await client.connect();
  return client;
}

function openPostgres(port: string): Opened {
  const pool = new pg.Pool({ ...postgresAt(port), max: POOL });
  pool.on('error', () => {});
  return opened(postgresLeases(pool, { listen: () => connectPostgres(port) }), () => pool.end());
}

/** Requests that are a type, unless `typed` is false, and a length that counts itself or not. */
function framed(bytes: Buffer, headBytes: number, isRequest: (at: number) => boolean, lengthCounts: boolean): number {
  let at = firstOf(bytes);
  let count = 0;
  while (at + headBytes <= bytes.length) {
    if (isRequest(at)) count += 1;
    at += headBytes + bytes.readInt32BE(at + headBytes - 4) - (lengthCounts ? 4 : 0);
  }
  return count;
}

/** Where requests begin: after the message with which a connection to PostgreSQL begins, version 3.0, which has no type. */
function firstOf(bytes: Buffer): number {
  return bytes.length >= 8 && bytes.readInt32BE(4) === 0x30000 ? bytes.readInt32BE(0) : 0;
}

const SYNC = 'S'.charCodeAt(0);
const SIMPLE = 'Q'.charCodeAt(0);

const postgresRequests = (bytes: Buffer): number =>
  framed(bytes, 5, (at) => bytes[at] === SYNC || bytes[at] === SIMPLE, true);

export const engines = {
  redis: {
    start: () => atPort(RedisServer.start()),
    open: async (port) => {
      const client = new Redis(Number(port));
      client.on('error', () => {});
      return opened(redisLeases(client), () => client.disconnect());
    },
    requests: (bytes) => bytes.toString('latin1').match(/\*\d+\r\n\$/g)?.length ?? 0,
  },
  postgres: {
    start: startPostgres,
    open: async (port) => openPostgres(port),
    requests: postgresRequests,
  },
  'postgres session': {
    start: startPostgres,
    open: async (port) => opened(postgresSessionLeases(() => connectPostgres(port))),
    requests: postgresRequests,
  },
  etcd: {
    start: () => atPort(EtcdServer.start()),
    open: async (port) => {
      const client = new EtcdClient({ endpoints: [`http://127.0.0.1:${port}`] });
      return opened(etcdLeases(client), () => client[Symbol.asyncDispose]());
    },
    requests: (bytes) => bytes.toString('latin1').match(/POST \/v3/g)?.length ?? 0,
  },
  zookeeper: {
    start: () => atPort(ZookeeperServer.start()),
    open: async (port) => opened(zookeeperLeases({ servers: [`127.0.0.1:${port}`], tickTime: TICK_MS })),
    requests: (bytes) => framed(bytes, 4, () => true, false),
  },
  sqlite: { start: startSqlite, open: async (file) => opened(sqliteLeases(file)), requests: null },
} as const satisfies Readonly<Record<string, Engine>>;

export type EngineName = keyof typeof engines;
export const engineNames = Object.keys(engines) as readonly EngineName[];
