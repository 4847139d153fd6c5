/** Limits on requests, on real sockets: who is refused, how, and before what. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { limited, limitedLine, type LimitInput } from '../../../test/engine/limits.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const get = (...fields: readonly string[]): string => ['GET / HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n');
const fixed = (limit: number, more: Partial<LimitInput> = {}): LimitInput => ({
  name: 'few',
  algorithm: { type: 'fixed-window', limit, per: '366d' },
  ...more,
});

async function statuses(client: Peer, requests: readonly string[]): Promise<number[]> {
  const seen: number[] = [];
  for (const request of requests) seen.push((await client.write(request).response()).status);
  return seen;
}

const behindProxy: Changes = { listener: { trustedProxies: ['127.0.0.1/32'] } };
const from = (client: string): string => get(`X-Forwarded-For: ${client}`);

onBoth('RFC 6585 §4: over the limit is 429, with when to come back; the connection goes on', async (bench) => {
  const { gateway, client, origin } = await limitedLine(bench, [fixed(2, { key: 'client' })]);
  assert.deepEqual(await statuses(client, [GET, GET]), [200, 200]);
  const refused = await client.write(GET).response();
  assert.equal(refused.status, 429);
  assert.match(fieldOf(refused, 'retry-after') ?? '', /^[1-9][0-9]*$/);
  assert.equal(fieldOf(refused, 'ratelimit-policy'), '"few";q=2;w=31622400');
  assert.match(fieldOf(refused, 'ratelimit') ?? '', /^"few";r=0;t=[1-9][0-9]*$/);
  const problem = JSON.parse(refused.body.toString()) as Record<string, unknown>;
  assert.equal(problem['type'], 'https://iana.org/assignments/http-problem-types#quota-exceeded');
  assert.equal(problem['code'], 'rate_limited');
  assert.deepEqual(problem['violated-policies'], ['few']);
  assert.equal(fieldOf(refused, 'connection'), undefined);
  assert.equal((await client.write(GET).response()).status, 429);
  assert.equal(gateway.refusals('rate_limited'), 2);
  assert.deepEqual(
    (['requests', 'responses2xx', 'responses4xx', 'limited'] as const).map((slot) => gateway.route(slot)),
    [4, 2, 2, 2],
    'the route counts them',
  );
  assert.equal(gateway.timed(), 2, 'but not as fast answers');
  assert.equal(origin.connections.length, 1);
});

onBoth('HEAD is refused without a body, and requests in a pipeline each in their turn', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(1)]);
  client.write(`${GET}HEAD / HTTP/1.1\r\nHost: a\r\n\r\n${GET}`);
  assert.equal((await client.response()).status, 200);
  const head = await client.response({ toHead: true });
  assert.equal(head.status, 429);
  assert.equal(head.body.length, 0);
  assert.equal((await client.response()).status, 429);
});

onBoth('RFC 9110 §10.1.1: who waits for 100 is refused before it sends its body', async (bench) => {
  const { client, origin } = await limitedLine(bench, [fixed(1)]);
  assert.equal((await client.write(GET).response()).status, 200);
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n';
  const refused = await client.write(post).response();
  assert.equal(refused.status, 429);
  assert.equal(fieldOf(refused, 'connection'), 'close');
  assert.equal(origin.connections.length, 1);
});

onBoth('a limit is looked at before the length of a body, and what is too large counts', async (bench) => {
  const { gateway } = await limitedLine(bench, [fixed(1)], { route: { requestBodyBytesMax: 10 } });
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n';
  assert.equal((await (await bench.client(gateway)).write(post).response()).status, 413);
  assert.equal((await (await bench.client(gateway)).write(post).response()).status, 429);
  assert.deepEqual([gateway.route('requests'), gateway.route('responses4xx'), gateway.route('limited')], [2, 2, 1]);
  assert.equal(gateway.timed(), 1);
});

onBoth('a client is an IPv4 address, or the /64 of an IPv6 one', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(1, { key: 'client' })], behindProxy);
  const asked = ['192.0.2.1', '192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::ffff:2', '2001:db8:0:1::1'];
  assert.deepEqual(await statuses(client, asked.map(from)), [200, 429, 200, 200, 429, 200]);
});

onBoth('a key may be a header, a cookie, a parameter, or several together', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(1, { key: ['header:X-Api-Key', 'cookie:sid', 'query:q'] })]);
  const ask = (key: string, sid: string, q: string): string =>
    `GET /?q=${q} HTTP/1.1\r\nHost: a\r\nX-Api-Key: ${key}\r\nCookie: sid=${sid}\r\n\r\n`;
  const asked = [ask('a', 'b', 'c'), ask('a', 'b', 'c'), ask('b', 'b', 'c'), ask('a', 'c', 'c'), ask('a', 'b', 'd')];
  assert.deepEqual(await statuses(client, asked), [200, 429, 200, 200, 200]);
  // What lies between parts cannot be moved from one to another.
  assert.deepEqual(await statuses(client, [ask('x', 'y', 'z%0Aw'), ask('x', 'y', 'z')]), [200, 200]);
});

onBoth('a key may be as long as a head allows, and is told from another by its end', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(1, { key: 'header:K' })]);
  const long = (end: string): string => get(`K: ${'x'.repeat(5000)}${end}`);
  assert.deepEqual(await statuses(client, [long('a'), long('b'), long('a')]), [200, 200, 429]);
});

onBoth('a request that is refused behind its limits gives its slot back', async (bench) => {
  const atOnce: LimitInput = { name: 'at-once', algorithm: { type: 'concurrency', limit: 1 } };
  const { gateway } = await limitedLine(bench, [atOnce], { route: { requestBodyBytesMax: 10 } });
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n';
  for (let sent = 0; sent < 3; sent++) {
    assert.equal((await (await bench.client(gateway)).write(post).response()).status, 413);
  }
  assert.equal((await (await bench.client(gateway)).write(GET).response()).status, 200);
});

onBoth('who leaves out the key counts as its client, and cannot pass for another', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(1, { key: 'header:X-Api-Key' })]);
  const asked = [
    get(),
    get(),
    get('X-Api-Key:'),
    get('X-Api-Key: 127.0.0.1'),
    get('X-Api-Key: k'),
    get('X-Api-Key: k'),
  ];
  assert.deepEqual(await statuses(client, asked), [200, 429, 429, 200, 200, 429]);
});

for (const [withoutKey, second] of [
  ['together', 429],
  ['skip', 200],
] as const) {
  onBoth(`without the key: ${withoutKey}`, async (bench) => {
    const { client } = await limitedLine(bench, [fixed(1, { key: 'header:X-Api-Key', withoutKey })], behindProxy);
    assert.deepEqual(await statuses(client, [from('192.0.2.1'), from('192.0.2.2')]), [200, second]);
  });
}

const token = (claims: object): string =>
  `Authorization: Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
const said = (client: string, ...fields: readonly string[]): string => get(`X-Forwarded-For: ${client}`, ...fields);

onBoth('a claim that nobody has verified never gives more than the address has anyway', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(2, { key: 'claim:sub' })], behindProxy);
  const invented = [1, 2, 3].map((sub) => said('192.0.2.1', token({ sub })));
  assert.deepEqual(await statuses(client, invented), [200, 200, 429]);
  const without = [said('192.0.2.1'), said('192.0.2.1', 'Authorization: Bearer e30.!.x'), said('192.0.2.2')];
  assert.deepEqual(await statuses(client, without), [429, 429, 200]);
});

onBoth('a claim narrows: one subject has one limit, from wherever it comes', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(2, { key: 'claim:sub' })], behindProxy);
  const ann = [1, 2, 3].map((last) => said(`192.0.2.${last}`, token({ sub: 'ann' })));
  assert.deepEqual(await statuses(client, ann), [200, 200, 429]);
  // Refused for the subject: nothing was taken from the address.
  const bob = [1, 2, 3].map(() => said('192.0.2.3', token({ sub: 'bob' })));
  assert.deepEqual(await statuses(client, bob), [200, 200, 429]);
});

onBoth('of several limits a request takes from all or from none', async (bench) => {
  const perKey: LimitInput = {
    name: 'per-key',
    algorithm: { type: 'fixed-window', limit: 2, per: '366d' },
    key: 'header:K',
  };
  const { client } = await limitedLine(bench, [perKey, fixed(3)]);
  assert.deepEqual(await statuses(client, [get('K: a'), get('K: a')]), [200, 200]);
  const refused = await client.write(get('K: a')).response();
  assert.equal(refused.status, 429);
  assert.deepEqual((JSON.parse(refused.body.toString()) as Record<string, unknown>)['violated-policies'], ['per-key']);
  assert.equal(fieldOf(refused, 'ratelimit-policy'), '"per-key";q=2;w=31622400, "few";q=3;w=31622400');
  // The refusal took nothing from everybody's.
  assert.deepEqual(await statuses(client, [get('K: b'), get('K: b')]), [200, 429]);
});

onBoth('in shadow mode everybody passes, and is counted', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(1, { shadow: true })]);
  assert.deepEqual(await statuses(client, [GET, GET]), [200, 200]);
});

onBoth('answers of servers tell what is left, if the config asks for it', async (bench) => {
  const { client } = await limitedLine(bench, [fixed(2, { fields: 'always' })]);
  const first = await client.write(GET).response();
  assert.equal(first.status, 200);
  assert.match(fieldOf(first, 'ratelimit') ?? '', /^"few";r=1;t=[0-9]+$/);
});

onBoth(
  'a limit on what is in flight: a slot is free again when its exchange has ended, however it ends',
  async (bench) => {
    const atOnce: LimitInput = { name: 'at-once', algorithm: { type: 'concurrency', limit: 1 } };
    const { origin, gateway, client } = await bench.line(limited([atOnce]));
    client.write(GET);
    const server = await origin.accept();
    await server.request();
    const other = await bench.client(gateway);
    assert.equal((await other.write(GET).response()).status, 429);
    server.write(answer('ok'));
    assert.equal((await client.response()).status, 200);
    // The client leaves in the middle.
    client.write(GET);
    await server.request();
    client.reset();
    await eventually('the slot is free', () => gateway.route('inFlight') === 0);
    other.write(GET);
    const next = await origin.accept();
    await next.request();
    // The server breaks off.
    next.reset();
    assert.equal((await other.response()).status, 502);
    other.write(GET);
    const last = await origin.accept();
    await last.request();
    last.write(answer('ok'));
    assert.equal((await other.response()).status, 200);
  },
);

onBoth('a request that lasts longer than a lease renews it', async (bench) => {
  const clock = new ManualClock();
  const atOnce: LimitInput = { name: 'at-once', algorithm: { type: 'concurrency', limit: 1, lease: '10s' } };
  const changes = limited([atOnce]);
  const origin = await bench.origin();
  const gateway = await bench.gateway([origin], changes, clock);
  const client = await bench.client(gateway);
  client.write(GET);
  const server = await origin.accept();
  await server.request();
  const other = await bench.client(gateway);
  clock.pass(35_000);
  assert.equal((await other.write(GET).response()).status, 429);
  server.write(answer('ok'));
  assert.equal((await client.response()).status, 200);
});
