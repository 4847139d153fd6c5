import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import Fastify from 'fastify';
import { type LogLine, messages, readLines } from '../../../test/observe/log-lines.ts';
import { systemClock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { extractContext } from '../context/header-fields.ts';
import { runInContext, type WorkContext } from '../context/work-context.ts';
import { createLogs, type Logs, type LogsOptions } from './logs.ts';
import { RecentLogs } from './recent.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'spillway-logs-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));
let files = 0;

const path = (name: string): string => join(dir, name);

/** The lines that `use` makes. */
async function linesOf(use: (logs: Logs) => unknown, options: Partial<LogsOptions> = {}): Promise<LogLine[]> {
  const target = path(String(files++));
  const logs = createLogs({ service: 'shop', target, ...options });
  await use(logs);
  await logs.close();
  return readLines(target);
}

describe('a line', () => {
  test('has level, time, service, message and context, in this order', async () => {
    const clock = { ...systemClock, wallMs: () => Date.UTC(2026, 0, 31, 12, 30, 5, 42) + 0.7 };
    const target = path('order');
    const logs = createLogs({ service: 'shop', target, clock });
    logs.logger('checkout').info('order taken', { orderId: 17 });
    await logs.close();
    assert.equal(
      fs.readFileSync(target, 'utf8'),
      '{"level":"info","time":"2026-01-31T12:30:05.042Z","service":"shop","module":"checkout","orderId":17,"msg":"order taken"}\n',
    );
  });

  test('is the same however message and context are given', async () => {
    const error = new Error('no card');
    const lines = await linesOf((logs) => {
      const log = logs.logger();
      log.info('paid', { a: 1 });
      log.info({ a: 1 }, 'paid');
      log.info('%s', 'paid', { a: 1 });
      log.info({ a: 1 }, 'pa%s', 'id');
    });
    for (const { msg, a } of lines) assert.deepEqual({ msg, a }, { msg: 'paid', a: 1 });
    const errors = await linesOf((logs) => {
      const log = logs.logger();
      log.error(error);
      log.error({ err: error });
      log.error('no card', error);
      log.error(error, 'no card');
      log.error('no %s', 'card', error);
    });
    for (const { msg, err } of errors) assert.deepEqual([msg, (err as LogLine)['message']], ['no card', 'no card']);
  });

  test('loses nothing that it was given, whatever was thrown', async () => {
    const thrown: unknown[] = ['boom', undefined, null, 42, { reason: 'odd' }];
    const lines = await linesOf((logs) => thrown.forEach((error) => logs.logger().error(error, 'failed', 7)));
    assert.deepEqual(
      lines.map(({ msg, values, reason }) => [msg, values, reason]),
      [
        ['boom', ['failed', 7], undefined],
        ['failed', [7], undefined],
        ['failed', [7], undefined],
        ['42', ['failed', 7], undefined],
        ['failed', [7], 'odd'],
      ],
    );
  });

  test('has all of a context that looks like a request', async () => {
    const context = {
      method: 'GET',
      url: '/',
      headers: { a: 'b' },
      orderId: 3,
      axios: { method: 'GET', url: '/', headers: {}, timeout: 5 },
    };
    const [line] = await linesOf((logs) => logs.logger().info('x', context));
    assert.deepEqual([line!['orderId'], (line!['axios'] as LogLine)['timeout']], [3, 5]);
  });

  test('has what placeholders ask for, and leaves alone what they do not', async () => {
    const given: [string, ...unknown[]][] = [
      ['100 % sure', { a: 1 }],
      ['%d of %i: %j %o %%', 3, 4n, { a: [1] }, null],
      ['%s and %s', 'one'],
      ['%s', undefined],
    ];
    const lines = await linesOf((logs) => given.forEach((values) => logs.logger().info(...values)));
    assert.deepEqual(messages(lines), ['100 % sure', '3 of 4: {"a":[1]} null %', 'one and %s', 'undefined']);
  });

  test('tells an error with its code and its causes, and what else it has', async () => {
    const root = Object.assign(new Error('refused'), { code: 'ECONNREFUSED', port: 5432 });
    const error = new TypeError('no stock', { cause: new Error('no database', { cause: root }) });
    const [line] = await linesOf((logs) => logs.logger().error(error, 'order failed', { orderId: 3 }));
    const { type, message, stack, cause } = line!['err'] as {
      type: string;
      message: string;
      stack: string;
      cause: LogLine;
    };
    assert.deepEqual([type, message, line!['orderId']], ['TypeError', 'no stock', 3]);
    assert.match(stack, /^TypeError: no stock\n {4}at /);
    const inner = (cause as { cause: LogLine }).cause;
    assert.deepEqual([inner['message'], inner['code'], inner['port']], ['refused', 'ECONNREFUSED', 5432]);
    const [all] = await linesOf((logs) => logs.logger().error(new AggregateError([root], 'all')));
    assert.equal((all!['err'] as { errors: LogLine[] }).errors[0]?.['code'], 'ECONNREFUSED');
    const [gone] = await linesOf((logs) => logs.logger().error(AbortSignal.abort().reason as Error));
    assert.equal((gone!['err'] as LogLine)['type'], 'AbortError');
  });

  test('says that it was cut', async () => {
    const [line] = await linesOf((logs) => logs.logger().info('x'.repeat(10_000_000), { list: Array(1e6).fill('y') }));
    assert.equal(line!['cut'], true);
    assert.match(String(line!['msg']), /^x{4096}…$/);
  });

  test('shows what is no plain object as what it is', async () => {
    const cycle: Record<string, unknown> = { name: 'cycle' };
    cycle['self'] = [cycle];
    const context = {
      ...{ cycle, map: new Map([['a', 1]]), set: new Set([1]), headers: new Headers({ accept: 'x' }) },
      ...{
        bytes: Buffer.from('abc'),
        date: new Date(0),
        url: new URL('http://a/?b=c'),
        query: new URLSearchParams('d=e'),
      },
      ...{ big: 2n ** 64n, none: Number.NaN, symbol: Symbol('s'), method: 'GET', socket: 'a' },
    };
    const [line] = await linesOf((logs) => logs.logger().info(context));
    const { level: _, time, service, msg, ...rest } = line!;
    assert.deepEqual([typeof time, service, msg], ['string', 'shop', '']);
    assert.deepEqual(rest, {
      ...{ cycle: { name: 'cycle', self: ['[circular]'] }, map: { a: 1 }, set: [1], headers: { accept: 'x' } },
      ...{ bytes: '[3 bytes]', date: '1970-01-01T00:00:00.000Z', url: 'http://a/?b=c', query: '?d=e' },
      ...{ big: '18446744073709551616', none: 'NaN', symbol: 'Symbol(s)', method: 'GET' },
    });
  });

  test('has what a request is, not the machine behind it', async () => {
    const lines: Promise<LogLine[]> = linesOf(async (logs) => {
      const server = createServer((req, res) => {
        res.setHeader('set-cookie', 'a=b').end();
        logs.logger().info({ req, res }, 'served');
      });
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const { port } = server.address() as AddressInfo;
      await (await fetch(`http://127.0.0.1:${port}/a?token=t`, { headers: { cookie: 'c=d' } })).text();
      server.close();
    });
    const [{ req, res }] = (await lines) as unknown as [{ req: LogLine; res: LogLine }];
    assert.deepEqual(
      [req['method'], req['url'], (req['headers'] as LogLine)['cookie']],
      ['GET', '/a?token=[redacted]', '[redacted]'],
    );
    assert.deepEqual(res, { statusCode: 200, headers: { 'set-cookie': '[redacted]' } });
  });
});

