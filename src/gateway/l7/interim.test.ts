/** Interim responses and expectations (RFC 9110 §10.1.1, §15.2) on real sockets. */
import assert from 'node:assert/strict';
import { onBoth, type Bench } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer, chunked, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { systemClock } from '../../kernel/clock.ts';
import { INTERIM_MAX } from './response-heads.ts';

const EXPECT = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';

interface Expecting {
  readonly client: Peer;
  readonly server: Peer;
  readonly origin: Origin;
}

async function expecting(bench: Bench, head = EXPECT, changes: Changes = {}): Promise<Expecting> {
  const { origin, client } = await bench.line(changes);
  client.write(head);
  const server = await origin.accept();
  await server.until('the head', () => server.text.endsWith('\r\n\r\n'));
  return { client, server, origin };
}

onBoth('RFC 9110 §10.1.1: an expectation is passed on, and the body comes after the 100', async (bench) => {
  const { client, server } = await expecting(bench);
  assert.match(server.text, /\r\nExpect: 100-continue\r\n/);
  server.write('HTTP/1.1 100 Continue\r\n\r\n');
  await client.until('the 100', () => client.text.endsWith('\r\n\r\n'));
  client.write('hello');
  assert.equal((await server.request()).body.toString(), 'hello');
  server.write(answer('thanks'));
  const response = await client.response();
  assert.deepEqual(
    response.interim.map(({ line }) => line),
    ['HTTP/1.1 100 Continue'],
  );
  assert.equal(response.body.toString(), 'thanks');
  assert.equal(fieldOf(response, 'connection'), undefined);
  // Both connections are fit for more.
  client.write('GET /next HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await server.request()).target, '/next');
});

onBoth('RFC 9110 §10.1.1: a chunked body behind a 100', async (bench) => {
  const { client, server } = await expecting(bench, EXPECT.replace('Content-Length: 5', 'Transfer-Encoding: chunked'));
  server.write('HTTP/1.1 100 Continue\r\n\r\n');
  await client.until('the 100', () => client.text.endsWith('\r\n\r\n'));
  client.write(chunked(['hello']));
  assert.equal((await server.request()).body.toString(), 'hello');
  server.write(answer('thanks'));
  await client.response();
});

onBoth('RFC 9110 §10.1.1: a final answer instead of the 100 ends both connections', async (bench) => {
  const { client, server, origin } = await expecting(bench);
  server.write(answer('no', '', '417 Expectation Failed'));
  const response = await client.response();
  assert.equal(response.status, 417);
  assert.equal(fieldOf(response, 'connection'), 'close', 'the client may be sending its body already');
  await server.gone();
  assert.equal(server.text, EXPECT_SEEN(server.text), 'no byte of a body was sent');
  // What the client sends now is no request.
  client.write('GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n');
  client.end();
  await client.gone();
  assert.equal(origin.connections.length, 1);
});

function EXPECT_SEEN(text: string): string {
  return text.slice(0, text.indexOf('\r\n\r\n') + 4);
}

onBoth('RFC 9110 §10.1.1: a client that does not wait for the 100', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(`${EXPECT}hello`);
  const server = await origin.accept();
  assert.equal((await server.request()).body.toString(), 'hello');
  server.write(`HTTP/1.1 100 Continue\r\n\r\n`).write(answer('ok'));
  assert.equal((await client.response()).status, 200);
});

onBoth('RFC 9110 §10.1.1: a server that answers without a 100 after the body is not used again', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(`${EXPECT}hello`);
  const server = await origin.accept();
  await server.request();
  server.write(answer('ok'));
  assert.equal((await client.response()).status, 200);
  await server.gone();
});

onBoth(
  'RFC 9110 §10.1.1: a server that neither asks for the body nor answers is the one that is late',
  async (bench) => {
    // The client's own time for a body is the shorter one: waiting for a 100, it is not late.
    const { origin, client, gateway } = await bench.line({
      serviceTimeouts: { responseHeaderMs: 400 },
      timeouts: { bodyIdleMs: 100 },
      attemptsMax: 1,
    });
    client.write(EXPECT);
    const server = await origin.accept();
    await client.refusal(504, 'upstream_timeout');
    await server.gone();
    assert.equal(gateway.endpoint('timeouts'), 1);
  },
);

