import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import type { ConfigInput } from '../config/index.ts';
import { cleanups, create, origin } from '../../../test/gateway-under-test.ts';
import { steadyLoad } from '../../../test/steady-load.ts';

const RELOADS = 100;
const ROLLBACKS = 20;

/** A server that upgrades and then sends back what it gets. */
async function echo(): Promise<string> {
  const server: Server = createServer();
  server.on('upgrade', (upgrade, socket: Socket) => {
    socket.on('error', () => {});
    const accept =
      upgrade.headers['sec-websocket-key'] === undefined
        ? ''
        : 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n';
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${accept}\r\n`);
    socket.pipe(socket);
    cleanups.push(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Opens a tunnel and gives what asks it for an echo. */
async function tunnel(address: string): Promise<(text: string) => Promise<string>> {
  const [host, port] = address.split(':');
  const socket = connect({ host: host!, port: Number(port) });
  cleanups.push(() => socket.destroy());
  socket.setEncoding('latin1');
  const cut = new AbortController();
  socket.on('error', () => {});
  socket.on('close', () => cut.abort(new Error('the tunnel was cut')));
  const next = async (): Promise<string> => String((await once(socket, 'data', { signal: cut.signal }))[0]);
  const fields =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(`GET /ws HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n`);
  assert.match(await next(), /^HTTP\/1\.1 101 /);
  return (text) => {
    socket.write(text);
    return next();
  };
}

test(`${RELOADS} reloads under load: no request fails, no connection is refused, no tunnel is cut`, async () => {
  const [a, b, c, sockets] = [await origin('a'), await origin('b'), await origin('c'), await echo()];
  const config = (endpoints: string[], more: boolean): ConfigInput => ({
    listeners: [
      { name: 'web', address: '127.0.0.1:0', limits: { requestsPerConnection: more ? 5_000 : 10_000 } },
      ...(more ? [{ name: 'more', address: '127.0.0.1:0' }] : []),
    ],
    services: [
      { name: 'shop', endpoints },
      { name: 'chat', endpoints: [sockets] },
    ],
    routes: [{ service: 'shop' }, { service: 'chat', match: { path: '/ws' }, upgrade: ['websocket'] }],
  });
  const { gateway, address } = create({ config: config([a, b], false) });
  await gateway.start();
  const ask = await tunnel(address());
  const loads = [steadyLoad(address(), 8, true), steadyLoad(address(), 4, false)];
  for (let reload = 1; reload <= RELOADS; reload += 1) {
    const before = loads.map(({ requests }) => requests);
    const outcome = await gateway.reload({
      config: config(
        [
          [b, c],
          [c, a],
          [a, b],
        ][reload % 3]!,
        reload % 2 === 1,
      ),
    });
    assert.equal(outcome.kind, 'applied');
    assert.equal(await ask(`ping ${reload}`), `ping ${reload}`);
    // Each config gets some of the load, however fast the reloads are.
    while (loads.some(({ requests }, index) => requests === before[index])) await new Promise(setImmediate);
  }
  await Promise.all(loads.map((one) => one.stop()));
  for (const { failures, requests } of loads) {
    assert.deepEqual(failures, []);
    assert.ok(requests >= RELOADS);
  }
  assert.equal(gateway.state().configVersion, RELOADS + 1);
});

test(`${ROLLBACKS} rollbacks under load: each puts the servers back that were there, and no request fails`, async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const config = (endpoint: string): ConfigInput => ({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: [endpoint] }],
    routes: [{ service: 'shop' }],
  });
  const { gateway, address, get } = create({ config: config(a) });
  await gateway.start();
  const loads = [steadyLoad(address(), 8, true), steadyLoad(address(), 4, false)];
  for (let time = 0; time < ROLLBACKS; time += 1) {
    const before = loads.map(({ requests }) => requests);
    assert.equal((await gateway.reload({ config: config(b) })).kind, 'applied');
    assert.equal(await get(), 'b');
    const outcome = await gateway.rollback();
    assert.ok(outcome.kind === 'applied' && outcome.cause === 'rollback');
    assert.equal(await get(), 'a');
    while (loads.some(({ requests }, index) => requests === before[index])) await new Promise(setImmediate);
  }
  await Promise.all(loads.map((one) => one.stop()));
  for (const { failures } of loads) assert.deepEqual(failures, []);
});