describe('secrets', () => {
  test('are known by name; true, false and counts of tokens are none', async () => {
    const context = {
      password: 'a',
      hasPassword: true,
      maxTokens: 3,
      fencingToken: 4n,
      accessToken: 'b',
      author: 'c',
      pin: 1234,
    };
    const [line] = await linesOf((logs) => logs.logger().info('x', context));
    const { level: _, time, service, msg, ...rest } = line!;
    assert.deepEqual(rest, {
      ...context,
      password: '[redacted]',
      accessToken: '[redacted]',
      pin: '[redacted]',
      fencingToken: '4',
    });
    assert.deepEqual([typeof time, service, msg], ['string', 'shop', 'x']);
  });

  test('can be named and revealed', async () => {
    const options = { redact: ['email', 'user.name', 'items[*].card', 'a["b.c"]'], reveal: ['csrf-token'] };
    const context = {
      Email: 'a',
      user: { name: 'b', id: 1 },
      name: 'c',
      items: [{ card: 'd', n: 2 }],
      csrfToken: 'e',
      a: { 'b.c': 'f' },
    };
    const [line] = await linesOf((logs) => logs.logger().info(context), options);
    const { Email, user, name, items, csrfToken, a } = line!;
    assert.deepEqual([Email, name, csrfToken], ['[redacted]', 'c', 'e']);
    assert.deepEqual(
      [user, items, a],
      [{ name: '[redacted]', id: 1 }, [{ card: '[redacted]', n: 2 }], { 'b.c': '[redacted]' }],
    );
  });
});

