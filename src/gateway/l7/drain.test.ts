/** An endpoint that drains: no new work, the old is finished; when there is no more time it is cut. Tunnels: drain-tunnel.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { World } from '../../../test/engine/endpoint-world.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { createCell } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { ShapingPlan } from '../shaping/plan.ts';
import { CLOSED, CUT, DRAINING, ENDPOINT_SLOTS, ROUTE_SLOTS, SERVING } from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';
import { Endpoint } from './endpoint.ts';

const get = (fields = ''): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody';

interface Pair {
  readonly gateway: TestGateway;
  /** Says nothing by itself. */
  readonly first: Origin;
  /** Has a request there, which waits for its answer. */
  readonly ask: (request: string) => Promise<{ readonly client: Peer; readonly server: Peer }>;
}

/** The first of two gets the work as long as it takes any; the other answers `other` at once. */
async function pair(bench: Bench, changes: Changes = {}, clock?: Clock): Promise<Pair> {
  const [first, other] = [await bench.origin(), await bench.origin()];
  other.serve((_, server) => void server.write(answer('other')));
  const gateway = await bench.gateway(
    [first, other],
    { endpoint: (index) => ({ priority: index }), ...changes },
    clock,
  );
  const ask = async (request: string): Promise<{ client: Peer; server: Peer }> => {
    const client = await bench.client(gateway);
    client.write(request);
    const server = await first.accept();
    await server.request();
    return { client, server };
  };
  return { gateway, first, ask };
}

onBoth(
  'no new work for one that drains, from the next request on; its clients keep their connections',
  async (bench) => {
    const origins = [await bench.origin(), await bench.origin()];
    origins.forEach((origin, index) => origin.serve((_, server) => void server.write(answer(String(index)))));
    const gateway = await bench.gateway(origins);
    const client = await bench.client(gateway);
    const ask = async (): Promise<string> => {
      client.write(get());
      const response = await client.response();
      assert.notEqual(fieldOf(response, 'connection'), 'close');
      return response.body.toString();
    };
    assert.deepEqual([await ask(), await ask()].toSorted(), ['0', '1']);
    gateway.sayDrain(DRAINING);
    for (let request = 0; request < 6; request += 1) assert.equal(await ask(), '1');
    await eventually('its idle connection is closed', () => gateway.endpoint('connections', 0) === 0);
    assert.equal(gateway.endpoint('idle', 1), 1);
    gateway.sayDrain(SERVING);
    assert.deepEqual([await ask(), await ask()].toSorted(), ['0', '1']);
  },
);

onBoth('a request under way is finished, and its connection is not kept', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write(get());
  const server = await origin.accept();
  await server.request();
  gateway.sayDrain(DRAINING);
  const other = await bench.client(gateway);
  other.write(get());
  await other.refusal(503, 'no_endpoint');
  server.write(answer('whole'));
  assert.equal((await client.response()).body.toString(), 'whole');
  assert.equal(await server.gone(), 'end');
  client.write(get());
  await client.refusal(503, 'no_endpoint');
});

onBoth(
  'clients that are pinned to it may come until its time is over, then they are pinned elsewhere',
  async (bench) => {
    const changes: Changes = {
      service: { affinity: { cookie: 'pin', attributes: '; Path=/', secure: 'never' } },
      endpoint: (index) => ({ pin: `pin${index}` }),
    };
    const origins = [await bench.origin(), await bench.origin()];
    origins.forEach((origin, index) => origin.serve((_, server) => void server.write(answer(String(index)))));
    const gateway = await bench.gateway(origins, changes);
    const client = await bench.client(gateway);
    gateway.sayDrain(DRAINING);
    client.write(get('Cookie: pin=pin0\r\n'));
    assert.equal((await client.response()).body.toString(), '0');
    gateway.sayDrain(CLOSED);
    client.write(get('Cookie: pin=pin0\r\n'));
    const response = await client.response();
    assert.equal(response.body.toString(), '1');
    assert.match(String(fieldOf(response, 'set-cookie')), /^pin=pin1;/);
  },
);

