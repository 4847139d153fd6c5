/** What another config means for connections that are open: each request goes by one config, and none is lost. */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { createCell } from '../../kernel/cells.ts';
import { ENDPOINT_SLOTS, LISTENER_SLOTS, ROUTE_SLOTS } from '../slots.ts';
import type { RoutePlan, Snapshot } from '../snapshot.ts';

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

/** The listener `web` leaves; `inside` comes, and a service that is for it alone. */
async function moved(bench: Bench, changes: Changes = {}) {
  const [open, secret] = [await bench.origin(), await bench.origin()];
  secret.serve((_request, connection) => {
    connection.write(answer('secret'));
  });
  const gateway = await bench.gateway([open], changes);
  const { snapshot } = gateway;
  const endpoint = { ...snapshot.services[0]!.endpoints[0]!, id: 'secret', port: secret.port };
  const route: RoutePlan = { ...snapshot.routes[0]!, name: 'secret', cell: createCell(2, ROUTE_SLOTS) };
  const next: Snapshot = {
    ...snapshot,
    version: 2,
    listeners: [{ ...snapshot.listeners[0]!, id: 'inside', cell: createCell(2, LISTENER_SLOTS) }],
    services: [
      { ...snapshot.services[0]!, name: 'inside', endpoints: [{ ...endpoint, cell: createCell(2, ENDPOINT_SLOTS) }] },
    ],
    routes: [{ ...route, match: { ...route.match, listeners: ['inside'] } }],
  };
  return { gateway, open, secret, move: () => gateway.plane.apply(next, {}) };
}

const connections = (gateway: TestGateway, count: number): Promise<void> =>
  eventually(`${count} connections`, () => gateway.listener('connections') === count);

onBoth('a listener that left finishes what runs, by the routes it came under, and says close', async (bench) => {
  const { gateway, open, secret, move } = await moved(bench);
  const [waiting, begun, inHead, inBody] = [
    (await bench.client(gateway)).write(get('/waiting')),
    (await bench.client(gateway)).write(get('/begun')),
    await bench.client(gateway),
    (await bench.client(gateway)).write('POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nha'),
  ];
  await inHead.flushed('GET /head HTTP/1.1\r\nHo');
  const servers = await Promise.all(['/waiting', '/begun', '/body'].map(() => open.accept()));
  await eventually('all are there', () => servers.every((server) => server.text !== ''));
  const [asksWaiting, asksBegun, asksBody] = ['/waiting', '/begun', '/body'].map((path) =>
    servers.find(({ text }) => text.includes(` ${path} `))!,
  );
  assert.ok(asksWaiting && asksBegun && asksBody);
  asksBegun.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
  await begun.until('the beginning', () => begun.text.endsWith('ha'));
  await move();
  asksBegun.write('lf');
  assert.equal((await begun.response()).body.toString(), 'half');
  asksWaiting.write(answer('waited'));
  const late = await waiting.response();
  assert.equal(late.body.toString(), 'waited');
  assert.equal(fieldOf(late, 'connection'), 'close');
  inBody.write('lf');
  assert.equal((await asksBody.request()).body.toString(), 'half');
  asksBody.write(answer('whole'));
  assert.equal(fieldOf(await inBody.response(), 'connection'), 'close');
  inHead.write('st: a\r\n\r\n');
  const server = await open.accept();
  assert.equal((await server.request()).target, '/head');
  server.write(answer('headed'));
  const headed = await inHead.response();
  assert.equal(headed.body.toString(), 'headed');
  assert.equal(fieldOf(headed, 'connection'), 'close');
  for (const each of [waiting, begun, inHead, inBody]) {
    assert.equal(await each.gone(), 'end');
    each.end();
  }
  assert.equal(secret.connections.length, 0);
});

