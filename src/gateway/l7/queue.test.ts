/** Requests in line for a connection: which one they get, how long they may wait, and what a reload does to them. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { freePort } from '../../../test/ports.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { ServicePlan } from '../snapshot.ts';

const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const expecting = 'POST /expect HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n';
const anyTls = { caPem: null, serverName: null, verify: false, certificatePem: null, keyPem: null } as const;

async function fill(origin: Origin, client: Peer): Promise<Peer> {
  client.write(get('/first'));
  const server = await origin.accept();
  await server.request();
  return server;
}

async function takeBody(server: Peer, client: Peer): Promise<void> {
  await server.until('the head', () => server.text.includes('\r\n\r\n'));
  server.write('HTTP/1.1 100 Continue\r\n\r\n');
  client.write('body');
  assert.equal((await server.request()).body.toString(), 'body');
  server.write(answer('taken'));
}

onBoth('RFC 9110 §10.1.1: whoever must not reuse a connection takes the place of an idle one', async (bench) => {
  const { origin, gateway, client } = await bench.line({ serviceLimits: { connectionsMax: 2 } });
  const other = await bench.client(gateway);
  const oldest = await fill(origin, client);
  const newest = await fill(origin, other);
  for (const [server, its] of [
    [oldest, client],
    [newest, other],
  ] as const) {
    server.write(answer());
    await its.response();
  }
  assert.equal(gateway.endpoint('idle'), 2);
  client.write(expecting);
  const fresh = await origin.accept();
  await takeBody(fresh, client);
  await client.response();
  assert.equal(await oldest.gone(), 'end');
  assert.equal(gateway.endpoint('idle'), 2, 'the newer one and the fresh one');
  assert.equal(gateway.endpoint('connections'), 2);
});

onBoth('RFC 9110 §10.1.1: whoever must not reuse a connection does not in the line either', async (bench) => {
  const { origin, gateway, client } = await bench.line({ serviceLimits: { connectionsMax: 1 } });
  const [second, third] = [await bench.client(gateway), await bench.client(gateway)];
  const first = await fill(origin, client);
  second.write(expecting);
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  third.write(get('/third'));
  await eventually('both wait', () => gateway.endpoint('queued') === 2);
  first.write(answer());
  await client.response();
  assert.equal(await first.gone(), 'end');
  const fresh = await origin.accept();
  await takeBody(fresh, second);
  await second.response();
  assert.equal((await fresh.request()).target, '/third', 'in order, and on the connection that is there');
  fresh.write(answer());
  await third.response();
  assert.equal(origin.connections.length, 2);
});

onBoth('RFC 9110 §9.2.2: a retry behind a dead connection goes to a fresh one, also from the line', async (bench) => {
  const { origin, gateway, client } = await bench.line({ serviceLimits: { connectionsMax: 1 } });
  const other = await bench.client(gateway);
  const first = await fill(origin, client);
  first.write(answer());
  await client.response();
  client.write(get('/again'));
  await first.request();
  other.write(get('/other'));
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  first.reset();
  const second = await origin.accept();
  assert.equal((await second.request()).target, '/other');
  await eventually('the retry waits', () => gateway.endpoint('queued') === 1);
  second.write(answer());
  await other.response();
  assert.equal(await second.gone(), 'end');
  const third = await origin.accept();
  assert.equal((await third.request()).target, '/again');
  third.write(answer());
  assert.equal((await client.response()).status, 200);
});

onBoth('a connection has its own time to open, counted from the end of the wait in line', async (bench) => {
  const origin = await bench.origin(); // accepts, and says nothing to a TLS handshake
  const gateway = await bench.gateway([origin], {
    serviceLimits: { connectionsMax: 1 },
    serviceTimeouts: { connectMs: 1500 },
    attemptsMax: 1,
  });
  await gateway.changeServices(() => ({ tls: { ...anyTls, closeNotify: 'required' } }));
  const [client, other] = [await bench.client(gateway), await bench.client(gateway)];
  client.write(get('/'));
  await eventually('it opens', () => gateway.endpoint('connects') === 1);
  other.write(get('/'));
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  await client.refusal(504, 'connect_timeout');
  await other.refusal(504, 'connect_timeout');
  assert.equal(gateway.endpoint('connects'), 2);
  assert.equal(gateway.endpoint('timeouts'), 2);
});

const changes: Record<string, (service: ServicePlan) => Partial<ServicePlan>> = {
  'its endpoint leaves': ({ endpoints }) => ({ endpoints: endpoints.slice(1) }),
  'its service is renamed': () => ({ name: 'renamed' }),
  'its service speaks TLS from now on': () => ({ tls: { ...anyTls, closeNotify: 'required' } }),
};

for (const [what, change] of Object.entries(changes)) {
  onBoth(`a reload in which ${what}: the line is served to its end`, async (bench) => {
    const [origin, other] = [await bench.origin(), await bench.origin()];
    const gateway = await bench.gateway([origin, other], {
      serviceLimits: { connectionsMax: 1 },
      endpoint: (index) => ({ weight: index === 0 ? 1 : 0 }),
    });
    const clients = await Promise.all(Array.from({ length: 3 }, async () => await bench.client(gateway)));
    for (const client of clients) client.write(get('/'));
    await eventually('two wait', () => gateway.endpoint('queued') === 2 && gateway.endpoint('queued', 1) === 0);
    const server = await origin.accept();
    await server.request();
    await gateway.changeServices(change);
    server.write(answer('first', 'Connection: close\r\n'));
    const next = await origin.accept();
    for (let i = 0; i < 2; i += 1) {
      await next.request();
      next.write(answer('line'));
    }
    const bodies = await Promise.all(clients.map(async (client) => (await client.response()).body.toString()));
    assert.deepEqual(bodies.toSorted(), ['first', 'line', 'line']);
    assert.equal(await next.gone(), 'end', 'nothing is kept for it');
  });
}

onBoth('a reload that moves endpoints: a retry still knows where it was', async (bench) => {
  const [broken, fresh] = [await bench.origin(), await bench.origin()];
  fresh.serve((_, connection) => {
    connection.write(answer('fresh'));
  });
  const gateway = await bench.gateway([await freePort(), broken, fresh]);
  await gateway.changeServices(({ endpoints }) => ({ endpoints: endpoints.slice(0, 2) }));
  const client = await bench.client(gateway);
  client.write(get('/'));
  const server = await broken.accept();
  await server.request();
  assert.equal(gateway.endpoint('connectFailures', 0), 1);
  await gateway.changeServices(({ endpoints }) => ({ endpoints: [endpoints[2]!, endpoints[1]!] }));
  server.reset();
  assert.equal((await client.response()).body.toString(), 'fresh');
});

onBoth(
  'a reload that allows more connections serves the line, one that allows less closes idle ones',
  async (bench) => {
    const { origin, gateway, client } = await bench.line({ serviceLimits: { connectionsMax: 1 } });
    const other = await bench.client(gateway);
    const first = await fill(origin, client);
    other.write(get('/other'));
    await eventually('it waits', () => gateway.endpoint('queued') === 1);
    await gateway.changeServices(({ limits }) => ({ limits: { ...limits, connectionsMax: 2 } }));
    const second = await origin.accept();
    await second.request();
    for (const server of [first, second]) server.write(answer());
    for (const each of [client, other]) assert.equal(fieldOf(await each.response(), 'content-length'), '0');
    await eventually('both are idle', () => gateway.endpoint('idle') === 2);
    await gateway.changeServices(({ limits }) => ({ limits: { ...limits, connectionsMax: 1 } }));
    assert.equal(gateway.endpoint('idle'), 1);
    assert.equal(gateway.endpoint('connections'), 1);
  },
);
