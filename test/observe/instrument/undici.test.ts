/**
 * Requests that a service makes by the package `undici`, in each of its ways: one span and one count each, and the context goes with it. Node's own
 * `fetch` is an undici too, of another version and with other internals (clients.test.ts).
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { Agent, Client, connect, type Dispatcher, fetch, interceptors, pipeline, Pool, request, RetryAgent, stream, upgrade } from 'undici'; // prettier-ignore
import { Authority } from '../../certificates.ts';
import { freePort } from '../../ports.ts';
import { CLIENT_METRIC, echo, endsWithClient, parent, serve, toldOfCall, Watched, within } from './instrumented.ts';

type Ask = (url: string, options: { headers?: Record<string, string>; dispatcher?: Dispatcher; signal?: AbortSignal }) => Promise<string>; // prettier-ignore

/** Takes what is written into it. */
class Sink extends Writable {
  text = '';

  override _write(chunk: unknown, _encoding: unknown, done: () => void): void {
    this.text += String(chunk);
    done();
  }
}

const ways: Readonly<Record<string, Ask>> = {
  request: async (url, options) => (await request(url, options)).body.text(),
  fetch: async (url, options) => (await fetch(url, options)).text(),
  stream: async (url, options) => {
    const sink = new Sink();
    await stream(url, { method: 'GET', ...options }, () => sink);
    return sink.text;
  },
  pipeline: (url, options) => text(Readable.from([]).pipe(pipeline(url, { method: 'GET', ...options }, ({ body }) => body))), // prettier-ignore
};

/** How somebody may hold connections of their own. */
const dispatchers: Readonly<Record<string, (origin: string) => Dispatcher>> = {
  Agent: () => new Agent({ connections: 1 }),
  Pool: (origin) => new Pool(origin),
  Client: (origin) => new Client(origin),
};

for (const [way, ask] of Object.entries(ways)) {
  test(`${way} of undici: the context goes with a request, which is one span and counted once`, async () => {
    await using watched = new Watched();
    await using other = await serve(echo);
    let sent: Record<string, string> = {};
    const spans = await within(watched, async () => {
      sent = JSON.parse(await ask(`${other.url}/a?token=secret`, {})) as Record<string, string>;
    });
    await toldOfCall(watched, spans, other.port, sent);
  });

  test(`${way} of undici: fields that whoever calls has set stay`, async () => {
    await using watched = new Watched();
    await using other = await serve(echo);
    const own = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`;
    await within(watched, async () => {
      const sent = JSON.parse(await ask(other.url, { headers: { 'X-Request-Id': 'mine' } })) as Record<string, string>;
      assert.equal(sent['x-request-id'], 'mine');
      assert.match(sent['traceparent'] ?? '', /^00-0af7/);
      const all = JSON.parse(await ask(other.url, { headers: { traceparent: own } })) as Record<string, string>;
      assert.deepEqual([all['traceparent'], all['tracestate'], all['baggage']], [own, undefined, undefined]);
    });
  });

  for (const [holder, make] of Object.entries(dispatchers)) {
    test(`${way} of undici by ${holder}: each request once, on one connection or many`, async () => {
      await using watched = new Watched();
      await using other = await serve(echo);
      const dispatcher = make(other.url);
      const spans = await within(watched, async () => {
        await ask(other.url, { dispatcher });
        await Promise.all([ask(other.url, { dispatcher }), ask(other.url, { dispatcher })]);
      });
      await dispatcher.close();
      assert.equal(spans.length, 3);
      assert.deepEqual(await watched.counts(CLIENT_METRIC), [
        `http_request_method=GET server_address=127.0.0.1 server_port=${other.port} http_response_status_code=200: 3`,
      ]);
    });
  }

  test(`${way} of undici: a refused connection, an answer of failure and what is given up are an error each, told as before`, async () => {
    await using watched = new Watched();
    const asked = Promise.withResolvers<void>();
    await using other = await serve((incoming, response) => {
      if (incoming.url === '/never') asked.resolve();
      else response.writeHead(503).end();
    });
    const nobody = await freePort();
    const stop = new AbortController();
    const spans = await within(watched, async () => {
      await ask(other.url, {});
      await assert.rejects(ask(`http://127.0.0.1:${nobody}`, {}));
      const given = ask(`${other.url}/never`, { signal: stop.signal });
      await asked.promise;
      stop.abort();
      await assert.rejects(given, { name: 'AbortError' });
    });
    assert.deepEqual(
      spans.map(({ status, attributes }) => `${status} ${attributes['error.type']}`),
      ['error 503', 'error ECONNREFUSED', 'error AbortError'],
    );
    const at = (port: number): string => `http_request_method=GET server_address=127.0.0.1 server_port=${port}`;
    assert.deepEqual(
      (await watched.counts(CLIENT_METRIC)).toSorted(),
      [
        `${at(other.port)} error_type=AbortError: 1`,
        `${at(other.port)} http_response_status_code=503 error_type=503: 1`,
        `${at(nobody)} error_type=ECONNREFUSED: 1`,
      ].toSorted(),
    );
  });
}

