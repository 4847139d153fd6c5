/** A real gateway with three workers before a server that takes few connections from all of them together. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { eventually } from './engine/bench.ts';
import { cleanups, config, create, origin } from './gateway-under-test.ts';

const WORKERS = 3;
const CLIENTS = 12;
const REQUESTS = 8;
/** Long beside the way there and back, so that all connections are in use at once. */
const SERVED_MS = 20;

/** Answers a moment later; how many it was working on at most. */
async function server(): Promise<{ readonly address: string; readonly busy: { most: number } }> {
  const busy = { now: 0, most: 0 };
  const http = createServer((_incoming, response) => {
    busy.now += 1;
    busy.most = Math.max(busy.most, busy.now);
    setTimeout(() => {
      busy.now -= 1;
      response.end('done');
    }, SERVED_MS);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    http.close();
    http.closeAllConnections();
  });
  return { address: `127.0.0.1:${(http.address() as AddressInfo).port}`, busy };
}

/** On a connection of its own, so that the kernel gives each worker some. */
function ask(address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(`http://${address}/`, { agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', reject);
    });
    outgoing.on('error', reject).end();
  });
}

for (const connectionsMax of [1, 4]) {
  test(`a server that takes ${connectionsMax} never has more, from all workers; who waits is served in time`, async () => {
    const { address: endpoint, busy } = await server();
    const endpoints = [{ address: endpoint, connectionsMax }];
    const service = { name: 'shop', endpoints, timeouts: { queue: '60s' as const } };
    const { gateway, address } = create({ workers: WORKERS, config: config(endpoint, { services: [service] }) });
    await gateway.start();
    const statuses = new Map<number, number>();
    const client = async (): Promise<void> => {
      for (let asked = 0; asked < REQUESTS; asked++) {
        const status = await ask(address());
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    assert.deepEqual([...statuses], [[200, CLIENTS * REQUESTS]]);
    assert.equal(busy.most, connectionsMax);
  });
}

test('beside a full server another gets what it cannot take', async () => {
  const [small, large] = [await server(), await server()];
  const endpoints = [{ address: small.address, connectionsMax: 1, weight: 1000 }, { address: large.address }];
  const { gateway, address } = create({
    workers: WORKERS,
    config: config('', { services: [{ name: 'shop', endpoints }] }),
  });
  await gateway.start();
  for (const status of await Promise.all(Array.from({ length: CLIENTS }, () => ask(address())))) {
    assert.equal(status, 200);
  }
  assert.equal(small.busy.most, 1);
  assert.ok(large.busy.most > 1);
});

test('a server that leaves the config and comes back takes no more beside what it still works on', async () => {
  const held: (() => void)[] = [];
  const came = new EventEmitter();
  const http = createServer((_incoming, response) => {
    held.push(() => response.end('done'));
    came.emit('request');
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    http.close();
    http.closeAllConnections();
  });
  const limited = { address: `127.0.0.1:${(http.address() as AddressInfo).port}`, connectionsMax: 1 };
  const other = await origin('other');
  const configOf = (endpoints: NonNullable<ConfigInput['services']>[number]['endpoints']): ConfigInput =>
    config('', { services: [{ name: 'shop', endpoints, timeouts: { queue: '60s' } }] });
  const { gateway, address } = create({ workers: WORKERS, config: configOf([limited]) });
  await gateway.start();
  const atServer = once(came, 'request');
  const first = ask(address());
  await atServer;
  for (const endpoints of [[other], [limited]]) {
    assert.equal((await gateway.reload({ config: configOf(endpoints) })).kind, 'applied');
  }
  const second = ask(address());
  await eventually('the second request waits', () => gateway.state().services[0]!.endpoints[0]!.queued === 1);
  assert.equal(held.length, 1);
  const next = once(came, 'request');
  held[0]!();
  assert.equal(await first, 200);
  await next;
  held[1]!();
  assert.equal(await second, 200);
});
