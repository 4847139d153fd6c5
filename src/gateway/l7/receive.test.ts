/** What a request needs beyond its own fields when it goes out as HTTP/1.1. */
import assert from 'node:assert/strict';
import { onBoth } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';

onBoth('RFC 9112 §3.2: an HTTP/1.0 request without Host goes out with one', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write('GET / HTTP/1.0\r\n\r\n');
  const server = await origin.accept();
  const request = await server.request();
  assert.equal(request.line, 'GET / HTTP/1.1');
  assert.equal(fieldOf(request, 'host'), gateway.snapshot.services[0]?.name);
  server.write(answer('ok'));
  assert.equal((await client.response()).body.toString(), 'ok');
});