onBoth('a request that meets the reload on its way is served: no idle connection is closed under it', async (bench) => {
  const { gateway, open, secret, move } = await moved(bench);
  open.serve(({ target }, connection) => {
    connection.write(answer(target));
  });
  const [used, fresh] = [await bench.client(gateway), await bench.client(gateway)];
  used.write(get('/first'));
  assert.equal(fieldOf(await used.response(), 'connection'), undefined);
  await connections(gateway, 2);
  await move();
  for (const [client, path] of [
    [used, '/second'],
    [fresh, '/only'],
  ] as const) {
    const last = await client.write(get(path)).response();
    assert.equal(last.body.toString(), path);
    assert.equal(fieldOf(last, 'connection'), 'close');
    assert.equal(await client.gone(), 'end');
    client.end();
  }
  assert.equal(secret.connections.length, 0);
});

onBoth('an idle connection of a listener that left ends soon, however long it might have stayed', async (bench) => {
  const { gateway, open, move } = await moved(bench, { timeouts: { idleMs: 1e9, headerMs: 1e9 } });
  open.serve((_request, connection) => {
    connection.write(answer('ok'));
  });
  const [used, fresh] = [await bench.client(gateway), await bench.client(gateway)];
  await used.write(get('/')).response();
  await connections(gateway, 2);
  await move();
  assert.deepEqual(await Promise.all([used.gone(), fresh.gone()]), ['end', 'end']);
});

onBoth('what a listener that left still runs when the time for a drain is over is cut', async (bench) => {
  const { gateway, open, move } = await moved(bench, { drainTimeoutMs: 200 });
  const client = await bench.client(gateway);
  client.write(get('/'));
  const server = await open.accept();
  await server.request();
  await move();
  assert.equal(await client.gone(), 'reset');
  assert.notEqual(await server.gone(), 'open');
  await eventually('it is counted', () => gateway.route('aborted') === 1);
});

onBoth('a drain ends idle connections of a listener that left at once', async (bench) => {
  const { gateway, move } = await moved(bench);
  const client = await bench.client(gateway);
  await connections(gateway, 1);
  await move();
  const drained = gateway.plane.drain(60_000);
  assert.equal(await client.gone(), 'end');
  await drained;
});

onBoth('a head begun before a reload of its own listener is routed by the new config, whole', async (bench) => {
  const [one, two] = [await bench.origin(), await bench.origin()];
  two.serve((_request, connection) => {
    connection.write(answer('two'));
  });
  const gateway = await bench.gateway([one]);
  const { snapshot } = gateway;
  const client = await bench.client(gateway);
  await client.flushed('GET / HTTP/1.1\r\nHo');
  await connections(gateway, 1);
  const endpoint = { ...snapshot.services[0]!.endpoints[0]!, id: 'two', port: two.port };
  const services = [{ ...snapshot.services[0]!, endpoints: [endpoint] }];
  await gateway.plane.apply({ ...snapshot, version: 2, services }, {});
  const got = await client.write('st: a\r\n\r\n').response();
  assert.equal(got.body.toString(), 'two');
  assert.equal(fieldOf(got, 'connection'), undefined);
});

onBoth('whom to trust is in the config in force, for each request on an open connection', async (bench) => {
  const { origin, gateway, client } = await bench.line({ listener: { trustedProxies: ['127.0.0.1'] } });
  origin.serve(({ fields }, connection) => {
    connection.write(answer(fields.find(([name]) => name.toLowerCase() === 'x-real-ip')![1]));
  });
  const asked = async (): Promise<string> =>
    (await client.write(get('/', 'X-Forwarded-For: 203.0.113.5\r\n')).response()).body.toString();
  const trust = async (trustedProxies: readonly string[]): Promise<void> => {
    const { snapshot } = gateway;
    const listeners = [{ ...snapshot.listeners[0]!, trustedProxies }];
    await gateway.plane.apply({ ...snapshot, version: 2, listeners }, {});
  };
  assert.equal(await asked(), '203.0.113.5');
  await trust([]);
  assert.equal(await asked(), '127.0.0.1');
  await trust(['127.0.0.0/8']);
  assert.equal(await asked(), '203.0.113.5');
  await trust(['127.0.0.1', '203.0.113.0/24']);
  assert.equal(await asked(), '203.0.113.5');
});