onBoth(
  'RFC 9110 §10.1.1: a client that keeps its body to itself after the 100 is the one that is late',
  async (bench) => {
    const { client, server } = await expecting(bench, EXPECT, { timeouts: { bodyIdleMs: 100 } });
    server.write('HTTP/1.1 100 Continue\r\n\r\n');
    await client.refusal(408, 'body_timeout');
  },
);

onBoth('RFC 9110 §10.1.1: an expectation without a body is dropped, another one refused', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n');
  const server = await origin.accept();
  assert.equal(fieldOf(await server.request(), 'expect'), undefined);
  server.write(answer());
  await client.response();
  client.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue, x\r\nContent-Length: 5\r\n\r\n');
  await client.refusal(417, 'expectation');
});

onBoth('RFC 8297 §2: early hints reach an HTTP/1.1 client, several before one answer', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n');
  await client.until('the first hints', () => client.text.endsWith('\r\n\r\n'));
  server.write('HTTP/1.1 103 Early Hints\r\nLink: </b.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n').write(answer('ok'));
  const response = await client.response();
  assert.deepEqual(
    response.interim.map((each) => `${each.status} ${fieldOf(each, 'link') ?? ''}`),
    ['103 </a.css>', '103 </b.css>', '102 '],
  );
  assert.equal(fieldOf(response.interim[0]!, 'x-hop'), undefined, 'RFC 9110 §7.6.1 holds for them too');
  assert.equal(response.body.toString(), 'ok');
});

onBoth('RFC 9110 §15.2: an HTTP/1.0 client gets no interim response', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET / HTTP/1.0\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n').write(answer('ok'));
  const response = await client.response();
  assert.equal(response.interim.length, 0);
  assert.equal(response.body.toString(), 'ok');
});

onBoth('RFC 9110 §15.2.1: a 100 that nobody asked for is not passed on', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 100 Continue\r\n\r\n').write(answer('ok'));
  assert.equal((await client.response()).interim.length, 0);
});

onBoth('RFC 9110 §15.2: interim responses that come byte by byte', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  const bytes = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  await server.writeCut(
    bytes,
    Array.from({ length: bytes.length }, (_, i) => i),
  );
  const response = await client.response();
  assert.equal(response.interim.length, 1);
  assert.equal(response.body.toString(), 'ok');
});

onBoth(
  'RFC 9110 §15.2: all hints that a server may give to a client that does not read stay in bounded memory',
  async (bench) => {
    const { origin, gateway, client } = await bench.line();
    client.pause();
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const server = await origin.accept();
    await server.request();
    const hints = Buffer.from(LONG_HINT);
    let sent = 0;
    let mostBytes = 0;
    const poured = server.pour(() => {
      mostBytes = Math.max(mostBytes, gateway.bufferedBytes);
      return sent++ < INTERIM_MAX ? hints : null;
    });
    let done = false;
    void poured.then(() => (done = true));
    let before = -1;
    await eventuallyStill(() => {
      const still = done || (sent === before && server.socket.writableLength > 0);
      before = sent;
      return still;
    });
    assert.equal(done, false, 'the server is held back');
    assert.ok(mostBytes < 1e6, `${mostBytes} bytes were lent out`);
    client.sink = () => {};
    client.resume();
    await poured;
    client.destroy();
  },
);

