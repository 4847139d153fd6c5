/** A real gateway with two workers: what one of them has in flight, the other knows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { cleanups, create } from './gateway-under-test.ts';

const SERVERS = 3;
const REQUESTS = 24;

test('least connections is exact over all workers: no server ever has two requests more than another', async () => {
  const held = new Array<number>(SERVERS).fill(0);
  let arrived: (() => void) | null = null;
  const endpoints = await Promise.all(
    held.map(async (_, index) => {
      const server = createServer(() => {
        held[index]! += 1;
        arrived?.(); // and is not answered
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      cleanups.push(() => {
        server.close();
        server.closeAllConnections();
      });
      return `127.0.0.1:${(server.address() as AddressInfo).port}`;
    }),
  );
  const { gateway, address } = create({
    workers: 2,
    config: {
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [{ name: 'shop', endpoints, balance: 'least-connections' }],
      routes: [{ service: 'shop' }],
    },
  });
  await gateway.start();
  const [host, port] = address().split(':');
  for (let made = 0; made < REQUESTS; made++) {
    const here = new Promise<void>((resolve) => (arrived = resolve));
    // A connection each, so that the kernel gives some to either worker.
    const client = connect(Number(port), host);
    client.on('error', () => {});
    cleanups.push(() => client.destroy());
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await here;
    assert.ok(Math.max(...held) - Math.min(...held) <= 1, `after ${made + 1}: ${held.join(' ')}`);
  }
  const { workers } = gateway.state();
  assert.equal(workers.length, 2);
});
