/** Mirroring: the copy is whole, and whatever becomes of it, the client does not see it. */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { freePort } from '../../../test/ports.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer, chunked, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { MirrorPlan, ShapingPlan } from '../shaping/plan.ts';

function shaping(plan: Partial<MirrorPlan> = {}): ShapingPlan {
  const mirror = { service: 1, share: 1, bodyBytesMax: 1000, ...plan };
  return { split: null, answer: null, path: null, host: null, requestFields: null, responseFields: null, mirror };
}

/** A service that answers, and one that gets copies. */
async function mirrored(
  bench: Bench,
  shadow: Origin | number,
  plan: Partial<MirrorPlan> = {},
  clock?: Clock,
): Promise<{ gateway: TestGateway; client: Peer }> {
  const origin = await bench.origin();
  origin.serve((_, connection) => {
    connection.write(answer('the answer'));
  });
  const services = ['shop', 'shadow'];
  const gateway = await bench.gateway([origin, shadow], { services, route: { shaping: shaping(plan) } }, clock);
  return { gateway, client: await bench.client(gateway) };
}

const post = (body: string, fields = ''): string =>
  `POST /buy HTTP/1.1\r\nHost: shop.example\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;

async function served(client: Peer): Promise<void> {
  assert.equal((await client.response()).body.toString(), 'the answer');
}

onBoth(
  'a copy is the request with one field more; its answer is thrown away and its connection kept',
  async (bench) => {
    const shadow = await bench.origin();
    const { client, gateway } = await mirrored(bench, shadow);
    client.write(post('one=1', 'X-A: b\r\n'));
    await served(client);
    const server = await shadow.accept();
    const answers = [
      answer('other', 'Set-Cookie: x=1\r\n', '500 No'),
      `HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(['a', 'b'])}`,
      'HTTP/1.1 204 No Content\r\n\r\n',
    ];
    for (const [index, text] of answers.entries()) {
      const copy = await server.request();
      assert.equal(copy.line, 'POST /buy HTTP/1.1');
      assert.equal(fieldOf(copy, 'x-spillway-mirror'), '1');
      assert.equal(fieldOf(copy, 'host'), 'shop.example');
      assert.equal(fieldOf(copy, 'x-a'), 'b');
      assert.equal(copy.body.toString(), 'one=1');
      server.write(text);
      await eventually('the connection is free', () => gateway.endpoint('idle', 1) === 1);
      if (index === answers.length - 1) break;
      client.write(post('one=1', 'X-A: b\r\n'));
      await served(client);
    }
    assert.equal(shadow.connections.length, 1);
    assert.deepEqual([gateway.route('mirrored'), gateway.route('mirrorFailures')], [3, 0]);
    assert.equal(gateway.endpoint('responses5xx', 1), 1);
  },
);

onBoth('a client cannot say that its request is a copy; a trusted proxy can', async (bench) => {
  const origin = await bench.origin();
  const fields: unknown[] = [];
  origin.serve((request, connection) => {
    fields.push(fieldOf(request, 'x-spillway-mirror') ?? null);
    connection.write(answer('ok'));
  });
  for (const trustedProxies of [[], ['127.0.0.0/8']]) {
    const gateway = await bench.gateway([origin], { listener: { trustedProxies } });
    const client = await bench.client(gateway);
    client.write(post('x', 'X-Spillway-Mirror: 1\r\n'));
    assert.equal((await client.response()).body.toString(), 'ok');
  }
  assert.deepEqual(fields, [null, '1']);
});

onBoth('nobody there, a reset, nonsense, a cut answer: the client is served all the same', async (bench) => {
  const shadow = await bench.origin();
  const { client, gateway } = await mirrored(bench, shadow);
  const deeds: ((server: Peer) => void)[] = [
    (server) => server.reset(),
    (server) => server.write('nonsense\r\n\r\n'),
    (server) => server.end(),
  ];
  for (const [index, deed] of deeds.entries()) {
    client.write(post('x'));
    await served(client);
    const server = await shadow.accept();
    await server.request();
    deed(server);
    await eventually('the copy has failed', () => gateway.route('mirrorFailures') === index + 1);
  }
  client.write(post('x'));
  await served(client);
  const server = await shadow.accept();
  await server.request();
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this');
  server.end();
  await eventually('the copy is over', () => gateway.endpoint('inFlight', 1) === 0);
  client.write(post('x'));
  await served(client);
});

onBoth('a service that is not there is no trouble', async (bench) => {
  const clock = new ManualClock();
  const { client, gateway } = await mirrored(bench, await freePort(), {}, clock);
  for (let i = 0; i < 3; i++) {
    client.write(post('x'));
    await served(client);
  }
  await eventually('all have failed', () => gateway.route('mirrorFailures') === 3);
  clock.pass(70_000);
  assert.equal(gateway.endpoint('timeouts', 1), 0, 'what is over is not late');
});

onBoth('one that never answers holds a bounded number of copies, and those for a bounded time', async (bench) => {
  const shadow = await bench.origin();
  const clock = new ManualClock();
  const { client, gateway } = await mirrored(bench, shadow, {}, clock);
  for (let i = 0; i < 70; i++) {
    client.write(post('x'));
    await served(client);
  }
  assert.equal(gateway.route('mirrored'), 64);
  assert.equal(gateway.route('mirrorsDropped'), 6);
  await eventually('all are on their way', () => gateway.endpoint('connections', 1) === 64);
  clock.nearly(60_000);
  assert.equal(gateway.route('mirrorFailures'), 0);
  clock.over();
  await eventually('they are given up', () => gateway.route('mirrorFailures') === 64);
  assert.equal(gateway.endpoint('timeouts', 1), 64);
});

onBoth('not copied: a large body, one that comes later, a share of nothing', async (bench) => {
  const shadow = await bench.origin();
  const { client, gateway } = await mirrored(bench, shadow, { bodyBytesMax: 10 });
  client.write(post('more than ten'));
  await served(client);
  const [head = '', body = ''] = post('later').split('\r\n\r\n');
  await client.writeCut(`${head}\r\n\r\n${body}`, [head.length + 4]);
  await served(client);
  assert.equal(gateway.route('mirrored'), 0);
  const none = await mirrored(bench, shadow, { share: 0 });
  none.client.write(post('x'));
  await served(none.client);
  assert.equal(none.gateway.route('mirrored'), 0);
});
