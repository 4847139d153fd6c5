/** Requests that a service makes: the context goes with them, and each is counted once. The server is another process in spirit: what it got is read. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, request, type RequestOptions } from 'node:http';
import { type AddressInfo, createConnection, type Socket } from 'node:net';
import { test } from 'node:test';

import { runInContext, type WorkContext } from 'spillway/observe';
import { freePort } from '../../ports.ts';
import {
  CLIENT_METRIC,
  echo,
  endsWithClient,
  incomingFields,
  serve,
  toldOfCall,
  Watched,
  within,
} from './instrumented.ts';

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return text;
}

/** All names lead here. */
function toHere(_name: string, _options: unknown, found: unknown): void {
  (found as (error: null, all: { address: string; family: number }[]) => void)(null, [
    { address: '127.0.0.1', family: 4 },
  ]);
}

const ways: Readonly<Record<string, (url: string, headers?: Record<string, string>) => Promise<string>>> = {
  fetch: async (url, headers = {}) => (await fetch(url, { headers })).text(),
  'http.get': async (url, headers = {}) =>
    bodyOf(((await once(get(url, { headers }), 'response')) as [IncomingMessage])[0]),
};

for (const [way, ask] of Object.entries(ways)) {
  test(`${way}: trace, baggage and correlation id go with a request, which is a span of its own`, async () => {
    await using watched = new Watched();
    await using other = await serve(echo);
    let sent: Record<string, string> = {};
    const spans = await within(watched, async () => {
      sent = JSON.parse(await ask(`${other.url}/a?token=secret`)) as Record<string, string>;
    });
    await toldOfCall(watched, spans, other.port, sent);
  });

  test(`${way}: a hint before the answer is not the answer`, async () => {
    await using watched = new Watched();
    await using other = await serve((_, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('ok');
    });
    const [span] = await within(watched, () => ask(other.url));
    assert.equal(span?.attributes['http.response.status_code'], 200);
  });

  test(`${way}: what whoever calls has set stays`, async () => {
    await using watched = new Watched();
    await using other = await serve(echo);
    await within(watched, async () => {
      const sent = JSON.parse(await ask(other.url, { 'X-Request-Id': 'mine' })) as Record<string, string>;
      assert.equal(sent['x-request-id'], 'mine');
      assert.match(sent['traceparent'] ?? '', /^00-0af7/);
      const own = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`;
      const all = JSON.parse(await ask(other.url, { traceparent: own })) as Record<string, string>;
      assert.deepEqual([all['traceparent'], all['tracestate'], all['baggage']], [own, undefined, undefined]);
    });
  });

  test(`${way}: refused connections and answers of failure are errors, told as before`, async () => {
    await using watched = new Watched();
    await using other = await serve((_, response) => void response.writeHead(503).end());
    const nobody = await freePort();
    const spans = await within(watched, async () => {
      await ask(other.url);
      await assert.rejects(ask(`http://127.0.0.1:${nobody}`));
    });
    assert.deepEqual(
      spans.map(({ status }) => status),
      ['error', 'error'],
    );
    const counts = await watched.counts(CLIENT_METRIC);
    assert.ok(
      counts.some((line) => line.includes(`http_response_status_code=503 error_type=503: 1`)),
      counts.join('\n'),
    );
    assert.ok(
      counts.some((line) => /error_type=(?:ECONNREFUSED|\w+): 1$/.test(line) && line.includes(`server_port=${nobody}`)),
      counts.join('\n'),
    );
  });

  test(`${way}: after it was disposed nothing is added`, async () => {
    const watched = new Watched();
    await watched[Symbol.asyncDispose]();
    await using other = await serve(echo);
    const sent = JSON.parse(await ask(other.url)) as Record<string, string>;
    assert.equal(sent['traceparent'], undefined);
    assert.equal(watched.spans.length, 0);
  });
}

test('a call that is given up counts once, and one whose body never ends is over with its head', async () => {
  await using watched = new Watched();
  const asked = Promise.withResolvers<void>();
  await using other = await serve((incoming, response) => {
    if (incoming.url === '/stream') response.write('for ever');
    else asked.resolve();
  });
  const spans = await within(watched, async () => {
    const stop = new AbortController();
    const given = fetch(`${other.url}/never`, { signal: stop.signal });
    await asked.promise;
    stop.abort();
    await assert.rejects(given, { name: 'AbortError' });
    const streaming = await fetch(`${other.url}/stream`);
    await streaming.body?.cancel();
  });
  assert.deepEqual(
    spans.map(({ status, attributes }) => [status, attributes['error.type']]),
    [
      ['error', 'AbortError'],
      ['unset', undefined],
    ],
  );
});

