/** How calls of Redis leave: what one tick asks is few writes by ioredis, the first of them short, and one by node-redis; and that what was given up never does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { createClient, createCluster } from 'redis';
import { createClient as createClient5, createCluster as createCluster5 } from 'redis-5';
import { type RedisClient, RedisDriver, RedisScript } from '../../src/drivers/redis.ts';
import { RedisCluster, RedisServer } from '../servers/redis.ts';

const CALLS = 100;
const script = new RedisScript('return ARGV[1]');
const count = new RedisScript("return {redis.call('INCR', KEYS[1]), 'text'}");
const waiting = { signal: new AbortController().signal };

async function readsOf(server: RedisServer): Promise<number> {
  return Number(/^total_reads_processed:(\d+)/m.exec(await server.admin.info('stats'))?.[1]);
}

async function check(server: RedisServer, client: RedisClient, writes: number): Promise<void> {
  const driver = new RedisDriver(client);
  const ask = (each: number): Promise<unknown> => driver.run({ script, keys: ['key'], args: [String(each)], waiting });
  await ask(0);
  const before = await readsOf(server);
  const asked = Array.from({ length: CALLS }, (_, each) => each);
  assert.deepEqual(await Promise.all(asked.map(ask)), asked.map(String));
  const reads = (await readsOf(server)) - before;
  // One of them reads the question how many there were; one more if a read ended within a write.
  assert.ok(reads <= writes + 2, `the server read ${reads} times for ${CALLS} calls of one tick`);
}

test('a client by which numbers are texts is refused', () => {
  const made = { stringNumbers: true, lazyConnect: true };
  const cluster = new Cluster([{ port: 1 }], { lazyConnect: true, redisOptions: made });
  for (const client of [new Redis(made), new Redis5(made), cluster]) {
    assert.throws(() => new RedisDriver(client), { code: 'OPTIONS_INVALID', message: /with stringNumbers/ });
    client.disconnect();
  }
});

test('a client of node-redis that makes texts of numbers, or bytes of texts, does not here', async (t) => {
  const typeMapping = { [0x3a]: String, [0x24]: Buffer };
  const made = { commandOptions: { typeMapping } };
  await using cluster = await RedisCluster.start();
  const { url } = cluster.nodes[0]!;
  await using alone = await RedisServer.start();
  const clients = {
    'node-redis 6': createClient({ url: alone.url, ...made }),
    'node-redis 6, by withTypeMapping': createClient({ url: alone.url }).withTypeMapping(typeMapping),
    'node-redis 5': createClient5({ url: alone.url, ...made }),
    'node-redis 6, a cluster': createCluster({ rootNodes: [{ url }], ...made }),
    'node-redis 5, a cluster': createCluster5({ rootNodes: [{ url }], ...made }),
  };
  for (const [name, client] of Object.entries(clients)) {
    await t.test(name, async () => {
      await client.connect();
      try {
        const driver = new RedisDriver(client);
        const ask = (): Promise<unknown> => driver.run({ script: count, keys: [name], args: [], waiting });
        // By itself, and beside another.
        const told = [await ask(), ...(await Promise.all([ask(), ask()]))];
        assert.deepEqual(told, [
          [1, 'text'],
          [2, 'text'],
          [3, 'text'],
        ]);
        const get = { command: ['GET', name] as [string, string], key: name, waiting };
        assert.equal(await driver.command(get), '3');
        assert.deepEqual(await driver.command({ ...get, bytes: true }), Buffer.from('3'));
      } finally {
        client.destroy();
      }
    });
  }
});

test('calls of one tick leave in few writes', async (t) => {
  await using server = await RedisServer.start();
  const versions = { 'ioredis 6': (port: number) => new Redis(port), 'ioredis 5': (port: number) => new Redis5(port) };
  for (const [name, connect] of Object.entries(versions)) {
    await t.test(name, async () => {
      const client = connect(server.port);
      try {
        // 1, 8, 32 and 59 calls.
        await check(server, client, 4);
        const driver = new RedisDriver(client);
        const ask = (): Promise<unknown> => driver.run({ script, keys: ['key'], args: ['1'], waiting });
        const first = ask();
        assert.equal(client.stream.writableCorked, 0, 'one beside which nothing is asked leaves at once');
        const second = ask();
        assert.equal(client.stream.writableCorked, 1, 'what follows is gathered');
        await Promise.all([first, second]);
      } finally {
        client.disconnect();
      }
    });
  }
  await t.test('node-redis', async () => {
    const client = await createClient({ url: server.url }).connect();
    try {
      await check(server, client, 1);
    } finally {
      client.destroy();
    }
  });
});

const push = new RedisScript("return redis.call('RPUSH', KEYS[1], ARGV[1])");
const io = { maxRetriesPerRequest: null, retryStrategy: () => 20 };
const node = (port: number) => ({
  url: `redis://127.0.0.1:${port}`,
  socket: { reconnectStrategy: () => 20 },
});

interface Patient {
  readonly client: RedisClient;
  readonly ready: () => boolean;
  readonly close: () => void;
}

function ofIoredis(client: Redis | Redis5): Patient {
  (client as Redis).on('error', () => {});
  return { client, ready: () => client.status === 'ready', close: () => client.disconnect() };
}

async function ofNodeRedis(client: ReturnType<typeof createClient | typeof createClient5>): Promise<Patient> {
  (client as ReturnType<typeof createClient>).on('error', () => {});
  await client.connect();
  return { client, ready: () => client.isReady, close: () => client.destroy() };
}

/** Clients that never give up by themselves. */
const patient: Record<string, (port: number) => Promise<Patient>> = {
  'ioredis 6': async (port) => ofIoredis(new Redis(port, io)),
  'ioredis 5': async (port) => ofIoredis(new Redis5(port, io)),
  'node-redis 6': (port) => ofNodeRedis(createClient(node(port))),
  'node-redis 5': (port) => ofNodeRedis(createClient5(node(port))),
};

