/** Limits of a whole gateway: exact over its workers, kept over a reload, told by state and metrics. */
import assert from 'node:assert/strict';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { explanationLines } from '../src/cli/explain-text.ts';
import { screenLines } from '../src/cli/up-text.ts';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { cleanups, config, create, mortalWorker, origin } from './gateway-under-test.ts';

type LimitInput = NonNullable<ConfigInput['limits']>[number];

const few = (limit: number, more: Partial<LimitInput> = {}): LimitInput => ({
  name: 'few',
  algorithm: { type: 'fixed-window', limit, per: '366d' },
  ...more,
});

const limited = (endpoint: string, limits: LimitInput[]): ConfigInput =>
  config(endpoint, {
    listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: limits.map(({ name }) => name) } }],
    limits,
  });

/** The statuses of so many requests, each on a connection of its own. */
async function ask(address: string, requests: number): Promise<number[]> {
  const one = async (): Promise<number> => {
    const response = await fetch(`http://${address}/`, { headers: { connection: 'close' } });
    await response.arrayBuffer();
    return response.status;
  };
  return Promise.all(Array.from({ length: requests }, one));
}

const passed = (statuses: readonly number[]): number => statuses.filter((status) => status === 200).length;

test('metrics say how full limits are, by the use of each key when it was asked for', async () => {
  const limits = [few(10), few(1000, { name: 'many' }), few(35, { name: 'some' })];
  const { gateway, address } = create({
    config: { ...limited(await origin('ok'), limits), admin: { address: '127.0.0.1:0' } },
    workers: 2,
  });
  await gateway.start();
  const counted = async (): Promise<Record<string, number>> => {
    const text = await (await fetch(`http://${gateway.state().admin!.address}/metrics`)).text();
    const lines = [...text.matchAll(/^spillway_limit_filled_total\{limit="(\w+)",filled="([\d.]+)"\} (\d+)$/gm)];
    assert.equal(lines.length, 30);
    return Object.fromEntries(lines.flatMap(([, limit, filled, count]) => (count === '0' ? [] : [[`${limit} ${filled}`, Number(count)]])));
  };
  assert.deepEqual(await counted(), {});
  for (let at = 0; at < 3; at++) await ask(address(), 1);
  assert.deepEqual(await counted(), { 'few 0.1': 1, 'few 0.2': 1, 'few 0.3': 1, 'many 0.1': 3, 'some 0.1': 3 });
  for (let at = 0; at < 9; at++) await ask(address(), 1);
  // Two were refused: the limit that refused was full, and the other took nothing.
  const now = await counted();
  assert.equal(now['few 1'], 3);
  assert.equal(now['many 0.1'], 10);
  // Three are less than a tenth of 35, and seven are two.
  assert.deepEqual([now['some 0.1'], now['some 0.2'], now['some 0.3']], [3, 4, 3]);
}); // prettier-ignore

test('workers that share the load admit exactly the limit, and say whom they refuse', async () => {
  const limits = [few(100, { key: 'client', showKeys: true })];
  const { gateway, address } = create({ config: limited(await origin('ok'), limits), workers: 4 });
  await gateway.start();
  const statuses = await ask(address(), 400);
  assert.equal(passed(statuses), 100);
  assert.equal(statuses.filter((status) => status === 429).length, 300);
  const [state] = gateway.state().limits;
  assert.deepEqual(state, {
    name: 'few',
    algorithm: 'fixed-window 100 per 366d',
    key: 'client',
    shadow: false,
    store: null,
    listeners: ['web'],
    routes: [],
    allowed: 100,
    refused: 300,
    shadowed: 0,
    topRefused: [{ key: '127.0.0.1', refused: 300, over: 0 }],
  });
});

test('a reload keeps what was counted, and a changed limit holds at once', async () => {
  const endpoint = await origin('ok');
  const { gateway, address } = create({ config: limited(endpoint, [few(10)]), workers: 2 });
  await gateway.start();
  assert.equal(passed(await ask(address(), 8)), 8);
  const reload = async (limits: LimitInput[]): Promise<void> => {
    const outcome = await gateway.reload({ config: limited(endpoint, limits) });
    assert.equal(outcome.kind, 'applied');
  };
  await reload([few(10), few(1000, { name: 'many' })]);
  assert.equal(passed(await ask(address(), 8)), 2);
  await reload([few(13)]);
  assert.equal(passed(await ask(address(), 8)), 3);
  // Another algorithm begins anew.
  await reload([{ name: 'few', algorithm: { type: 'sliding-log', limit: 5, per: '1d' } }]);
  assert.equal(passed(await ask(address(), 8)), 5);
});

test('a config on trial counts where the one in force does', async () => {
  const { gateway, address } = create({ config: limited(await origin('old'), [few(20)]), workers: 2 });
  await gateway.start();
  const next = limited(await origin('new'), [few(20)]);
  const begun = await gateway.apply({ config: next, trial: { share: 0.5, watchMs: 600_000 } });
  assert.equal(begun.kind, 'begun');
  assert.equal(passed(await ask(address(), 60)), 20);
});

