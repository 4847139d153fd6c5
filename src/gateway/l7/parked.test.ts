/** Requests that wait for a store of limits, on real sockets before a real Redis that answers when the test lets it. */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import { type Bench, eventually, onBoth, onFast, type TestGateway } from '../../../test/engine/bench.ts';
import { limited, limitedLine, type LimitInput } from '../../../test/engine/limits.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { RedisServer } from '../../../test/servers/redis.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

let redis: RedisServer;
let tests = 0;
before(async () => (redis = await RedisServer.start()));
after(() => redis[Symbol.asyncDispose]());

/** A limit in Redis, of keys that no other test has. */
const inRedis = (limit: number, more: Partial<LimitInput> = {}): LimitInput => ({
  name: 'fleet',
  algorithm: { type: 'fixed-window', limit, per: '366d' },
  store: { redis: redis.url, prefix: `test-${tests++}` },
  outage: { answer: 'closed', deadline: '30s' },
  ...more,
});

/** A gateway before an origin that answers each request with its path and the length of its body. */
const line = (bench: Bench, limits: readonly LimitInput[], changes: Changes = {}) =>
  limitedLine(bench, limits, changes, ({ line: start, body }) => `${start.split(' ')[1]} ${body.length}`);

const parked = (gateway: TestGateway, many = 1): Promise<void> =>
  eventually(`${many} parked`, () => gateway.parked === many);

/** Redis is silent while `run` runs, and answers after it. */
async function whileSilent(run: () => Promise<void>): Promise<void> {
  redis.freeze();
  try {
    await run();
  } finally {
    redis.thaw();
  }
}

onBoth('a limit in Redis is met, and who is over it is told as by any other', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(2, { fields: 'always' })]);
  const first = await client.write(get('/a')).response();
  assert.equal(first.body.toString(), '/a 0');
  assert.match(fieldOf(first, 'ratelimit') ?? '', /^"fleet";r=1;t=\d+$/);
  assert.equal((await client.write(get('/b')).response()).body.toString(), '/b 0');
  const refused = await client.write(GET).response();
  assert.equal(refused.status, 429);
  assert.match(fieldOf(refused, 'retry-after') ?? '', /^[1-9][0-9]*$/);
  assert.equal(fieldOf(refused, 'connection'), undefined);
  assert.equal(gateway.refusals('rate_limited'), 1);
  assert.equal(gateway.listener('requests'), 3);
});

onBoth('what comes behind a parked request is answered after it, in order', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(2)]);
  await whileSilent(async () => {
    client.write(get('/1') + get('/2'));
    await parked(gateway);
    await client.flushed(get('/3'));
    assert.equal(client.text, '');
  });
  assert.equal((await client.response()).body.toString(), '/1 0');
  assert.equal((await client.response()).body.toString(), '/2 0');
  assert.equal((await client.response()).status, 429);
  assert.equal(gateway.listener('requests'), 3);
});

onBoth('a body that comes while its request is parked arrives whole', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(1)]);
  const body = Buffer.alloc(3_000_000, 'b');
  let sent: Promise<void> | undefined;
  await whileSilent(async () => {
    client.write(`POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`);
    await parked(gateway);
    sent = client.flushed(body);
    // No more is read than one read brings, and it is not passed on.
    await eventually('a part of it has arrived', () => gateway.bufferedBytes > 60_000);
    assert.ok(gateway.bufferedBytes < 1_000_000, String(gateway.bufferedBytes));
    assert.equal(gateway.route('requests'), 0);
  });
  await sent;
  assert.equal((await client.response()).body.toString(), '/up 3000000');
});

onBoth('a client that goes while its request is parked leaves no slot taken', async (bench) => {
  const atOnce = inRedis(1, { algorithm: { type: 'concurrency', limit: 1, lease: '10m' } });
  const { client, gateway, origin } = await line(bench, [atOnce]);
  await whileSilent(async () => {
    client.write(GET);
    await parked(gateway);
    client.reset();
    await eventually('it is noticed', () => gateway.listener('connections') === 0);
    assert.equal(gateway.parked, 1);
  });
  await parked(gateway, 0);
  assert.equal(origin.connections.length, 0);
  const next = await bench.client(gateway);
  // The slot is given back by a call of its own.
  for (let status = 429; status !== 200;) {
    ({ status } = await next.write(GET).response());
    assert.ok(status === 200 || status === 429, String(status));
  }
});

