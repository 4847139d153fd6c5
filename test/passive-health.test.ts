/** A real gateway under load whose servers go wrong while their health pages go on saying that all is well. */
import assert from 'node:assert/strict';
import { Agent, createServer, request, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import type { GatewayEvent } from '../src/gateway/index.ts';
import { cleanups, create } from './gateway-under-test.ts';

type Mood = 'well' | 'cuts' | 'fails' | 'slow' | 'hangs';

interface TestServer {
  readonly address: string;
  mood: Mood;
  asked: number;
}

const SLOW_MS = 250;

async function server(): Promise<TestServer> {
  const answer: RequestListener = (incoming, response) => {
    if (incoming.url === '/health') return void response.end('fine');
    self.asked += 1;
    switch (self.mood) {
      case 'cuts':
        return void incoming.socket.destroy();
      case 'fails':
        return void response.writeHead(500).end('broken');
      case 'hangs':
        return undefined;
      case 'slow':
        return void setTimeout(() => response.end('slow'), SLOW_MS);
      default:
        return void response.end('well');
    }
  };
  const http: Server = createServer(answer);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    http.close();
    http.closeAllConnections();
  });
  const self: TestServer = { address: `127.0.0.1:${(http.address() as AddressInfo).port}`, mood: 'well', asked: 0 };
  return self;
}

type Service = NonNullable<ConfigInput['services']>[number];

