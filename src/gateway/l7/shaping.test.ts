/** What a route does with requests and answers on their way: arms, paths, hosts, fields, answers of its own. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { fieldOf, valuesOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import { anyRequest, type Changes } from '../../../test/engine/plans.ts';
import { cellLanes, createCell, sumSlot } from '../../kernel/cells.ts';
import type { ShapingPlan } from '../shaping/plan.ts';
import { ARM_SLOTS, armSlots } from '../slots.ts';
import type { KeySource } from '../key-source.ts';

const nothing: ShapingPlan = {
  split: null,
  answer: null,
  path: null,
  host: null,
  requestFields: null,
  responseFields: null,
  mirror: null,
};

const shape = (plan: Partial<ShapingPlan>, path: string | null = null): Changes => ({
  route: { match: { ...anyRequest, path }, shaping: { ...nothing, ...plan } },
});

const edits = (plan: Partial<ShapingPlan['requestFields']>) => ({ set: [], add: [], remove: [], ...plan });

const get = (target: string, fields = ''): string => `GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${fields}\r\n`;

function splitOf(by: KeySource | null, ...weights: readonly number[]): ShapingPlan {
  const arms = weights.map((weight, service) => ({
    name: `arm${service}`,
    service,
    weight,
    cell: createCell(2, ARM_SLOTS),
  }));
  return { ...nothing, split: { by, arms } };
}

/** Services `a` and `b`, each with one origin that answers with the name. */
async function two(bench: Bench, shaping: ShapingPlan): Promise<{ gateway: TestGateway; client: Peer }> {
  const names = ['a', 'b'];
  const origins = [await bench.origin(), await bench.origin()];
  origins.forEach((origin, index) => {
    origin.serve((_, connection) => {
      connection.write(answer(names[index]));
    });
  });
  const gateway = await bench.gateway(origins, { services: names, route: { service: null, shaping } });
  return { gateway, client: await bench.client(gateway) };
}

onBoth('a split: who has a key stays in an arm, and each arm is counted', async (bench) => {
  const shaping = splitOf({ kind: 'cookie', name: 'user' }, 50, 50);
  const { client, gateway } = await two(bench, shaping);
  const ask = async (user: number): Promise<string> => {
    client.write(get('/', `Cookie: user=u${user}\r\n`));
    return (await client.response()).body.toString();
  };
  const users = Array.from({ length: 20 }, (_, user) => user);
  const first: string[] = [];
  for (const user of users) first.push(await ask(user));
  for (const user of users) assert.equal(await ask(user), first[user]);
  const count = (arm: number) => sumSlot(cellLanes(shaping.split!.arms[arm]!.cell, ARM_SLOTS), armSlots.responses2xx);
  const inA = first.filter((name) => name === 'a').length;
  assert.ok(inA > 0 && inA < 20);
  assert.deepEqual([count(0), count(1)], [2 * inA, 40 - 2 * inA]);
  assert.equal(gateway.route('requests'), 40);
});

onBoth('a split by chance sends an arm of weight 0 nothing', async (bench) => {
  const { client } = await two(bench, splitOf(null, 0, 1));
  for (let i = 0; i < 5; i++) {
    client.write(get('/'));
    assert.equal((await client.response()).body.toString(), 'b');
  }
});

onBoth('a rewritten path and host: the query stays, and what was asked for is told', async (bench) => {
  const { client, origin } = await bench.line(
    shape({ path: '/v2/{id}{/rest}', host: 'backend.example:81' }, '/u/{id}/*'),
  );
  const origins: (readonly [string, string])[] = [
    ['/u/7/a%2db?q=1', '/v2/7/a-b?q=1'],
    ['/u/7', '/v2/7'],
    ['/u/./7/../8/x', '/v2/8/x'],
    ['http://shop.example/u/9/x', '/v2/9/x'],
  ];
  client.write(get('/u/1/x'));
  const server = await origin.accept();
  await server.request();
  server.write(answer('ok'));
  await client.response();
  for (const [given, sent] of origins) {
    client.write(get(given));
    const request = await server.request();
    assert.equal(request.target, sent);
    assert.equal(fieldOf(request, 'host'), 'backend.example:81');
    assert.equal(fieldOf(request, 'x-forwarded-host'), 'shop.example');
    server.write(answer('ok'));
    await client.response();
  }
});

onBoth('a path and a field from the groups of a regular expression', async (bench) => {
  const { client, origin } = await bench.line({
    route: {
      match: { ...anyRequest, pathRegex: '^/v(?<version>[0-9]+)/(?<rest_of_it>.*)$' },
      shaping: {
        ...nothing,
        path: '/{rest_of_it}',
        requestFields: edits({ set: [{ name: 'X-Version', value: '{version}' }] }),
      },
    },
  });
  client.write(get('/v1/a'));
  const server = await origin.accept();
  for (const [target, version] of [
    ['/a', '1'],
    ['/b/c?q=1', '23'],
  ] as const) {
    if (version !== '1') client.write(get(`/v${version}${target}`));
    const request = await server.request();
    assert.deepEqual([request.target, fieldOf(request, 'x-version')], [target, version]);
    server.write(answer('ok'));
    await client.response();
  }
});

