/** RFC 9110 §6.6.1: every answer that goes out says when it was made or, if the server did not say, when it came here. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { onBoth } from '../../../test/engine/bench.ts';
import { fieldOf, valuesOf } from '../../../test/engine/message.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { HttpDate } from './http-date.ts';

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

for (const status of ['200 OK', '204 No Content', '304 Not Modified', '404 Not Found', '500 Internal Server Error']) {
  onBoth(`RFC 9110 §6.6.1: a ${status} without Date gets one`, async (bench) => {
    const { client, origin } = await bench.line();
    client.write(REQUEST);
    const server = await origin.accept();
    await server.request();
    server.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    assert.match(fieldOf(await client.response(), 'date') ?? '', DATE);
  });
}

onBoth('RFC 9110 §6.6.1: a Date that the server sent is passed on as it is', async (bench) => {
  const { client, origin } = await bench.line();
  client.write(REQUEST);
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 200 OK\r\ndate: yesterday\r\nContent-Length: 0\r\n\r\n');
  assert.equal(fieldOf(await client.response(), 'date'), 'yesterday');
});

onBoth('RFC 9110 §6.6.1: an interim answer gets no Date', async (bench) => {
  const { client, origin } = await bench.line();
  client.write(REQUEST);
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  const response = await client.response();
  assert.equal(valuesOf(response, 'date').length, 1);
  assert.deepEqual(
    response.interim.map((head) => head.fields),
    [[['X', 'y']]],
  );
});

onBoth('RFC 9110 §6.6.1: a refusal has a Date', async (bench) => {
  const { client } = await bench.line();
  client.write('GET / HTTP/1.1\r\n\r\n');
  assert.match(fieldOf(await client.refusal(400, 'bad_host'), 'date') ?? '', DATE);
});

test('the line is made anew when the second has changed, forward or back', () => {
  const clock = new SimulatedClock(Date.UTC(2026, 0, 1));
  const date = new HttpDate(clock);
  const text = (): string => Buffer.from(date.line).toString();
  assert.equal(text(), 'Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n');
  const first = date.line;
  clock.pass(999);
  assert.equal(date.line, first);
  clock.pass(1);
  assert.equal(text(), 'Date: Thu, 01 Jan 2026 00:00:01 GMT\r\n');
  clock.stepWall(-3_600_000);
  assert.equal(text(), 'Date: Wed, 31 Dec 2025 23:00:01 GMT\r\n');
});