async function running(count: number, health: NonNullable<Service['health']>, service: Partial<Service> = {}) {
  const servers = await Promise.all(Array.from({ length: count }, () => server()));
  const endpoints = servers.map(({ address }) => address);
  const under = create({
    config: {
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [
        {
          name: 'shop',
          endpoints,
          health: { active: { path: '/health', interval: '1s', timeout: '1s' }, ...health },
          ...service,
        },
      ],
      routes: [{ service: 'shop' }],
    },
  });
  const { gateway } = under;
  const told = <Kind extends GatewayEvent['kind']>(
    kind: Kind,
    is: (event: Extract<GatewayEvent, { kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<GatewayEvent, { kind: Kind }>> =>
    new Promise((resolve) => {
      const leave = gateway.onEvent((event) => {
        if (event.kind !== kind || !is(event as Extract<GatewayEvent, { kind: Kind }>)) return;
        leave();
        resolve(event as Extract<GatewayEvent, { kind: Kind }>);
      });
    });
  const up = endpoints.map((endpoint) => told('endpoint-up', (event) => event.endpoint === endpoint));
  await gateway.start();
  await Promise.all(up);
  const state = ({ address }: TestServer) =>
    gateway.state().services[0]!.endpoints.find((endpoint) => endpoint.address === address)!;
  return { ...under, servers, told, state };
}

/** GET after GET in some lanes until the test is over. */
function load(address: string, lanes = 8) {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  const statuses = new Map<number, number>();
  let isRunning = true;
  const one = (): Promise<number> =>
    new Promise((resolve) => {
      const outgoing = request(`http://${address}/`, { agent }, (response) => {
        response.on('error', () => resolve(0));
        response.on('end', () => resolve(response.statusCode ?? 0));
        response.resume();
      });
      outgoing.on('error', () => resolve(0));
      outgoing.end();
    });
  const lane = async (): Promise<void> => {
    while (isRunning) {
      const status = await one();
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  cleanups.push(async () => {
    isRunning = false;
    await all;
    agent.destroy();
  });
  return { statuses };
}

test('errors in a row: out at once, on trial after its time, in when that went well; no request fails', async () => {
  const { servers, address, told, state } = await running(3, { passive: { ejection: '300ms' } });
  const { statuses } = load(address());
  const [victim] = servers;
  const down = told('endpoint-down');
  victim!.mood = 'cuts';
  const event = await down;
  assert.equal(event.endpoint, victim!.address);
  assert.match(event.reason, /^(?:[5-9]|\d\d+) errors in a row: 502 connection closed before an answer/);
  const trial = told('endpoint-trial');
  assert.ok(['ejected', 'trial'].includes(state(victim!).health));
  victim!.mood = 'well';
  assert.match((await trial).reason, /^on trial after \d+ errors in a row/);
  const up = await told('endpoint-up', ({ endpoint }) => endpoint === victim!.address);
  assert.ok((up.downForMs ?? 0) >= 300, `${up.downForMs}`);
  assert.equal(state(victim!).health, 'up');
  const became = state(victim!).changes.map(({ to, cause }) => `${to} ${cause}`);
  for (const change of ['ejected consecutive-errors', 'trial consecutive-errors', 'up trial']) {
    assert.ok(became.includes(change), `${change} in ${became.join(', ')}`);
  }
  assert.deepEqual([...statuses.keys()], [200], JSON.stringify([...statuses]));
});

test('one that hangs until the request has no more time is out, though its own time for an answer is longer', async () => {
  const { servers, address, told } = await running(3, { passive: {} }, { timeouts: { total: '200ms' } });
  const { statuses } = load(address());
  const down = told('endpoint-down');
  servers[2]!.mood = 'hangs';
  const event = await down;
  assert.equal(event.endpoint, servers[2]!.address);
  assert.match(event.reason, /^(?:[5-9]|\d\d+) errors in a row: 504 no answer in time/);
  // It is judged before the client has its answer.
  while (!statuses.has(504)) await new Promise((resolve) => setImmediate(resolve));
});

test('a share of errors that the others do not have, though each is a whole answer', async () => {
  const { servers, address, told } = await running(3, { passive: { consecutive: 'off', window: '2s' } });
  load(address());
  const down = told('endpoint-down');
  servers[1]!.mood = 'fails';
  const event = await down;
  assert.equal(event.endpoint, servers[1]!.address);
  assert.match(event.reason, /status 5xx/);
});

test("what all do wrong is nobody's fault: none is out", async () => {
  const { gateway, servers, address, seen } = await running(3, { passive: { consecutive: 'off', window: '1s' } });
  const { statuses } = load(address());
  for (const one of servers) one.mood = 'fails';
  while ((statuses.get(500) ?? 0) < 2000) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    seen.filter(({ kind }) => kind === 'endpoint-down'),
    [],
  );
  assert.equal(gateway.state().services[0]!.failOpen, false);
});

test('who is not ejected in spite of a fault says so where it is looked at', async () => {
  const { servers, address, told, state } = await running(2, { passive: {} });
  const spared = told('endpoint-spared');
  for (const one of servers) one.mood = 'cuts';
  load(address());
  const { endpoint } = await spared;
  const { health, reason } = state(servers.find((one) => one.address === endpoint)!);
  assert.equal(health, 'up', 'by its checks');
  assert.match(reason, /^\d+ errors in a row: .*; in use all the same: no other is better$/);
});

test('slower than the others by a factor', async () => {
  const { servers, address, told } = await running(4, {
    passive: { window: '2s', latency: { requests: 10, grace: '0s' } },
  });
  load(address(), 16);
  const down = told('endpoint-down');
  servers[2]!.mood = 'slow';
  const event = await down;
  assert.equal(event.endpoint, servers[2]!.address);
  assert.match(event.reason, /^p50 of \d+ ms, [\d.]+ times the median/);
});

test('off: nothing is judged', async () => {
  const { servers, address, seen } = await running(2, { passive: 'off' });
  load(address());
  servers[0]!.mood = 'cuts';
  while (servers[0]!.asked < 200) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    seen.filter(({ kind }) => kind === 'endpoint-down'),
    [],
  );
});

test('fail-open: when too few are left, health is not believed, loudly; and is again when enough are back', async () => {
  const { gateway, servers, address, told, get } = await running(4, {
    passive: 'off',
    failOpen: '60%',
    active: { path: '/', interval: '1s', timeout: '1s', unhealthyAfter: 1, expect: { status: [200] } },
  });
  const opened = told('fail-open', ({ reason }) => reason !== null);
  for (const one of servers.slice(1)) one.mood = 'fails';
  assert.match(
    (await opened).reason ?? '',
    /^[23] of 4 endpoints are out; (25|50)% of the weight is left, below 60%: health is ignored/,
  );
  assert.equal(gateway.state().services[0]!.failOpen, true);
  const answers = new Set<string>();
  while (answers.size < 2) answers.add(await get(address()));
  const closed = told('fail-open', ({ reason }) => reason === null);
  for (const one of servers) one.mood = 'well';
  await closed;
  assert.equal(gateway.state().services[0]!.failOpen, false);
});
