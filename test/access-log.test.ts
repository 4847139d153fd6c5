/** The access log of a real gateway: what a line tells of a request, and that traffic does not depend on where lines go. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { Authority } from './certificates.ts';
import { readMessage } from './engine/message.ts';
import { serve, Watched } from './observe/instrument/instrumented.ts';
import { cleanups, config, create, folder, origin } from './gateway-under-test.ts';

type Line = Record<string, unknown> & { readonly ms: Record<string, number> };

function linesIn(file: string): Line[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** One worker where the order of lines matters: each writes its own. */
async function start(
  accessLog: ConfigInput['accessLog'],
  listener: object = {},
  workers = 1,
): Promise<ReturnType<typeof create>> {
  const listeners = [{ name: 'web', address: '127.0.0.1:0', ...listener }];
  const built = create({ workers, config: config(await origin('hello'), { accessLog, listeners }) });
  await built.gateway.start();
  return built;
}

/** Sends bytes, each text after an answer to the one before, and reads until the gateway closes. */
async function raw(address: string, ...texts: readonly string[]): Promise<string> {
  const socket = net.connect(Number(address.split(':').at(-1)), '127.0.0.1');
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  const toSend = [...texts];
  const sendNext = (): void => void socket.write(Buffer.from(toSend.shift() ?? '', 'latin1'));
  let [answers, rest] = ['', Buffer.alloc(0)];
  socket.on('data', (chunk) => {
    answers += chunk.toString('latin1');
    rest = Buffer.concat([rest, chunk]);
    const answer = readMessage(rest, { kind: 'response' });
    if (answer === null) return;
    rest = rest.subarray(answer.end);
    sendNext();
  });
  sendNext();
  await once(socket, 'close');
  return answers;
}

function assertAddsUp({ total = -1, ...parts }: Readonly<Record<string, number>>): void {
  const sum = Object.values(parts).reduce((all, part) => all + part, 0);
  // Each is rounded to the microsecond.
  assert.ok(Math.abs(total - sum) < 0.01, `${total}: ${JSON.stringify(parts)}`);
}

test('a request is one line with its way, its times and its ids', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address } = await start({ target: file, redactQuery: ['token'] });
  const fields = 'User-Agent: test/1\r\nAuthorization: Bearer secret\r\nReferer: https://a.example/?token=secret\r\n';
  const at = address();
  await raw(at, `GET /a%2db?x=1&token=secret HTTP/1.1\r\nHost: ${at}\r\n${fields}Connection: close\r\n\r\n`);
  await gateway.stop();
  const [line, ...others] = linesIn(file);
  assert.equal(others.length, 0);
  assert.ok(line);
  const { time, ms, correlation_id: correlationId, trace_id: traceId, span_id: spanId, endpoint, ...rest } = line;
  assert.deepEqual(rest, {
    ...{ client: '127.0.0.1', listener: 'web', method: 'GET', host: at, path: '/a-b', query: 'x=1&token=*' },
    ...{ protocol: 'HTTP/1.1', userAgent: 'test/1', referer: 'https://a.example/?token=*', status: 200, bytesIn: 0 },
    ...{ bytesOut: 5, route: 'all', service: 'shop', attempts: 1, verdict: 'ok', end: 'ok' },
  });
  assert.ok(Math.abs(Date.parse(String(time)) - Date.now()) < 60_000);
  assert.match(String(correlationId), /^[0-9a-f]{32}$/);
  assert.equal(traceId, correlationId);
  assert.match(String(spanId), /^[0-9a-f]{16}$/);
  assert.match(String(endpoint), /^127\.0\.0\.1:\d+$/);
  assertAddsUp(ms);
});

test('one search for an id finds the line of the gateway and those of the services behind it', async () => {
  const home = folder();
  const [file, own] = [join(home, 'access.log'), join(home, 'shop.log')];
  const watched = new Watched({ logs: { target: own } });
  const log = watched.telemetry.logs.logger();
  await using shop = await serve((_incoming, response) => {
    log.info('order taken');
    response.end();
  });
  const built = create({ workers: 1, config: config(`127.0.0.1:${shop.port}`, { accessLog: { target: file } }) });
  await built.gateway.start();
  await built.get();
  await built.gateway.stop();
  await watched[Symbol.asyncDispose]();
  const [[seen], [said]] = [linesIn(file), linesIn(own)];
  assert.match(String(seen?.['trace_id']), /^[0-9a-f]{32}$/);
  assert.equal(said?.['msg'], 'order taken');
  for (const id of ['trace_id', 'correlation_id']) assert.equal(said[id], seen?.[id], id);
});