test('without a connection nothing is sent but what is still waited for when there is one again, in its order', async (t) => {
  for (const [name, open] of Object.entries(patient)) {
    await t.test(name, async () => {
      await using server = await RedisServer.start();
      const { client, ready, close } = await open(server.port);
      try {
        const driver = new RedisDriver(client);
        const call = (value: string, signal = waiting.signal): Promise<unknown> =>
          driver.command({ command: ['rpush', 'list', value], key: 'list', waiting: { signal } });
        await call('first');
        await server.kill();
        while (ready()) await new Promise((resolve) => setImmediate(resolve));
        const abort = new AbortController();
        const givenUp = assert.rejects(call('given up', abort.signal));
        const others = ['second', 'third'].map((value) => call(value));
        abort.abort(new Error('no patience'));
        await server.restart();
        others.push(call('fourth'));
        await Promise.all([givenUp, ...others]);
        assert.deepEqual(await server.admin.lrange('list', 0, -1), ['second', 'third', 'fourth']);
      } finally {
        close();
      }
    });
  }
});

test('a connection that the server has ended is none, although ioredis says that it is ready until it is closed', async (t) => {
  for (const [name, opened] of [
    ['ioredis 6', (port: number) => new Redis(port, io)],
    ['ioredis 5', (port: number) => new Redis5(port, io)],
  ] as const) {
    await t.test(name, async () => {
      await using server = await RedisServer.start();
      const { client, close } = ofIoredis(opened(server.port));
      try {
        const driver = new RedisDriver(client);
        const rpush = (value: string, { signal } = waiting): Promise<unknown> =>
          driver.command({ command: ['rpush', 'list', value], key: 'list', waiting: { signal } });
        await rpush('first');
        const abort = new AbortController();
        const called = Promise.withResolvers<{ readonly rejected: Promise<void> }>();
        (client as Redis).stream.once('finish', () => {
          assert.equal((client as Redis).status, 'ready');
          called.resolve({ rejected: assert.rejects(rpush('given up', abort)) });
        });
        await server.kill();
        const { rejected } = await called.promise;
        abort.abort(new Error('no patience'));
        await server.restart();
        await rpush('second');
        await rejected;
        assert.deepEqual(await server.admin.lrange('list', 0, -1), ['second']);
      } finally {
        close();
      }
    });
  }
});

test('a user of the server that may not call PING is no obstacle', async () => {
  await using server = await RedisServer.start();
  await server.admin.call('acl', 'setuser', 'worker', 'on', 'nopass', '~*', '+@all', '-ping', '-info');
  const client = new Redis(server.port, { username: 'worker', password: 'any', enableReadyCheck: false });
  try {
    const driver = new RedisDriver(client);
    assert.equal(await driver.run({ script, keys: ['key'], args: ['v'], waiting }), 'v');
  } finally {
    client.disconnect();
  }
});

test('what a server that reads nothing was not sent is not sent later', async (t) => {
  for (const name of ['node-redis 6', 'node-redis 5']) {
    await t.test(name, async () => {
      await using server = await RedisServer.start({ args: ['--proto-max-bulk-len', '64mb'] });
      const { client, close } = await patient[name]!(server.port);
      try {
        const driver = new RedisDriver(client);
        const abort = new AbortController();
        // More than the sockets between them hold.
        const text = 'v'.repeat(1 << 20);
        await driver.run({ script: push, keys: ['list'], args: ['first'], waiting });
        server.freeze();
        const run = (value: string): Promise<unknown> =>
          driver.run({ script: push, keys: ['list'], args: [value], waiting: { signal: abort.signal } });
        const calls = Array.from({ length: 32 }, () => run(text).catch(() => {}));
        await new Promise((resolve) => setImmediate(resolve));
        calls.push(run('last').catch(() => {}));
        abort.abort(new Error('no patience'));
        server.thaw();
        await Promise.all(calls);
        const values = await server.admin.lrange('list', 0, -1);
        assert.equal(values[0], 'first');
        assert.ok(!values.includes('last'), 'which was behind more than was sent');
      } finally {
        close();
      }
    });
  }
});