onBoth('a rewritten path begins with one slash: two are a host to some', async (bench) => {
  const { client, origin } = await bench.line(shape({ path: '{/rest}' }, '/p/*'));
  client.write(get('/p///evil.example/x'));
  const server = await origin.accept();
  assert.equal((await server.request()).target, '/evil.example/x');
  server.write(answer('ok'));
  await client.response();
  client.write(get('/p'));
  assert.equal((await server.request()).target, '/');
  server.write(answer('ok'));
  await client.response();
});

onBoth('a rewritten path that escapes as much as it removes is refused or normal, never raw', async (bench) => {
  const { client, origin, gateway } = await bench.line(shape({ path: '/%{rest}' }, '/p/*'));
  client.write(get('/p/zz'));
  assert.equal((await client.response()).status, 400);
  assert.equal(gateway.refusals('bad_path'), 1);
  client.write(get('/p/2e%2e/admin'));
  const server = await origin.accept();
  assert.equal((await server.request()).target, '/admin', 'what is put together is looked at again');
  server.write(answer('ok'));
  await client.response();
});

onBoth('fields of a request: set, added, removed, filled in from it; what frames it is untouched', async (bench) => {
  const requestFields = edits({
    set: [
      { name: 'X-User', value: '{id} of {host}' },
      { name: 'X-Client', value: '{client}' },
    ],
    add: [{ name: 'X-Tag', value: 'b' }],
    remove: ['Cookie', 'x-debug'],
  });
  const { client, origin } = await bench.line(shape({ requestFields }, '/u/{id}'));
  client.write(
    'POST /u/7%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: shop.example\r\nX-USER: root\r\nX-Debug: 1\r\nx-tag: a\r\n' +
      'Cookie: a=b\r\nx-debug: 2\r\nContent-Length: 3\r\n\r\nabc',
  );
  const server = await origin.accept();
  const request = await server.request();
  assert.equal(fieldOf(request, 'x-user'), '7%0D%0AX-Evil:%201 of shop.example');
  assert.equal(fieldOf(request, 'x-client'), '127.0.0.1');
  assert.deepEqual(valuesOf(request, 'x-tag'), ['a', 'b']);
  for (const name of ['cookie', 'x-debug', 'x-evil']) assert.deepEqual(valuesOf(request, name), [], name);
  assert.equal(request.body.toString(), 'abc');
  server.write(answer('ok'));
  await client.response();
});

onBoth('fields of an answer: of that request, though others came in between', async (bench) => {
  const responseFields = edits({
    set: [{ name: 'X-Path', value: '{path}' }],
    add: [{ name: 'Vary', value: 'Cookie' }],
    remove: ['Server'],
  });
  const { client, origin, gateway } = await bench.line(shape({ responseFields }));
  client.write(get('/one'));
  const server = await origin.accept();
  await server.request();
  const other = await bench.client(gateway);
  other.write(get('/two'));
  const second = await origin.accept();
  await second.request();
  server.write(answer('1', 'Server: x\r\nX-Path: y\r\nVary: Accept\r\n'));
  const first = await client.response();
  assert.equal(fieldOf(first, 'x-path'), '/one');
  assert.deepEqual(valuesOf(first, 'vary'), ['Accept', 'Cookie']);
  assert.equal(fieldOf(first, 'server'), undefined);
  assert.equal(first.body.toString(), '1');
  second.write(answer('2'));
  assert.equal(fieldOf(await other.response(), 'x-path'), '/two');
});

onBoth('what one route adds to its answers is in no other answer', async (bench) => {
  const responseFields = edits({ set: [{ name: 'X-Path', value: '{path}' }] });
  const { client, origin, gateway } = await bench.line(shape({ responseFields }));
  const paths: (string | undefined)[] = [];
  origin.serve((_, connection) => {
    connection.write(answer('ok'));
  });
  client.write(get('/one'));
  paths.push(fieldOf(await client.response(), 'x-path'));
  const { snapshot } = gateway;
  const routes = snapshot.routes.map((route) => ({ ...route, shaping: null }));
  await gateway.plane.apply({ ...snapshot, version: 2, routes }, {});
  client.write(get('/two'));
  paths.push(fieldOf(await client.response(), 'x-path'));
  assert.deepEqual(paths, ['/one', undefined]);
});

onBoth('RFC 9110 §6.6.1: a Date that the route sets or takes away is the only one, or none', async (bench) => {
  const date = { name: 'Date', value: 'today' };
  const kinds = [edits({ set: [date] }), edits({ add: [date] }), edits({ remove: ['date'] })];
  const respond = { kind: 'respond', status: 200, contentType: 'text/plain', body: 'hello' } as const;
  for (const answers of [null, respond]) {
    const dates: (string | undefined)[] = [];
    for (const responseFields of kinds) {
      const { client, origin } = await bench.line(shape({ answer: answers, responseFields }));
      origin.serve((_, connection) => {
        connection.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      });
      client.write(get('/'));
      dates.push(fieldOf(await client.response(), 'date'));
    }
    assert.deepEqual(dates, ['today', 'today', undefined]);
  }
});

