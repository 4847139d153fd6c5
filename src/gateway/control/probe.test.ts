import assert from 'node:assert/strict';
import dns from 'node:dns';
import { createServer as createHttp, type RequestListener } from 'node:http';
import { afterEach, mock, test } from 'node:test';
import {
  type Asked,
  check as ask,
  closeServers,
  failure,
  probeOf,
  punctual,
  raw,
  serve,
} from '../../../test/probe-under-test.ts';
import type { HttpExpectation } from '../../health/index.ts';
import { systemClock, type Clock } from '../../kernel/clock.ts';
import { startProbe } from './probe.ts';
import type { ProbeKind } from './probe-io.ts';

const http = {
  type: 'http',
  method: 'GET',
  path: '/health',
  host: null,
  fields: {},
  expectation: { status: [{ from: 200, to: 299 }], headers: [], body: null },
} as const satisfies ProbeKind;
const tcp: ProbeKind = { type: 'tcp', expectation: { send: null, expect: null } };
const grpc: ProbeKind = { type: 'grpc', service: '', host: null, fields: {} };

afterEach(closeServers);

const answering = (listener: RequestListener): Promise<number> => serve(createHttp(listener));
const check = (port: number, given: Partial<Asked> = {}, clock = punctual) =>
  ask(port, { kind: http, ...given }, clock);

test('an expected status is a success; the request is what the config says, on a connection of its own', async () => {
  const port = await answering((request, response) => {
    const { method, url, headers } = request;
    const good =
      method === 'HEAD' && url === '/ok?a' && headers.host === 'shop.example' && headers.connection === 'close';
    response.writeHead(good ? 204 : 500).end();
  });
  const kind: ProbeKind = {
    ...http,
    method: 'HEAD',
    path: '/ok?a',
    host: 'shop.example',
    expectation: { ...http.expectation, status: [{ from: 204, to: 204 }] },
  };
  assert.deepEqual(await check(port, { kind }), { kind: 'success', reason: 'status 204' });
});

test('another status is named beside what was expected', async () => {
  const port = await answering((_request, response) => void response.writeHead(503).end('busy'));
  assert.deepEqual(await check(port), failure('status', 'status 503, expected 200-299'));
  const status = [
    { from: 200, to: 200 },
    { from: 300, to: 399 },
  ];
  const kind: ProbeKind = { ...http, expectation: { ...http.expectation, status } };
  assert.deepEqual(await check(port, { kind }), failure('status', 'status 503, expected 200, 300-399'));
});

test('nobody listens: connection refused', async () => {
  const port = await raw(() => {});
  closeServers();
  assert.deepEqual(await check(port), failure('connection', 'connection refused'));
  assert.deepEqual(await check(port, { kind: tcp }), failure('connection', 'connection refused'));
});