test('an upgrade and a tunnel are over with their answer, one that nobody takes too; and what is given up is, before and after it was sent', async () => {
  await using watched = new Watched();
  const server = createServer();
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
  server.on('upgrade', (incoming, socket) => {
    const key = `${incoming.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    endsWithClient(socket).write(`${switched}Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  });
  server.on('connect', (_, socket) => void endsWithClient(socket).write('HTTP/1.1 200 OK\r\n\r\n'));
  await using other = await serve(server);
  const { port } = other;
  const upgrade = { connection: 'upgrade', upgrade: 'websocket' };
  const spans = await within(watched, async () => {
    const taken = request({ port, headers: upgrade }).end();
    ((await once(taken, 'upgrade')) as [IncomingMessage, Socket])[1].destroy();
    await once(request({ port, headers: upgrade }).end(), 'close');
    const tunnel = request({ port, method: 'CONNECT', path: 'shop:1' }).end();
    ((await once(tunnel, 'connect')) as [IncomingMessage, Socket])[1].destroy();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
    await once(socket, 'open');
    socket.close();
    const early = request({ port });
    // oxlint-disable-next-line typescript/no-deprecated -- of destroy() a channel tells; of this, which many clients still call, none does.
    early.abort();
    await once(early, 'close');
    const late = request({ port }).end();
    await once(server, 'request');
    late.on('error', () => undefined).destroy();
    await new Promise((resolve) => late.once('close', resolve));
  });
  assert.deepEqual(
    spans.map(({ name, attributes }) => `${name} ${attributes['http.response.status_code'] ?? attributes['error.type']}`), // prettier-ignore
    ['GET 101', 'GET 101', 'CONNECT 200', 'GET 101', 'GET AbortError', 'GET ECONNRESET'],
  );
  const counts = await watched.counts(CLIENT_METRIC);
  assert.equal(
    counts.reduce((sum, line) => sum + Number(line.split(': ').at(-1)), 0),
    6,
  );
});

test('an address of IPv6 is one in the label, and in brackets in the URL', async (t) => {
  await using watched = new Watched();
  const server = createServer((_, response) => void response.end('ok'));
  await once(server.listen(0, '::1'), 'listening');
  t.after(() => server.close().closeAllConnections());
  const url = `http://[::1]:${(server.address() as AddressInfo).port}/a`;
  const spans = await within(watched, async () => {
    for (const ask of Object.values(ways)) await ask(`${url}?token=secret`);
  });
  assert.deepEqual(
    spans.map(({ attributes }) => [attributes['server.address'], attributes['url.full']]),
    [
      ['::1', url],
      ['::1', url],
    ],
  );
});

/** What a host of this name is told by a request that all names lead to. */
async function told(host: string, port: number, options: RequestOptions = {}): Promise<string[]> {
  const outgoing = request({ host, port, lookup: toHere, ...options }).end();
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
  const sent = JSON.parse(await bodyOf(incoming)) as Record<string, string>;
  return Object.keys(incomingFields).filter((name) => name in sent);
}

const everything = Object.keys(incomingFields);

test('a host that is not one’s own is told the trace, and nothing of what was written into it', async () => {
  await using watched = new Watched({ ownHosts: ['Shop.example', '.corp.example', '[2001:0db8::1]'] });
  await using other = await serve(echo);
  const own = ['localhost', 'stock', 'stock.corp.example', 'shop.example.', 'a.internal', 'stock.shop.svc', '10.1.2.3', '::ffff:10.1.2.3', 'FE80::1%eth0', '2001:DB8:0::1', '167838211', 'STOCK_2']; // prettier-ignore
  const others = ['api.example', 'corp.example', 'a.shop.example', 'badcorp.example', 'internal.example', '9.9.9.9', '::ffff:9.9.9.9', '2001:db8::2', '151587081', '0x9090909', 'stock#.example']; // prettier-ignore
  const got: Record<string, string[]> = {};
  const spans = await within(watched, async () => {
    for (const host of [...own, ...others]) {
      // An address is not looked up.
      const connect = (): Socket => createConnection(other.port, '127.0.0.1');
      got[host] = await told(host, other.port, { createConnection: connect });
    }
    for (const [forwarded, path] of [
      ['to others', 'http://me:secret@api.example/a?b'],
      ['to own', 'http://stock.corp.example:81/a'],
    ] as const)
      got[forwarded] = await told('127.0.0.1', other.port, { path });
  });
  assert.deepEqual(got, {
    ...Object.fromEntries(own.map((host) => [host, everything])),
    ...Object.fromEntries(others.map((host) => [host, ['traceparent']])),
    'to others': ['traceparent'],
    'to own': everything,
  });
  assert.equal(spans.length, own.length + others.length + 2);
  assert.deepEqual(
    spans.slice(-2).map(({ attributes }) => attributes['url.full']),
    ['http://api.example/a', 'http://stock.corp.example:81/a'],
  );
});

