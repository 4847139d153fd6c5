/** A connection whose answer has just ended: nobody's until the event loop has had its turn, because a server may have more to say. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Bench, eventually, onBoth } from '../../../test/engine/bench.ts';
import { World } from '../../../test/engine/endpoint-world.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import { endpointSlots as slot } from '../slots.ts';
import { HELD_BYTES_MAX } from './outbox.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

onBoth('RFC 9112 §9.2: a second answer to a request is not given to one that was sent behind it', async (bench) => {
  const { client, origin, gateway } = await bench.line();
  client.write(GET + GET);
  const first = await origin.accept();
  await first.request();
  first.write(answer('ok'));
  assert.equal((await client.response()).body.toString(), 'ok');
  await eventually('another connection', () => origin.connections.length === 2);
  first.write(answer('evil'));
  await first.gone();
  const second = await origin.accept();
  await second.request();
  second.write(answer('fine'));
  assert.equal((await client.response()).body.toString(), 'fine');
  assert.equal(gateway.endpoint('protocolErrors'), 1);
});

/** A line of which the connection to the server has answered one request, and is unused. */
async function atRest(
  bench: Bench,
  ...how: Parameters<Bench['line']>
): Promise<Awaited<ReturnType<Bench['line']>> & { readonly first: Peer }> {
  const line = await bench.line(...how);
  const { client, gateway, origin } = line;
  client.write(GET);
  const first = await origin.accept();
  await first.request();
  first.write(answer('ok'));
  await client.response();
  await eventually('the connection is at rest', () => gateway.endpoint('idle') === 1);
  return { ...line, first };
}

/** No turn of the event loop ends for the gateway until the returned function is called: what it holds until then stays there. */
function turnWithoutEnd(): () => void {
  const { setImmediate: real } = globalThis;
  const ends: (() => void)[] = [];
  const kept = (run: (...given: unknown[]) => void, ...given: unknown[]): void => void ends.push(() => run(...given));
  globalThis.setImmediate = Object.assign(kept, { __promisify__: real.__promisify__ }) as unknown as typeof real;
  return () => {
    globalThis.setImmediate = real;
    for (const end of ends) end();
  };
}

const before = {
  'a second answer that is read': { byServer: (server) => server.write(answer('evil')), isFault: true },
  'the end of a connection that is read': { byServer: (server) => server.end(), isFault: false },
  'a reset that is read': { byServer: (server) => server.reset(), isFault: false },
} as const satisfies Record<string, { byServer: (server: Peer) => void; isFault: boolean }>;

/** What is held back in the wire, and what leaves it at once: more than that holds, and a body of which more is to come. */
const next = {
  'a small request': { body: 'hello', later: '' },
  'a large request': { body: 'l'.repeat(3 * HELD_BYTES_MAX), later: '' },
  'an upload': { body: 'begun', later: ' and ended'.repeat(1000) },
};

for (const [what, { byServer, isFault }] of Object.entries(before)) {
  for (const [which, { body, later }] of Object.entries(next)) {
    onBoth(
      `RFC 9110 §9.2.2, RFC 9112 §9.2: ${what} before anything of ${which} has left is no answer to that, which goes elsewhere whatever it is`,
      async (bench) => {
        const { client, first, gateway, origin } = await atRest(bench);
        const end = turnWithoutEnd();
        try {
          client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length + later.length}\r\n\r\n${body}`);
          await eventually('the request is on it', () => gateway.endpoint('reuses') === 1);
          byServer(first);
          await eventually('that was read', () => gateway.endpoint('connects') === 2);
        } finally {
          end();
        }
        client.write(later);
        const second = await origin.accept();
        assert.equal((await second.request()).body.toString('latin1'), body + later);
        second.write(answer('fine'));
        assert.equal((await client.response()).body.toString(), 'fine');
        assert.equal(gateway.endpoint('protocolErrors'), isFault ? 1 : 0);
        assert.equal(gateway.endpoint('resets'), 1);
        assert.equal(first.text, '', 'nothing of the request has reached it');
      },
    );
  }
}

onBoth('a request whose time is over before anything of it has left says nothing of its endpoint', async (bench) => {
  const clock = new ManualClock();
  const { client, first, gateway } = await atRest(bench, { serviceTimeouts: { totalMs: 1000 } }, clock);
  const end = turnWithoutEnd();
  try {
    const { body } = next['a large request'];
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    await eventually('the request is on it', () => gateway.endpoint('reuses') === 1);
    clock.pass(1000);
    clock.over();
    await eventually('it is over', () => gateway.endpoint('inFlight') === 0);
  } finally {
    end();
  }
  await client.refusal(504, 'total_timeout');
  assert.equal(gateway.endpoint('timeouts'), 0);
  assert.equal(first.text, '', 'nothing of the request has reached it');
});

/** One connection, on which an answer ends while another request waits for it. */
function answeredWhileAwaited(): World {
  const world = new World();
  world.take({ kind: 'limits', connectionsMax: 1, idleConnectionsMax: 1 });
  world.take({ kind: 'ask', reuse: true });
  world.take({ kind: 'opened', which: 0 });
  world.take({ kind: 'ask', reuse: true });
  world.take({ kind: 'answeredNow', which: 0 });
  return world;
}

test('RFC 9112 §9.2: who waits for a connection gets it when its socket was looked at again, one turn later', () => {
  const { endpoint, requests, wires } = answeredWhileAwaited();
  const [waiting] = requests;
  endpoint.plane.outbox.turned();
  assert.equal(waiting!.told, 'nothing');
  endpoint.plane.outbox.turned();
  assert.equal(waiting!.told, 'connected');
  assert.equal(waiting!.connection?.wire, wires[0]);
});

test('RFC 9112 §9.2: where there was more behind the answer, who waits gets another connection', () => {
  const { endpoint, requests, wires } = answeredWhileAwaited();
  const [waiting] = requests;
  endpoint.plane.outbox.turned();
  wires[0]!.owner.onBytes(answer('evil'), 0, 1);
  assert.equal(waiting!.told, 'connecting');
  assert.equal(wires[0]!.closed, true);
  assert.equal(endpoint.lane[slot.protocolErrors], 1);
  // What was to be told of the end of the turn says nothing of a connection that is gone.
  endpoint.plane.outbox.turned();
  assert.equal(waiting!.told, 'connecting');
});

onBoth(
  'RFC 9112 §9.3.2: a pipelined request waits for the connection of the one before it also where nobody may wait',
  async (bench) => {
    const { client, origin, gateway } = await bench.line({ serviceLimits: { connectionsMax: 1, queueMax: 0 } });
    origin.serve((request, server) => void server.write(answer(request.target)));
    const targets = ['/one', '/two', '/three'];
    client.write(targets.map((target) => GET.replace('/', target)).join(''));
    for (const target of targets) assert.equal((await client.response()).body.toString(), target);
    assert.equal(origin.connections.length, 1);
    assert.equal(gateway.endpoint('queued'), 0);
  },
);

test('an endpoint has room for one request more while a connection settles for which nobody waits', () => {
  const world = new World();
  const { endpoint } = world;
  world.take({ kind: 'limits', connectionsMax: 1, idleConnectionsMax: 1 });
  world.take({ kind: 'ask', reuse: true });
  world.take({ kind: 'opened', which: 0 });
  assert.equal(endpoint.hasRoom, false);
  world.take({ kind: 'answeredNow', which: 0 });
  assert.equal(endpoint.hasRoom, true);
  world.take({ kind: 'ask', reuse: true });
  assert.equal(endpoint.hasRoom, false);
});
