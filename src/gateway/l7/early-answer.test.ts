/**
 * A server that answers before it has the whole body (RFC 9110 §10.1.1, RFC 9112 §9.3, §9.5, §9.6). What is left of the body is no request;
 * and of a server that goes, the answer is worth more than the error of the write that found it gone.
 *
 * That not on the public path: Node's sockets close themselves when a write fails, with what is unread. There the client gets the
 * gateway's own 502, unless the answer had been read before.
 */
import assert from 'node:assert/strict';
import { onBoth } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';

const HEAD = 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n';

onBoth(
  'RFC 9112 §9.5: an early answer arrives although the server is gone when more of the body comes',
  async (bench) => {
    const { origin, client } = await bench.line();
    client.write(HEAD);
    const server = await origin.accept();
    await server.until('a head', () => server.text.includes('\r\n\r\n'));
    // In one turn, so that the gateway finds the body first and then, on writing it, the reset.
    client.write(Buffer.alloc(1000));
    server.write(answer('too much', '', '413 Content Too Large'));
    server.reset();
    const got = await client.response();
    if (bench.transport === 'net') assert.equal(got.status, 502);
    else assert.deepEqual([got.status, got.body.toString()], [413, 'too much']);
    assert.equal(await client.gone(), 'end');
  },
);

onBoth('RFC 9112 §8: an early answer that was cut off is not passed on as whole', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(HEAD);
  const server = await origin.accept();
  await server.until('a head', () => server.text.includes('\r\n\r\n'));
  client.write(Buffer.alloc(1000));
  server.write('HTTP/1.1 413 Content Too Large\r\n\r\nuntil the conn');
  server.reset();
  if (bench.transport === 'net') assert.equal((await client.response()).status, 502);
  // The reset that the write was told of reads as a clean end, and must not be taken for one (RFC 9112 §8).
  else assert.equal(await client.gone(), 'reset');
});

for (const [framing, field, rest] of [
  ['with a length', 'Content-Length: 100', ''],
  ['in chunks', 'Transfer-Encoding: chunked', '\r\n0\r\n\r\n'],
] as const) {
  onBoth(`RFC 9112 §9.3: the rest of a body ${framing} is no request, on neither side`, async (bench) => {
    const { origin, client, gateway } = await bench.line();
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
    client.write(`PUT / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`);
    if (rest !== '') client.write(`${smuggled.length.toString(16)}\r\n`);
    const server = await origin.accept();
    await server.until('a head', () => server.text.includes('\r\n\r\n'));
    server.write(answer('enough'));
    const got = await client.response();
    assert.deepEqual([got.body.toString(), fieldOf(got, 'connection')], ['enough', 'close']);
    client.write(`${smuggled}${rest}`);
    await server.gone();
    await client.gone();
    assert.deepEqual([client.text, origin.connections.length, gateway.endpoint('idle')], ['', 1, 0]);
    assert.equal(gateway.endpoint('requests'), 1);
  });
}
