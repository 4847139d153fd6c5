/**
 * How an exchange ends when it does not end well, on real sockets: who leaves, at which moment, and what the other side is
 * told. A message that was not whole must never look whole (RFC 9112 §8), and nobody works for someone who is gone.
 */
import assert from 'node:assert/strict';
import { TRAFFIC_SLOTS, trafficResults } from '../../health/traffic.ts';
import { Loads } from '../../balance/index.ts';
import { cellLane } from '../../kernel/cells.ts';
import { type Bench, eventually, onBoth } from '../../../test/engine/bench.ts';
import { freePort } from '../../../test/ports.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { deafPort } from '../../../test/engine/deaf-port.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const UPLOAD = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n';
const CHUNKED_UPLOAD = 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';

interface Line {
  readonly client: Peer;
  readonly server: Peer;
  readonly gateway: Awaited<ReturnType<Bench['gateway']>>;
}

/** A client whose request has reached the server. */
async function asked(bench: Bench, request = GET, changes: Changes = {}): Promise<Line> {
  const { origin, client, gateway } = await bench.line(changes);
  client.write(request);
  const server = await origin.accept();
  await server.until('a head', () => server.text.includes('\r\n\r\n'));
  return { client, server, gateway };
}

// — The client says that it will send no more (RFC 9112 §9.6)

onBoth(
  'RFC 9112 §9.6: a client that half-closes behind its request gets its answer, and then the end',
  async (bench) => {
    const { client, server } = await asked(bench);
    client.end();
    server.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello');
    await client.until('the start', () => client.text.endsWith('hello'));
    server.write('world');
    const response = await client.response();
    assert.equal(response.body.toString(), 'helloworld');
    assert.equal(await client.gone(), 'end');
  },
);

onBoth('RFC 9112 §9.6: a client that half-closes is not waited for without end', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { timeouts: { halfCloseMs: 200 } });
  client.end();
  assert.equal(await client.gone(), 'reset');
  await server.gone();
  assert.equal(gateway.route('aborted'), 1);
});

for (const [what, request] of [
  ['a body with a length', `${UPLOAD}start`],
  ['a chunked body', `${CHUNKED_UPLOAD}5\r\nstart\r\n`],
] as const) {
  onBoth(`RFC 9112 §8: a half-close within ${what} is no end of it, and the server sees none`, async (bench) => {
    const { client, server, gateway } = await asked(bench, request);
    await server.until('the start', () => server.text.includes('start'));
    client.end();
    await server.gone();
    assert.ok(!server.text.endsWith('0\r\n\r\n'));
    assert.equal(await client.gone(), 'reset');
    assert.equal(gateway.route('aborted'), 1);
  });
}

// — The client is gone

const STARTED = 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nstart';

for (const [when, prepare] of [
  ['before the answer', async () => {}],
  [
    'within the answer',
    async ({ client, server }: Line) => {
      server.write(STARTED);
      await client.until('the start', () => client.text.endsWith('start'));
    },
  ],
] as const) {
  onBoth(`RFC 9112 §9.5: a client that is gone ${when}: the server is let go, and not blamed`, async (bench) => {
    const line = await asked(bench);
    await prepare(line);
    line.client.reset();
    await line.server.gone();
    await eventually('it is counted', () => line.gateway.route('aborted') === 1);
    assert.equal(line.gateway.endpoint('resets'), 0);
    assert.equal(line.gateway.endpoint('timeouts'), 0);
    assert.equal(line.gateway.endpoint('idle'), 0);
  });
}

onBoth('RFC 9112 §9.5: a client that is gone within its body: the server is let go', async (bench) => {
  const { client, server, gateway } = await asked(bench, `${UPLOAD}start`);
  client.reset();
  await server.gone();
  await eventually('it is counted', () => gateway.route('aborted') === 1);
});

onBoth('RFC 9112 §9.5: a client that is gone while its connection is made: the attempt is cancelled', async (bench) => {
  await using port = await deafPort();
  const gateway = await bench.gateway([port.number]);
  const client = await bench.client(gateway);
  client.write(GET);
  await eventually('it is tried', () => gateway.endpoint('connects') === 1);
  client.reset();
  await eventually('it is over', () => gateway.route('aborted') === 1);
  await eventually('it is left', () => gateway.endpoint('connections') === 0);
  assert.equal(gateway.endpoint('connectFailures'), 0);
});

