/** Requests that a service answers: by node:http, Express and Fastify. Clients are raw sockets or another agent, so that nothing of theirs is counted. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';

import express from 'express';
import fastify from 'fastify';
import { createMetrics, currentContext, type Metrics, type SpanRecord } from 'spillway/observe';
import { instrument } from 'spillway/observe/instrument';
import { brokenMetrics } from '../broken-metrics.ts';
import { serve, toldOfCart, Watched } from './instrumented.ts';

const METRIC = 'http_server_request_duration_seconds';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const parent = `00-${traceId}-b7ad6b7169203331-01`;

/** Whole answers, as they came, to what is written on one connection, of which the last closes it. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

function get(path: string, fields = ''): string {
  return `GET ${path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n${fields}\r\n`;
}

function textOf(span: SpanRecord | undefined): string {
  return `${span?.name} ${span?.status} ${String(span?.attributes['http.response.status_code'])}`;
}

test('a request is counted, has a span within the caller’s trace, and its work knows to whom it belongs', async () => {
  await using watched = new Watched();
  const { telemetry } = watched;
  const seen: unknown[] = [];
  await using shop = await serve(async (incoming, response) => {
    telemetry.setRoute(incoming, '/cart/{id}');
    for await (const _ of incoming) seen.push(currentContext()?.correlationId);
    await new Promise((resolve) => setTimeout(resolve, 1));
    incoming.on('close', () => seen.push(currentContext()?.correlationId));
    seen.push(currentContext()?.trace?.traceId, currentContext()?.baggage.get('who'));
    response.end('ok');
  });
  await raw(
    shop.port,
    `POST /cart/42?token=secret HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ntraceparent: ${parent}\r\nx-request-id: order-42\r\nbaggage: who=ann\r\nuser-agent: curl\r\ncontent-length: 2\r\n\r\nhi`,
  );
  const [span] = await watched.ended('server', 1);
  assert.deepEqual(seen.slice(0, 3), ['order-42', traceId, 'ann']);
  assert.deepEqual([span?.traceId, span?.parentId, span?.service], [traceId, 'b7ad6b7169203331', 'shop']);
  assert.equal(textOf(span), 'POST /cart/{id} unset 200');
  await toldOfCart(watched, span, '1.1');
});

test('Express: the pattern of the route, also of routers within routers, and what a handler threw', async () => {
  await using watched = new Watched();
  const app = express();
  app.use(express.json());
  const items = express.Router();
  items.get('/:item', (_, response) => void response.send(String(currentContext()?.correlationId)));
  const users = express.Router({ mergeParams: true });
  users.use('/items', items);
  users.get('/', (_, response) => void response.send('user'));
  app.use('/users/:id', users);
  app.get('/broken', async () => {
    await Promise.resolve();
    throw new TypeError('no stock');
  });
  app.post(
    '/orders',
    (incoming, response) => void response.send(`${incoming.body.n} ${currentContext()?.correlationId}`),
  );
  app.get(/^\/files\/.*$/, (_, response) => void response.send('file'));
  app.use((_error: unknown, _: express.Request, response: express.Response, _next: express.NextFunction) => {
    response.status(500).end();
  });
  await using shop = await serve(app);
  assert.match(await raw(shop.port, get('/users/42/items/7', 'x-request-id: a1\r\n')), /\r\n\r\na1$/);
  await raw(shop.port, get('/users/43'));
  await raw(shop.port, get('/broken'));
  await raw(shop.port, get('/files/a/b'));
  await raw(shop.port, get('/nowhere'));
  const order =
    'POST /orders HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-request-id: o1\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"n":5}';
  assert.match(await raw(shop.port, order), /\r\n\r\n5 o1$/, 'a body that was read first does not lose the context');

  const spans = await watched.ended('server', 6);
  assert.deepEqual(spans.map(textOf).toSorted(), [
    'GET /^\\/files\\/.*$/ unset 200',
    'GET /broken error 500',
    'GET /users/:id/ unset 200',
    'GET /users/:id/items/:item unset 200',
    'GET unset 404',
    'POST /orders unset 200',
  ]);
  const broken = spans.find(({ status }) => status === 'error');
  assert.equal(broken?.statusMessage, 'no stock');
  assert.equal(broken.events[0]?.attributes['exception.type'], 'TypeError');
});

test('Fastify: the pattern of the route, and what a handler threw', async () => {
  await using watched = new Watched();
  const app = fastify();
  app.register(
    async (scope) => {
      scope.get('/:id', async () => String(currentContext()?.correlationId));
      scope.post(
        '/:id',
        async (incoming) => `${(incoming.body as { n: number }).n} ${currentContext()?.correlationId}`,
      );
      scope.get('/broken', async () => {
        throw new RangeError('too many');
      });
    },
    { prefix: '/users' },
  );
  await app.ready();
  await using shop = await serve(app.server);
  assert.match(await raw(shop.port, get('/users/42', 'x-request-id: a1\r\n')), /\r\n\r\na1$/);
  const post =
    'POST /users/42 HTTP/1.1\r\nhost: shop\r\nconnection: close\r\nx-request-id: o1\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{"n":5}';
  assert.match(await raw(shop.port, post), /\r\n\r\n5 o1$/);
  await raw(shop.port, get('/users/broken'));
  await raw(shop.port, get('/nowhere'));
  const spans = await watched.ended('server', 4);
  assert.deepEqual(spans.map(textOf).toSorted(), [
    'GET /users/:id unset 200',
    'GET /users/broken error 500',
    'GET unset 404',
    'POST /users/:id unset 200',
  ]);
  assert.equal(spans.find(({ status }) => status === 'error')?.statusMessage, 'too many');
});

test('a client that leaves, an answer that streams, requests that follow each other and come at once', async () => {
  await using watched = new Watched();
  const { telemetry } = watched;
  const arrived = Promise.withResolvers<void>();
  await using shop = await serve(async (incoming, response) => {
    const { url = '' } = incoming;
    telemetry.setRoute(incoming, url);
    if (url === '/never') {
      arrived.resolve();
      return;
    }
    if (url === '/stream') {
      for (let part = 0; part < 5; part++) {
        response.write(`${part}`);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    }
    response.end(String(currentContext()?.correlationId));
  });
  const socket = connect(shop.port, '127.0.0.1');
  socket.write(get('/never'));
  await arrived.promise;
  assert.deepEqual(await watched.counts('http_server_active_requests'), ['http_request_method=GET: 1']);
  socket.destroy();
  const [left] = await watched.ended('server', 1);
  assert.equal(left?.attributes['error.type'], 'aborted');
  assert.equal(left.status, 'unset', 'that a client left is no failure');

  await raw(shop.port, get('/stream'));
  const piped = (id: string): string => `GET /piped HTTP/1.1\r\nhost: shop\r\nx-request-id: ${id}\r\n\r\n`;
  const answer = await raw(shop.port, piped('p1') + piped('p2') + get('/piped', 'x-request-id: p3\r\n'));
  assert.deepEqual(answer.match(/p\d(?=HTTP|$|\r)/g)?.length, 3);
  await watched.ended('server', 5);
  assert.deepEqual(await watched.counts(METRIC), [
    'http_request_method=GET http_route=/never error_type=aborted: 1',
    'http_request_method=GET http_route=/piped http_response_status_code=200: 3',
    'http_request_method=GET http_route=/stream http_response_status_code=200: 1',
  ]);
});

test('a body that comes later than its head is told in the context of its request', async () => {
  await using watched = new Watched();
  const arrived = Promise.withResolvers<void>();
  const seen: unknown[] = [];
  const see = (): void => void seen.push(currentContext()?.correlationId);
  await using shop = await serve((incoming, response) => {
    incoming.on('data', see).on('end', () => {
      see();
      response.on('close', see).end();
    });
    arrived.resolve();
  });
  const socket = connect(shop.port, '127.0.0.1');
  socket.write('POST / HTTP/1.1\r\nhost: shop\r\nx-request-id: late\r\ncontent-length: 2\r\n\r\n');
  await arrived.promise;
  socket.write('hi');
  await watched.ended('server', 1);
  socket.destroy();
  assert.deepEqual(seen, ['late', 'late', 'late']);
});

test('thousands of paths and methods of nobody make no series; routes that are made of paths, no more than a bound', async () => {
  await using watched = new Watched({
    sample: 0,
    route: ({ url }) => (url?.startsWith('/bad') === true ? url : undefined),
  });
  await using shop = await serve((_, response) => void response.end());
  const ask = async (paths: readonly string[]): Promise<void> => {
    const text = paths.map(
      (path, at) =>
        `GET ${path} HTTP/1.1\r\nhost: shop\r\n${at === paths.length - 1 ? 'connection: close\r\n' : ''}\r\n`,
    );
    await raw(shop.port, text.join(''));
  };
  await ask(Array.from({ length: 2000 }, (_, at) => `/wp-${at}`));
  await raw(shop.port, 'PROPFIND / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n');
  assert.deepEqual(await watched.counts(METRIC), [
    'http_request_method=GET http_response_status_code=200: 2000',
    'http_request_method=_OTHER http_response_status_code=200: 1',
  ]);
  await ask(Array.from({ length: 1500 }, (_, at) => `/bad/${at}`));
  const counts = await watched.counts(METRIC);
  assert.equal(counts.length, 1001);
  assert.ok(counts.includes('overflow=true: 502'), counts.at(-1));
});

test('whatever plain JavaScript calls a route, the request ends and is counted', async () => {
  const odd: unknown[] = [Symbol('odd'), { toString: null }, () => '/odd', null, undefined, 42];
  await using watched = new Watched({ route: () => odd.pop() as string });
  const { telemetry } = watched;
  await using shop = await serve((incoming, response) => {
    if (incoming.url === '/said') telemetry.setRoute(incoming, odd.pop() as string);
    Object.assign(incoming, { originalUrl: odd.at(-1) });
    response.end();
  });
  for (const path of ['/42', '/undefined', '/said', '/fn', '/object', '/symbol']) await raw(shop.port, get(path));
  await watched.ended('server', 6);
  assert.deepEqual(await watched.counts(METRIC), [
    'http_request_method=GET http_response_status_code=200: 4',
    'http_request_method=GET http_route=42 http_response_status_code=200: 1',
    'http_request_method=GET http_route=Symbol(odd) http_response_status_code=200: 1',
  ]);
});

test('metrics of one’s own that fail cost no request, no answer and no process', async () => {
  const metrics: Metrics = Object.assign(createMetrics(), brokenMetrics());
  await using watched = new Watched({ metrics });
  await using stock = await serve((_, response) => void response.end('42'));
  await using shop = await serve(async (_, response) => void response.end(await (await fetch(stock.url)).text()));
  for (let time = 0; time < 2; time++) assert.match(await raw(shop.port, get('/')), /\r\n\r\n42$/);
  assert.equal((await watched.ended('server', 4)).length, 4);
  assert.equal((await watched.ended('client', 2)).length, 2);
});

test('who is told: the answer, if asked; nobody of what is ignored', async () => {
  await using watched = new Watched({ serverTiming: true, ignore: ({ url }) => url === '/health' });
  await using shop = await serve((_, response) => void response.end(String(currentContext()?.correlationId)));
  const answer = await raw(shop.port, get('/a', `traceparent: ${parent}\r\n`));
  const [span] = await watched.ended('server', 1);
  assert.match(answer, new RegExp(`server-timing: traceparent;desc="00-${traceId}-${span?.spanId}-0[13]"`, 'i'));
  assert.match(await raw(shop.port, get('/health')), /undefined$/);
  assert.equal(watched.spans.length, 1);
});

test('a request of which `ignore` throws is served and seen, and the process goes on', async () => {
  await using watched = new Watched({ ignore: ({ url = '' }) => new URL(url, 'http://shop').pathname === '/health' });
  await using shop = await serve((_, response) => void response.end('ok'));
  assert.match(await raw(shop.port, get('//')), /\r\n\r\nok$/);
  assert.match(await raw(shop.port, get('/health')), /\r\n\r\nok$/);
  await watched.ended('server', 1);
  assert.deepEqual(await watched.counts(METRIC), ['http_request_method=GET http_response_status_code=200: 1']);
});

test('two at a time are refused; disposed, nothing is left', async () => {
  const watched = new Watched();
  assert.throws(() => instrument({ service: 'other' }), { code: 'INSTRUMENTED', message: /as “shop”/ });
  await watched[Symbol.asyncDispose]();
  await watched[Symbol.asyncDispose]();
  await using shop = await serve((incoming, response) => {
    response.end(JSON.stringify([currentContext(), Object.hasOwn(incoming, 'emit'), Object.hasOwn(response, 'emit')]));
  });
  assert.match(await raw(shop.port, get('/')), /\[null,false,false\]$/);
  await using _ = new Watched();
});

test('requests of many clients over few connections never see each other’s context', async () => {
  await using watched = new Watched();
  await using shop = await serve(async (incoming, response) => {
    const own = incoming.headers['x-request-id'];
    const check = (): void => {
      if (currentContext()?.correlationId !== own) response.statusCode = 500;
    };
    check();
    for await (const _ of incoming) check();
    await new Promise((resolve) => setTimeout(resolve, Number(own) % 3));
    check();
    setImmediate(() => {
      check();
      response.once('finish', check).end();
    });
  });
  const agents = new Agent({ keepAlive: true, maxSockets: 4 });
  const ask = async (id: number): Promise<number> => {
    const outgoing = request(shop.url, { agent: agents, method: 'POST', headers: { 'x-request-id': String(id) } });
    outgoing.write('a');
    setImmediate(() => outgoing.end('b'));
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    incoming.resume();
    await once(incoming, 'end');
    return incoming.statusCode ?? 0;
  };
  const statuses = await Promise.all(Array.from({ length: 200 }, (_, id) => ask(id)));
  agents.destroy();
  assert.deepEqual(new Set(statuses), new Set([200]));
  const spans = await watched.ended('server', 200);
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, 200);
});
