/** The PROXY protocol end to end: before HTTP and before TLS, on both transports' listeners, from those who may and may not. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { Authority } from './certificates.ts';
import { cleanups, create, folder } from './gateway-under-test.ts';

const authority = new Authority();
const pair = authority.issue(['shop.example']);
after(() => authority[Symbol.dispose]());

/** Answers with what the gateway said of the client. */
async function mirror(): Promise<string> {
  const server = createServer(({ headers }, response) => {
    response.end(`for=${headers['x-forwarded-for']} proto=${headers['x-forwarded-proto']}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Kind {
  readonly tls?: boolean;
  readonly trusted?: readonly string[];
}

async function gatewayFor({ tls = false, trusted = ['127.0.0.0/8'] }: Kind = {}) {
  const home = folder();
  writeFileSync(join(home, 'cert.pem'), pair.certificatePem);
  writeFileSync(join(home, 'key.pem'), pair.keyPem, { mode: 0o600 });
  const config: ConfigInput = {
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:0',
        proxyProtocol: 'required',
        trustedProxies: [...trusted],
        ...(tls ? { tls: { certificate: join(home, 'cert.pem'), key: join(home, 'key.pem') } } : {}),
      },
    ],
    services: [{ name: 'shop', endpoints: [await mirror()] }],
    routes: [{ service: 'shop' }],
  };
  const under = create({ config, workers: 1 });
  await under.gateway.start();
  return under;
}

function dial(address: string): Socket {
  const [host, port] = address.split(':');
  const socket = connect({ host: host!, port: Number(port), noDelay: true });
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  return socket;
}

/** All that comes until the other side closes. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  await new Promise((resolve) => socket.once('close', resolve).once('end', () => socket.destroy()));
  return text;
}

const request = 'GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n';
const header = 'PROXY TCP4 192.0.2.7 198.51.100.2 56324 443\r\n';
const binary = Buffer.from([
  ...[0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x21, 0, 39],
  ...[
    0x20,
    1,
    0xd,
    0xb8,
    ...Array<number>(11).fill(0),
    7,
    0x20,
    1,
    0xd,
    0xb8,
    ...Array<number>(11).fill(0),
    9,
    1,
    2,
    1,
    187,
  ],
  ...[4, 0, 0],
]).toString('latin1');

const accepted: readonly (readonly [string, string, string])[] = [
  ['version 1', header, '192.0.2.7'],
  ['version 2 with extensions', binary, '2001:db8::7'],
  ['UNKNOWN: the balancer itself', 'PROXY UNKNOWN\r\n', '127.0.0.1'],
];

for (const [what, head, client] of accepted) {
  test(`in the clear, ${what}: X-Forwarded-For is ${client}, whole and byte by byte`, async () => {
    const { address } = await gatewayFor();
    const whole = dial(address());
    whole.write(head + request, 'latin1');
    assert.match(await rest(whole), new RegExp(`^HTTP/1.1 200 [^]*for=${client} proto=http$`));
    const split = dial(address());
    const answer = rest(split);
    for (const byte of Buffer.from(head + request, 'latin1')) {
      split.write(Uint8Array.of(byte));
      await new Promise(setImmediate);
    }
    assert.match(await answer, new RegExp(`^HTTP/1.1 200 [^]*for=${client} proto=http$`));
  });

  test(`before TLS, ${what}: X-Forwarded-For is ${client}, also when the handshake comes in the same segment`, async () => {
    const { gateway, address } = await gatewayFor({ tls: true });
    for (const together of [false, true]) {
      const socket = dial(address());
      // Corked, the header and the first message of the handshake leave in one write.
      if (together) socket.cork();
      socket.write(head, 'latin1');
      const secure = connectTls({ socket, servername: 'shop.example', ca: authority.caPem });
      cleanups.push(() => secure.destroy());
      if (together) setImmediate(() => socket.uncork());
      await new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject));
      secure.on('error', () => {});
      secure.write(request);
      assert.match(await rest(secure), new RegExp(`^HTTP/1.1 200 [^]*for=${client} proto=https$`));
    }
    assert.equal(gateway.state().listeners[0]!.refused, 0);
  });
}

const refused: readonly (readonly [string, string])[] = [
  ['no header, a request', request],
  ['a malformed header', `PROXY TCP4 192.0.2.7 nowhere 1 2\r\n${request}`],
  ['a version 2 header of a datagram', binary.replace('\x21\x21', '\x21\x22') + request],
  ['a header without end', `PROXY TCP4 ${'1'.repeat(120)}`],
];

for (const tls of [false, true]) {
  const where = tls ? 'before TLS' : 'in the clear';

  for (const [what, bytes] of refused) {
    test(`${where}, ${what}: closed without an answer, and counted`, async () => {
      const { gateway, address } = await gatewayFor({ tls });
      const socket = dial(address());
      socket.write(bytes, 'latin1');
      assert.equal(await rest(socket), '');
      assert.equal(gateway.state().listeners[0]!.refused, 1);
      assert.equal(gateway.state().listeners[0]!.requests, 0);
    });
  }

  test(`${where}, from a peer that is not trusted: closed, whatever it says`, async () => {
    const { gateway, address } = await gatewayFor({ tls, trusted: ['192.0.2.0/24'] });
    const socket = dial(address());
    socket.write(header + request);
    assert.equal(await rest(socket), '');
    assert.equal(gateway.state().listeners[0]!.refused, 1);
  });

  test(`${where}, half a header: closed when its time is up, or when the peer says no more`, async () => {
    const { gateway, address } = await gatewayFor({ tls });
    const slow = dial(address());
    slow.write(header.slice(0, 20));
    const ended = dial(address());
    ended.write(header.slice(0, 20));
    ended.end();
    const silent = dial(address());
    assert.deepEqual(await Promise.all([slow, ended, silent].map(rest)), ['', '', '']);
    assert.equal(gateway.state().listeners[0]!.connections, 0);
  });
}

test('a second header is the client speaking: it is a bad request, and changes no address', async () => {
  const { address } = await gatewayFor();
  const socket = dial(address());
  socket.write(`${header}PROXY TCP4 203.0.113.1 198.51.100.2 1 2\r\n${request}`);
  assert.match(await rest(socket), /^HTTP\/1\.1 400 /);
});

test('behind a trusted balancer that speaks for a trusted proxy, its X-Forwarded-For is believed; else not', async () => {
  const { address } = await gatewayFor({ trusted: ['127.0.0.0/8', '192.0.2.0/24'] });
  const withField = request.replace('Connection', 'X-Forwarded-For: 203.0.113.5\r\nConnection');
  const trusted = dial(address());
  trusted.write(header + withField);
  assert.match(await rest(trusted), /for=203\.0\.113\.5, 192\.0\.2\.7 /);
  const stranger = dial(address());
  stranger.write(header.replace('192.0.2.7', '198.51.100.7') + withField);
  assert.match(await rest(stranger), /for=198\.51\.100\.7 /);
});