// — The server is gone (RFC 9112 §8: the client must be able to tell)

const unfinished = [
  ['with a length', 'Content-Length: 100\r\n\r\nstart'],
  ['chunked, within a chunk', 'Transfer-Encoding: chunked\r\n\r\na\r\nstart'],
  ['chunked, between two', 'Transfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n'],
  ['chunked, before the last line', 'Transfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n0\r\n'],
] as const;

for (const [what, rest] of unfinished) {
  for (const how of ['end', 'reset'] as const) {
    for (const version of ['1.1', '1.0'] as const) {
      onBoth(`RFC 9112 §8: a body ${what}, broken off by ${how}, is broken for HTTP/${version} too`, async (bench) => {
        const { client, server, gateway } = await asked(bench, `GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
        server.write(`HTTP/1.1 200 OK\r\n${rest}`);
        await client.until('the start', () => client.text.includes('start'));
        server[how]();
        assert.equal(await client.gone(), 'reset');
        assert.ok(!client.text.endsWith('\r\n0\r\n\r\n'));
        assert.equal(gateway.route('broken'), 1);
        assert.equal(gateway.endpoint('resets'), 1);
      });
    }
  }
}

onBoth('RFC 9112 §6.3: a body that ends with the connection is not whole if the connection is reset', async (bench) => {
  const { client, server, gateway } = await asked(bench);
  server.write('HTTP/1.1 200 OK\r\n\r\nstart');
  await client.until('the start', () => client.text.includes('start'));
  server.reset();
  assert.equal(await client.gone(), 'reset');
  assert.ok(!client.text.endsWith('\r\n0\r\n\r\n'));
  assert.equal(gateway.route('broken'), 1);
});

onBoth('RFC 9112 §8: a head that is broken off is a 502', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { attemptsMax: 1 });
  server.write('HTTP/1.1 200 OK\r\nContent-Le').end();
  await client.refusal(502, 'upstream_reset');
  assert.equal(gateway.endpoint('resets'), 1);
});

onBoth('RFC 9112 §8: a chunked body that is malformed within is broken off', async (bench) => {
  const { client, server, gateway } = await asked(bench);
  server.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nstart\r\n');
  await client.until('the start', () => client.text.includes('start'));
  server.write('nonsense\r\n');
  assert.equal(await client.gone(), 'reset');
  await server.gone();
  assert.equal(gateway.endpoint('protocolErrors'), 1);
});

// — Time is up

onBoth(
  'RFC 9110 §15.6.5: a server that does not accept: connect_timeout, and the endpoint is the one to blame',
  async (bench) => {
    await using port = await deafPort();
    const gateway = await bench.gateway([port.number], { serviceTimeouts: { connectMs: 200 }, attemptsMax: 1 });
    const client = await bench.client(gateway);
    client.write(GET);
    const refusal = await client.refusal(504, 'connect_timeout');
    assert.equal(fieldOf(refusal, 'connection'), undefined, 'the client may go on');
    assert.equal(gateway.endpoint('timeouts'), 1);
    assert.equal(gateway.endpoint('connections'), 0);
  },
);

onBoth('a server that does not accept: another one is asked', async (bench) => {
  await using port = await deafPort();
  const origin = await bench.origin();
  const gateway = await bench.gateway([port.number, origin], { serviceTimeouts: { connectMs: 1000 } });
  origin.serve((_request, connection) => {
    connection.write(answer('here'));
  });
  const client = await bench.client(gateway);
  client.write(GET);
  assert.equal((await client.response()).body.toString(), 'here');
  assert.equal(gateway.route('retries'), 1);
});

onBoth('RFC 9110 §15.6.5: no head of an answer in time: 504, once, and the server is let go', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { serviceTimeouts: { responseHeaderMs: 200 } });
  server.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 O');
  await client.refusal(504, 'upstream_timeout');
  await server.gone();
  assert.equal(gateway.endpoint('timeouts'), 1);
  assert.equal(gateway.route('retries'), 0, 'it may be at work on it');
});

onBoth('RFC 9110 §15.6.5: a server that stops taking the body is late, not the client', async (bench) => {
  const { client, server, gateway } = await asked(bench, UPLOAD.replace('100000', '900000000'), {
    serviceTimeouts: { bodyIdleMs: 300 },
  });
  server.pause();
  const piece = Buffer.alloc(65_536);
  let gone = false;
  const poured = client.pour(() => (gone ? null : piece));
  await client.refusal(504, 'upstream_timeout');
  gone = true;
  client.reset();
  await poured;
  assert.equal(gateway.endpoint('timeouts'), 1);
});

onBoth('RFC 9110 §15.5.9: a client whose body stops coming is late: 408', async (bench) => {
  const { client, server, gateway } = await asked(bench, `${UPLOAD}start`, { timeouts: { bodyIdleMs: 200 } });
  await client.refusal(408, 'body_timeout');
  await server.gone();
  assert.equal(gateway.endpoint('timeouts'), 0);
});

onBoth('RFC 9112 §8: an answer whose body stops coming is broken off', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { serviceTimeouts: { bodyIdleMs: 200 } });
  server.write(STARTED);
  assert.equal(await client.gone(), 'reset');
  assert.ok(client.text.endsWith('start'));
  await server.gone();
  assert.equal(gateway.endpoint('timeouts'), 1);
});

onBoth('the total ends what goes on and on: the message is broken off', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { serviceTimeouts: { totalMs: 400 } });
  server.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
  // Never idle: each piece that arrives brings the next.
  client.sink = () => void server.write('1\r\nx\r\n');
  assert.equal(await client.gone(), 'reset');
  await server.gone();
  assert.equal(gateway.route('broken'), 1);
});

onBoth('a 5xx that is broken off has failed once', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { serviceTimeouts: { bodyIdleMs: 200 } });
  server.write('HTTP/1.1 500 Oh\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n');
  assert.equal(await client.gone(), 'reset');
  await server.gone();
  assert.deepEqual([gateway.route('responses5xx'), gateway.route('broken')], [1, 0]);
});

onBoth('RFC 9110 §15.6.5: the total ends what has no answer: 504', async (bench) => {
  const { client, server } = await asked(bench, GET, { serviceTimeouts: { totalMs: 200 } });
  await client.refusal(504, 'total_timeout');
  await server.gone();
});

onBoth('the total is for all attempts together', async (bench) => {
  await using port = await deafPort();
  const changes = { serviceTimeouts: { totalMs: 1500 }, endpoint: (index: number) => ({ priority: index }) };
  const gateway = await bench.gateway([await freePort(), port.number], changes);
  const client = await bench.client(gateway);
  client.write(GET);
  await client.refusal(504, 'total_timeout');
  assert.ok(gateway.route('retries') >= 1);
});

onBoth(
  'a total that is over is held against a server that had half of it, and not against the last one asked',
  async (bench) => {
    const clock = new ManualClock();
    const origins = [await bench.origin(), await bench.origin()];
    const changes: Changes = {
      service: { judged: { row: null } },
      serviceTimeouts: { perTryMs: 6000, totalMs: 10_000 },
      endpoint: (index) => ({ priority: index }),
      attemptsMax: 2,
    };
    const gateway = await bench.gateway(origins, changes, clock);
    const late = (): number[] =>
      gateway.snapshot.services[0]!.endpoints.map(
        ({ traffic }) => cellLane(traffic, TRAFFIC_SLOTS, 1)[trafficResults.answerTimeout]!,
      );
    const client = await bench.client(gateway);
    client.write(GET);
    await (await origins[0]!.accept()).request();
    clock.pass(6200);
    await (await origins[1]!.accept()).request();
    clock.pass(4200);
    await client.refusal(504, 'total_timeout');
    assert.deepEqual(late(), [1, 0]);
    await gateway.changeServices(({ timeouts }) => ({ timeouts: { ...timeouts, perTryMs: 0 } }));
    const other = await bench.client(gateway);
    other.write(GET);
    await (await origins[0]!.accept()).request();
    clock.pass(10_200);
    await other.refusal(504, 'total_timeout');
    assert.deepEqual(late(), [2, 0]);
    const times = new Float64Array(2);
    const slots = gateway.snapshot.services[0]!.endpoints.map(({ loadSlot }) => loadSlot);
    new Loads(gateway.snapshot.loads, 0, slots).expect({ nowMs: clock.nowMs() }, new Float64Array([1, 1]), times, 0, 2);
    assert.ok(times[0]! >= 10_000, `whoever balances by time knows it: ${times[0]}`);
  },
);

onBoth('RFC 9110 §15.5.9: half a request head in time, and no more: 408', async (bench) => {
  const { client, origin } = await bench.line({ timeouts: { headerMs: 200 } });
  client.write('GET / HTTP/1.1\r\nHo');
  await client.refusal(408, 'header_timeout');
  assert.equal(await client.gone(), 'end');
  assert.equal(origin.connections.length, 0);
});

onBoth('RFC 9112 §9.5: a client that is idle between requests is let go without a word', async (bench) => {
  const { client, server } = await asked(bench, GET, { timeouts: { idleMs: 200 } });
  server.write(answer());
  await client.response();
  assert.equal(await client.gone(), 'end');
  assert.equal(client.text, '');
});

onBoth('RFC 9112 §9.5: a client that takes nothing of its answer is let go, and the server with it', async (bench) => {
  const { client, server, gateway } = await asked(bench, GET, { timeouts: { writeIdleMs: 200 } });
  client.pause();
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 900000000\r\n\r\n');
  const piece = Buffer.alloc(65_536);
  await server.pour(() => (server.closed ? null : piece));
  await server.gone();
  assert.equal(gateway.route('aborted'), 1);
  assert.equal(gateway.endpoint('timeouts'), 0, 'it is not the endpoint that was slow');
});

// — The last answer (RFC 9112 §9.6)

onBoth('RFC 9112 §9.6: a refusal before the body reaches a client that is still sending it', async (bench) => {
  const { client, origin } = await bench.line({ route: { requestBodyBytesMax: 1000 } });
  const body = Buffer.alloc(40_000_000);
  client.pause(); // what it is told, it reads when it has sent all: a reset would have destroyed it
  client.write(UPLOAD.replace('100000', String(body.length)));
  await client.flushed(body);
  client.resume();
  const refusal = await client.refusal(413, 'body_too_large');
  assert.equal(fieldOf(refusal, 'connection'), 'close');
  assert.equal(await client.gone(), 'end');
  assert.equal(origin.connections.length, 0);
});

onBoth('RFC 9112 §9.6: one that sends more than is read on can still read its refusal', async (bench) => {
  const clock = new ManualClock();
  const { client } = await bench.line({ route: { requestBodyBytesMax: 1000 } }, clock);
  client.pause();
  client.write(UPLOAD.replace('100000', '900000000'));
  const piece = Buffer.alloc(65_536);
  const pouring = client.pour(() => piece);
  let sent = 0;
  await eventually('nothing more is taken', () => {
    const before = sent;
    sent = client.socket.bytesWritten;
    return client.closed || (sent === before && sent > 64 * 1024 * 1024);
  });
  client.resume();
  await client.refusal(413, 'body_too_large');
  clock.pass(2000);
  clock.over();
  await pouring;
});

onBoth('RFC 9112 §9.6: a client that never stops sending is not listened to for ever', async (bench) => {
  const { client, gateway } = await bench.line({ route: { requestBodyBytesMax: 1000 } });
  client.write(UPLOAD.replace('100000', '900000000'));
  const piece = Buffer.alloc(65_536);
  let pieces = 0;
  await client.pour(() => (client.closed || pieces++ > 10_000 ? null : piece));
  await client.gone();
  assert.ok(pieces < 10_000, 'it was stopped');
  await eventually('it is left', () => gateway.listener('connections') === 0);
});

onBoth('RFC 9112 §9.6: a client that asked for the close has it with the answer', async (bench) => {
  const { client, server } = await asked(bench, GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
  server.write(answer('bye'));
  const response = await client.response();
  assert.equal(fieldOf(response, 'connection'), 'close');
  assert.equal(await client.gone(), 'end');
});