onBoth('a client that has sent all it will is answered still', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(1)]);
  await whileSilent(async () => {
    client.write(GET);
    await parked(gateway);
    client.end();
    // Its end has been heard when a later connection is served.
    const other = await bench.client(gateway);
    other.write('GET / HTTP/1.1\r\n\r\n');
    assert.equal((await other.response()).status, 400);
  });
  const ended = await client.response();
  assert.equal(ended.status, 200);
  assert.equal(await client.gone(), 'end');
});

onBoth('a reload while a request is parked: it goes where the new config says', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(1)]);
  const other = await bench.origin();
  other.serve((_request, connection) => void connection.write(answer('other')));
  await whileSilent(async () => {
    client.write(GET);
    await parked(gateway);
    await gateway.changeServices(({ endpoints }) => ({
      endpoints: endpoints.map((endpoint) => ({ ...endpoint, id: 'other', port: other.port })),
    }));
  });
  assert.equal((await client.response()).body.toString(), 'other');
  assert.equal((await client.write(GET).response()).status, 429);
});

onBoth('only so many wait as there is memory for; more are refused at once', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(100)], { memoryBytesMax: 2 ** 20 });
  const clients = await Promise.all(Array.from({ length: 32 }, () => bench.client(gateway)));
  await whileSilent(async () => {
    for (const each of clients) each.write(GET);
    await parked(gateway, 32);
    assert.equal((await client.write(GET).response()).status, 503);
    assert.equal(gateway.refusals('overloaded'), 1);
  });
  for (const each of clients) assert.equal((await each.response()).status, 200);
  assert.equal((await client.write(GET).response()).status, 200);
});

onBoth('a drain waits for what is parked', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(10)]);
  let drained: Promise<void> | undefined;
  await whileSilent(async () => {
    client.write(GET);
    await parked(gateway);
    drained = gateway.plane.drain(20_000);
  });
  const last = await client.response();
  assert.equal(last.status, 200);
  assert.equal(fieldOf(last, 'connection'), 'close');
  client.end();
  await drained;
});

onBoth('slots of requests that end with the gateway are given back', async (bench) => {
  const limits = [inRedis(1, { algorithm: { type: 'concurrency', limit: 1, lease: '10m' } })];
  const origin = await bench.origin();
  const gateway = await bench.gateway([origin], limited(limits));
  const client = await bench.client(gateway);
  // The connection ends with the answer, and so the gateway, in one turn.
  client.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  const drained = gateway.plane.drain(20_000);
  server.write(answer('ok'));
  assert.equal((await client.response()).status, 200);
  await drained;
  origin.serve((_request, connection) => void connection.write(answer('ok')));
  const next = await bench.client(await bench.gateway([origin], limited(limits)));
  assert.equal((await next.write(GET).response()).status, 200);
});

onBoth('a drain that is out of time cuts what is parked', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(10)]);
  await whileSilent(async () => {
    client.write(GET);
    await parked(gateway);
    await gateway.plane.drain(0);
    assert.notEqual(await client.gone(), 'open');
  });
});

const late = { deadline: '50ms' } as const;

onBoth('a store that does not answer in time: closed is 503, and says when to come again', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(9, { outage: { answer: 'closed', ...late } })]);
  await whileSilent(async () => {
    const refused = await client.write(GET).response();
    assert.equal(refused.status, 503);
    assert.match(fieldOf(refused, 'retry-after') ?? '', /^[1-9][0-9]*$/);
    const problem = JSON.parse(refused.body.toString()) as Record<string, unknown>;
    assert.equal(problem['code'], 'limits_unavailable');
    assert.equal(problem['type'], 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity');
    assert.deepEqual(problem['violated-policies'], ['fleet']);
    assert.equal(gateway.refusals('limits_unavailable'), 1);
    assert.deepEqual([gateway.route('responses5xx'), gateway.route('limited'), gateway.timed()], [1, 0, 1]);
  });
});

