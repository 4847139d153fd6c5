/** One limit for several gateways, in a real Redis that is shared, slow, silent, flushed, killed and started again. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { systemClock } from '../src/kernel/clock.ts';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { CliProcess } from './cli-process.ts';
import { cleanups, config, create, folder, origin } from './gateway-under-test.ts';
import { RedisServer } from './servers/redis.ts';
import { freePort } from './ports.ts';
import { Relay } from './faults/relay.ts';

type LimitInput = NonNullable<ConfigInput['limits']>[number];
type Running = ReturnType<typeof create>;

/** For what is not about deadlines: a busy machine is no outage. */
const deadline = '20s' as const;

const perKey = (limit: number, redis: string, more: Partial<LimitInput> = {}): LimitInput => ({
  name: 'fleet',
  algorithm: { type: 'fixed-window', limit, per: '366d' },
  key: 'header:X-Key',
  store: { redis },
  outage: { deadline },
  ...more,
});

const limited = (endpoint: string, limits: LimitInput[]): ConfigInput =>
  config(endpoint, {
    listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: limits.map(({ name }) => name) } }],
    limits,
  });

async function redisServer(...args: string[]): Promise<RedisServer> {
  const server = await RedisServer.start({ args });
  cleanups.push(() => server[Symbol.asyncDispose]());
  return server;
}

async function slowLine(to: RedisServer, delayMs: number): Promise<Relay> {
  const line = await Relay.open(to.port);
  line.delay(delayMs);
  cleanups.push(() => line[Symbol.asyncDispose]());
  return line;
}

/** Gateways of one config, each with its own workers and connections. */
async function fleet(limits: LimitInput[], { gateways = 2, workers = 1 } = {}): Promise<Running[]> {
  const endpoint = await origin('ok');
  const running = Array.from({ length: gateways }, () => create({ config: limited(endpoint, limits), workers }));
  for (const { gateway } of running) await gateway.start();
  return running;
}

async function one({ address }: Pick<Running, 'address'>, key: string): Promise<number> {
  const response = await fetch(`http://${address()}/`, { headers: { connection: 'close', 'x-key': key } });
  await response.arrayBuffer();
  return response.status;
}

/** The statuses of so many requests, sent to the gateways in turn, all at once. */
const ask = (gateways: readonly Running[], requests: number, key: string): Promise<number[]> =>
  Promise.all(Array.from({ length: requests }, async (_, index) => one(gateways[index % gateways.length]!, key)));

const count = (statuses: readonly number[], status: number): number =>
  statuses.filter((each) => each === status).length;

/** Asks with ever new keys until every worker has an answer of Redis again. */
async function recovered(gateways: readonly Running[]): Promise<void> {
  const down = (): boolean => gateways.some(({ gateway }) => gateway.state().stores[0]!.downFor > 0);
  for (let round = 0; down(); round++) {
    await ask(gateways, gateways.length * 4, `recovery-${round}`);
    await new Promise<void>((resolve) => systemClock.after(20, resolve, { ref: true }));
  }
}

test('two gateways with two workers each admit exactly the limit together, also while scripts are flushed', async () => {
  const redis = await redisServer();
  const gateways = await fleet([perKey(100, redis.url)], { workers: 2 });
  assert.equal(count(await ask(gateways, 300, 'a'), 200), 100);
  const asking = ask(gateways, 300, 'b');
  for (let round = 0; round < 5; round++) await redis.admin.call('script', 'flush');
  assert.equal(count(await asking, 200), 100);
  const allowed = gateways.map(({ gateway }) => gateway.state().limits[0]!.allowed);
  assert.equal(allowed[0]! + allowed[1]!, 200);
  const { decisions } = gateways[0]!.gateway.state().limits[0]!.store!;
  assert.equal(decisions.fallback + decisions.open + decisions.closed, 0);
});

