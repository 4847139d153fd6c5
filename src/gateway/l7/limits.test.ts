/** What a client may send, and how long it may take, on real sockets; connections are in admission.test.ts. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import { type Peer, turn } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';

const lines = (...fields: readonly string[]): string =>
  `${['GET / HTTP/1.1', 'Host: a', ...fields].join('\r\n')}\r\n\r\n`;
const fill = (text: string, bytes: number): string => text.replace('*', 'x'.repeat(bytes - text.length + 1));

/** Requests that are as large as they may be are answered; one byte or field more, or a beginning that long, is not. */
const limits: readonly {
  readonly what: string;
  readonly changes: Changes;
  readonly largest: string;
  readonly more: readonly string[];
  readonly refusal: readonly [number, string];
}[] = [
  {
    what: 'RFC 9112 §3: bytes of the request line',
    changes: { limits: { requestLineBytesMax: 100 } },
    largest: `${fill('GET /* HTTP/1.1\r\n', 100)}Host: a\r\n\r\n`,
    more: [`${fill('GET /* HTTP/1.1\r\n', 101)}Host: a\r\n\r\n`, fill('GET /*', 120)],
    refusal: [414, 'line_too_long'],
  },
  {
    what: 'RFC 6585 §5: bytes of the head',
    changes: { limits: { requestLineBytesMax: 64, headerBytesMax: 1024 } },
    largest: fill(lines('X-Long: *'), 1024),
    more: [fill(lines('X-Long: *'), 1025), fill('GET / HTTP/1.1\r\nHost: a\r\nX-Long: *', 1030)],
    refusal: [431, 'head_too_large'],
  },
  {
    what: 'RFC 6585 §5: bytes of a head of many reads',
    changes: { limits: { headerBytesMax: 200_000 } },
    largest: fill(lines('X-Long: *'), 200_000),
    more: [fill(lines('X-Long: *'), 200_001)],
    refusal: [431, 'head_too_large'],
  },
  {
    what: 'RFC 6585 §5: fields of the head',
    changes: { limits: { headerFieldsMax: 4 } },
    largest: lines('A: 1', 'B: 2', 'C: 3'),
    more: [lines('A: 1', 'B: 2', 'C: 3', 'D: 4'), 'GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n'],
    refusal: [431, 'head_too_large'],
  },
  {
    what: 'RFC 9110 §15.5.14: bytes of a body with a length',
    changes: { route: { requestBodyBytesMax: 10 } },
    largest: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789',
    more: ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n'],
    refusal: [413, 'body_too_large'],
  },
  {
    what: 'RFC 9110 §15.5.14: bytes of a chunked body',
    changes: { route: { requestBodyBytesMax: 10 } },
    largest: 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n',
    more: ['POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n6\r\n567890\r\n'],
    refusal: [413, 'body_too_large'],
  },
];

for (const { what, changes, largest, more, refusal } of limits) {
  onBoth(`the limit holds, and not before: ${what}`, async (bench) => {
    const { origin, client, gateway } = await bench.line(changes);
    origin.serve((_request, connection) => {
      connection.write(answer('ok'));
    });
    assert.equal((await client.write(largest).response()).status, 200);
    for (const [i, tooMuch] of more.entries()) {
      const other = await bench.client(gateway);
      const told = await other.write(tooMuch).refusal(...refusal);
      assert.equal(fieldOf(told, 'connection'), 'close');
      assert.equal(await other.gone(), 'end');
      other.end();
      assert.equal(gateway.refusals(refusal[1] as 'line_too_long'), i + 1);
    }
    assert.equal((await client.write(lines()).response()).status, 200);
  });
}

onBoth('RFC 9112 §7.1: the limit of a chunked body holds while it streams', async (bench) => {
  const { origin, client } = await bench.line({ route: { requestBodyBytesMax: 100_000 } });
  client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
  const server = await origin.accept();
  await client.flushed(`186a0\r\n${'x'.repeat(100_000)}\r\n`);
  await server.until('what is allowed', () => server.receivedBytes > 100_000);
  client.write('1\r\nx');
  await client.refusal(413, 'body_too_large');
  assert.notEqual(await server.gone(), 'open');
});

const HEADER_MS = 10_000;

/** Bytes that were written have come to the gateway: it holds more than it did. */
async function taken(client: Peer, bytes: string, held: () => number): Promise<void> {
  const before = held();
  await client.flushed(bytes);
  await eventually('it is there', () => held() > before);
}

onBoth('RFC 9110 §15.5.9: the first head has one deadline, from the accept on', async (bench) => {
  const clock = new ManualClock();
  const { client, gateway } = await bench.line({ timeouts: { headerMs: HEADER_MS } }, clock);
  await eventually('it is in', () => gateway.listener('connections') === 1);
  clock.nearly(HEADER_MS / 2);
  await taken(client, 'GET / HTTP/1.1\r\n', () => gateway.bufferedBytes);
  clock.nearly(HEADER_MS / 2);
  await client.flushed('Host: a\r\n');
  await turn();
  assert.equal(client.receivedBytes, 0);
  clock.over();
  await client.refusal(408, 'header_timeout');
  assert.equal(await client.gone(), 'end');
});