test('an answer that does not come, does not end or is cut is none', async () => {
  const silent = await raw(() => {});
  assert.deepEqual(await check(silent, { timeoutMs: 1500 }), failure('timeout', 'no answer within 1.5 s'));
  const endless = await answering((_request, response) => void response.writeHead(200).write('a'));
  assert.deepEqual(await check(endless, { timeoutMs: 1500 }), failure('timeout', 'no answer within 1.5 s'));
  const cut = await raw((socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab')),
  );
  assert.deepEqual(await check(cut), failure('connection', 'connection closed within the answer'));
  const gone = await raw((socket) => socket.once('data', () => socket.end()));
  assert.deepEqual(await check(gone), failure('connection', 'connection reset before an answer'));
});

test('a body is read to its end, and only the begin of a long one', async () => {
  const long = await answering((_request, response) => {
    response.writeHead(200);
    const write = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', write);
    write();
  });
  assert.deepEqual(await check(long), { kind: 'success', reason: 'status 200' });
});

test('fields are sent along, in place of our own; what is expected of the answer is looked for in its fields and its body', async () => {
  const asked: unknown[] = [];
  const port = await answering(({ headers }, response) => {
    asked.push([headers.accept, headers['x-forwarded-proto']]);
    response.writeHead(200, { 'X-Role': 'replica' }).write('{"state":');
    response.end('"up"}');
  });
  const given = (expectation: Partial<HttpExpectation>): Partial<Asked> => ({
    kind: {
      ...http,
      fields: { accept: 'application/json', 'X-Forwarded-Proto': 'https' },
      expectation: { ...http.expectation, ...expectation },
    },
  });
  assert.deepEqual(await check(port, given({ body: '"state":"up"' })), {
    kind: 'success',
    reason: 'status 200, ""state":"up"" found',
  });
  assert.deepEqual(asked, [['application/json', 'https']]);
  const headers = [{ name: 'x-role', value: 'primary' }];
  assert.deepEqual(await check(port, given({ headers })), failure('header', 'x-role is "replica", expected "primary"'));
  assert.deepEqual(
    await check(port, given({ body: 'ready' })),
    failure('body', 'status 200, but its body does not contain "ready" in 14 bytes; it begins "{"state":"up"}"'),
  );
});

test('what is not HTTP, an unasked upgrade and a huge head are failures and nothing worse', async () => {
  const junk = await raw((socket) => socket.end('\x1b[31mnot http\r\n\r\n'));
  assert.deepEqual(await check(junk), failure('protocol', 'its answer is not valid HTTP'));
  const upgrade = await raw((socket) =>
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
    ),
  );
  assert.deepEqual(await check(upgrade), failure('protocol', 'an upgrade (status 101) that was not asked for'));
  const huge = await raw((socket) =>
    socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`)),
  );
  assert.deepEqual(await check(huge), failure('protocol', 'the head of its answer is over 16384 bytes'));
});

test('a name that stands for where credentials are handed out is not asked, whatever the kind of check', async (t) => {
  const lookup = mock.method(dns, 'lookup', (_name: string, _options: unknown, done: Function) => {
    done(null, [{ address: '169.254.169.254', family: 4 }]);
  });
  t.after(() => lookup.mock.restore());
  const reason =
    'shop.example is 169.254.169.254: link-local, or where a cloud hands out credentials (allowLinkLocal is not set)';
  for (const kind of [http, tcp, grpc]) {
    for (const tls of [null, { rejectUnauthorized: true }]) {
      assert.deepEqual(await check(80, { host: 'shop.example', kind, tls }), failure('connection', reason));
    }
  }
});

test('tcp: a connection is enough', async () => {
  const port = await raw(() => {});
  assert.deepEqual(await check(port, { kind: tcp }), { kind: 'success', reason: 'accepted a connection' });
});

test('TLS to a server that does not speak it fails', async () => {
  const port = await raw((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  const result = await check(port, { tls: { rejectUnauthorized: true } });
  assert.deepEqual(result, failure('tls', 'it does not speak TLS'));
});

test('options that Node refuses are a failure, told later and not by throwing', async () => {
  const port = await raw(() => {});
  const result = await check(port, { tls: { key: 'no key' }, kind: tcp });
  assert.equal(result?.kind, 'failure');
});

test('when this thread itself was late, a timeout says nothing about the endpoint', async () => {
  const port = await raw(() => {});
  let nowMs = 0;
  const clock: Clock = {
    ...systemClock,
    nowMs: () => nowMs,
    after: (_delayMs, run) =>
      systemClock.after(20, () => {
        nowMs = 900;
        run();
      }),
  };
  assert.equal(await check(port, { timeoutMs: 500 }, clock), null);
});

test('a cancelled check closes its connection and tells nothing', async () => {
  let told = false;
  const closed = Promise.withResolvers<void>();
  const port = await raw((socket) => {
    socket.on('close', () => closed.resolve());
    socket.once('data', () => cancel());
  });
  const probe = probeOf(port, { kind: http, timeoutMs: 60_000 });
  const cancel = startProbe(probe, systemClock, () => (told = true));
  await closed.promise;
  assert.equal(told, false);
});