for (const [answer, during] of [
  ['fallback', { passed: 10, refused: 429 }],
  ['open', { passed: 40, refused: 0 }],
  ['closed', { passed: 0, refused: 503 }],
] as const) {
  test(`Redis is killed and started again under load: ${answer}`, async () => {
    const redis = await redisServer();
    const outage = answer === 'fallback' ? { answer, deadline, share: '50%' as const } : { answer, deadline };
    const gateways = await fleet([perKey(10, redis.url, { outage })]);
    assert.equal(count(await ask(gateways, 40, 'before'), 200), 10);
    // Requests all the while: each is answered, and as the limit or its outage says.
    const seen = new Set<number>();
    let loading = true;
    const load = Array.from({ length: 8 }, async (_, lane) => {
      for (let sent = 0; loading; sent++) seen.add(await one(gateways[lane % 2]!, `load-${lane}-${sent >> 4}`));
    });
    const heard = gateways[0]!.next('notice');
    await redis.kill();
    await heard;
    const statuses = await ask(gateways, 40, 'during');
    assert.equal(count(statuses, 200), during.passed);
    if (during.refused !== 0) assert.equal(count(statuses, during.refused), 40 - during.passed);
    await redis.restart();
    await recovered(gateways);
    assert.equal(count(await ask(gateways, 40, 'after'), 200), 10);
    loading = false;
    await Promise.all(load);
    const expected = answer === 'closed' ? [200, 429, 503] : [200, 429];
    for (const status of seen) assert.ok(expected.includes(status), String(status));
    const { limits, stores } = gateways[0]!.gateway.state();
    assert.ok(limits[0]!.store!.decisions[answer] >= 20);
    assert.ok(stores[0]!.failures > 0);
    const said = gateways[0]!.seen.flatMap((event) => (event.kind === 'notice' ? [event.message] : []));
    assert.ok(
      said.some((line) => /^redis:\/\/127\.0\.0\.1:\d+\/0 does not answer: .+/.test(line)),
      said.join('\n'),
    );
    assert.ok(said.some((line) => line.includes('answers again')));
  });
}

test('a Redis that is slow is waited for within the deadline, and not after it', async () => {
  const redis = await redisServer();
  const line = await slowLine(redis, 100);
  const url = `redis://127.0.0.1:${line.port}`;
  const patient = perKey(10, url, { outage: { answer: 'closed', deadline } });
  assert.equal(count(await ask(await fleet([patient]), 30, 'a'), 200), 10);
  const hasty = perKey(10, url, { outage: { answer: 'closed', deadline: '20ms' } });
  const [gateway] = await fleet([hasty], { gateways: 1 });
  assert.equal(await one(gateway!, 'b'), 503);
});

test('a Redis that falls silent without a goodbye is connected to anew', async () => {
  const redis = await redisServer();
  const line = await slowLine(redis, 0);
  const limit = perKey(10, `redis://127.0.0.1:${line.port}`, { outage: { answer: 'open', deadline: '50ms' } });
  const gateways = await fleet([limit], { gateways: 1 });
  assert.equal(await one(gateways[0]!, 'a'), 200);
  line.strand();
  assert.equal(await one(gateways[0]!, 'a'), 200);
  assert.equal(gateways[0]!.gateway.state().stores[0]!.downFor, 1);
  await recovered(gateways);
  assert.equal(count(await ask(gateways, 30, 'b'), 200), 10);
});

test('a Redis that replies with errors is not silent: its connection is kept', async () => {
  const redis = await redisServer();
  const connections = async (): Promise<string | undefined> =>
    /total_connections_received:(\d+)/.exec(await redis.admin.info('stats'))?.[1];
  const gateways = await fleet([perKey(100, redis.url)], { gateways: 1 });
  const [{ gateway }] = gateways as [Running];
  assert.equal(count(await ask(gateways, 4, 'a'), 200), 4);
  const before = await connections();
  await redis.admin.config('SET', 'maxmemory', '1');
  // Asked less and less often: the seventh time comes after twice what silence is allowed.
  const failures = (): number => gateway.state().stores[0]!.failures;
  for (let round = 0; failures() < 7; round++) {
    await ask(gateways, 1, `full-${round}`);
    await new Promise<void>((resolve) => systemClock.after(20, resolve, { ref: true }));
  }
  assert.equal(await connections(), before);
});

test('a gateway starts without its Redis, and uses it when it is there', async () => {
  const redis = await redisServer();
  await redis.kill();
  const gateways = await fleet([perKey(3, redis.url, { outage: { answer: 'closed', deadline } })], { gateways: 1 });
  assert.equal(await one(gateways[0]!, 'a'), 503);
  await redis.restart();
  await recovered(gateways);
  assert.equal(count(await ask(gateways, 9, 'b'), 200), 3);
});