onBoth('a stream goes on for as long as there is time; then it is broken off and counted', async (bench) => {
  const { gateway, ask } = await pair(bench);
  const { client, server } = await ask(get());
  server.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
  for (const word of [DRAINING, CLOSED]) {
    gateway.sayDrain(word);
    const other = await bench.client(gateway);
    other.write(get());
    assert.equal((await other.response()).body.toString(), 'other');
    server.write('5\r\nevent\r\n');
    await client.until('the event', () => client.text.endsWith('5\r\nevent\r\n'));
  }
  gateway.sayDrain(CUT);
  assert.notEqual(await client.gone(), 'open');
  assert.ok(!client.text.endsWith('0\r\n\r\n'), 'a message that is not whole has no clean end');
  assert.notEqual(await server.gone(), 'open');
  assert.deepEqual([gateway.route('broken'), gateway.endpoint('requestsCut'), gateway.endpoint('resets')], [1, 1, 0]);
});

onBoth('what was not answered when the time is over is asked elsewhere if it may be, else told so', async (bench) => {
  const { gateway, ask } = await pair(bench);
  const [safe, unsafe] = [await ask(get()), await ask(post)];
  gateway.sayDrain(CUT);
  assert.equal((await safe.client.response()).body.toString(), 'other');
  await unsafe.client.refusal(503, 'drained');
  unsafe.client.write(get());
  assert.equal((await unsafe.client.response()).body.toString(), 'other', 'its connection is as good as before');
  for (const { server } of [safe, unsafe]) assert.notEqual(await server.gone(), 'open');
  assert.equal(gateway.endpoint('requestsCut'), 1, 'the other was answered');
  assert.deepEqual([gateway.route('retries'), gateway.endpoint('resets'), gateway.endpoint('timeouts')], [1, 0, 0]);
});

onBoth('who waits for a connection is served while there is time, then elsewhere, whatever it asks', async (bench) => {
  const changes: Changes = {
    service: { balance: { algorithm: 'consistent-hash', key: { kind: 'header', name: 'key' }, loadFactor: 100 } },
    serviceLimits: { connectionsMax: 1 },
  };
  const { gateway, ask } = await pair(bench, changes);
  const { client, server } = await ask(get('Key: a\r\n'));
  const waiting = await bench.client(gateway);
  const last = await bench.client(gateway);
  waiting.write(get('Key: a\r\n'));
  await eventually('it waits', () => gateway.endpoint('queued') === 1);
  last.write(post.replace('Host: a', 'Host: a\r\nKey: a'));
  await eventually('both wait', () => gateway.endpoint('queued') === 2);
  gateway.sayDrain(CLOSED);
  server.write(answer('first'));
  assert.equal((await client.response()).body.toString(), 'first');
  await server.request();
  gateway.sayDrain(CUT);
  assert.equal((await waiting.response()).body.toString(), 'other');
  assert.equal((await last.response()).body.toString(), 'other');
});

for (const algorithm of ['consistent-hash', 'maglev'] as const) {
  onBoth(`${algorithm}: of the keys only those of the endpoint that drains move, and they come back`, async (bench) => {
    const origins = [await bench.origin(), await bench.origin(), await bench.origin()];
    origins.forEach((origin, index) => origin.serve((_, server) => void server.write(answer(String(index)))));
    const balance = { algorithm, key: { kind: 'header', name: 'key' }, loadFactor: 1.25 } as const;
    const gateway = await bench.gateway(origins, { service: { balance } });
    const client = await bench.client(gateway);
    const places = async (): Promise<string[]> => {
      const found: string[] = [];
      for (let key = 0; key < 60; key += 1) {
        client.write(get(`Key: ${key}\r\n`));
        found.push((await client.response()).body.toString());
      }
      return found;
    };
    const before = await places();
    gateway.sayDrain(DRAINING);
    const during = await places();
    for (const [key, place] of before.entries()) {
      if (place === '0') assert.notEqual(during[key], '0');
      else assert.equal(during[key], place);
    }
    assert.ok(before.includes('0'));
    gateway.sayDrain(SERVING);
    assert.deepEqual(await places(), before);
  });
}

