/** Connections that carry several requests, on the client's side (RFC 9112 §9.3): pipelining, persistence, HTTP/1.0. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { anyRequest } from '../../../test/engine/plans.ts';
import { answer } from '../../../test/engine/origin.ts';

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

onBoth('RFC 9112 §9.3.2: a thousand pipelined requests are answered in order', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  origin.serve(({ target }, connection) => {
    connection.write(answer(`this is ${target}`));
  });
  client.write(Array.from({ length: 1000 }, (_, i) => get(`/${i}`)).join(''));
  for (let i = 0; i < 1000; i += 1) assert.equal((await client.response()).body.toString(), `this is /${i}`);
  assert.equal(gateway.route('requests'), 1000);
  assert.equal(gateway.listener('accepted'), 1);
});

onBoth(
  'RFC 9112 §9.3.2: pipelined requests of all kinds, with refusals among them, are answered in order',
  async (bench) => {
    const { origin, client } = await bench.line({ route: { match: { ...anyRequest, path: '/ok/*' } } });
    origin.serve(({ target, body }, connection) => {
      connection.write(answer(`${target} ${body.toString()}`));
    });
    const requests = Array.from({ length: 1000 }, (_, i) => {
      if (i % 7 === 3) return get(`/nowhere/${i}`);
      if (i % 7 === 4) return get(`/ok/%00/${i}`);
      if (i % 7 === 5) return `POST /ok/${i} HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody`;
      if (i % 7 === 6)
        return `POST /ok/${i} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n`;
      return get(`/ok/${i}`);
    });
    client.write(requests.join(''));
    for (let i = 0; i < 1000; i += 1) {
      const response = await client.response();
      const status = i % 7 === 3 ? 404 : i % 7 === 4 ? 400 : 200;
      assert.equal(response.status, status, `request ${i}`);
      if (status === 200) assert.equal(response.body.toString(), `/ok/${i} ${i % 7 > 4 ? 'body' : ''}`);
    }
  },
);

onBoth('RFC 9112 §9.3.2: one slow answer keeps those behind it waiting, and none is lost', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(get('/first') + get('/second'));
  const server = await origin.accept();
  assert.equal((await server.request()).target, '/first');
  assert.equal(origin.connections.length, 1, 'the second is not sent ahead');
  server.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
  await client.until('the first part', () => client.text.includes('one'));
  assert.equal(server.text, '');
  server.write('0\r\n\r\n');
  // On another connection: this one is looked at first, for bytes that nobody asked for.
  const next = await origin.accept();
  assert.equal((await next.request()).target, '/second');
  next.write(answer('two'));
  assert.equal((await client.response()).body.toString(), 'one');
  assert.equal((await client.response()).body.toString(), 'two');
});

onBoth('RFC 9112 §11.2: after a request that cannot be read, nothing more is taken for one', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  origin.serve(({ target }, connection) => {
    connection.write(answer(target));
  });
  client.write(`${get('/good')}GET /bad HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n${get('/smuggled')}`);
  assert.equal((await client.response()).body.toString(), '/good');
  const refused = await client.refusal(400, 'bad_framing');
  assert.equal(fieldOf(refused, 'connection'), 'close');
  assert.equal(await client.gone(), 'end');
  assert.equal(client.text, '');
  assert.equal(gateway.route('requests'), 1);
});

onBoth('RFC 9112 §9.6: Connection: close is obeyed, and what is pipelined behind it ignored', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  origin.serve(({ target }, connection) => {
    connection.write(answer(target));
  });
  client.write(get('/a') + get('/b', 'Connection: close\r\n') + get('/c'));
  assert.equal(fieldOf(await client.response(), 'connection'), undefined);
  assert.equal(fieldOf(await client.response(), 'connection'), 'close');
  assert.equal(await client.gone(), 'end');
  assert.equal(client.text, '');
  assert.equal(gateway.route('requests'), 2);
});

onBoth('RFC 9112 §9.3: HTTP/1.0 closes after the answer, unless it asks to be kept alive', async (bench) => {
  const { origin, client } = await bench.line();
  origin.serve(({ line, target, fields }, connection) => {
    assert.ok(line.endsWith(' HTTP/1.1'), 'we speak our own version');
    assert.ok(!fields.some(([name]) => name.toLowerCase() === 'connection'));
    connection.write(answer(target));
  });
  client.write('GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
  assert.equal(fieldOf(await client.response(), 'connection'), 'keep-alive');
  client.write('GET /b HTTP/1.0\r\nHost: a\r\n\r\n');
  const last = await client.response();
  assert.equal(fieldOf(last, 'connection'), 'close');
  assert.equal(last.body.toString(), '/b');
  assert.equal(await client.gone(), 'end');
});

onBoth('RFC 9112 §6.3: HTTP/1.0 gets a chunked answer as one that ends with the connection', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n');
  const response = await client.response();
  assert.equal(response.framing, 'close');
  assert.equal(fieldOf(response, 'connection'), 'close');
  assert.equal(response.body.toString(), 'abcde');
});

onBoth('RFC 9112 §6.3: HTTP/1.0 on both sides, a body that ends with the connection', async (bench) => {
  const { origin, client } = await bench.line();
  client.write('GET /a HTTP/1.0\r\n\r\n');
  const server = await origin.accept();
  await server.until('the head', () => server.text.endsWith('\r\n\r\n'));
  server.write('HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello').end();
  const response = await client.response();
  assert.equal(response.framing, 'close');
  assert.equal(response.body.toString(), 'hello');
});

onBoth('RFC 9112 §9.3: a server of HTTP/1.0 is kept alive only if it says so', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write(get('/a'));
  const first = await origin.accept();
  await first.request();
  first.write('HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\na');
  await client.response();
  client.write(get('/b'));
  assert.equal((await first.request()).target, '/b');
  first.write('HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nb');
  assert.equal((await client.response()).line, 'HTTP/1.1 200 OK');
  await first.gone();
  client.write(get('/c'));
  await (await origin.accept()).request();
  assert.equal(gateway.endpoint('reuses'), 1);
});

onBoth('RFC 9112 §9.6: the last answer that the limit of requests allows says close', async (bench) => {
  const { origin, client, gateway } = await bench.line({ limits: { requestsPerConnectionMax: 3 } });
  origin.serve(({ target }, connection) => {
    connection.write(answer(target));
  });
  client.write(get('/1') + get('/2') + get('/3') + get('/4'));
  assert.equal(fieldOf(await client.response(), 'connection'), undefined);
  assert.equal(fieldOf(await client.response(), 'connection'), undefined);
  assert.equal(fieldOf(await client.response(), 'connection'), 'close');
  assert.equal(await client.gone(), 'end');
  assert.equal(gateway.route('requests'), 3);
});

onBoth('RFC 9112 §9.6: requests that came with the FIN of the client are all answered', async (bench) => {
  const { origin, client } = await bench.line();
  origin.serve(({ target }, connection) => {
    connection.write(answer(target));
  });
  client.write(Array.from({ length: 50 }, (_, i) => get(i % 10 === 9 ? '/%00' : `/${i}`)).join(''));
  client.end();
  for (let i = 0; i < 50; i += 1) assert.equal((await client.response()).status, i % 10 === 9 ? 400 : 200, `${i}`);
  assert.equal(await client.gone(), 'end');
});

onBoth('RFC 9112 §9.6: half a request and a FIN is no request', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n');
  client.end();
  await client.gone();
  assert.equal(client.receivedBytes, 0);
  assert.equal(origin.connections.length, 0);
  assert.equal(gateway.listener('requests'), 0);
});

onBoth(
  'a drain ends idle connections at once and others after their answer, even one that has begun',
  async (bench) => {
    const { origin, client, gateway } = await bench.line();
    const [idle, begun] = [await bench.client(gateway), await bench.client(gateway)];
    client.write(get('/waiting'));
    const server = await origin.accept();
    await server.request();
    begun.write(get('/begun'));
    const other = await origin.accept();
    await other.request();
    other.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha');
    await begun.until('the beginning', () => begun.text.endsWith('ha'));
    await eventually('all are there', () => gateway.listener('connections') === 3);
    const drained = gateway.plane.drain(60_000);
    assert.equal(await idle.gone(), 'end');
    server.write(answer('late'));
    assert.equal(fieldOf(await client.response(), 'connection'), 'close');
    assert.equal(await client.gone(), 'end');
    other.write('lf');
    assert.equal((await begun.response()).body.toString(), 'half');
    assert.equal(await begun.gone(), 'end');
    for (const each of [client, idle, begun]) each.end();
    await drained;
  },
);