test('of two limits in Redis of which one refuses, the other has lost nothing; explain asks both', async () => {
  const redis = await redisServer();
  const { key: _, ...forAll } = perKey(9, redis.url, { name: 'all' });
  const limits = [perKey(2, redis.url), forAll];
  const gateways = await fleet(limits);
  assert.equal(count(await ask(gateways, 20, 'a'), 200), 2);
  const { gateway, address } = gateways[0]!;
  const asked = { method: 'GET', url: `http://${address()}/`, headers: [['X-Key', 'a']] } as const;
  const told = await gateway.explain(asked);
  const left = told.limits.map(({ name, store, now }) => [name, store, now?.remaining, now?.refused]);
  const place = `redis://127.0.0.1:${redis.port}/0`;
  assert.deepEqual(left, [
    ['fleet', place, 0, true],
    ['all', place, 7, false],
  ]);
  assert.equal(told.refusal?.word, 'rate_limited');
  await redis.kill();
  const unknown = await gateway.explain(asked);
  assert.deepEqual(
    unknown.limits.map(({ now }) => now),
    [null, null],
  );
  assert.equal(unknown.refusal, null);
  assert.ok(unknown.notes.some((note) => note.startsWith(`${place} does not answer`)));
});

test('a password is in no state, log or metric; a wrong one is an outage that says so', async () => {
  const redis = await redisServer('--requirepass', 'open-sesame');
  const withPassword = (password: string): string => redis.url.replace('//', `//:${password}@`);
  const right = await fleet([perKey(2, withPassword('open-sesame'))], { gateways: 1 });
  assert.equal(count(await ask(right, 8, 'a'), 200), 2);
  const closed = { answer: 'closed', deadline } as const;
  const wrong = await fleet([perKey(2, withPassword('open-sesam'), { outage: closed })], { gateways: 1 });
  assert.equal(await one(wrong[0]!, 'a'), 503);
  for (const { gateway, seen } of [...right, ...wrong]) {
    const shown = JSON.stringify([gateway.state(), seen, await gateway.explain({ method: 'GET', url: '/' })]);
    assert.doesNotMatch(shown, /open-sesam/);
    assert.match(shown, /redis:\/\/127\.0\.0\.1/);
  }
  const said = JSON.stringify(wrong[0]!.seen);
  assert.match(said, /does not answer: .*(WRONGPASS|NOAUTH)/);
});

test('a reload to another Redis counts there, and closes the connections to the first when nothing uses them', async () => {
  const [first, second] = [await redisServer(), await redisServer()];
  const endpoint = await origin('ok');
  const at = (redis: RedisServer): ConfigInput => ({
    ...limited(endpoint, [perKey(2, redis.url)]),
    drainTimeout: '0s',
  });
  const running = create({ config: at(first), workers: 1 });
  await running.gateway.start();
  const connections = async (): Promise<number> => {
    const list = String(await first.admin.call('client', 'list', 'type', 'normal'));
    return list.trim().split('\n').length;
  };
  const before = await connections();
  assert.equal(count(await ask([running], 6, 'a'), 200), 2);
  assert.equal((await running.gateway.reload({ config: at(second) })).kind, 'applied');
  assert.equal(count(await ask([running], 6, 'a'), 200), 2);
  while ((await connections()) !== before - 1);
});

test('with node-redis in place of ioredis the same holds', async () => {
  const redis = await redisServer();
  const home = folder();
  const hooks = join(home, 'hooks.mjs');
  // As on a machine where only the other is installed; workers load it, too.
  writeFileSync(
    hooks,
    `import { registerHooks } from 'node:module';
    registerHooks({ resolve(name, context, next) {
      if (name === 'ioredis') throw new Error('not there');
      return next(name, context);
    } });`,
  );
  const [port, admin] = [await freePort(), await freePort()];
  const file = join(home, 'spillway.json');
  const given = limited(await origin('ok'), [perKey(2, redis.url, { outage: { answer: 'closed', deadline: '5s' } })]);
  const listeners = [{ ...given.listeners[0]!, address: `127.0.0.1:${port}` }];
  writeFileSync(file, JSON.stringify({ ...given, listeners, admin: { address: `127.0.0.1:${admin}` }, workers: 1 }));
  const environment = { NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import=${pathToFileURL(hooks).href}` };
  await using up = new CliProcess(['up', file], { environment });
  await up.printed(/Ctrl-C drains/);
  const asked = { address: () => `127.0.0.1:${port}` };
  const all = async (key: string): Promise<number[]> => Promise.all(Array.from({ length: 8 }, () => one(asked, key)));
  assert.equal(count(await all('a'), 200), 2);
  await redis.kill();
  assert.equal(count(await all('b'), 503), 8);
  await up.printed(/does not answer/);
  await redis.restart();
  for (let round = 0; (await one(asked, `recovery-${round}`)) === 503; round++);
  assert.equal(count(await all('c'), 200), 2);
  up.child.kill('SIGTERM');
  assert.equal((await up.exit).code, 0);
});
