/** What a server may not do to the gateway, and what the gateway refuses before it would run out of memory. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import { freePort } from '../../../test/ports.ts';

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

const tooMuch: readonly (readonly [what: string, fields: string])[] = [
  ['bytes', `X-Long: ${'a'.repeat(2000)}\r\n`],
  ['fields', 'X: y\r\n'.repeat(20)],
];

for (const [what, fields] of tooMuch) {
  onBoth(`RFC 9112 §4: the head of an answer has a limit of ${what}, beyond which it is a 502`, async (bench) => {
    const limits = { responseHeaderBytesMax: 1024, responseHeaderFieldsMax: 10 };
    const { client, origin } = await bench.line({ serviceLimits: limits });
    client.write(GET);
    const server = await origin.accept();
    await server.request();
    server.write(answer('ok', fields));
    await client.refusal(502, 'upstream_protocol');
    await server.gone();
  });
}

onBoth('RFC 9112 §9.2: bytes behind an answer, or on an unused connection, are no answer to anybody', async (bench) => {
  const { client, origin, gateway } = await bench.line();
  client.write(GET);
  const first = await origin.accept();
  await first.request();
  first.write(`${answer('ok')}${answer('evil')}`);
  assert.equal((await client.response()).body.toString(), 'ok');
  await first.gone();
  client.write(GET);
  const second = await origin.accept();
  await second.request();
  second.write(answer('ok'));
  assert.equal((await client.response()).body.toString(), 'ok');
  await eventually('it is kept', () => gateway.endpoint('idle') === 1);
  second.write(answer('evil'));
  await second.gone();
  await eventually('it is counted', () => gateway.endpoint('protocolErrors') === 1);
});

onBoth(
  'RFC 9110 §15.6.4: while the event loop is over a second late, time and again, requests are refused',
  async (bench) => {
    const clock = new ManualClock();
    const { client, gateway, origin } = await bench.line({}, clock);
    origin.serve((_, connection) => {
      connection.write(answer('ok'));
    });
    const isServed = async (): Promise<void> => {
      client.write(GET);
      assert.equal((await client.response()).status, 200);
    };
    clock.stall(1000);
    await isServed();
    clock.stall(1200);
    await isServed();
    clock.pass(5000);
    clock.stall(1200);
    client.write(GET);
    const refusal = await client.refusal(503, 'overloaded');
    assert.equal(fieldOf(refusal, 'cache-control'), 'no-store');
    assert.equal(gateway.endpoint('requests'), 2, 'nothing is asked of a server');
    clock.pass(200);
    await isServed();
    clock.pass(10_000);
    clock.stall(1200);
    await isServed();
    assert.equal(gateway.refusals('overloaded'), 1);
  },
);

onBoth(
  'RFC 9110 §15.6.4: without memory for another request it is refused, and nothing is asked of a server',
  async (bench) => {
    const { client, origin, gateway } = await bench.line({ memoryBytesMax: 16_384 });
    client.write(GET);
    const server = await origin.accept();
    await server.request();
    // The first holds all there is, until it is answered.
    const other = await bench.client(gateway);
    other.write(GET);
    assert.equal(fieldOf(await other.refusal(503, 'overloaded'), 'cache-control'), 'no-store');
    server.write(answer('ok'));
    assert.equal((await client.response()).status, 200);
    client.write(GET);
    await server.request();
    server.write(answer('ok'));
    assert.equal((await client.response()).status, 200);
    assert.equal(origin.connections.length, 1);
  },
);

onBoth('RFC 9209 §4: a refusal tells nothing of the servers, whatever is wrong with them', async (bench) => {
  const absent = await freePort();
  const { client, origin, gateway } = await bench.line({ serviceTimeouts: { responseHeaderMs: 200 } });
  const told = (text: string): void =>
    assert.doesNotMatch(text, new RegExp(`127\\.0\\.0\\.1|${origin.port}|${absent}|ECONN|inside|shop|stack`, 'i'));
  const raw = async (asked: Peer, status: number, code: string): Promise<void> => {
    asked.write(GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
    if (asked === client) {
      const server = await origin.accept();
      await server.request();
      server.write('HTTP/1.1 200 OK\r\nX-Inside: inside-9\r\nno field\r\n\r\n');
    }
    await asked.until('the end', () => asked.ended);
    assert.match(asked.text, new RegExp(`^HTTP/1\\.1 ${status} .*"code":"${code}"`, 's'));
    told(asked.text);
  };
  await raw(client, 502, 'upstream_protocol');
  const silent = await bench.client(gateway);
  await raw(silent, 504, 'upstream_timeout');
  const deaf = await bench.client(await bench.gateway([absent], { attemptsMax: 1 }));
  await raw(deaf, 502, 'connect_failed');
});
