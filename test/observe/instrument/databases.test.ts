/** Calls to a real PostgreSQL and a real Redis: spans and durations, nothing of what was asked, and nothing done otherwise than before. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { Redis } from 'ioredis';
import { Redis as SilentRedis } from 'ioredis-5';
import { Redis as Redis5 } from 'ioredis-5-11';
import pg from 'pg';
import { createClient } from 'redis';
import { createClient as createClient5 } from 'redis-5';
import { currentContext, runInContext, type WorkContext } from 'spillway/observe';
import { PostgresServer } from '../../servers/postgres.ts';
import { RedisServer } from '../../servers/redis.ts';
import { Watched } from './instrumented.ts';

const METRIC = 'db_client_operation_duration_seconds';

function contextOf(correlationId: string): WorkContext {
  return { trace: null, correlationId, baggage: new Map() };
}

/** What is replaced, as it is now. */
function methods(): unknown[] {
  return [pg.Client.prototype, pg.Pool.prototype].flatMap((prototype) => [
    Reflect.get(prototype, 'query'),
    Reflect.get(prototype, 'connect'),
    Object.hasOwn(prototype, 'connect'),
  ]);
}

describe('pg', () => {
  let server: PostgresServer;
  before(async () => void (server = await PostgresServer.start()));
  after(() => server[Symbol.asyncDispose]());

  test('promises, callbacks, pools, parameters, errors: a span and a duration each', async () => {
    await using watched = new Watched();
    const pool = new pg.Pool({ port: server.port, host: '127.0.0.1', user: 'postgres', max: 2 });
    const client = await pool.connect();
    assert.equal((await client.query('SELECT 1 AS one')).rows[0].one, 1);
    assert.equal((await client.query({ text: 'select $1::text AS two', values: ['secret'] })).rows[0].two, 'secret');
    const third = Promise.withResolvers<unknown>();
    client.query("SELECT 'secret' AS three", (error, result) =>
      error ? third.reject(error) : third.resolve(result.rows[0].three),
    );
    assert.equal(await third.promise, 'secret');
    const fourth = Promise.withResolvers<unknown>();
    client.query('SELECT $1::int AS four', [4], (error, result) =>
      error ? fourth.reject(error) : fourth.resolve(result.rows[0].four),
    );
    assert.equal(await fourth.promise, 4);
    client.release();
    assert.equal((await pool.query('SELECT 5 AS five')).rows[0].five, 5);
    await assert.rejects(pool.query('SELECT * FROM nowhere'), { code: '42P01', message: /nowhere/ });
    assert.throws(() => client.query(null as unknown as string), TypeError);
    await pool.end();

    const spans = watched.spans.filter(({ kind }) => kind === 'client');
    assert.deepEqual(
      spans.map(({ name, status, attributes }) => [name, status, attributes['db.query.text']]),
      [
        ['SELECT', 'unset', 'SELECT ? AS one'],
        ['SELECT', 'unset', 'select $1::text AS two'],
        ['SELECT', 'unset', 'SELECT ? AS three'],
        ['SELECT', 'unset', 'SELECT $1::int AS four'],
        ['SELECT', 'unset', 'SELECT ? AS five'],
        ['SELECT', 'error', 'SELECT * FROM nowhere'],
      ],
    );
    const { 'db.query.text': _, ...attributes } = spans[0]!.attributes;
    assert.deepEqual(attributes, {
      'db.system.name': 'postgresql',
      'db.operation.name': 'SELECT',
      'server.address': '127.0.0.1',
      'server.port': server.port,
      'db.namespace': 'postgres',
    });
    const labels = `db_system_name=postgresql db_operation_name=SELECT server_address=127.0.0.1 server_port=${server.port}`;
    assert.deepEqual(await watched.counts(METRIC), [`${labels} error_type=42P01: 1`, `${labels}: 5`]);
  });

  test('a query is of whoever asked, also when another’s request gave the connection back; so is its callback', async () => {
    await using watched = new Watched();
    const pool = new pg.Pool({ port: server.port, host: '127.0.0.1', user: 'postgres', max: 1 });
    const seen = await Promise.all(
      Array.from({ length: 40 }, (__, id) =>
        watched.telemetry.traces.withSpan(`work ${id}`, { parent: contextOf(String(id)) }, async () => {
          if (id % 2 === 0) await pool.query(`SELECT ${id}`);
          else {
            const heard = Promise.withResolvers<string | undefined>();
            pool.query('SELECT 1', () => heard.resolve(currentContext()?.correlationId));
            assert.equal(await heard.promise, String(id));
          }
          return currentContext()?.correlationId;
        }),
      ),
    );
    await pool.end();
    assert.deepEqual(
      seen,
      Array.from({ length: 40 }, (__, id) => String(id)),
    );
    const work = new Map(watched.spans.filter(({ kind }) => kind === 'internal').map((span) => [span.spanId, span]));
    const queries = watched.spans.filter(({ kind }) => kind === 'client');
    assert.equal(queries.length, 40);
    assert.equal(new Set(queries.map(({ parentId }) => parentId)).size, 40);
    for (const { parentId, traceId } of queries) assert.equal(work.get(parentId!)?.traceId, traceId);
  });

  test('an error that nobody awaits is still one; what has a submit of its own is let be; disposed, the methods are the old ones', async () => {
    const before = methods();
    const watched = new Watched();
    assert.notDeepEqual(methods(), before);
    const client = new pg.Client({ port: server.port, host: '127.0.0.1', user: 'postgres' });
    await client.connect();
    const unhandled = new Promise<unknown>((resolve) => {
      const others = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection').once('unhandledRejection', (error) => {
        for (const other of others) process.on('unhandledRejection', other);
        resolve(error);
      });
    });
    void client.query('SELECT * FROM nobody');
    assert.match(String(await unhandled), /nobody/);
    const own = new pg.Query('SELECT 1');
    const ended = new Promise((resolve) => own.once('end', resolve));
    assert.equal(client.query(own), own);
    await ended;
    await client.end();
    assert.deepEqual(watched.spans.filter(({ kind }) => kind === 'client').length, 1);
    await watched[Symbol.asyncDispose]();
    assert.deepEqual(methods(), before);
    await using _ = new Watched({ pg: false });
    assert.deepEqual(methods(), before);
  });
});

