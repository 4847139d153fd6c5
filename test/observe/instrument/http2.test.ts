/** Requests of HTTP/2 that a service answers: by `node:http2`, by request or by stream, and by Fastify. The client is Node's, of which nothing is counted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientHttp2Session, connect, constants, createServer, type Http2Server, type Http2ServerRequest, type Http2ServerResponse, type OutgoingHttpHeaders } from 'node:http2'; // prettier-ignore
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';

import fastify from 'fastify';
import { currentContext, type SpanRecord } from 'spillway/observe';
import { toldOfCart, Watched } from './instrumented.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const parent = `00-${traceId}-b7ad6b7169203331-01`;

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => Promise<void>;

class Session implements AsyncDisposable {
  readonly client: ClientHttp2Session;
  readonly #server: Http2Server;

  private constructor(server: Http2Server, client: ClientHttp2Session) {
    this.#server = server;
    this.client = client;
  }

  static async with(given: Http2Server | Handler): Promise<Session> {
    const server =
      typeof given === 'function' ? createServer((request, response) => void given(request, response)) : given;
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Session(server, connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  }

  /** The body of an answer. */
  async ask(path: string, fields: OutgoingHttpHeaders = {}, body = ''): Promise<string> {
    const stream = this.client.request({ ':path': path, ...fields }, { endStream: body === '' });
    if (body !== '') stream.end(body);
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const textOf = ({ name, status, attributes }: SpanRecord): string =>
  `${name} ${status} ${String(attributes['http.response.status_code'])}`;

test('a request is counted, has a span within the caller’s trace, and its work knows to whom it belongs', async () => {
  await using watched = new Watched();
  const seen: unknown[] = [];
  await using session = await Session.with(async (request, response) => {
    watched.telemetry.setRoute(request, '/cart/{id}');
    for await (const _ of request) seen.push(currentContext()?.correlationId);
    await new Promise((resolve) => setImmediate(resolve));
    response.on('close', () => seen.push(currentContext()?.correlationId));
    seen.push(currentContext()?.trace?.traceId, currentContext()?.baggage.get('who'));
    response.end('ok');
  });
  const fields = { traceparent: parent, 'x-request-id': 'order-42', baggage: 'who=ann', 'user-agent': 'curl' };
  assert.equal(await session.ask('/cart/42?token=secret', { ':method': 'POST', ...fields }, 'hi'), 'ok');
  const [span] = await watched.ended('server', 1);
  assert.deepEqual(seen, ['order-42', traceId, 'ann', 'order-42']);
  assert.deepEqual([span?.traceId, span?.parentId, span?.name], [traceId, 'b7ad6b7169203331', 'POST /cart/{id}']);
  await toldOfCart(watched, span, '2');
});

test('requests at once on one connection never see each other’s context', async () => {
  await using _ = new Watched();
  await using session = await Session.with(async (request, response) => {
    for await (const part of request) void part;
    await new Promise((resolve) => setImmediate(resolve));
    response.end(String(currentContext()?.correlationId));
  });
  const ids = Array.from({ length: 100 }, (_, id) => `id-${id}`);
  const answers = await Promise.all(
    ids.map((id) => session.ask('/', { ':method': 'POST', 'x-request-id': id }, 'body')),
  );
  assert.deepEqual(answers, ids);
});

test('streams without a request, what is pushed, ignored or a tunnel; clients that leave and servers that fail', async () => {
  await using watched = new Watched({ ignore: ({ url }) => url === '/health', route: ({ url }) => url });
  const server = createServer({ settings: { enableConnectProtocol: true } });
  const left = Promise.withResolvers<void>();
  server.on('stream', (stream, { ':path': path, ':method': method }) => {
    stream.on('error', () => undefined);
    if (path === '/never') left.resolve();
    else if (path === '/half') stream.respond({ ':status': 200 });
    else if (path === '/head') stream.respond({ ':status': 304 }, { endStream: true });
    else if (path === '/reset') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else if (path === '/push') {
      stream.pushStream({ ':path': '/a.css' }, (error, pushed) => {
        assert.equal(error, null);
        pushed.respond({ ':status': 200 });
        pushed.end('css');
        stream.respond({ ':status': 200 });
        stream.end();
      });
    } else {
      stream.respond({ ':status': path === '/broken' ? 503 : 200 });
      stream.end(method === 'CONNECT' ? 'tunnel' : '');
    }
    if (path === '/half') stream.write('some');
  });
  await using session = await Session.with(server);
  await once(session.client, 'remoteSettings');
  for (const path of ['/health', '/head', '/push', '/broken']) await session.ask(path);
  assert.equal(await session.ask('/chat', { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http' }), 'tunnel'); // prettier-ignore
  await assert.rejects(session.ask('/reset'), { code: 'ERR_HTTP2_STREAM_ERROR' });
  for (const reason of [constants.NGHTTP2_CANCEL, constants.NGHTTP2_NO_ERROR]) {
    const half = session.client.request({ ':path': '/half' });
    await once(half, 'data');
    half.close(reason);
  }
  session.client.request({ ':path': '/never' }).on('error', () => undefined);
  await left.promise;
  session.client.destroy();
  const spans = await watched.ended('server', 7);
  assert.deepEqual(
    spans.map((span) => `${textOf(span)} ${String(span.attributes['error.type'] ?? '')}`.trim()).toSorted(),
    [
      'GET /broken error 503 503',
      'GET /half unset 200 aborted',
      'GET /half unset 200 aborted',
      'GET /head unset 304',
      'GET /never unset undefined aborted',
      'GET /push unset 200',
      'GET /reset unset undefined aborted',
    ],
  );
  assert.deepEqual(await watched.counts('http_server_active_requests'), ['http_request_method=GET: 0']);
});

test('Fastify tells the pattern of the route and what a handler threw; disposed, nothing is seen', async () => {
  const watched = new Watched({ serverTiming: true });
  const app = fastify({ http2: true });
  app.get('/users/:id', async () => String(currentContext()?.correlationId));
  app.get('/broken', async () => {
    throw new RangeError('too many');
  });
  await app.ready();
  await using session = await Session.with(app.server);
  assert.equal(await session.ask('/users/42', { 'x-request-id': 'a1' }), 'a1');
  await session.ask('/broken');
  const spans = await watched.ended('server', 2);
  assert.deepEqual(spans.map(textOf).toSorted(), ['GET /broken error 500', 'GET /users/:id unset 200']);
  assert.equal(spans.find(({ status }) => status === 'error')?.statusMessage, 'too many');
  await watched[Symbol.asyncDispose]();
  assert.equal(await session.ask('/users/42', { 'x-request-id': 'a1' }), 'undefined');
  assert.equal(watched.spans.length, 2);
});
