import assert from 'node:assert/strict';
import { createTrafficCell } from '../../health/index.ts';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import tls from 'node:tls';
import { Authority } from '../../../test/certificates.ts';
import { probeTls } from '../control/probe-tls.ts';
import { lookupFor } from '../link-local.ts';
import type { EndpointPlan, UpstreamTlsPlan } from '../snapshot.ts';
import { UpstreamContext } from './upstream-context.ts';

const authority = new Authority();
const stranger = new Authority('Stranger');
const named = authority.issue(['origin.example']);
const addressed = authority.issue(['127.0.0.1']);
const identity = authority.issue(['gateway.example']);

after(() => {
  authority[Symbol.dispose]();
  stranger[Symbol.dispose]();
});

const plan: UpstreamTlsPlan = {
  caPem: authority.caPem,
  serverName: null,
  verify: true,
  certificatePem: null,
  keyPem: null,
  closeNotify: 'required',
};

async function serve(
  options: tls.TlsOptions,
): Promise<{ server: tls.Server; endpoint: EndpointPlan } & AsyncDisposable> {
  const sockets = new Set<net.Socket>();
  const server = tls.createServer(options, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.write('hello');
  });
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const endpoint: EndpointPlan = {
    id: `127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    identity: '127.0.0.1',
    source: 'config',
    weight: 1,
    priority: 0,
    zone: null,
    local: true,
    backup: false,
    connectionsMax: null,
    drainMs: null,
    pin: null,
    traffic: createTrafficCell(1),
    loadSlot: 0,
    cell: new SharedArrayBuffer(64),
  };
  const dispose = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  };
  return { server, endpoint, [Symbol.asyncDispose]: dispose };
}

const contextOf = (given: UpstreamTlsPlan): UpstreamContext => new UpstreamContext(given, lookupFor(false));

/** 'ok', 'resumed', or the code of the failure. */
async function open(context: UpstreamContext, endpoint: EndpointPlan): Promise<string> {
  const socket = context.connect(endpoint);
  const closed = new AbortController();
  socket.on('close', () => closed.abort());
  let hasSession = false;
  socket.on('session', () => (hasSession = true));
  try {
    await once(socket, 'data', { signal: closed.signal });
    // TLS 1.3 sends its tickets after a full handshake.
    if (socket.getProtocol() === 'TLSv1.3' && !socket.isSessionReused() && !hasSession)
      await once(socket, 'session', { signal: closed.signal });
    return socket.isSessionReused() ? 'resumed' : 'ok';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  } finally {
    socket.destroy();
  }
}

const keyOf = ({ certificatePem, keyPem }: typeof named): tls.TlsOptions => ({ cert: certificatePem, key: keyPem });

describe('verification (RFC 9525 §6)', () => {
  test('an address is checked as an address, and no server name is sent for it', async () => {
    await using origin = await serve(keyOf(addressed));
    let sent: unknown = 'none seen';
    origin.server.on('secureConnection', (socket) => (sent = socket.servername));
    assert.equal(await open(contextOf(plan), origin.endpoint), 'ok');
    assert.equal(sent, false);
  });

  test('a certificate for another name is refused', async () => {
    await using origin = await serve(keyOf(named));
    assert.equal(await open(contextOf(plan), origin.endpoint), 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('serverName is sent and checked in place of the host', async () => {
    await using origin = await serve(keyOf(named));
    let sent: unknown;
    origin.server.on('secureConnection', (socket) => (sent = socket.servername));
    assert.equal(await open(contextOf({ ...plan, serverName: 'origin.example' }), origin.endpoint), 'ok');
    assert.equal(sent, 'origin.example');
    const other = contextOf({ ...plan, serverName: 'other.example' });
    assert.equal(await open(other, origin.endpoint), 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('an endpoint that was found by a name is expected to be that, also by a session of another name’s', async () => {
    await using origin = await serve({ ...keyOf(named), ticketKeys: Buffer.alloc(48, 3) });
    const found = (name: string): EndpointPlan => ({ ...origin.endpoint, source: 'dns', identity: name });
    const context = contextOf(plan);
    assert.equal(await open(context, found('origin.example')), 'ok');
    assert.equal(await open(context, found('origin.example')), 'resumed');
    assert.equal(await open(context, found('other.example')), 'ERR_TLS_CERT_ALTNAME_INVALID');
  });

  test('another authority is refused, and so is the machine’s own list for a private one', async () => {
    await using origin = await serve(keyOf(addressed));
    const refusals = /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT_LOCALLY|SELF_SIGNED_CERT_IN_CHAIN/;
    for (const caPem of [stranger.caPem, null]) {
      assert.match(await open(contextOf({ ...plan, caPem }), origin.endpoint), refusals);
    }
  });

  test('only verify: false goes without', async () => {
    await using origin = await serve(keyOf(named));
    assert.equal(await open(contextOf({ ...plan, caPem: null, verify: false }), origin.endpoint), 'ok');
  });
});

test('the gateway shows its certificate to a server that asks', async () => {
  await using origin = await serve({
    ...keyOf(addressed),
    requestCert: true,
    ca: authority.caPem,
    rejectUnauthorized: true,
  });
  const mine = { certificatePem: identity.certificatePem, keyPem: identity.keyPem };
  assert.equal(await open(contextOf({ ...plan, ...mine }), origin.endpoint), 'ok');
  assert.notEqual(await open(contextOf(plan), origin.endpoint), 'ok');
});

describe('ciphers (RFC 9325 §4.2): forward secrecy and AEAD, or no connection', () => {
  const old = [
    ['no AEAD', 'ECDHE-RSA-AES128-SHA256'],
    ['no forward secrecy', 'AES128-GCM-SHA256'],
    ['forward secrecy by finite fields', 'DHE-RSA-AES128-GCM-SHA256'],
  ] as const;
  const options = { ...keyOf(authority.issue(['127.0.0.1'], { algorithm: 'rsa' })), maxVersion: 'TLSv1.2' } as const;

  for (const [what, ciphers] of old) {
    test(`${what}: neither requests nor health checks are sent there`, async () => {
      await using origin = await serve({ ...options, ciphers, dhparam: 'auto' });
      const { host, port } = origin.endpoint;
      const willing = tls.connect({ host, port, ca: authority.caPem, ciphers });
      await once(willing, 'secureConnect');
      willing.destroy();
      assert.match(await open(contextOf(plan), origin.endpoint), /HANDSHAKE_FAILURE/);
      const probe = tls.connect({ host, port, ...probeTls(plan, host) });
      await assert.rejects(once(probe, 'secureConnect'), { code: 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE' });
    });
  }

  test('and what is spoken by everyone is', async () => {
    await using origin = await serve({ ...options, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' });
    assert.equal(await open(contextOf(plan), origin.endpoint), 'ok');
  });
});

describe('sessions (RFC 8446 §2.2)', () => {
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    test(`${maxVersion}: the second connection to an endpoint resumes, another endpoint does not`, async () => {
      const keys = { ...keyOf(addressed), maxVersion, ticketKeys: Buffer.alloc(48, 3) };
      await using one = await serve(keys);
      await using two = await serve(keys);
      const context = contextOf(plan);
      assert.equal(await open(context, one.endpoint), 'ok');
      assert.equal(await open(context, one.endpoint), 'resumed');
      assert.equal(await open(context, two.endpoint), 'ok');
      assert.equal(await open(contextOf(plan), one.endpoint), 'ok');
    });
  }
});

describe('bytes before the end of the handshake (RFC 8446 §5)', () => {
  test('a server that speaks first in the clear is left, and none of its bytes is taken for an answer', async () => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const endpoint = {
      id: 'x',
      host: '127.0.0.1',
      port,
      identity: '127.0.0.1',
      source: 'config' as const,
      weight: 1,
      priority: 0,
      zone: null,
      local: true,
      backup: false,
      connectionsMax: null,
      drainMs: null,
      pin: null,
      traffic: createTrafficCell(1),
      loadSlot: 0,
      cell: new SharedArrayBuffer(64),
    };
    assert.match(await open(contextOf(plan), endpoint), /WRONG_VERSION_NUMBER|PACKET_LENGTH|ECONNRESET/);
    server.close();
  });

  test('a middle that puts clear bytes before the handshake of the real server breaks it', async () => {
    await using origin = await serve(keyOf(addressed));
    const middle = net.createServer((socket) => {
      const on = net.connect(origin.endpoint.port, '127.0.0.1');
      for (const each of [socket, on]) each.on('error', () => {});
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(on).pipe(socket);
    });
    await once(middle.listen(0, '127.0.0.1'), 'listening');
    const { port } = middle.address() as AddressInfo;
    assert.notEqual(await open(contextOf(plan), { ...origin.endpoint, port }), 'ok');
    middle.close();
  });
});
