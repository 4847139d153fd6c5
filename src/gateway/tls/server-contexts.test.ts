import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { Authority, type KeyPair } from '../../../test/certificates.ts';
import type { ListenerTlsPlan } from '../snapshot.ts';
import { ServerContexts } from './server-contexts.ts';

const authority = new Authority();
const shop = authority.issue(['shop.example', 'www.shop.example']);
const wild = authority.issue(['*.wild.example']);
const clientPair = authority.issue(['client.example']);
const stranger = new Authority('Stranger');
const strangerPair = stranger.issue(['client.example']);
const ticketKeys = new Uint8Array(48).fill(7);

after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});

function planOf(changes: Partial<ListenerTlsPlan> = {}): ListenerTlsPlan {
  const certificates: readonly KeyPair[] = [shop, wild];
  return { certificates, minVersion: 'TLSv1.2', ticketKeys, unknownSni: 'default', clientCaPem: null, ...changes };
}

class Server {
  readonly contexts: ServerContexts;
  readonly server: tls.Server;
  readonly sockets = new Set<net.Socket>();
  errors: string[] = [];

  constructor(plan: ListenerTlsPlan, listener = 'web') {
    this.contexts = new ServerContexts(listener, plan);
    this.server = tls.createServer(this.contexts.serverOptions(5000), (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => socket.write(chunk));
      socket.write('hello');
    });
    this.server.on('tlsClientError', (error) => this.errors.push(String((error as NodeJS.ErrnoException).code)));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  static async start(plan: ListenerTlsPlan, listener?: string): Promise<Server> {
    const server = new Server(plan, listener);
    await once(server.server.listen(0, '127.0.0.1'), 'listening');
    return server;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}

interface Outcome {
  readonly names: string;
  readonly version: string | null;
  readonly cipher: string;
  readonly alpn: string | false | null;
  readonly reused: boolean;
  readonly session: Buffer | undefined;
}

/** Shakes hands, reads the greeting (after which TLS 1.3 has its tickets), and leaves. */
async function shake(port: number, options: tls.ConnectionOptions = {}): Promise<Outcome> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    ca: authority.caPem,
    checkServerIdentity: () => undefined,
    ...options,
  });
  let session: Buffer | undefined;
  socket.on('session', (each) => (session = each));
  const closed = new AbortController();
  socket.on('close', () => closed.abort());
  try {
    await once(socket, 'data', { signal: closed.signal });
    // The second ticket may be behind the greeting: an echo is behind both.
    socket.write('ping');
    await once(socket, 'data', { signal: closed.signal });
    return {
      names: socket.getPeerCertificate().subjectaltname ?? '',
      version: socket.getProtocol(),
      cipher: socket.getCipher().name,
      alpn: socket.alpnProtocol,
      reused: socket.isSessionReused(),
      session,
    };
  } finally {
    socket.destroy();
  }
}

async function refused(port: number, options: tls.ConnectionOptions): Promise<string> {
  const failure = await shake(port, options).then(
    () => assert.fail('the handshake went through'),
    (error: unknown) => error as NodeJS.ErrnoException,
  );
  return failure.code ?? failure.message;
}

describe('the certificate is chosen by server name (RFC 6066 §3)', () => {
  let server: Server;
  before(async () => (server = await Server.start(planOf())));
  after(() => server[Symbol.asyncDispose]());

  const expected: readonly (readonly [string, RegExp])[] = [
    ['shop.example', /^DNS:shop/],
    ['WWW.Shop.Example', /^DNS:shop/],
    ['a.wild.example', /^DNS:\*\.wild/],
    ['A.WILD.example', /^DNS:\*\.wild/],
    // RFC 9525 §6.3: the wildcard is one label
    ['a.b.wild.example', /^DNS:shop/],
    ['wild.example', /^DNS:shop/],
    ['unknown.example', /^DNS:shop/],
  ];
  for (const [servername, names] of expected) {
    test(servername, async () => assert.match((await shake(server.port, { servername })).names, names));
  }
  test('no name: the first', async () =>
    assert.match((await shake(server.port, { servername: '' })).names, /^DNS:shop/));
});

test('RFC 6066 §3: unknownSni reject: no handshake for an unknown name, or none', async () => {
  await using server = await Server.start(planOf({ unknownSni: 'reject' }));
  assert.match((await shake(server.port, { servername: 'shop.example' })).names, /^DNS:shop/);
  for (const servername of ['unknown.example', '']) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      assert.match(await refused(server.port, { servername, maxVersion }), /HANDSHAKE_FAILURE/);
    }
  }
});

