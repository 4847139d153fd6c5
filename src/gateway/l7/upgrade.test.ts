/** Upgrades and tunnels (RFC 9110 §7.8, RFC 6455 §4) on real sockets, and the checks that keep requests from hiding in them. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { fieldOf, valuesOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import { turn } from '../../../test/engine/peer.ts';
import { ByteStream } from '../../../test/engine/stream.ts';
import { ACCEPT, KEY, switching, tunnel, upgradeRequest } from '../../../test/engine/tunnel.ts';

const MB = 1024 * 1024;

onBoth('a tunnel on a connection that had been idle is not closed by the idle time', async (bench) => {
  const { client, gateway, origin } = await bench.line({ serviceTimeouts: { idleMs: 200 } });
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write(answer());
  await client.response();
  client.write(upgradeRequest());
  await server.request();
  server.write(switching());
  assert.equal((await client.response()).status, 101);
  // Another becomes idle later, so that when its time is over that of the first would be too.
  const other = await bench.client(gateway);
  other.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const later = await origin.accept();
  await later.request();
  later.write(answer());
  await other.response();
  assert.equal(await later.gone(), 'end');
  server.write('still there');
  assert.equal((await client.bytes(11)).toString(), 'still there');
});

onBoth('RFC 6455 §4: a good upgrade opens a tunnel for any bytes, both ways', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  assert.equal(gateway.listener('tunnels'), 1);
  client.write('GET /this/is/no/request HTTP/1.1\r\n\r\n');
  assert.equal((await server.bytes(36)).toString(), 'GET /this/is/no/request HTTP/1.1\r\n\r\n');
  server.write('\0\xff\r\n');
  assert.equal((await client.bytes(4)).toString('latin1'), '\0\xff\r\n');
  client.end();
  await server.gone();
  server.end();
  assert.equal(await client.gone(), 'end');
  await eventually('it is over', () => gateway.listener('tunnels') === 0);
  await eventually('it is counted', () => gateway.route('responses1xx') === 1);
  assert.equal(gateway.route('broken'), 0);
  assert.equal(gateway.endpoint('idle'), 0, 'such a connection is never used again');
});

onBoth('RFC 6455 §4: bytes that come with the 101, or before it, are part of the tunnel', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(`${upgradeRequest()}early`);
  const server = await origin.accept();
  await server.until('the head', () => server.text.includes('\r\n\r\n'));
  await turn();
  assert.ok(server.text.endsWith('\r\n\r\n'), 'nothing is sent before the server has agreed');
  await server.request();
  server.write(`${switching()}hello`);
  await client.response();
  assert.equal((await client.bytes(5)).toString(), 'hello');
  assert.equal((await server.bytes(5)).toString(), 'early');
});

onBoth('a tunnel carries long streams both ways at once, byte for byte', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  const bytes = 40 * MB;
  const streams = { up: new ByteStream(1, bytes), down: new ByteStream(2, bytes) };
  const got = { up: new ByteStream(1, bytes), down: new ByteStream(2, bytes) };
  client.sink = (part) => {
    got.down.check(part);
    client.pause();
    setImmediate(() => client.resume());
  };
  server.sink = (part) => got.up.check(part);
  let most = 0;
  await Promise.all([
    client.pour(() => {
      most = Math.max(most, gateway.bufferedBytes);
      return streams.up.next(90_000);
    }),
    server.pour(() => streams.down.next(70_000)),
  ]);
  await client.until('all of it', () => got.down.done);
  await server.until('all of it', () => got.up.done);
  assert.ok(most < MB, `${most} bytes were lent out`);
});

onBoth('a half-close goes through the tunnel, and the other way stays open', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  server.write('bye').end();
  await client.until('the end', () => client.ended);
  assert.equal((await client.bytes(3)).toString(), 'bye');
  const more = new ByteStream(1, 3 * MB);
  const got = new ByteStream(1, 3 * MB);
  server.sink = (part) => got.check(part);
  await client.pour(() => more.next(100_000));
  client.end();
  await server.until('all of it', () => got.done && server.ended);
  await eventually('it is over', () => gateway.listener('connections') === 0);
});

onBoth('what one side sent before both ended arrives, however slowly it is read', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  server.pause();
  server.end();
  await client.until('the end', () => client.ended);
  // More than the sockets hold, so that some of it is still here when both sides have ended.
  const bytes = 16 * MB;
  const more = new ByteStream(1, bytes);
  const got = new ByteStream(1, bytes);
  const poured = client.pour(() => more.next(100_000)).then(() => client.end());
  server.sink = (part) => {
    got.check(part);
    server.pause();
    setImmediate(() => server.resume());
  };
  server.resume();
  await poured;
  await server.until('all of it', () => got.done && server.ended);
  await eventually('it is over', () => gateway.listener('connections') === 0);
});

onBoth('a client that ended with its request: the tunnel passes its end on', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write(upgradeRequest()).end();
  const server = await origin.accept();
  await server.request();
  server.write(`${switching()}hello`);
  await server.until('the end', () => server.ended);
  await client.response();
  assert.equal((await client.bytes(5)).toString(), 'hello');
  server.end();
  assert.equal(await client.gone(), 'end');
  await eventually('it is over', () => gateway.listener('connections') === 0);
});

for (const side of ['client', 'server'] as const) {
  onBoth(`a tunnel whose ${side} resets is reset on the other side`, async (bench) => {
    const open = await tunnel(bench);
    open[side].reset();
    assert.equal(await open[side === 'client' ? 'server' : 'client'].gone(), 'reset');
    await eventually('it is over', () => open.gateway.listener('tunnels') === 0);
    assert.equal(open.gateway.route('broken'), 1);
  });
}

onBoth('a tunnel in which nothing is said is closed after its idle time', async (bench) => {
  const { client, server } = await tunnel(bench, { route: { tunnelIdleMs: 300 } });
  client.write('x');
  await server.bytes(1);
  assert.equal(await client.gone(), 'reset');
  assert.equal(await server.gone(), 'reset');
});

onBoth(
  'a tunnel whose client has ended and takes nothing is closed after its idle time, with its sockets',
  async (bench) => {
    // The FIN to the client waits behind bytes that it does not take: such a socket cannot simply be reset.
    const { client, server, gateway } = await tunnel(bench, { route: { tunnelIdleMs: 500 } });
    client.pause();
    const down = new ByteStream(1, 16 * MB);
    const poured = server.pour(() => down.next(100_000)).then(() => server.end());
    await eventually('it is over', () => gateway.listener('tunnels') === 0);
    await poured;
    assert.equal(await server.gone(), 'reset');
    client.sink = () => {};
    client.resume();
    assert.equal(await client.gone(), 'reset');
  },
);

// RFC 6455 §4.2.1 and RFC 9110 §7.8: what is not quite a handshake is refused, and nothing goes upstream.
const malformed: readonly (readonly [what: string, request: string])[] = [
  ['no version', upgradeRequest({ 'Sec-WebSocket-Version': null })],
  ['no key', upgradeRequest({ 'Sec-WebSocket-Key': null })],
  ['a key that is too short', upgradeRequest({ 'Sec-WebSocket-Key': 'AAAA' })],
  ['two keys', upgradeRequest({ 'Sec-WebSocket-Key': KEY, 'sec-websocket-key': KEY })],
  ['another method', upgradeRequest({}, 'POST /chat HTTP/1.1')],
  ['another method and version', upgradeRequest({ 'Sec-WebSocket-Version': '8' }, 'POST /chat HTTP/1.1')],
  ['a version that is none', upgradeRequest({ 'Sec-WebSocket-Version': '13, 8' })],
  ['two versions', upgradeRequest({ 'Sec-WebSocket-Version': '13', 'sec-websocket-version': '8' })],
];

for (const [what, request] of malformed) {
  onBoth(`RFC 6455 §4.2.1: an upgrade with ${what} is refused`, async (bench) => {
    const { origin, client } = await bench.line();
    // What comes behind it may be meant for the other protocol: it is no request.
    client.write(`${request}GET /behind HTTP/1.1\r\nHost: a\r\n\r\n`);
    const refusal = await client.refusal(400, 'upgrade_refused');
    assert.equal(fieldOf(refusal, 'connection'), 'close');
    assert.equal(await client.gone(), 'end');
    assert.equal(origin.connections.length, 0);
  });
}

for (const version of ['0', '8', '14', '255']) {
  onBoth(`RFC 6455 §4.2.2: an upgrade with version ${version} is told which one is spoken here`, async (bench) => {
    const { origin, client } = await bench.line();
    // An older protocol has no key, or another.
    const request = upgradeRequest({ 'Sec-WebSocket-Version': version, 'Sec-WebSocket-Key': null });
    client.write(`${request}GET /behind HTTP/1.1\r\nHost: a\r\n\r\n`);
    const refusal = await client.refusal(426, 'upgrade_version');
    assert.equal(refusal.line, 'HTTP/1.1 426 Upgrade Required');
    assert.equal(fieldOf(refusal, 'sec-websocket-version'), '13');
    // RFC 9110 §7.8, §15.5.22.
    assert.equal(fieldOf(refusal, 'upgrade'), 'websocket');
    assert.equal(fieldOf(refusal, 'connection'), 'close, Upgrade');
    assert.equal(await client.gone(), 'end');
    assert.equal(origin.connections.length, 0);
  });
}

// RFC 9110 §7.8: a field that does not count is removed, and the request goes on without it.
const plain: readonly (readonly [what: string, request: string])[] = [
  ['to h2c', upgradeRequest({ Upgrade: 'h2c', Connection: 'Upgrade, HTTP2-Settings', 'HTTP2-Settings': 'AAMAAABk' })],
  ['to something else', upgradeRequest({ Upgrade: 'foo/2' })],
  ['to one of several', upgradeRequest({ Upgrade: 'h2c, websocket' })],
  ['that Connection does not name', upgradeRequest({ Connection: 'keep-alive' })],
  ['without a name', upgradeRequest({ Upgrade: '' })],
  ['of HTTP/1.0', upgradeRequest({}, 'GET /chat HTTP/1.0')],
];

for (const [what, request] of plain) {
  onBoth(`RFC 9110 §7.8: an upgrade ${what} is not passed on`, async (bench) => {
    const { origin, client } = await bench.line();
    client.write(request);
    const server = await origin.accept();
    const seen = await server.request();
    for (const name of ['upgrade', 'connection', 'http2-settings']) assert.equal(fieldOf(seen, name), undefined, name);
    server.write(answer('plain'));
    assert.equal((await client.response()).body.toString(), 'plain');
  });
}

onBoth('RFC 9110 §7.8: an upgrade that the route does not allow is not passed on', async (bench) => {
  const { origin, client } = await bench.line({ route: { upgrade: [] } });
  client.write(upgradeRequest());
  const server = await origin.accept();
  assert.equal(fieldOf(await server.request(), 'upgrade'), undefined);
  server.write(switching());
  await client.refusal(502, 'upstream_protocol');
  await server.gone();
});

onBoth('RFC 9110 §7.8: an upgrade with a body is a request with a body', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(`${upgradeRequest({ 'Content-Length': '5' }, 'POST /chat HTTP/1.1')}hello`);
  const server = await origin.accept();
  const request = await server.request();
  assert.equal(fieldOf(request, 'upgrade'), undefined);
  assert.equal(request.body.toString(), 'hello');
  server.write(answer('ok'));
  await client.response();
});

onBoth('RFC 9110 §15.2.2: a 101 that nobody asked for is a 502', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write(`${switching()}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`);
  await client.refusal(502, 'upstream_protocol');
  await server.gone();
});

const wrong: readonly (readonly [what: string, bytes: string])[] = [
  ['the wrong key', switching('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=x')],
  ['no key', switching().replace(/Sec-WebSocket-Accept.*\r\n/, '')],
  ['another protocol', switching(ACCEPT, 'Upgrade: h2c\r\nConnection: Upgrade\r\n')],
  ['no protocol', switching(ACCEPT, 'Connection: Upgrade\r\n')],
  ['no Connection', switching(ACCEPT, 'Upgrade: websocket\r\n')],
];

for (const [what, bytes] of wrong) {
  onBoth(`RFC 6455 §4.1: a 101 with ${what} opens no tunnel`, async (bench) => {
    const { origin, client, gateway } = await bench.line();
    client.write(upgradeRequest());
    const server = await origin.accept();
    await server.request();
    server.write(bytes);
    await client.refusal(502, 'upstream_protocol');
    await server.gone();
    assert.equal(gateway.listener('tunnels'), 0);
  });
}

for (const keep of [true, false]) {
  onBoth(
    `RFC 9110 §15.5.22: a server's 426 says what to upgrade to, ${keep ? 'and no other answer does' : 'at the end too'}`,
    async (bench) => {
      const { origin, client } = await bench.line();
      const fields = 'Upgrade: TLS/1.3\r\nConnection: upgrade\r\nUpgrade: websocket\r\n';
      origin.serve(({ target }, connection) => {
        connection.write(answer('no', fields, target === '/426' ? '426 Upgrade Required' : '200 OK'));
      });
      client.write(`GET /426 HTTP/1.1\r\nHost: a\r\n${keep ? '' : 'Connection: close\r\n'}\r\n`);
      const required = await client.response();
      assert.equal(required.status, 426);
      assert.deepEqual(valuesOf(required, 'upgrade'), ['TLS/1.3', 'websocket']);
      assert.deepEqual(valuesOf(required, 'connection'), keep ? ['Upgrade'] : ['Upgrade', 'close']);
      if (!keep) return;
      client.write('GET /200 HTTP/1.1\r\nHost: a\r\n\r\n');
      const other = await client.response();
      assert.deepEqual([other.status, valuesOf(other, 'upgrade'), valuesOf(other, 'connection')], [200, [], []]);
    },
  );
}

onBoth('RFC 9110 §7.8: an upgrade that the server refuses is answered, and both connections close', async (bench) => {
  const { origin, client } = await bench.line();
  // What hides behind the handshake is no request, on neither side.
  client.write(`${upgradeRequest()}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
  const server = await origin.accept();
  await server.request();
  server.write(answer('no', 'Sec-WebSocket-Version: 13\r\n', '426 Upgrade Required'));
  const response = await client.response();
  assert.equal(response.status, 426);
  assert.equal(fieldOf(response, 'connection'), 'close');
  await server.gone();
  assert.equal(server.text, '');
  assert.equal(await client.gone(), 'end');
  assert.equal(origin.connections.length, 1);
});

onBoth('a drain waits for tunnels, and cuts them in the end', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  const drained = gateway.plane.drain(300);
  client.write('still here');
  assert.equal((await server.bytes(10)).toString(), 'still here');
  await drained;
  assert.equal(await client.gone(), 'reset');
  assert.equal(await server.gone(), 'reset');
});
