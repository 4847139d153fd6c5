import assert from 'node:assert/strict';
import { createServer as createHttp } from 'node:http';
import { createSecureServer, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttps } from 'node:https';
import { after, afterEach, test } from 'node:test';
import { Authority } from '../../../test/certificates.ts';
import { check, closeServers, failure, probeOf, raw, serve } from '../../../test/probe-under-test.ts';
import { systemClock } from '../../kernel/clock.ts';
import { startProbe } from './probe.ts';
import type { ProbeOf } from './probe-io.ts';

const authority = new Authority();
after(() => authority[Symbol.dispose]());
afterEach(closeServers);

const NOT_SERVING = 2;
const SERVING = 1;

const grpc = (given: Partial<ProbeOf<'grpc'>> = {}): ProbeOf<'grpc'> => ({
  type: 'grpc',
  service: '',
  host: null,
  fields: {},
  ...given,
});

interface Call {
  readonly headers: IncomingHttpHeaders;
  readonly message: Buffer;
}

/** A HealthCheckResponse, the trailers behind it. */
function answer(stream: ServerHttp2Stream, status: number): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(Buffer.of(0, 0, 0, 0, 2, 0x08, status));
}

/** A server that keeps what it was asked. */
async function asking(onCall: (stream: ServerHttp2Stream, call: Call) => void) {
  const calls: Call[] = [];
  const server = createServer();
  server.on('sessionError', () => {});
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => {});
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const call = { headers, message: Buffer.concat(chunks) };
      calls.push(call);
      onCall(stream, call);
    });
  });
  return { calls, port: await serve(server) };
}

test('one call in clear text: SERVING is a success, anything else is told', async () => {
  let status = SERVING;
  const { calls, port } = await asking((stream) => answer(stream, status));
  assert.deepEqual(await check(port, { kind: grpc() }), { kind: 'success', reason: 'the server is SERVING' });
  const [{ headers, message }] = calls as [Call];
  assert.equal(headers[':path'], '/grpc.health.v1.Health/Check');
  assert.equal(headers[':authority'], `127.0.0.1:${port}`);
  assert.equal(headers['content-type'], 'application/grpc');
  assert.equal(headers.te, 'trailers');
  assert.deepEqual([...message], [0, 0, 0, 0, 0]);
  status = NOT_SERVING;
  assert.deepEqual(await check(port, { kind: grpc() }), failure('grpc', 'the server is NOT_SERVING, expected SERVING'));
});

test('the name of a service, a host and fields go along', async () => {
  const { calls, port } = await asking((stream) => answer(stream, SERVING));
  const kind = grpc({ service: 'shop.v1.Orders', host: 'shop.example', fields: { 'X-Tenant': 'a' } });
  assert.deepEqual(await check(port, { kind }), { kind: 'success', reason: 'service "shop.v1.Orders" is SERVING' });
  const [{ headers, message }] = calls as [Call];
  assert.deepEqual([headers[':authority'], headers['x-tenant']], ['shop.example', 'a']);
  assert.equal(message.subarray(5).toString('latin1'), '\n\x0eshop.v1.Orders');
});

test('an answer of trailers alone is read from its head', async () => {
  const { port } = await asking((stream) =>
    stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '5', 'grpc-message': 'unknown service' },
      { endStream: true },
    ),
  );
  assert.deepEqual(
    await check(port, { kind: grpc({ service: 'shop' }) }),
    failure('grpc', 'service "shop" is not known there'),
  );
});

test('over TLS, if ALPN settles on h2', async () => {
  const { certificatePem: cert, keyPem: key } = authority.issue(['shop.example']);
  const server = createSecureServer({ cert, key });
  server.on('stream', (stream) => answer(stream, SERVING));
  const tls = { ca: authority.caPem, servername: 'shop.example', rejectUnauthorized: true };
  const port = await serve(server);
  assert.deepEqual(await check(port, { kind: grpc(), tls }), { kind: 'success', reason: 'the server is SERVING' });
  assert.deepEqual(
    await check(port, { kind: grpc(), tls: { ...tls, servername: 'other.example' } }),
    failure('tls', 'its certificate is for another name'),
  );
  const old = await serve(createHttps({ cert, key }));
  const result = await check(old, { kind: grpc(), tls });
  assert.equal(result?.kind, 'failure');
  assert.match(result.reason, /ALPN did not settle on h2|no application protocol/);
});

test('what does not speak HTTP/2 is told from what is not there', async () => {
  const http = await serve(createHttp((_request, response) => void response.end()));
  const junk = await raw((socket) => socket.end('SSH-2.0-OpenSSH_9.9\r\n'));
  assert.deepEqual(await check(http, { kind: grpc() }), failure('protocol', 'it speaks HTTP/1 and not HTTP/2'));
  assert.deepEqual(await check(junk, { kind: grpc() }), failure('protocol', 'its answer is not valid HTTP/2'));
  closeServers();
  assert.deepEqual(await check(http, { kind: grpc() }), failure('connection', 'connection refused'));
});

test('silence, an answer that does not end, and a connection that is cut', async () => {
  const silent = await raw(() => {});
  const late = { kind: grpc(), timeoutMs: 1500 };
  assert.deepEqual(await check(silent, late), failure('timeout', 'no answer within 1.5 s'));
  const endless = await asking((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    stream.write(Buffer.of(0, 0, 0));
  });
  assert.deepEqual(await check(endless.port, late), failure('timeout', 'no answer within 1.5 s'));
  const cut = await raw((socket) => socket.once('data', () => socket.end()));
  assert.deepEqual(await check(cut, { kind: grpc() }), failure('connection', 'connection closed before an answer'));
  const reset = await asking((stream) => stream.close(2));
  assert.deepEqual(
    await check(reset.port, { kind: grpc() }),
    failure('protocol', 'it broke off the call: INTERNAL_ERROR'),
  );
});

test('a body without end and a head without measure are cut', async () => {
  let sent = 0;
  const endless = await asking((stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    const write = (): void => {
      while (!stream.destroyed && stream.write(Buffer.alloc(1_024))) sent += 1_024;
    };
    stream.on('drain', write);
    write();
  });
  const cut = await check(endless.port, { kind: grpc(), timeoutMs: 10_000 });
  assert.deepEqual(cut, failure('protocol', 'its answer is over 4096 bytes'));
  assert.ok(sent > 4_096);
  const huge = await asking((stream) => {
    const fields = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`x-${index}`, 'a'.repeat(600)]));
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...fields }, { endStream: true });
  });
  const result = await check(huge.port, { kind: grpc() });
  assert.deepEqual(result, failure('protocol', 'the head of its answer is over 16384 bytes'));
});

test('a cancelled call closes its connection and tells nothing', async () => {
  let told = false;
  const closed = Promise.withResolvers<void>();
  const { port } = await asking((stream) => {
    stream.session?.socket.on('close', () => closed.resolve());
    cancel();
  });
  const cancel = startProbe(probeOf(port, { kind: grpc(), timeoutMs: 60_000 }), systemClock, () => (told = true));
  await closed.promise;
  assert.equal(told, false);
});