test('an ECDSA and an RSA certificate for the same name: the client gets what it can verify', async () => {
  const rsa = authority.issue(['www.shop.example', 'shop.example'], { algorithm: 'rsa' });
  await using server = await Server.start(planOf({ certificates: [shop, rsa] }));
  const with12 = { servername: 'shop.example', maxVersion: 'TLSv1.2' } as const;
  assert.match((await shake(server.port, { ...with12, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' })).cipher, /RSA/);
  assert.match((await shake(server.port, { ...with12, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).cipher, /ECDSA/);
});

describe('versions, ciphers, ALPN (RFC 9325 §3.1, §4.2)', () => {
  let server: Server;
  before(async () => (server = await Server.start(planOf())));
  after(() => server[Symbol.asyncDispose]());

  test('TLS 1.3 is preferred, 1.2 spoken', async () => {
    assert.equal((await shake(server.port)).version, 'TLSv1.3');
    assert.equal((await shake(server.port, { maxVersion: 'TLSv1.2' })).version, 'TLSv1.2');
  });

  test('TLS 1.1 is not spoken', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    assert.match(await refused(server.port, old), /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|ECONNRESET/);
  });

  test('TLS 1.2 without forward secrecy or AEAD is not spoken', async () => {
    for (const ciphers of ['AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-ECDSA-AES256-SHA384']) {
      const code = await refused(server.port, { maxVersion: 'TLSv1.2', ciphers: `${ciphers}:@SECLEVEL=0` });
      assert.match(code, /HANDSHAKE_FAILURE|ECONNRESET/, ciphers);
    }
  });

  test("the server's order of ciphers holds", async () => {
    const cipher = async (ciphers: string): Promise<string> => (await shake(server.port, { ciphers })).cipher;
    assert.equal(await cipher('TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256'), 'TLS_AES_128_GCM_SHA256');
    assert.equal(await cipher('TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'), 'TLS_CHACHA20_POLY1305_SHA256');
  });

  test('minVersion 1.3 is kept', async () => {
    await using strict = await Server.start(planOf({ minVersion: 'TLSv1.3' }));
    assert.match(await refused(strict.port, { maxVersion: 'TLSv1.2' }), /PROTOCOL_VERSION|ECONNRESET/);
    assert.equal((await shake(strict.port, { servername: 'shop.example' })).version, 'TLSv1.3');
  });

  test('RFC 7301 §3.2: http/1.1 is agreed on, other protocols alone are refused', async () => {
    assert.equal((await shake(server.port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'http/1.1');
    assert.equal((await shake(server.port)).alpn, false);
    assert.match(await refused(server.port, { ALPNProtocols: ['h2'] }), /NO_APPLICATION_PROTOCOL/);
  });

  test('RFC 8470 §3, RFC 9325 §3.3: no early data and no compression are offered', async () => {
    const args = ['s_client', '-connect', `127.0.0.1:${server.port}`, '-comp'];
    for (const version of ['-tls1_2', '-tls1_3']) {
      const client = spawn('openssl', [...args, version], { stdio: 'pipe' });
      let output = '';
      client.stdout.on('data', (chunk) => (output += String(chunk)));
      client.stderr.resume();
      client.stdin.on('error', () => {});
      // What the server says comes behind the tickets, and they say how much may be sent early.
      while (!output.includes('hello')) await once(client.stdout, 'data');
      client.stdin.end('Q\n');
      await once(client, 'close');
      assert.match(output, /Compression: NONE/);
      const early = [...output.matchAll(/Max Early Data: (\d+)/g)].map(([, bytes]) => bytes);
      assert.deepEqual(new Set(early), new Set(version === '-tls1_3' ? ['0'] : []));
    }
  });

  test('RFC 9325 §3.5: a client cannot renegotiate', async () => {
    const client = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`, '-tls1_2'], { stdio: 'pipe' });
    let output = '';
    let asked = false;
    client.stdin.on('error', () => {});
    for (const stream of [client.stdout, client.stderr]) {
      stream.on('data', (chunk) => {
        output += String(chunk);
        if (asked || !output.includes('hello')) return;
        asked = true;
        client.stdin.write('R\n');
        client.stdin.write('Q\n');
      });
    }
    await once(client, 'close');
    assert.match(output, /RENEGOTIATING/);
    assert.match(output, /no renegotiation|handshake failure|alert/i);
  });
});

describe('sessions', () => {
  const resume = async (from: Server, to: Server, options: tls.ConnectionOptions = {}): Promise<boolean> => {
    const common = { servername: 'shop.example', ...options };
    const { session } = await shake(from.port, common);
    assert.ok(session);
    return (await shake(to.port, { ...common, session })).reused;
  };
  const versions = [{ maxVersion: 'TLSv1.2' }, { maxVersion: 'TLSv1.3' }] as const;

  test('resume on another worker of the same listener (RFC 8446 §2.2, RFC 5077)', async () => {
    await using one = await Server.start(planOf());
    await using two = await Server.start(planOf());
    for (const options of versions) assert.equal(await resume(one, two, options), true);
  });

  test('RFC 8446 §2.2, RFC 6066 §3: do not cross to another listener, or to other authorities for client certificates', async () => {
    await using one = await Server.start(planOf());
    await using other = await Server.start(planOf(), 'internal');
    const cert = clientPair.certificatePem;
    const key = clientPair.keyPem;
    await using mutual = await Server.start(planOf({ clientCaPem: authority.caPem }));
    for (const options of versions) {
      assert.equal(await resume(one, other, options), false);
      assert.equal(await resume(one, mutual, { ...options, cert, key }), false);
    }
  });

  test('a session without a client certificate does not pass where one is asked for', async () => {
    await using one = await Server.start(planOf());
    await using mutual = await Server.start(planOf({ clientCaPem: authority.caPem }));
    const { session } = await shake(one.port, { servername: 'shop.example' });
    assert.ok(session);
    await refused(mutual.port, { servername: 'shop.example', session });
  });

  test('RFC 5077 §5.5: end with their ticket keys', async () => {
    await using one = await Server.start(planOf());
    await using two = await Server.start(planOf({ ticketKeys: new Uint8Array(48).fill(8) }));
    for (const options of versions) assert.equal(await resume(one, two, options), false);
  });
});

describe('client certificates', () => {
  let server: Server;
  before(async () => (server = await Server.start(planOf({ clientCaPem: authority.caPem }))));
  after(() => server[Symbol.asyncDispose]());

  for (const servername of ['shop.example', 'a.wild.example', '']) {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const common = { servername, maxVersion };
      test(`${maxVersion}, name "${servername}": needed, and from the right authority`, async () => {
        const { certificatePem: cert, keyPem: key } = clientPair;
        assert.equal((await shake(server.port, { ...common, cert, key })).version, maxVersion);
        await refused(server.port, common);
        await refused(server.port, { ...common, cert: strangerPair.certificatePem, key: strangerPair.keyPem });
      });
    }
  }
});

describe('another plan', () => {
  test('is for new handshakes; what is open stays open', async () => {
    await using server = await Server.start(planOf());
    const socket = tls.connect({
      port: server.port,
      host: '127.0.0.1',
      ca: authority.caPem,
      servername: 'shop.example',
    });
    socket.on('error', () => {});
    await once(socket, 'data');
    const renewed = authority.issue(['shop.example']);
    server.contexts.apply(planOf({ certificates: [renewed] }));
    server.contexts.refresh(server.server);
    for (const servername of ['shop.example', '']) {
      assert.equal((await shake(server.port, { servername })).names, 'DNS:shop.example');
    }
    socket.write('still here');
    assert.equal(String((await once(socket, 'data'))[0]), 'still here');
    socket.destroy();
  });

  test('RFC 9325 §7: that cannot be used changes nothing', async () => {
    await using server = await Server.start(planOf());
    const bad = { ...shop, keyPem: wild.keyPem };
    assert.throws(() => server.contexts.apply(planOf({ certificates: [bad] })), /key values mismatch/);
    assert.match((await shake(server.port, { servername: 'a.wild.example' })).names, /wild/);
  });
});

test('RFC 8446 §5: bytes that are no handshake end the connection, not the server', async () => {
  await using server = await Server.start(planOf());
  const socket = net.connect(server.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
  await once(socket, 'close');
  assert.doesNotMatch(answer, /HTTP/);
  assert.equal((await shake(server.port)).version, 'TLSv1.3');
});