onBoth('a retry goes to one that serves, or nowhere', async (bench) => {
  const origins = [await bench.origin(), await bench.origin(), await bench.origin()];
  const busy = answer('busy', '', '503 Service Unavailable');
  origins[0]!.serve((_, server) => void server.write(busy));
  for (const index of [1, 2]) origins[index]!.serve((_, server) => void server.write(answer(String(index))));
  const changes: Changes = {
    retries: { statuses: [{ from: 503, to: 503 }] },
    endpoint: (index) => ({ priority: index === 0 ? 0 : 1 }),
  };
  const gateway = await bench.gateway(origins, changes);
  const client = await bench.client(gateway);
  gateway.sayDrain(DRAINING, 1);
  for (let request = 0; request < 6; request += 1) {
    client.write(get());
    assert.equal((await client.response()).body.toString(), '2');
  }
  gateway.sayDrain(CLOSED, 2);
  client.write(get());
  assert.equal((await client.response()).body.toString(), 'busy');
  assert.equal(origins[1]!.connections.length, 0);
});

onBoth('no copy goes to one that drains, and one that is there when the time is over is cut unseen', async (bench) => {
  const [origin, shadow] = [await bench.origin(), await bench.origin()];
  origin.serve((_, server) => void server.write(answer('the answer')));
  const mirror = { service: 1, share: 1, bodyBytesMax: 1000 };
  const none = { split: null, answer: null, path: null, host: null, requestFields: null, responseFields: null };
  const shaping: ShapingPlan = { ...none, mirror };
  const gateway = await bench.gateway([origin, shadow], { services: ['shop', 'shadow'], route: { shaping } });
  const client = await bench.client(gateway);
  const ask = async (): Promise<void> => {
    client.write(get());
    assert.equal((await client.response()).body.toString(), 'the answer');
  };
  await ask();
  const copy = await shadow.accept();
  await copy.request();
  gateway.sayDrain(DRAINING, 1);
  await ask();
  assert.deepEqual([gateway.route('mirrored'), gateway.route('mirrorsDropped')], [1, 1]);
  gateway.sayDrain(CUT, 1);
  assert.notEqual(await copy.gone(), 'open');
  await eventually('it is counted', () => gateway.route('mirrorFailures') === 1);
  await ask();
});

onBoth('a config on trial heeds drains: it closes what is unused, and cuts at the end', async (bench) => {
  const { gateway, ask, first } = await pair(bench);
  const cells = { canary: createCell(2, ROUTE_SLOTS), others: createCell(2, ROUTE_SLOTS) };
  await gateway.plane.setCanary({ snapshot: gateway.snapshot, share: 1, ...cells });
  const [unused, busy] = [await ask(get()), await ask(get())];
  unused.server.write(answer('kept'));
  await unused.client.response();
  await eventually('it is unused', () => gateway.endpoint('idle') === 1);
  busy.server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ');
  gateway.sayDrain(CLOSED);
  assert.equal(await unused.server.gone(), 'end');
  gateway.sayDrain(CUT);
  assert.notEqual(await busy.client.gone(), 'open');
  const other = await bench.client(gateway);
  other.write(get());
  assert.equal((await other.response()).body.toString(), 'other');
  assert.equal(first.connections.length, 2);
  await gateway.plane.setCanary(null);
});