const contextOf = (correlationId: string): WorkContext =>
  extractContext(
    { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x-request-id': correlationId },
    seededRandom(1),
  );

describe('context', () => {
  test('goes with the work by itself: requests at once do not mix', async () => {
    const lines = await linesOf(async (logs) => {
      const log = logs.logger();
      const work = async (id: string): Promise<void> => {
        log.info('first', { id });
        await turn();
        log.info('second', { id });
        await Promise.all([1, 2].map(() => turn().then(() => log.info('third', { id }))));
      };
      await Promise.all(['a', 'b', 'c'].map((id) => runInContext(contextOf(id), () => work(id))));
      log.info('outside');
    });
    const outside = lines.pop()!;
    assert.equal(lines.length, 12);
    for (const line of lines) {
      assert.equal(line['correlation_id'], line['id']);
      assert.deepEqual(
        [line['trace_id'], line['span_id'], line['trace_flags']],
        ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331', '01'],
      );
    }
    assert.deepEqual(Object.keys(outside), ['level', 'time', 'service', 'msg']);
  });

  test('of a child is in all its lines; what a line or a grandchild says itself counts, and each key is there once', async () => {
    const target = path('children');
    const logs = createLogs({ service: 'shop', target });
    const child = logs.logger().child({ user: 'u1', cart: { size: 2 }, password: 'x' });
    child.info('one');
    child.info('two', { user: 'u2' });
    child.child({ user: 'u3', service: 'other' }).info('three');
    child.info('four');
    await logs.close();
    const text = fs.readFileSync(target, 'utf8').trim().split('\n');
    assert.deepEqual(
      text.map((line) => line.split('"user"').length),
      [2, 2, 2, 2],
    );
    const lines = readLines(target);
    assert.deepEqual(
      lines.map(({ user }) => user),
      ['u1', 'u2', 'u3', 'u1'],
    );
    for (const { cart, password, service } of lines) {
      assert.deepEqual([cart, password, service], [{ size: 2 }, '[redacted]', 'shop']);
    }
    assert.equal(lines[2]!['service_'], 'other');
  });

  test('of children of children is bounded, and says so', async () => {
    const lines = await linesOf((logs) => {
      let log = logs.logger();
      for (let depth = 0; depth < 3000; depth++) log = log.child({ [`key${depth}`]: 'x'.repeat(100) });
      log.info('deep');
    });
    assert.deepEqual([lines[0]!['key0'], lines[0]!['cut'], lines[0]!['key2999']], ['x'.repeat(100), true, undefined]);
  });
});

describe('levels', () => {
  test('can be changed while running, of all and of a module', async () => {
    const lines = await linesOf(
      (logs) => {
        const [sql, http] = [logs.logger('sql'), logs.logger('http').child({})];
        const both = (step: number): void => {
          sql.debug('sql', { step });
          http.debug('http', { step });
        };
        both(0);
        logs.setLevel('sql', 'debug');
        assert.deepEqual([logs.level, sql.level, http.level], ['info', 'debug', 'error']);
        both(1);
        logs.level = 'trace';
        both(2);
        logs.setLevel('http', 'silent');
        both(3);
        logs.level = 'silent';
        both(4);
        logs.setLevel('sql', null);
        both(5);
        assert.equal(sql.isLevelEnabled('fatal'), false);
        logs.logger().fatal('nothing');
      },
      { levels: { http: 'error' } },
    );
    assert.deepEqual(
      lines.map(({ msg, step }) => `${String(msg)} ${String(step)}`),
      ['sql 1', 'sql 2', 'sql 3', 'sql 4'],
    );
  });

  test('that are none are refused, as is every option that means nothing', () => {
    const refused: [unknown, RegExp][] = [
      [{}, /service is undefined/],
      [{ service: '' }, /1 to 128/],
      [{ service: 'a', level: 'loud' }, /level is loud; expected one of trace/],
      [{ service: 'a', levels: { sql: 'loud' } }, /the level of sql is loud/],
      [{ service: 'a', redact: ['.'] }, /redact has “.”/],
      [{ service: 'a', levle: 'info' }, /no option “levle”.*Did you mean level/],
    ];
    for (const [options, expected] of refused) {
      assert.throws(() => createLogs(options as LogsOptions), expected);
    }
  });
});

test('Fastify takes a logger as its own', async () => {
  const lines = await linesOf(async (logs) => {
    const app = Fastify({ loggerInstance: logs.logger('http') });
    app.get('/orders/:id', (request, reply) => {
      request.log.info('in the handler');
      reply.send('ok');
    });
    await app.inject({ url: '/orders/7?api_key=k', headers: { authorization: 'Bearer abcdefgh', host: 'shop' } });
    await app.close();
  });
  const [incoming, handler, done] = lines;
  assert.deepEqual(messages(lines), ['incoming request', 'in the handler', 'request completed']);
  const { method, url } = incoming!['req'] as LogLine;
  assert.deepEqual([method, url], ['GET', '/orders/7?api_key=[redacted]']);
  assert.equal(handler!['reqId'], 'req-1');
  assert.equal((done!['res'] as LogLine)['statusCode'], 200);
});

test('recent lines are found by request, level and text', async () => {
  const recent = new RecentLogs();
  await linesOf(
    (logs) => {
      const log = logs.logger('checkout');
      runInContext(contextOf('r1'), () => log.info('cart', { items: 3 }));
      runInContext(contextOf('r2'), () => log.error(new Error('no card'), 'failed'));
      log.debug('not written');
    },
    { recent },
  );
  const [found, ...others] = recent.find({ correlationId: 'r1' });
  assert.deepEqual(others, []);
  const { timeMs, ...rest } = found!;
  assert.ok(Math.abs(timeMs - Date.now()) < 600_000);
  assert.deepEqual(rest, {
    ...{
      level: 'info',
      message: 'cart',
      service: 'shop',
      correlationId: 'r1',
      attributes: { module: 'checkout', items: 3 },
    },
    ...{ traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
  });
  assert.deepEqual(
    recent.find({ level: 'warn' }).map(({ message }) => message),
    ['failed'],
  );
  assert.deepEqual(
    recent.find({ text: 'NO CARD' }).map(({ message }) => message),
    ['failed'],
  );
  assert.equal(recent.find({ traceId: '0af7651916cd43dd8448eb211c80319c' }).length, 2);
});