onBoth('a redirect: status, Location, no body, and the connection goes on', async (bench) => {
  const answers = { kind: 'redirect', status: 308, to: 'https://{host}{path}?{query}' } as const;
  const { client, gateway } = await bench.line(shape({ answer: answers }));
  const gone: Record<string, string> = {
    '/a/b?c=d': 'https://shop.example/a/b?c=d',
    '/a': 'https://shop.example/a',
    '//evil.example/x': 'https://shop.example//evil.example/x',
  };
  for (const [target, location] of Object.entries(gone)) {
    client.write(get(target));
    const response = await client.response();
    assert.equal(response.line, 'HTTP/1.1 308 Permanent Redirect');
    assert.equal(fieldOf(response, 'location'), location);
    assert.equal(fieldOf(response, 'content-length'), '0');
    assert.ok(Number.isFinite(Date.parse(fieldOf(response, 'date') ?? '')), 'RFC 9110 §6.6.1');
  }
  assert.equal(gateway.route('requests'), 3);
  assert.equal(gateway.route('responses3xx'), 3);
  client.write('GET / HTTP/1.0\r\n\r\n');
  await client.refusal(400, 'bad_host');
});

onBoth('a redirect to a path never leads to another host (RFC 3986 §4.2)', async (bench) => {
  const answers = { kind: 'redirect', status: 302, to: '/{rest}' } as const;
  const { client } = await bench.line({
    ...shape({ answer: answers }, '/old/*'),
    strict: { escapedSlashes: 'keep' },
  });
  for (const rest of ['/evil.example', '//evil.example', '\\evil.example', '/\\evil.example', '%2Fevil.example']) {
    client.write(get(`/old/${rest}`));
    const location = fieldOf(await client.response(), 'location') ?? '';
    assert.equal(new URL(location, 'http://shop.example/old').host, 'shop.example', location);
  }
});

onBoth(
  'an answer of the route: HEAD gets its length, fields are added, a request with a body closes',
  async (bench) => {
    const answers = { kind: 'respond', status: 503, contentType: 'text/html; charset=utf-8', body: 'zurück' } as const;
    const responseFields = edits({ set: [{ name: 'Retry-After', value: '60' }] });
    const { client, gateway } = await bench.line(shape({ answer: answers, responseFields }));
    client.write(get('/'));
    const response = await client.response();
    assert.equal(response.line, 'HTTP/1.1 503 Service Unavailable');
    assert.equal(response.body.toString(), 'zurück');
    assert.equal(fieldOf(response, 'content-type'), 'text/html; charset=utf-8');
    assert.equal(fieldOf(response, 'retry-after'), '60');
    client.write(get('/').replace('GET', 'HEAD'));
    assert.equal(fieldOf(await client.response({ toHead: true }), 'content-length'), '7');
    client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc');
    assert.equal(fieldOf(await client.response(), 'connection'), 'close');
    assert.equal(gateway.route('responses5xx'), 3);
    assert.equal(gateway.route('bytesOut'), 14);
  },
);

onBoth('an answer without content has no length (RFC 9110 §8.6)', async (bench) => {
  const answers = { kind: 'respond', status: 204, contentType: 'text/plain', body: '' } as const;
  const { client } = await bench.line(shape({ answer: answers }));
  client.write(get('/'));
  const response = await client.response();
  assert.equal(response.status, 204);
  assert.equal(fieldOf(response, 'content-length'), undefined);
});

onBoth('the log tells what was asked for, the arm and the copy, and which route answered by itself', async (bench) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-'));
  try {
    const target = join(folder, 'log');
    const shaping = { ...splitOf(null, 0, 1), path: '/v2{path}', mirror: { service: 0, share: 1, bodyBytesMax: 0 } };
    const { client, gateway } = await two(bench, shaping);
    const { snapshot } = gateway;
    const accessLog = { share: 1, target, redactQuery: [] };
    await gateway.plane.apply({ ...snapshot, version: 2, accessLog }, {});
    client.write(get('/users/7?a=b'));
    await client.response();
    const answers = { kind: 'respond', status: 200, contentType: 'text/plain', body: 'hello' } as const;
    const routes = snapshot.routes.map((route) => ({ ...route, shaping: { ...nothing, answer: answers } }));
    await gateway.plane.apply({ ...snapshot, version: 3, routes, accessLog }, {});
    client.write(get('/x'));
    await client.response();
    const lines = (): string[] => (existsSync(target) ? readFileSync(target, 'utf8').split('\n').slice(0, -1) : []);
    await eventually('two lines', () => lines().length === 2);
    const [passed, answered] = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
    const { path, query, route, service, arm, mirrored } = passed!;
    assert.deepEqual(
      { path, query, route, service, arm, mirrored },
      { path: '/users/7', query: 'a=b', route: 'all', service: 'b', arm: 'arm1', mirrored: true },
    );
    assert.deepEqual([answered!['route'], answered!['service'], answered!['bytesOut']], ['all', undefined, 5]);
    await eventually('the copy is over', () => gateway.endpoint('inFlight', 0) === 0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
