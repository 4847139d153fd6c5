/** RFC 8446 §6.1, RFC 9112 §9.8: what a cut of the connection to a TLS server makes of the message it was in. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { after } from 'node:test';
import tls from 'node:tls';
import { onBoth, type Bench } from '../../../test/engine/bench.ts';
import { Authority } from '../../../test/certificates.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { UpstreamTlsPlan } from '../snapshot.ts';

const authority = new Authority();
const { certificatePem, keyPem } = authority.issue(['127.0.0.1']);

after(() => authority[Symbol.dispose]());

/** How the answer's connection ends, as the gateway sees it. */
type Cut = 'alert and FIN' | 'alert alone' | 'FIN alone' | 'FIN within a record';

interface Upstream extends AsyncDisposable {
  readonly port: number;
}

/** A TLS server that answers with `answer` and ends, and someone on the way who passes on as much as `cut` says. */
async function serve(answer: Buffer, cut: Cut, version: tls.SecureVersion): Promise<Upstream> {
  const sockets = new Set<net.Socket>();
  const keep = <Socket extends net.Socket>(socket: Socket): Socket => {
    sockets.add(socket);
    return socket.on('error', () => {});
  };
  const options = { cert: certificatePem, key: keyPem, minVersion: version, maxVersion: version };
  const server = tls.createServer(options, (socket) => {
    keep(socket).once('data', () => {
      // Without the alert: the end of the answer is when all of it has been passed on.
      if (cut.startsWith('alert')) socket.end(answer);
      else socket.write(answer);
    });
  });
  server.on('connection', keep);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const middle = net.createServer({ allowHalfOpen: true }, (front) => {
    const back = keep(net.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }));
    keep(front).pipe(back);
    pass(back, front, cut, answer.length);
  });
  await once(middle.listen(0, '127.0.0.1'), 'listening');
  const dispose = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await Promise.all([server, middle].map((each) => once(each.close(), 'close')));
  };
  return { port: (middle.address() as AddressInfo).port, [Symbol.asyncDispose]: dispose };
}

function pass(back: net.Socket, front: net.Socket, cut: Cut, answerBytes: number): void {
  back.on('data', (bytes: Buffer) => {
    const isAnswer = bytes.length >= answerBytes;
    if (isAnswer && cut === 'FIN alone') front.end(bytes);
    else if (isAnswer && cut === 'FIN within a record') front.end(bytes.subarray(0, -3));
    else front.write(bytes);
  });
  back.on('end', () => {
    if (cut === 'alert and FIN') front.end();
  });
}

async function ask(bench: Bench, { port }: Upstream, closeNotify: UpstreamTlsPlan['closeNotify']): Promise<Peer> {
  const gateway = await bench.gateway([port]);
  const { snapshot } = gateway;
  const plan = { caPem: authority.caPem, serverName: null, verify: true, certificatePem: null, keyPem: null };
  const services = snapshot.services.map((service) => ({ ...service, tls: { ...plan, closeNotify } }));
  await gateway.plane.apply({ ...snapshot, version: 2, services }, {});
  const client = await bench.client(gateway);
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  return client;
}

// Larger than any message of the handshake, so that the one on the way knows it; small enough for one record.
const body = 'x'.repeat(12_000);
const untilClose = Buffer.from(`HTTP/1.1 200 OK\r\n\r\n${body}`);

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  for (const cut of ['alert and FIN', 'alert alone'] as const) {
    onBoth(`${version}: a body that ends with the connection is whole behind ${cut}`, async (bench) => {
      await using upstream = await serve(untilClose, cut, version);
      const client = await ask(bench, upstream, 'required');
      assert.equal((await client.response()).body.toString(), body);
      client.destroy();
    });
  }

  for (const cut of ['FIN alone', 'FIN within a record'] as const) {
    onBoth(`${version}: ${cut} is a cut, and the message is broken`, async (bench) => {
      await using upstream = await serve(untilClose, cut, version);
      const client = await ask(bench, upstream, 'required');
      // Before its first byte a record that was cut has nothing to show.
      if (cut === 'FIN within a record') await client.refusal(502, 'upstream_reset');
      else {
        assert.equal(await client.gone(), 'reset');
        assert.ok(!client.text.endsWith('\r\n0\r\n\r\n'));
      }
      client.destroy();
    });
  }

  onBoth(`${version}: a body with a length is whole, however the connection ends`, async (bench) => {
    const head = `HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`;
    await using upstream = await serve(Buffer.from(head + body), 'FIN alone', version);
    const client = await ask(bench, upstream, 'required');
    assert.equal((await client.response()).body.toString(), body);
    client.destroy();
  });
}

onBoth('RFC 8446 §6.1, closeNotify: optional takes the FIN for the end', async (bench) => {
  await using upstream = await serve(untilClose, 'FIN alone', 'TLSv1.3');
  const client = await ask(bench, upstream, 'optional');
  assert.equal((await client.response()).body.toString(), body);
  client.destroy();
});
