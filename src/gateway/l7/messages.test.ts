/** Messages through the gateway on real sockets: every framing, any size, both ways, byte for byte. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { onBoth } from '../../../test/engine/bench.ts';
import { fieldOf, valuesOf } from '../../../test/engine/message.ts';
import { answer, chunked } from '../../../test/engine/origin.ts';

const GET = 'GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n';

onBoth('RFC 9112 §2.1: a request reaches the server, its answer the client', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write('GET /x?y=1 HTTP/1.1\r\nHost: a.example\r\nX-A: 1\r\nX-A: 2\r\n\r\n');
  const server = await origin.accept();
  const request = await server.request();
  assert.equal(request.line, 'GET /x?y=1 HTTP/1.1');
  assert.equal(fieldOf(request, 'host'), 'a.example');
  assert.deepEqual(valuesOf(request, 'x-a'), ['1', '2'], 'fields stay in order and apart (RFC 9110 §5.3)');
  server.write(answer('hello', 'X-B: 3\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n'));
  const response = await client.response();
  assert.equal(response.line, 'HTTP/1.1 200 OK');
  assert.equal(fieldOf(response, 'x-b'), '3');
  assert.deepEqual(valuesOf(response, 'set-cookie'), ['a', 'b']);
  assert.equal(response.body.toString(), 'hello');
  assert.equal(gateway.route('requests'), 1);
  assert.equal(gateway.route('responses2xx'), 1);
});

const sizes = [1, 100, 4096, 16_383, 65_535, 65_536, 65_537, 80_000, 81_920, 200_000, 3_000_000];

onBoth('RFC 9112 §6.2: bodies with a length, of any size both ways', async (bench) => {
  const { origin, client } = await bench.line();
  origin.serve((request, connection) => {
    connection.write(answer(request.body));
  });
  for (const size of sizes) {
    const body = randomBytes(size);
    client.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`).write(body);
    const response = await client.response();
    assert.ok(response.body.equals(body), `${size} bytes`);
  }
});

onBoth('RFC 9112 §7.1: chunked bodies of any size both ways, chunks of every size', async (bench) => {
  const { origin, client } = await bench.line();
  origin.serve((request, connection) => {
    assert.equal(request.framing, 'chunked');
    connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
    const text = request.body.toString('latin1');
    connection.write(chunked(piecesOf(text, text.length < 100 ? 1 : 70_001)));
  });
  for (const size of sizes) {
    const body = randomBytes(size).toString('latin1');
    client.write('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    client.write(chunked(piecesOf(body, size < 5000 ? 1 + (size % 7) : 30_011)));
    const response = await client.response();
    assert.equal(response.framing, 'chunked');
    assert.ok(response.body.toString('latin1') === body, `${size} bytes`);
  }
});

function piecesOf(text: string, size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));
}

onBoth('RFC 9112 §7.1: chunked bodies that come byte by byte', async (bench) => {
  const { origin, client } = await bench.line();
  const head = 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const request = head + chunked(['hello', ' ', 'world'], 'X-T: 1\r\n');
  await client.writeCut(
    request,
    Array.from({ length: request.length }, (_, i) => i),
  );
  const server = await origin.accept();
  const got = await server.request();
  assert.equal(got.body.toString(), 'hello world');
  const response = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(['good', 'bye'], 'X-U: 2\r\n')}`;
  await server.writeCut(
    response,
    Array.from({ length: response.length }, (_, i) => i),
  );
  assert.equal((await client.response()).body.toString(), 'goodbye');
});

onBoth('RFC 9112 §7.1.1: chunk extensions are read and not passed on', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0;c="d\\"e"\r\n\r\n');
  const server = await origin.accept();
  assert.equal((await server.request()).body.toString(), 'abc');
  server.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n');
  assert.equal((await client.response()).body.toString(), 'abc');
});

onBoth('RFC 9112 §7.1.2: trailers go both ways, framing and routing fields among them do not', async (bench) => {
  const { origin, client } = await bench.line();
  const trailers =
    'X-Sum: 1\r\nContent-Length: 9\r\nHost: evil\r\nAuthorization: x\r\nX_Y: 1\r\nTransfer-Encoding: x\r\n';
  client.write('PUT / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n\r\n');
  client.write(chunked(['abc'], trailers));
  const server = await origin.accept();
  const request = await server.request();
  assert.deepEqual(request.trailers, [['X-Sum', '1']]);
  assert.equal(fieldOf(request, 'te'), 'trailers');
  server.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(['abc'], trailers)}`);
  assert.deepEqual((await client.response()).trailers, [['X-Sum', '1']]);
});

onBoth('RFC 9110 §7.6.1: a trailer that Connection names is not passed on', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('PUT / HTTP/1.1\r\nHost: a\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n');
  client.write(chunked(['abc'], 'X-Hop: 1\r\nX-Far: 2\r\n'));
  const server = await origin.accept();
  assert.deepEqual((await server.request()).trailers, [['X-Far', '2']]);
  server.write('HTTP/1.1 200 OK\r\nConnection: x-hop\r\nTransfer-Encoding: chunked\r\n\r\n');
  server.write(chunked(['abc'], 'X-Hop: 1\r\nX-Far: 2\r\n'));
  assert.deepEqual((await client.response()).trailers, [['X-Far', '2']]);
});

onBoth('RFC 9112 §6.3: a body that ends with the connection becomes a chunked one', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(GET);
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 200 OK\r\n\r\nhello ');
  await client.until('the first part', () => client.text.includes('hello'));
  server.write('world').end();
  const response = await client.response();
  assert.equal(response.framing, 'chunked');
  assert.equal(response.body.toString(), 'hello world');
  client.write(GET);
  await (await origin.accept()).request(); // the client's connection lives on
});

onBoth('RFC 9112 §6.3: HEAD has the fields of a body and no body', async (bench) => {
  const { origin, client } = await bench.line();
  for (const framing of ['Content-Length: 1000', 'Transfer-Encoding: chunked', 'X-None: 1']) {
    client.write('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n');
    const server = origin.connections[0] ?? (await origin.accept());
    await server.request();
    server.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`);
    const response = await client.response({ toHead: true });
    if (framing.startsWith('Content')) assert.equal(fieldOf(response, 'content-length'), '1000');
  }
  assert.equal(origin.connections.length, 1, 'and the connection is used again');
});

onBoth('RFC 9110 §15.3.5, §15.4.5: 204 and 304 have no body, whatever their fields say', async (bench) => {
  const { origin, client } = await bench.line();
  for (const [status, framing] of [
    ['204 No Content', 'Content-Length: 5'],
    ['204 No Content', 'Transfer-Encoding: chunked'],
    ['304 Not Modified', 'Content-Length: 5'],
    ['304 Not Modified', 'Transfer-Encoding: chunked'],
  ]) {
    client.write(GET);
    const server = origin.connections[0] ?? (await origin.accept());
    await server.request();
    server.write(`HTTP/1.1 ${status}\r\n${framing}\r\nETag: "a"\r\n\r\n`);
    const response = await client.response();
    assert.equal(fieldOf(response, 'etag'), '"a"');
    assert.equal(response.body.length, 0);
    if (response.status === 204) assert.equal(fieldOf(response, 'content-length'), undefined, 'RFC 9110 §8.6');
  }
  assert.equal(origin.connections.length, 1);
});

onBoth('RFC 9110 §8.6: a length of 0 is a body of none, both ways', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n');
  const server = await origin.accept();
  assert.equal(fieldOf(await server.request(), 'content-length'), '0');
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  assert.equal(fieldOf(await client.response(), 'content-length'), '0');
  client.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  assert.equal((await server.request()).framing, 'chunked');
  server.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n');
  assert.equal((await client.response()).framing, 'chunked');
});

onBoth('RFC 9112 §4: a head that comes byte by byte, and one of many kilobytes', async (bench) => {
  const { origin, client } = await bench.line();
  const request = 'GET /slow HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n';
  await client.writeCut(
    request,
    Array.from({ length: request.length }, (_, i) => i),
  );
  const server = await origin.accept();
  assert.equal((await server.request()).target, '/slow');
  const response = 'HTTP/1.1 200 OK\r\nX: y\r\nContent-Length: 2\r\n\r\nok';
  await server.writeCut(
    response,
    Array.from({ length: response.length }, (_, i) => i),
  );
  assert.equal((await client.response()).body.toString(), 'ok');
  const long = 'v'.repeat(30_000);
  client.write(`GET / HTTP/1.1\r\nHost: a\r\nX: ${long}\r\n\r\n`);
  assert.equal(fieldOf(await server.request(), 'x'), long);
  server.write(answer('', `X: ${long}\r\nY: ${long}\r\n`));
  assert.equal(fieldOf(await client.response(), 'y'), long);
});