test('an answer that the route gives by itself, or a redirect, meets its limits first', async () => {
  const use = { requests: ['few'] };
  const routes = [
    { name: 'text', match: { path: '/text' }, respond: { body: 'here' }, limits: use },
    { name: 'moved', match: { path: '/moved' }, redirect: { to: '/text', status: 301 as const }, limits: use },
  ];
  const listeners = [{ name: 'web', address: '127.0.0.1:0' }];
  const limits = [few(2, { key: 'route', fields: 'always' })];
  const { gateway, address } = create({ config: { listeners, routes, limits }, workers: 1 });
  await gateway.start();
  const get = (path: string) => fetch(`http://${address()}${path}`, { redirect: 'manual' });
  for (const [path, status] of [
    ['/text', 200],
    ['/moved', 301],
  ] as const) {
    const answers = [await get(path), await get(path), await get(path)];
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [status, status, 429],
    );
    assert.ok(answers[2]!.headers.has('retry-after'));
    for (const answer of answers) await answer.arrayBuffer();
  }
  assert.equal(gateway.state().limits[0]!.allowed, 4);
  assert.equal(gateway.state().limits[0]!.refused, 2);
});

test('explain says which limits a request meets, as what it counts, and what is left, and takes nothing', async () => {
  const limits = [few(2, { key: 'header:X-Api-Key' }), few(5, { name: 'all' })];
  const given = limited(await origin('ok'), limits);
  const routes = [{ name: 'all', service: 'shop', limits: { requests: [{ limit: 'all', cost: 3 }] } }];
  const { gateway, address } = create({ config: { ...given, routes } });
  await gateway.start();
  const asked = { method: 'GET', url: `http://${address()}/`, headers: [['X-Api-Key', 'k']] } as const;
  const told = () => gateway.explain(asked);
  const first = (await told()).limits.map(({ name, countsAs, cost, now }) => [name, countsAs, cost, now?.remaining]);
  assert.deepEqual(first, [
    ['few', 'k', 1, 2],
    ['all', '*', 3, 5],
  ]);
  assert.equal((await told()).refusal, null);
  const response = await fetch(`http://${address()}/`, { headers: { 'x-api-key': 'k' } });
  assert.equal(await response.text(), 'ok');
  const after = await told();
  assert.deepEqual(
    after.limits.map(({ now }) => now?.remaining),
    [1, 2],
  );
  assert.equal(after.refusal?.word, 'rate_limited');
  assert.match(after.refusal?.detail ?? '', /Limit all has 2 of 5 left/);
  const paint = (_tone: string, text: string): string => text;
  const lines = explanationLines(after, 'the gateway', paint).join('\n');
  assert.match(lines, /✓ few \(fixed-window 2 per 366d, by header:X-Api-Key\): counts as k, 1 of 2 left/);
  assert.match(lines, /✗ all \(fixed-window 5 per 366d, by everybody, takes 3\): counts as \*, 2 of 5 left, again in/);
  const screen = screenLines(gateway.state(), paint, null).join('\n');
  assert.match(screen, /limit +few +fixed-window 2 per 366d +by header:X-Api-Key\n +all /);
});

test('a worker that is killed takes no slot with it for longer than a lease', async () => {
  const worker = mortalWorker(1);
  // The first request is never answered; later ones are.
  const arrived = Promise.withResolvers<void>();
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    if (requests === 1) arrived.resolve();
    else response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const atOnce: LimitInput = { name: 'at-once', algorithm: { type: 'concurrency', limit: 1, lease: '2s' } };
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { gateway, next, address } = create({
    config: limited(endpoint, [atOnce]),
    workers: 1,
    workerEntry: worker.entry,
  });
  await gateway.start();
  const lost = fetch(`http://${address()}/`).catch(() => null);
  await arrived.promise;
  assert.deepEqual(await ask(address(), 1), [429]);
  const replaced = next('worker-replaced');
  worker.kill();
  await replaced;
  await lost;
  for (;;) {
    const [status] = await ask(address(), 1);
    if (status === 200) break;
    assert.equal(status, 429);
  }
  assert.equal(gateway.state().limits[0]!.allowed, 2);
});

test('a flood of keys takes no more memory than the config says, and pushes out no key of another limit', async () => {
  const limits = [few(1, { key: 'header:X-Api-Key', keysMax: 64 }), few(1000, { name: 'per-client', key: 'client' })];
  const { gateway, address } = create({ config: limited(await origin('ok'), limits), workers: 1 });
  await gateway.start();
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  cleanups.push(() => agent.destroy());
  const one = async (key: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request(`http://${address()}/`, { agent, headers: { 'x-api-key': key } }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode ?? 0));
      });
      sent.on('error', reject).end();
    });
  const statuses = await Promise.all(Array.from({ length: 1200 }, async (_, id) => one(`invented ${id}`)));
  // Each invented key has a bucket of its own; the limit by client beside it holds.
  assert.equal(passed(statuses), 1000);
});
