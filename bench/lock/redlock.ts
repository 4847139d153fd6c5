/**
 * Locks on five masters of Redis, beside `redlock` and `redis-semaphore` and beside the floor: `SET NX PX` at all of them at once until three have said
 * yes, and the script that compares and deletes, until three have. All servers are on this machine, so five of them share its cores.
 */
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { RedlockMutex } from 'redis-semaphore';

import { redlockLeases } from '../../src/lease/index.ts';
import { createLocks } from '../../src/lock/index.ts';
import { RedisServer } from '../../test/servers/redis.ts';
import { type Case, compare, type Contender, type ServerUse, TTL_MS, WAIT_MS } from './pairs.ts';
import { COMPARE_AND_DELETE, redlocks, serverUse, spillway } from './redis.ts';
import type { Print } from './report.ts';

const MASTERS = 5;
const MAJORITY = 3;

function semaphore(clients: Redis[]): Contender {
  return {
    name: 'redis-semaphore',
    take: async (name) => {
      const mutex = new RedlockMutex(clients, name, { lockTimeout: TTL_MS, acquireTimeout: WAIT_MS });
      await mutex.acquire();
      return () => mutex.release();
    },
    commands: ['set', 'evalsha', 'eval'],
  };
}

/** As soon as so many of them have answered. */
function majority(answers: readonly Promise<unknown>[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let count = 0;
  for (const answer of answers) {
    answer.then(() => {
      if (++count === MAJORITY) resolve();
    }, reject);
  }
  return promise;
}

async function floor(clients: readonly Redis[]): Promise<Contender> {
  const shas = await Promise.all(
    clients.map(async (client) => String(await client.script('LOAD', COMPARE_AND_DELETE))),
  );
  return {
    name: 'floor, ioredis',
    take: async (name) => {
      const id = randomUUID();
      await majority(clients.map((client) => client.set(name, id, 'PX', TTL_MS, 'NX')));
      return () => majority(clients.map((client, index) => client.evalsha(shas[index]!, 1, name, id)));
    },
    commands: ['set', 'evalsha'],
  };
}

async function usedBy(servers: readonly RedisServer[]): Promise<ServerUse> {
  const uses = await Promise.all(servers.map(({ admin }) => serverUse(admin)));
  const commands = new Map<string, number>();
  for (const use of uses) {
    for (const [command, calls] of use.commands) commands.set(command, (commands.get(command) ?? 0) + calls);
  }
  return { cpuMs: uses.reduce((sum, { cpuMs }) => sum + cpuMs, 0), commands };
}

const cases: readonly Pick<Case, 'callers' | 'each' | 'rounds' | 'hot'>[] = [
  { callers: 1, each: 300, rounds: 5, hot: false },
  { callers: 64, each: 10, rounds: 5, hot: false },
];

export async function redlockPart(print: Print): Promise<void> {
  await using cleanUp = new AsyncDisposableStack();
  const servers = await Promise.all(Array.from({ length: MASTERS }, () => RedisServer.start()));
  for (const server of servers) cleanUp.use(server);
  const clients = servers.map(({ port }) => new Redis(port));
  cleanUp.defer(() => clients.forEach((client) => client.disconnect()));
  // On one busy machine a node is often later than on five.
  const locks = cleanUp.use(createLocks(redlockLeases(clients, { nodeTimeout: '2s' })));
  const contenders = [spillway('spillway', locks), ...redlocks(clients), semaphore(clients), await floor(clients)];
  for (const one of cases) {
    const title = `${MASTERS} masters of Redis, ${one.callers} ${one.callers === 1 ? 'caller' : 'callers'}, distinct names`;
    await compare(contenders, { ...one, title, serverUse: () => usedBy(servers) }, print);
  }
}
