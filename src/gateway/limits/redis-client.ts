/**
 * A client of Redis for one worker: of ioredis or node-redis, whichever is installed beside Spillway. Neither is a dependency; what is
 * used of them is written down here as types.
 *
 * It connects by itself, and again when it has lost its connection, and keeps nothing for then: what is asked meanwhile fails at
 * once, and what was under way fails with the connection. So nothing is counted later that somebody has long been answered about.
 */
import type { RedisClient } from '../../drivers/redis.ts';
import { SpillwayError } from '../../kernel/errors.ts';

/** The first that is installed. */
const PACKAGES = ['ioredis', 'redis'] as const;

type Package = (typeof PACKAGES)[number];

const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 1000;
/** Of one try. */
const CONNECT_MS = 5000;

export interface OpenRedis {
  readonly client: RedisClient;
  isReady(): boolean;
  close(): void;
}

/** What is told of a connection. */
export interface RedisEvents {
  readonly onReady: () => void;
  readonly onProblem: (message: string) => void;
}

interface Emitter {
  on(event: 'ready', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

interface Ioredis {
  readonly Redis: new (
    url: string,
    options: object,
  ) => RedisClient & Emitter & { readonly status: string; disconnect(): void };
}

interface NodeRedis {
  readonly createClient: (
    options: object,
  ) => RedisClient & Emitter & { readonly isReady: boolean; connect(): Promise<unknown>; destroy(): void };
}

/** The package that would be used; null if none is installed. */
export function findRedisClient(): Package | null {
  return PACKAGES.find(isInstalled) ?? null;
}

function isInstalled(name: string): boolean {
  try {
    import.meta.resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** Begins to connect. Throws `PACKAGE_MISSING` if no client is installed, or it cannot be loaded. */
export async function openRedis(url: string, events: RedisEvents): Promise<OpenRedis> {
  const name = findRedisClient();
  if (name === null) {
    throw new SpillwayError(
      'PACKAGE_MISSING',
      `Limits are to be counted in Redis, and neither ${PACKAGES.join(' nor ')} is installed beside Spillway. Run: npm install ${PACKAGES[0]}`,
    );
  }
  let loaded: unknown;
  try {
    loaded = await import(name);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SpillwayError('PACKAGE_MISSING', `The package ${name} cannot be loaded: ${why}`, { cause });
  }
  return name === 'ioredis' ? ofIoredis(loaded as Ioredis, url, events) : ofNodeRedis(loaded as NodeRedis, url, events);
}

function delayMs(tries: number): number {
  return Math.min(RECONNECT_MAX_MS, RECONNECT_FIRST_MS * 2 ** Math.min(tries, 10));
}

function ofIoredis({ Redis }: Ioredis, url: string, events: RedisEvents): OpenRedis {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_MS,
    retryStrategy: delayMs,
  });
  listen(client, events);
  return { client, isReady: () => client.status === 'ready', close: () => client.disconnect() };
}

function ofNodeRedis({ createClient }: NodeRedis, url: string, events: RedisEvents): OpenRedis {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_MS, reconnectStrategy: delayMs },
  });
  listen(client, events);
  // It is told by the event, too, and tries again.
  client.connect().catch(() => {});
  return { client, isReady: () => client.isReady, close: () => client.destroy() };
}

function listen(client: Emitter, { onReady, onProblem }: RedisEvents): void {
  client.on('ready', onReady);
  client.on('error', ({ message }) => onProblem(message));
}
