/** How endpoints are connected to: with TLS, and by name. */
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { after, mock } from 'node:test';
import tls from 'node:tls';
import { Authority } from '../../../test/certificates.ts';
import { onBoth } from '../../../test/engine/bench.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { ServicePlan } from '../snapshot.ts';

const authority = new Authority();
const { certificatePem, keyPem } = authority.issue(['127.0.0.1']);

after(() => authority[Symbol.dispose]());

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const tlsPlan = {
  caPem: authority.caPem,
  serverName: null,
  verify: true,
  certificatePem: null,
  keyPem: null,
  closeNotify: 'required',
} as const;

/** Answers each read of a TLS connection. */
async function secureOrigin(): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server = tls.createServer({ cert: certificatePem, key: keyPem }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('data', () => socket.write(answer('secret')));
  });
  server.on('tlsClientError', () => {});
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const dispose = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await once(server.close(), 'close');
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: dispose };
}

onBoth('a TLS handshake is counted when it has ended well', async (bench) => {
  await using origin = await secureOrigin();
  const gateway = await bench.gateway([origin.port]);
  await gateway.changeServices(() => ({ tls: tlsPlan }));
  const client = await bench.client(gateway);
  for (let i = 0; i < 2; i += 1) {
    client.write(get);
    assert.equal((await client.response()).body.toString(), 'secret');
  }
  assert.equal(gateway.endpoint('tlsHandshakes'), 1);
  await gateway.changeServices(() => ({ tls: { ...tlsPlan, serverName: 'another.example' } }));
  client.write(get);
  await client.refusal(502, 'connect_failed');
  assert.equal(gateway.endpoint('tlsHandshakes'), 1);
  assert.ok(gateway.endpoint('connectFailures') > 0);
});

/** While it runs, every name stands for these addresses. */
function resolvingTo(...addresses: string[]): Disposable {
  const found = addresses.map((address) => ({ address, family: 4 }));
  const { mock: lookup } = mock.method(dns, 'lookup', (_name: string, _options: unknown, done: Function) => {
    done(null, found);
  });
  return { [Symbol.dispose]: () => lookup.restore() };
}

function byName({ endpoints }: ServicePlan): Partial<ServicePlan> {
  return {
    endpoints: endpoints.map((each) => ({ ...each, host: 'shop.example', id: `shop.example:${each.port}` })),
  };
}

onBoth('a name is not followed to where credentials are handed out, and an operator is told', async (bench) => {
  const { gateway, client } = await bench.line();
  using _ = resolvingTo('169.254.169.254');
  for (const secure of [null, tlsPlan]) {
    await gateway.changeServices((service) => ({ ...byName(service), tls: secure }));
    client.write(get);
    await client.refusal(502, 'connect_failed');
    const [notice = '', ...more] = gateway.notices.splice(0);
    assert.match(
      notice,
      /^endpoint shop\.example:\d+ of shop: no connection: shop\.example is 169\.254\.169\.254: link-local/,
    );
    assert.deepEqual(more, [], 'once, for however many attempts');
  }
});

onBoth('of what a name stands for, the addresses that may be connected to are', async (bench) => {
  const { origin, gateway, client } = await bench.line();
  using _ = resolvingTo('169.254.169.254', '127.0.0.1');
  await gateway.changeServices(byName);
  client.write(get);
  const server = await origin.accept();
  await server.request();
  server.write(answer());
  assert.equal((await client.response()).status, 200);
});

onBoth('a key that cannot be used is refused with its config; what was in force stays', async (bench) => {
  const { origin, gateway, client } = await bench.line();
  await assert.rejects(
    gateway.changeServices(() => ({ tls: { ...tlsPlan, certificatePem: 'none', keyPem: 'none' } })),
    { code: /^ERR_OSSL/ },
  );
  client.write(get);
  const server = await origin.accept();
  await server.request();
  server.write(answer());
  assert.equal((await client.response()).status, 200);
});
