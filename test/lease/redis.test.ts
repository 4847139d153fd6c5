import { test } from 'node:test';
import { redisLeases } from 'spillway/lease';
import { leaseStoreContract } from 'spillway/testing';
import { clients } from '../servers/redis-clients.ts';
import { RedisServer } from '../servers/redis.ts';

for (const [name, connect] of Object.entries(clients)) {
  const open = async () => {
    const server = await RedisServer.start();
    const opened: AsyncDisposable[] = [server];
    return {
      connect: async () => {
        const { client, ...rest } = await connect(server.port);
        opened.unshift(rest);
        return redisLeases(client);
      },
      close: async () => {
        for (const one of opened) await one[Symbol.asyncDispose]();
      },
    };
  };
  for (const clause of leaseStoreContract({ name: `redis, ${name}`, open })) test(clause.name, clause.run);
}
