/** Messages over TLS, on the fast path above it and on the public one: what secure-wire.test.ts shows of a wire, with the engine. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import { secure } from '../../../test/engine/secure.ts';
import { ByteStream } from '../../../test/engine/stream.ts';

const { plan, connect } = secure();
const MB = 1024 * 1024;

interface SecureLine {
  readonly origin: Origin;
  readonly gateway: TestGateway;
  readonly client: Peer;
}

async function secureLine(bench: Bench): Promise<SecureLine> {
  const origin = await bench.origin();
  // Its time stands: what takes a busy machine long is no overload.
  const gateway = await bench.gateway([origin], { listener: { tls: plan } }, new ManualClock());
  return { origin, gateway, client: await connect({ port: gateway.port }) };
}

/** `run` with a line, whose client is gone afterwards. */
function onSecureLine(title: string, run: (line: SecureLine) => Promise<void>): void {
  onBoth(`TLS: ${title}`, async (bench) => {
    const line = await secureLine(bench);
    try {
      await run(line);
    } finally {
      line.client.destroy();
    }
  });
}

onSecureLine('long bodies both ways, again and again on one connection', async ({ origin, client }) => {
  const bytes = 3 * MB;
  origin.serve(async (request, connection) => {
    new ByteStream(1, bytes).check(request.body);
    const body = new ByteStream(2, bytes);
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
    await connection.pour(() => body.next(100_000));
  });
  for (let round = 0; round < 3; round += 1) {
    client.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${bytes}\r\n\r\n`);
    const body = new ByteStream(1, bytes);
    await client.pour(() => body.next(70_000));
    const got = await client.response();
    assert.equal(got.status, 200);
    new ByteStream(2, bytes).check(got.body);
  }
});

onSecureLine('pipelined refusals come in order, to a client that reads late too', async ({ client, gateway }) => {
  const count = 5000;
  client.pause();
  client.write('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(count));
  await eventually('some are answered', () => gateway.refusals('bad_path') > 0);
  client.resume();
  for (let i = 0; i < count; i += 1) await client.refusal(400, 'bad_path');
});

onSecureLine('interim answers and the final one, written at once', async ({ origin, client }) => {
  origin.serve((_request, connection) => {
    const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(20);
    connection.write(Buffer.concat([Buffer.from(hints), answer('hello')]));
  });
  for (let round = 0; round < 20; round += 1) {
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const got = await client.response();
    assert.deepEqual([got.status, got.body.toString(), got.interim.length], [200, 'hello', 20]);
  }
});

onSecureLine('a slow reader holds the server back, and a gone one lets it go', async ({ origin, gateway, client }) => {
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write(`HTTP/1.1 200 OK\r\nContent-Length: ${200 * MB}\r\n\r\n`);
  const body = new ByteStream(3, 200 * MB);
  const poured = server.pour(() => body.next(256 * 1024));
  let last = -1;
  await eventually('it stands', () => {
    const stands = body.at === last;
    last = body.at;
    return stands && body.at > MB;
  });
  assert.ok(body.at < 60 * MB, 'only what the sockets of the kernel hold has left the server');
  assert.ok(gateway.bufferedBytes <= 512 * 1024, `${gateway.bufferedBytes} bytes were lent out`);
  client.destroy();
  await server.gone();
  await poured;
});

onSecureLine('a broken answer is no whole one', async ({ origin, client }) => {
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  await server.flushed('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
  await client.until('the start', () => client.text.endsWith('half'));
  server.reset();
  await client.until('the end', () => client.ended || client.wasReset || client.closed);
  assert.ok(client.text.endsWith('half'));
});

onSecureLine('a client that half-closes behind its request gets its answer, and then the end', async (line) => {
  const { origin, gateway, client } = line;
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n').end();
  const server = await origin.accept();
  await server.request();
  server.write(answer('late'));
  assert.equal((await client.response()).body.toString(), 'late');
  assert.equal(await client.gone(), 'end');
  await eventually('its place is free', () => gateway.listener('connections') === 0);
});

/** The first bytes that a client sends, as they are. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer((socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: '127.0.0.1' });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  server.close();
  return bytes;
}

onBoth(
  'TLS: a client that sends FIN within its handshake leaves its place at once, not at the deadline',
  async (bench) => {
    const hello = await clientHello();
    const header = Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n');
    for (const proxyProtocol of ['off', 'required'] as const) {
      const first = proxyProtocol === 'off' ? Buffer.alloc(0) : header;
      const listener = { tls: plan, proxyProtocol, trustedProxies: ['127.0.0.0/8'] };
      // Its time does not pass, so there is no deadline.
      const gateway = await bench.gateway([await bench.origin()], { listener }, new ManualClock());
      for (const sent of [Buffer.alloc(0), hello.subarray(0, 9), hello]) {
        for (const late of [false, true]) {
          const client = net.connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
          client.on('error', () => {});
          client.write(Buffer.concat([first, sent]));
          if (late) await eventually('it has a place', () => gateway.listener('connections') === 1);
          client.end();
          await once(client.resume(), 'end');
          await eventually('its place is free', () => gateway.listener('connections') === 0);
          client.destroy();
        }
      }
    }
  },
);