test('redirects that undici follows and tries that it makes again are a span and a count each', async () => {
  await using watched = new Watched();
  let tries = 0;
  await using other = await serve((incoming, response) => {
    if (incoming.url === '/old') response.writeHead(302, { location: '/new' }).end();
    else if (incoming.url === '/flaky' && tries++ === 0) response.writeHead(503).end();
    else response.end('ok');
  });
  const following = new Agent().compose(interceptors.redirect({ maxRedirections: 1 }));
  const trying = new RetryAgent(new Agent(), { minTimeout: 1, maxTimeout: 1, maxRetries: 1 });
  const spans = await within(watched, async () => {
    await (await request(`${other.url}/old`, { dispatcher: following })).body.text();
    await (await request(`${other.url}/flaky`, { dispatcher: trying })).body.text();
  });
  await Promise.all([following.close(), trying.close()]);
  assert.deepEqual(
    spans.map(({ attributes }) => attributes['http.response.status_code']),
    [302, 200, 503, 200],
  );
});

test('an upgrade and a tunnel of undici are over with their answer', async () => {
  await using watched = new Watched();
  await using other = await serve(echo);
  for (const event of ['upgrade', 'connect'] as const) {
    other.server.on(event, (_, socket) => {
      const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n';
      endsWithClient(socket).write(event === 'upgrade' ? switched : 'HTTP/1.1 200 OK\r\n\r\n');
    });
  }
  const spans = await within(watched, async () => {
    for (const { socket } of [await upgrade(other.url, { protocol: 'any' }), await connect(`${other.url}/shop:1`)]) {
      socket.on('error', () => undefined).destroy();
    }
  });
  assert.deepEqual(
    spans.map(({ name, attributes }) => `${name} ${attributes['http.response.status_code']}`),
    ['GET 101', 'CONNECT 200'],
  );
});

test('over HTTP/2, many requests of undici on one connection are a span and a count each', async (t) => {
  await using watched = new Watched();
  using authority = new Authority();
  const { certificatePem: cert, keyPem: key } = authority.issue(['localhost']);
  const server = createSecureServer({ cert, key });
  const versions: string[] = [];
  const sent: string[] = [];
  server.on('request', (incoming, response) => {
    versions.push(incoming.httpVersion);
    sent.push(String(incoming.headers['traceparent']));
    response.end('ok');
  });
  await once(server.listen(0), 'listening');
  const agent = new Agent({ connections: 1, allowH2: true, connect: { ca: authority.caPem } });
  t.after(async () => {
    await agent.close();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  const spans = await within(watched, async () => {
    await Promise.all(
      Object.values(ways).map(async (ask) => assert.equal(await ask(url, { dispatcher: agent }), 'ok')),
    );
  });
  assert.deepEqual(versions, ['2.0', '2.0', '2.0', '2.0']);
  assert.deepEqual(sent.toSorted(), spans.map(({ spanId }) => `00-${parent.slice(3, 35)}-${spanId}-01`).toSorted());
  const [count, ...rest] = await watched.counts(CLIENT_METRIC);
  assert.match(count ?? '', /server_address=localhost .*http_response_status_code=200: 4$/);
  assert.deepEqual(rest, []);
});