onBoth('what an endpoint has that has left the config is cut as well', async (bench) => {
  const { gateway, ask } = await pair(bench);
  const { client, server } = await ask(get());
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ');
  await client.until('the half', () => client.text.endsWith('half '));
  await gateway.changeServices(({ endpoints }) => ({ endpoints: endpoints.slice(1) }));
  gateway.sayDrain(CUT);
  assert.notEqual(await client.gone(), 'open');
});

onBoth('what has left the config has the time of a drain, whether an answer has begun or not', async (bench) => {
  const { gateway, ask } = await pair(bench, { drainTimeoutMs: 400 });
  const [begun, waiting] = [await ask(get()), await ask(get())];
  begun.server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ');
  await begun.client.until('the half', () => begun.client.text.endsWith('half '));
  await gateway.changeServices(({ endpoints }) => ({ endpoints: endpoints.slice(1) }));
  assert.notEqual(await begun.client.gone(), 'open');
  assert.equal((await waiting.client.response()).body.toString(), 'other', 'what may be done twice is done elsewhere');
});

test('of many endpoints whose time is over together each is looked at once, not once for each of them', async () => {
  const { plane, service, plan } = new World().endpoint;
  const left = Array.from({ length: 20 }, () => new Endpoint(plane, service, plan));
  let looks = 0;
  for (const endpoint of left) {
    endpoint.heedDrain = () => void looks++;
    plane.busy.add(endpoint);
    endpoint.retire();
    endpoint.endAfter(1000);
  }
  plane.wheel.advance(plane.nowMs + 2000);
  await nextTurn();
  assert.ok(left.every(({ isCut }) => isCut));
  assert.equal(looks, left.length);
});

onBoth('what has come back within that time keeps what it had, until it leaves again', async (bench) => {
  const clock = new ManualClock();
  const { gateway, ask } = await pair(bench, { drainTimeoutMs: 400 }, clock);
  const [kept, cut] = [await ask(get()), await ask(get())];
  for (const { client, server } of [kept, cut]) {
    server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ');
    await client.until('the half', () => client.text.endsWith('half '));
  }
  const [service] = gateway.snapshot.services;
  await gateway.changeServices(() => ({ endpoints: service!.endpoints.slice(1) }));
  clock.nearly(400);
  await gateway.changeServices(() => ({ endpoints: service!.endpoints }));
  clock.over();
  kept.server.write('whole');
  assert.equal((await kept.client.response()).body.toString(), 'half whole');
  await gateway.changeServices(() => ({ endpoints: service!.endpoints.slice(1) }));
  clock.nearly(400);
  assert.equal(cut.client.ending, 'open');
  clock.over();
  assert.notEqual(await cut.client.gone(), 'open');
});

onBoth('what only a config on trial has is cut so when the trial is over; what is in force is not', async (bench) => {
  const { gateway, ask, first } = await pair(bench, { drainTimeoutMs: 400 });
  const tried = await bench.origin();
  const cells = { canary: createCell(2, ROUTE_SLOTS), others: createCell(2, ROUTE_SLOTS) };
  const [service] = gateway.snapshot.services;
  const endpoints = [{ ...service!.endpoints[0]!, id: 'tried', port: tried.port, cell: createCell(2, ENDPOINT_SLOTS) }];
  const trial = (snapshot: Snapshot): Promise<void> => gateway.plane.setCanary({ snapshot, share: 1, ...cells });
  await trial(gateway.snapshot);
  const kept = await ask(get());
  kept.server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ');
  await trial({ ...gateway.snapshot, services: [{ ...service!, endpoints }] });
  const client = await bench.client(gateway);
  client.write(get());
  const server = await tried.accept();
  await server.request();
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ');
  await client.until('the half', () => client.text.endsWith('half '));
  await gateway.plane.setCanary(null);
  assert.notEqual(await client.gone(), 'open');
  kept.server.write('whole');
  assert.equal((await kept.client.response()).body.toString(), 'half whole');
  assert.equal(first.connections.length, 1);
});