test('fetch tells no more to a host that is not one’s own, and a function decides alone', async () => {
  const asked: string[] = [];
  const ownHosts = (url: URL): boolean => {
    asked.push(url.href);
    if (url.pathname === '/odd') throw new Error('never heard of it');
    // Of plain JavaScript, what is not known yet may come too.
    return url.pathname === '/later' ? (Promise.resolve(false) as never) : url.pathname === '/own';
  };
  await using watched = new Watched({ ownHosts });
  await using other = await serve(echo);
  const got: string[][] = [];
  await within(watched, async () => {
    for (const path of ['/own', '/other', '/odd', '/later']) {
      for (const ask of Object.values(ways)) {
        const sent = JSON.parse(await ask(`${other.url}${path}?token=secret`)) as Record<string, string>;
        got.push(everything.filter((name) => name in sent));
      }
    }
  });
  assert.deepEqual(got, [everything, everything, ...Array.from({ length: 6 }, () => ['traceparent'])]);
  assert.deepEqual([...new Set(asked)], ['/own', '/other', '/odd', '/later'].map((path) => `${other.url}${path}`)); // prettier-ignore
});

test('a context that plain JavaScript has made takes no request and no process with it', async () => {
  await using watched = new Watched();
  await using other = await serve(echo);
  const context = {
    trace: null,
    correlationId: 'two\nlines',
    baggage: new Map([['user', 42]]),
  } as unknown as WorkContext;
  await runInContext(context, async () => {
    for (const ask of Object.values(ways)) {
      const sent = JSON.parse(await ask(other.url)) as Record<string, string>;
      assert.deepEqual([sent['x-request-id'], sent['baggage']], [undefined, 'user=42']);
    }
  });
  assert.equal((await watched.ended('client', 2)).length, 2);
});

test('what is no host, or no list, is refused', () => {
  for (const host of ['', '.', 'http://shop', 'shop:80', 'a/b', 'me@shop', 7]) {
    assert.throws(() => new Watched({ ownHosts: [host as string] }), {
      code: 'OPTIONS_INVALID',
      message: /ownHosts has .*; expected .* such as shop\.example/,
    });
  }
  assert.throws(() => new Watched({ ownHosts: 'shop' as never }), {
    code: 'OPTIONS_INVALID',
    message: /neither a list/,
  });
});

test('the port is the one that is asked, whatever `Host` says: with an answer and without', async () => {
  await using watched = new Watched();
  await using other = await serve(echo);
  const nobody = await freePort();
  const spans = await within(watched, async () => {
    for (const headers of [{}, { host: 'shop.example' }, { host: 'shop.example:81' }])
      await told('localhost', other.port, { headers });
    const [error] = await once(request({ port: nobody, host: '127.0.0.1', headers: { host: 'shop' } }).end(), 'error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED');
  });
  assert.deepEqual(
    spans.map(({ attributes }) => [attributes['server.port'], attributes['url.full']]),
    [
      ...Array.from({ length: 3 }, () => [other.port, `http://localhost:${other.port}/`]),
      [nobody, `http://127.0.0.1:${nobody}/`],
    ],
  );
  assert.deepEqual(await watched.counts(CLIENT_METRIC), [
    `http_request_method=GET server_address=127.0.0.1 server_port=${nobody} error_type=ECONNREFUSED: 1`,
    `http_request_method=GET server_address=localhost server_port=${other.port} http_response_status_code=200: 3`,
  ]);
});

test('a request whose fields are sent already goes as it is', async () => {
  await using watched = new Watched();
  await using other = await serve(echo);
  const spans = await within(watched, async () => {
    const outgoing = request(other.url, { headers: ['Host', 'shop', 'X-A', '1'] });
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    assert.equal((JSON.parse(await bodyOf(incoming)) as Record<string, string>)['x-a'], '1');
  });
  assert.equal(spans.length, 1);
});

test('hosts without end make no more series than a bound', async () => {
  await using watched = new Watched({ sample: 0 });
  await using other = await serve(echo);
  for (let host = 0; host < 600; host++) {
    const outgoing = request({ host: `h${host}.test`, port: other.port, lookup: toHere });
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    await bodyOf(incoming);
  }
  const counts = await watched.counts(CLIENT_METRIC);
  assert.equal(counts.length, 501);
  assert.ok(counts.includes('overflow=true: 100'));
});