describe('Redis', () => {
  let server: RedisServer;
  before(async () => void (server = await RedisServer.start()));
  after(() => server[Symbol.asyncDispose]());

  const clients: Readonly<
    Record<string, () => Promise<{ run: (...args: string[]) => Promise<unknown>; close: () => unknown }>>
  > = {
    'ioredis 6': async () => {
      const redis = new Redis(server.port, { lazyConnect: true });
      await redis.connect();
      return { run: (command, ...args) => redis.call(command ?? '', ...args), close: () => redis.quit() };
    },
    'ioredis 5.11': async () => {
      const redis = new Redis5(server.port, { lazyConnect: true });
      await redis.connect();
      return { run: (command, ...args) => redis.call(command ?? '', ...args), close: () => redis.quit() };
    },
    'ioredis 5.8': async () => {
      const redis = new SilentRedis(server.port, { lazyConnect: true });
      await redis.connect();
      return { run: (command, ...args) => redis.call(command ?? '', ...args), close: () => redis.quit() };
    },
    'redis 6': async () => {
      const redis = await createClient({ url: `redis://127.0.0.1:${server.port}` }).connect();
      return { run: (...args) => redis.sendCommand(args), close: () => redis.close() };
    },
    'redis 5.12': async () => {
      const redis = await createClient5({ url: `redis://127.0.0.1:${server.port}` }).connect();
      return { run: (...args) => redis.sendCommand(args), close: () => redis.close() };
    },
  };

  for (const [name, open] of Object.entries(clients)) {
    test(`${name}: a span and a duration for each command, and no key or value in either`, async () => {
      await using watched = new Watched({ ioredis: SilentRedis });
      const { run, close } = await open();
      watched.spans.length = 0;
      await watched.telemetry.traces.withSpan('work', { parent: contextOf('a') }, async () => {
        assert.equal(await run('SET', 'secret-key', 'secret-value'), 'OK');
        assert.equal(await run('GET', 'secret-key'), 'secret-value');
        await assert.rejects(run('LPUSH', 'secret-key', 'x'), /WRONGTYPE/);
      });
      const spans = watched.spans.filter(({ kind }) => kind === 'client');
      await close();
      assert.deepEqual(
        spans.map(({ name: operation, status }) => [operation, status]),
        [
          ['SET', 'unset'],
          ['GET', 'unset'],
          ['LPUSH', 'error'],
        ],
      );
      assert.equal(new Set(spans.map(({ parentId }) => parentId)).size, 1);
      assert.doesNotMatch(JSON.stringify(spans), /secret/);
      const counts = await watched.counts(METRIC);
      assert.ok(
        counts.some((line) => /db_operation_name=GET .*server_port=\d+: 1$/.test(line)),
        counts.join('\n'),
      );
      assert.ok(
        counts.some((line) =>
          /db_operation_name=LPUSH .*error_type=ReplyError: 1|db_operation_name=LPUSH .*error_type=\w+: 1/.test(line),
        ),
        counts.join('\n'),
      );
    });
  }

  for (const [name, connect] of Object.entries({
    'ioredis 6': () => new Redis(server.port, { lazyConnect: true }),
    'ioredis 5.11': () => new Redis5(server.port, { lazyConnect: true }),
    'ioredis 5.8': () => new SilentRedis(server.port, { lazyConnect: true }),
  })) {
    test(`${name}: commands of work that runs at once, and of a pipeline, are each of their own`, async () => {
      await using watched = new Watched({ ioredis: SilentRedis });
      const redis = connect();
      await redis.connect();
      await Promise.all(
        Array.from({ length: 50 }, (_, id) =>
          runInContext(contextOf(String(id)), () =>
            watched.telemetry.traces.withSpan(`work ${id}`, async () => {
              await redis.set(`k${id}`, id);
              await redis.pipeline().get(`k${id}`).del(`k${id}`).exec();
            }),
          ),
        ),
      );
      await redis.quit();
      const work = new Map(watched.spans.filter(({ kind }) => kind === 'internal').map((span) => [span.spanId, span]));
      const commands = watched.spans.filter((span) => ['SET', 'GET', 'DEL'].includes(span.name));
      assert.equal(commands.length, 150);
      for (const { parentId, traceId } of commands) assert.equal(work.get(parentId!)?.traceId, traceId);
    });
  }

  test('an ioredis that tells nothing is seen once for each command, also of those that wait; what nobody awaits still fails; disposed, it is as it was', async () => {
    const before = Reflect.get(SilentRedis.prototype, 'sendCommand');
    const watched = new Watched({ ioredis: SilentRedis });
    const redis = new SilentRedis(server.port, { lazyConnect: true });
    // It waits in the client's queue until there is a connection.
    assert.equal(await redis.set('list', '1'), 'OK');
    const unhandled = new Promise<unknown>((resolve) => {
      const others = process.listeners('unhandledRejection');
      process.removeAllListeners('unhandledRejection').once('unhandledRejection', (error) => {
        for (const other of others) process.on('unhandledRejection', other);
        resolve(error);
      });
    });
    void redis.lpush('list', 'x');
    assert.match(String(await unhandled), /WRONGTYPE/);
    const sets = watched.spans.filter((span) => span.name === 'SET');
    assert.deepEqual(sets.map(({ attributes }) => [attributes['server.address'], attributes['server.port'], attributes['db.namespace']]), [['localhost', server.port, '0']]);
    assert.equal(watched.spans.filter((span) => span.name === 'LPUSH' && span.status === 'error').length, 1);
    await watched[Symbol.asyncDispose]();
    const seen = watched.spans.length;
    await redis.quit();
    assert.equal(watched.spans.length, seen);
    assert.equal(Reflect.get(SilentRedis.prototype, 'sendCommand'), before);
  }); // prettier-ignore
});