onBoth('a server that says 100 again and again, and does not take the body, is late all the same', async (bench) => {
  const clock = new ManualClock();
  const changes = { serviceTimeouts: { bodyIdleMs: 30_000 }, timeouts: { bodyIdleMs: 3_600_000_000 } };
  const { origin, client, gateway } = await bench.line(changes, clock);
  client.write(EXPECT.replace('Length: 5', 'Length: 1000000000'));
  const server = await origin.accept();
  await server.until('the head', () => server.text.endsWith('\r\n\r\n'));
  server.pause();
  const piece = Buffer.alloc(64 * 1024, 'x');
  const isOver = (): boolean => client.text.includes(' 504 ');
  // What of the body still finds room on the way gives it more time, until all is full.
  for (let said = 1; !isOver(); said += 1) {
    server.write('HTTP/1.1 100 Continue\r\n\r\n');
    await client.until('the 100, or the end', () => isOver() || client.text.split(' 100 ').length > said);
    if (said === 1) void client.pour(() => piece);
    else clock.pass(20_000);
  }
  await client.refusal(504, 'upstream_timeout');
  assert.equal(gateway.endpoint('timeouts'), 1);
});

onBoth('RFC 9110 §15.2: interim responses without end are no answer: a 502, and counted', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(INTERIM_MAX + 1));
  const refused = await client.refusal(502, 'upstream_protocol');
  assert.equal(refused.interim.length, INTERIM_MAX);
  await server.gone();
  assert.equal(gateway.endpoint('protocolErrors'), 1);
  assert.match(gateway.notices.join(), /more than 1000 interim responses/);
});

onBoth('a client that takes hints slowly gives its server no more time for the answer', async (bench) => {
  const clock = new ManualClock();
  const { origin, client } = await bench.line({ serviceTimeouts: { responseHeaderMs: 60_000 } }, clock);
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  clock.pass(40_000);
  const hints = await hintsHeldBack(server);
  // It waits for the client, and is not late.
  clock.pass(25_000);
  await hints.taken(client);
  clock.pass(25_000);
  await client.refusal(504, 'upstream_timeout');
});

onBoth('hedge: a client that takes the hints of one slowly takes none of the time of the other', async (bench) => {
  const clock = new ManualClock();
  const origins = [await bench.origin(), await bench.origin()];
  const gateway = await bench.gateway(
    origins,
    {
      endpoint: (index) => ({ priority: index }),
      serviceTimeouts: { responseHeaderMs: 60_000 },
      retries: { hedgeAfterMs: 1000 },
    },
    clock,
  );
  const client = await bench.client(gateway);
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const first = await origins[0]!.accept();
  await first.request();
  clock.pass(2000);
  const second = await origins[1]!.accept();
  await second.request();
  const hints = await hintsHeldBack(second);
  await hints.taken(client);
  clock.pass(1000);
  assert.equal(gateway.endpoint('timeouts'), 0);
  first.write(answer('first'));
  assert.equal((await client.response()).body.toString(), 'first');
});

/** So many of them as there may be are more than two sockets hold. */
const LONG_HINT = `HTTP/1.1 103 Early Hints\r\nLink: <${'x'.repeat(30_000)}>\r\n\r\n`;

/** Waits until `still` has held fifty times in a row, some time apart: the kernel may take its time to pass on what was written. */
async function eventuallyStill(still: () => boolean): Promise<void> {
  for (let times = 0; times < 50;) {
    await new Promise<void>((resolve) => systemClock.after(2, resolve, { ref: true }));
    times = still() ? times + 1 : 0;
  }
}

/** Lets `server` give all hints that it may, and waits until it is held back for the sake of a client that does not read. */
async function hintsHeldBack(server: Peer): Promise<{ readonly taken: (client: Peer) => Promise<void> }> {
  let sent = 0;
  let before = -1;
  const poured = server.pour(() => (sent++ < INTERIM_MAX ? Buffer.from(LONG_HINT) : null));
  await eventuallyStill(() => {
    const still = sent === before && server.socket.writableLength > 0;
    before = sent;
    return still;
  });
  return {
    async taken(client) {
      client.sink = () => {};
      client.resume();
      await poured;
      await client.until('all hints', () => client.receivedBytes === INTERIM_MAX * LONG_HINT.length);
      client.sink = null;
    },
  };
}