onBoth('a store that does not answer in time: open lets all pass, fallback a share', async (bench) => {
  const limits = [
    inRedis(1, { name: 'open', outage: { answer: 'open', ...late } }),
    inRedis(10, { name: 'part', outage: { share: '30%', ...late } }),
  ];
  // The same store for both.
  const { store } = limits[0]!;
  const { client } = await line(
    bench,
    limits.map((limit) => ({ ...limit, store: store! })),
  );
  await whileSilent(async () => {
    const seen: number[] = [];
    for (let sent = 0; sent < 5; sent++) seen.push((await client.write(GET).response()).status);
    assert.deepEqual(seen, [200, 200, 200, 429, 429]);
  });
});

onBoth('local limits beside one in Redis: whichever refuses, nothing is taken from the others', async (bench) => {
  const local: LimitInput = {
    name: 'here',
    algorithm: { type: 'fixed-window', limit: 2, per: '366d' },
    key: 'query:k',
  };
  const fleet = inRedis(3, { key: 'query:f' });
  const { client } = await line(bench, [local, fleet]);
  const ask = async (k: string, f: string): Promise<number> =>
    (await client.write(get(`/?k=${k}&f=${f}`)).response()).status;
  assert.deepEqual([await ask('a', 'x'), await ask('a', 'x')], [200, 200]);
  // Refused here: nothing is taken there, so that one is left for another.
  for (let more = 0; more < 3; more++) assert.equal(await ask('a', 'x'), 429);
  assert.equal(await ask('b', 'x'), 200);
  // Refused there: nothing is taken here.
  for (let more = 0; more < 5; more++) assert.equal(await ask('b', 'x'), 429);
  assert.deepEqual([await ask('b', 'y'), await ask('b', 'y')], [200, 429]);
});

onBoth('a limit in Redis that is on trial refuses nobody, and holds up no other', async (bench) => {
  const trial = inRedis(1, { name: 'trial', shadow: true });
  const { client } = await line(bench, [trial, { ...inRedis(3), store: trial.store! }]);
  const seen: number[] = [];
  for (let sent = 0; sent < 5; sent++) seen.push((await client.write(GET).response()).status);
  assert.deepEqual(seen, [200, 200, 200, 429, 429]);
});

// The other path sends at once, and reads no request of a client that has fallen behind.
onFast('a request that was let in and whose client takes no earlier answers keeps its slot', async (bench) => {
  const prefix = 'held';
  const atOnce = inRedis(1, {
    algorithm: { type: 'concurrency', limit: 1, lease: '10m' },
    store: { redis: redis.url, prefix },
  });
  const { client, gateway } = await line(bench, [atOnce]);
  client.pause();
  const before = get('/%zz').repeat(200);
  let rounds = 0;
  // Until its answers, some 50 kB in each turn, are more than fits into the sockets.
  do {
    rounds += 1;
    await eventually('the last is over', () => gateway.route('inFlight') === 0);
    // Then its slot is given back, of which nobody here is told.
    while ((await redis.admin.keys(`${prefix}:*`)).length > 0);
    await whileSilent(async () => {
      client.write(before + GET);
      await parked(gateway);
    });
    await parked(gateway, 0);
  } while (gateway.route('requests') === rounds);
  const other = await bench.client(gateway);
  assert.equal((await other.write(GET).response()).status, 429);
  client.resume();
  for (let bad = 0; bad < rounds * 201; bad++) {
    const last = (bad + 1) % 201 === 0;
    assert.equal((await client.response()).status, last ? 200 : 400);
  }
  for (let status = 429; status !== 200;) ({ status } = await other.write(GET).response());
});

onBoth('how long a request took is told from its head on, with what it waited for its limits', async (bench) => {
  const { client, gateway } = await line(bench, [inRedis(1)]);
  let waitedMs = 0;
  await whileSilent(async () => {
    client.write(GET);
    await parked(gateway);
    const fromMs = systemClock.nowMs();
    await eventually('a while is over', () => (waitedMs = systemClock.nowMs() - fromMs) >= 30);
  });
  assert.equal((await client.response()).status, 200);
  assert.ok(gateway.route('durationSumMs') >= waitedMs);
});