test("a head that cannot be read is its sender's, whomever the request before it was for", async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address } = await start({ target: file }, { trustedProxies: ['127.0.0.1'] });
  const at = address();
  await raw(at, `GET / HTTP/1.1\r\nHost: ${at}\r\nX-Forwarded-For: 192.0.2.7\r\n\r\nGET / HTTP/9\r\n\r\n`);
  await gateway.stop();
  assert.deepEqual(
    linesIn(file).map(({ client, status }) => [client, status]),
    [
      ['192.0.2.7', 200],
      ['127.0.0.1', 505],
    ],
  );
});

test('the time to connect and the one for the TLS handshake are told apart, and a kept connection has neither', async () => {
  const dir = folder();
  const file = join(dir, 'access.log');
  using authority = new Authority();
  const { certificatePem, keyPem } = authority.issue(['127.0.0.1']);
  writeFileSync(join(dir, 'ca.pem'), authority.caPem);
  const server = https.createServer({ cert: certificatePem, key: keyPem }, (_request, response) => void response.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  const endpoints = [`127.0.0.1:${(server.address() as AddressInfo).port}`];
  const services = [{ name: 'shop', endpoints, tls: { ca: join(dir, 'ca.pem') } }];
  const { gateway, address } = create({
    workers: 1,
    config: config('', { services, accessLog: { target: file } }),
  });
  await gateway.start();
  await raw(address(), 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await gateway.stop();
  const times = linesIn(file).map(({ ms }) => ms);
  for (const ms of times) assertAddsUp(ms);
  assert.deepEqual(
    times.map((ms) => Object.keys(ms)),
    [
      ['total', 'wait', 'connect', 'tls', 'firstByte', 'body', 'client'],
      ['total', 'wait', 'firstByte', 'body', 'client'],
    ],
  );
  assert.ok(times[0]!['tls']! > 0);
});

test('a handshake that never ends is what made it slow', async () => {
  const file = join(folder(), 'access.log');
  const silent = net.createServer((socket) => {
    cleanups.push(() => socket.destroy());
    socket.on('error', () => {}).resume();
  });
  await once(silent.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(() => silent.close());
  const endpoints = [`127.0.0.1:${(silent.address() as AddressInfo).port}`];
  const limits = { timeouts: { connect: '700ms' }, retries: { attempts: 1 } } as const;
  const { gateway, address } = create({
    workers: 1,
    config: config('', { services: [{ name: 'shop', endpoints, tls: true, ...limits }], accessLog: { target: file } }),
  });
  await gateway.start();
  await raw(address(), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await gateway.stop();
  const [line] = linesIn(file);
  assert.ok(line);
  assert.deepEqual([line['refusal'], line['verdict']], ['connect_timeout', 'tls']);
  assert.deepEqual(Object.keys(line.ms), ['total', 'wait', 'connect', 'tls']);
  assertAddsUp(line.ms);
});

test('absolute-form, HTTP/1.0 and keep-alive: each line is about its own request', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address } = await start({ target: file });
  const first = 'GET http://b.example/one HTTP/1.1\r\nHost: ignored\r\nUser-Agent: first\r\n\r\n';
  await raw(address(), `${first}GET /two HTTP/1.0\r\nHost: c.example\r\nReferer: second\r\n\r\n`);
  await gateway.stop();
  const told = linesIn(file).map(({ host, path, protocol, userAgent, referer }) => [
    host,
    path,
    protocol,
    userAgent,
    referer,
  ]);
  assert.deepEqual(told, [
    ['b.example', '/one', 'HTTP/1.1', 'first', undefined],
    ['c.example', '/two', 'HTTP/1.0', undefined, 'second'],
  ]);
});

test('refusals are told too, with their word, and what was sent cannot forge a line', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address } = await start({ target: file });
  await raw(address(), 'GET /\n{"status":200} HTTP/1.1\r\nHost: a\r\n\r\n');
  await raw(address(), 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n');
  await raw(address(), 'GET /%00 HTTP/1.1\r\nHost: a.example\r\nUser-Agent: \x9b"\xff\r\nConnection: close\r\n\r\n');
  await gateway.stop();
  const told = linesIn(file).map(({ status, refusal, path, userAgent }) => [status, refusal, path, userAgent]);
  assert.equal(told.length, 3);
  assert.equal(told[0]?.[0], 400);
  assert.deepEqual(told[1]?.slice(0, 2), [405, 'method_refused']);
  assert.deepEqual(told[2], [400, 'bad_path', '/%00', '\x9b"\xff']);
});

test('what the gateway answers by itself is told: a head that did not come in time, and OPTIONS', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address } = await start({ target: file }, { timeouts: { header: '200ms' } });
  const asked = 'OPTIONS * HTTP/1.1\r\nHost: a.example\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n';
  assert.match(await raw(address(), asked), /^HTTP\/1\.1 204 /);
  assert.match(await raw(address(), 'GET / HTTP/1.1\r\nHost: a.example\r\n'), /^HTTP\/1\.1 408 /);
  assert.equal(await raw(address(), ''), '');
  await gateway.stop();
  const told = linesIn(file).map(({ client, method, host, path, status, refusal }) => [
    client,
    method,
    host,
    path,
    status,
    refusal,
  ]);
  assert.deepEqual(told, [
    ['127.0.0.1', 'OPTIONS', 'a.example', '*', 204, undefined],
    ['127.0.0.1', undefined, undefined, undefined, 408, 'header_timeout'],
  ]);
});