onBoth('RFC 9110 §15.5.9: a head that trickles in has as long as one that stops', async (bench) => {
  const clock = new ManualClock();
  const { origin, client, gateway } = await bench.line({ timeouts: { headerMs: HEADER_MS, idleMs: 1e9 } }, clock);
  origin.serve((_request, connection) => {
    connection.write(answer('ok'));
  });
  await client.write(lines()).response();
  // Between requests it is the idle time that counts.
  clock.pass(10 * HEADER_MS);
  await taken(client, 'GET / HT', () => gateway.bufferedBytes);
  for (const piece of ['TP/1.1\r\n', 'Host', ': a\r\n', 'X: 1\r\n']) {
    clock.nearly(HEADER_MS / 4);
    await client.flushed(piece);
  }
  assert.equal(gateway.refusals('header_timeout'), 0);
  clock.pass(1000);
  await client.refusal(408, 'header_timeout');
});

onBoth('RFC 9112 §9.5: a client that connects and says nothing is let go without a word', async (bench) => {
  const clock = new ManualClock();
  const { client, gateway } = await bench.line({ timeouts: { headerMs: HEADER_MS } }, clock);
  await eventually('it is in', () => gateway.listener('connections') === 1);
  clock.nearly(HEADER_MS);
  assert.equal(gateway.listener('connections'), 1);
  clock.over();
  assert.equal(await client.gone(), 'end');
  assert.equal(client.receivedBytes, 0);
});

onBoth(
  'RFC 9112 §9.5: between requests a connection is kept for its idle time, and let go without a word',
  async (bench) => {
    const clock = new ManualClock();
    const { origin, client, gateway } = await bench.line({ timeouts: { headerMs: 1000, idleMs: 50_000 } }, clock);
    origin.serve((_request, connection) => {
      connection.write(answer('ok'));
    });
    for (let i = 0; i < 2; i += 1) {
      await client.write(lines()).response();
      clock.nearly(50_000);
    }
    assert.equal(gateway.listener('connections'), 1);
    clock.over();
    assert.equal(await client.gone(), 'end');
    assert.equal(client.text, '');
  },
);

for (const [what, rate, piece, isSlow] of [
  ['that brings less than it must is late', 500, 499 * 5, true],
  ['that brings enough is not, however long it takes', 500, 500 * 5, false],
  ['may be as slow as it likes where no rate is asked', 0, 1, false],
] as const) {
  onBoth(`RFC 9110 §15.5.9: a body ${what}`, async (bench) => {
    const clock = new ManualClock();
    const { origin, client } = await bench.line(
      { limits: { requestBodyRateMin: rate }, timeouts: { bodyIdleMs: 30_000 } },
      clock,
    );
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${4 * piece}\r\n\r\n`);
    const server = await origin.accept();
    await server.until('the head', () => server.text.includes('\r\n\r\n'));
    const headBytes = server.receivedBytes;
    for (let i = 1; i <= (isSlow ? 1 : 4); i += 1) {
      client.write('x'.repeat(piece));
      await server.until('a piece', () => server.receivedBytes === headBytes + i * piece);
      if (i < 4) clock.pass(5000);
    }
    clock.over();
    if (isSlow) await client.refusal(408, 'body_timeout');
    else {
      assert.equal((await server.request()).body.length, 4 * piece);
      server.write(answer('ok'));
      assert.equal((await client.response()).status, 200);
    }
  });
}

onBoth('RFC 9110 §15.5.9: a body that stops is waited for as long as it may pause', async (bench) => {
  const clock = new ManualClock();
  const { origin, client, gateway } = await bench.line({ timeouts: { bodyIdleMs: 30_000 } }, clock);
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n');
  const server = await origin.accept();
  for (let i = 1; i <= 2; i += 1) {
    await client.flushed('x');
    await server.until('it', () => server.text.endsWith('x'.repeat(i)));
    clock.nearly(30_000);
    assert.equal(gateway.refusals('body_timeout'), 0);
  }
  clock.pass(5000);
  await client.refusal(408, 'body_timeout');
});

onBoth('a client that half-closed is answered if the answer begins in time', async (bench) => {
  const clock = new ManualClock();
  const { origin, client, gateway } = await bench.line({ timeouts: { halfCloseMs: 10_000 } }, clock);
  const other = await bench.client(gateway);
  const [inTime, late] = [client, other].map((each) => {
    each.write(lines()).end();
    return origin.accept();
  });
  const first = await inTime!;
  const second = await late!;
  for (const server of [first, second]) await server.until('the head', () => server.text.includes('\r\n\r\n'));
  await turn();
  clock.nearly(10_000);
  first.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
  await eventually('one is answered', () => client.text.endsWith('ha') || other.text.endsWith('ha'));
  clock.over();
  assert.notEqual(await second.gone(), 'open');
  first.write('lf');
  const answered = client.text === '' ? other : client;
  assert.equal((await answered.response()).body.toString(), 'half');
  assert.equal(gateway.route('aborted'), 1);
});