test('a head full of what is logged is one bounded line, and the worker lives', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address, get, seen } = await start({ target: file });
  const many = Array.from({ length: 40 }, () => `Referer: ${'\xff'.repeat(500)}\r\nUser-Agent: ${'"'.repeat(200)}\r\n`);
  await raw(address(), `GET / HTTP/1.1\r\nHost: a.example\r\n${many.join('')}Connection: close\r\n\r\n`);
  assert.equal(await get(), 'hello');
  await gateway.stop();
  assert.equal(linesIn(file).length, 2);
  for (const line of readFileSync(file, 'utf8').split('\n')) assert.ok(line.length < 4096);
  assert.ok(seen.every(({ kind }) => kind !== 'worker-lost'));
});

test('a line is about its own request: nothing of the attempts of the one before', async () => {
  const file = join(folder(), 'access.log');
  const listeners = [{ name: 'web', address: '127.0.0.1:0' }];
  const there = config(await origin('hello'), { accessLog: { target: file }, listeners });
  const { gateway, address } = create({
    workers: 1,
    config: {
      ...there,
      services: [...there.services!, { name: 'nobody', endpoints: [{ address: '127.0.0.1:9', weight: 0 }] }],
      routes: [{ match: { path: '/nobody' }, service: 'nobody' }, ...there.routes],
    },
  });
  await gateway.start();
  const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  await raw(address(), get('/'), get('/again'), get('/nobody', 'Connection: close\r\n'));
  await gateway.stop();
  const about = linesIn(file).map(({ path, reused, attempts, endpoint, ms }) => {
    return [path, reused, attempts, endpoint !== undefined, 'firstByte' in ms];
  });
  assert.deepEqual(about, [
    ['/', undefined, 1, true, true],
    ['/again', true, 1, true, true],
    ['/nobody', undefined, 0, false, false],
  ]);
});

test('behind a trusted proxy a line names the client and the id of the proxy', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, address } = await start({ target: file }, { trustedProxies: ['127.0.0.0/8'] });
  const fields = 'X-Forwarded-For: 198.51.100.7\r\nX-Request-Id: from-the-edge\r\n';
  await raw(address(), `GET / HTTP/1.1\r\nHost: a.example\r\n${fields}Connection: close\r\n\r\n`);
  await gateway.stop();
  assert.deepEqual(
    linesIn(file).map(({ client, correlation_id }) => [client, correlation_id]),
    [['198.51.100.7', 'from-the-edge']],
  );
});

test('traffic does not notice a full disk; the operator is told once', async () => {
  const { get, seen, next } = await start({ target: '/dev/full' }, {}, 2);
  const told = next('notice');
  for (let request = 0; request < 20; request += 1) assert.equal(await get(), 'hello');
  assert.match((await told).message, /ENOSPC/);
  assert.equal(await get(), 'hello');
  assert.ok(seen.filter(({ kind }) => kind === 'notice').length <= 2, 'each of two workers tells at most once');
});

test('rotation under requests loses none', async () => {
  const file = join(folder(), 'access.log');
  const { gateway, get } = await start({ target: file }, {}, 2);
  const files = [file];
  let answered = 0;
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 20 }, async () => (await get()) === 'hello' && (answered += 1)));
    renameSync(file, `${file}.${round}`);
    files.push(`${file}.${round}`);
    gateway.reopenLog();
    // Each worker opens the new file when it is told; the next requests may still go to the old one.
  }
  await gateway.stop();
  const lines = files.flatMap((each) => {
    try {
      return linesIn(each);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'ENOENT');
      return [];
    }
  });
  assert.equal(answered, 100);
  assert.equal(lines.length, 100);
});
