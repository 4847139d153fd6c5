import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createProcesses, listening } from '../processes.ts';
import { createLatencies } from './latencies.ts';
import { parseResult } from './load.ts';
import { serverPath } from '../../../scripts/servers.ts';
import { freePort } from '../../../test/ports.ts';

const cores = '0-1023';
const file = (name: string): string => fileURLToPath(new URL(`${name}.ts`, import.meta.url));

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

test('quantiles are values that were recorded', () => {
  const latencies = createLatencies();
  assert.equal(latencies.quantile(0.99), 0);
  for (let us = 1; us <= 100; us++) latencies.record(us);
  assert.equal(latencies.quantile(0.5), 50);
  assert.equal(latencies.quantile(0.99), 99);
  assert.equal(latencies.quantile(1), 100);
  latencies.record(9e9);
  assert.equal(latencies.quantile(1), 9e9, 'beyond the table the maximum is kept');
  assert.equal(latencies.count(), 101);
});

test('a load generator that printed no result is an error with what it printed', () => {
  assert.throws(() => parseResult('connection refused'), /connection refused/);
  assert.equal(parseResult('noise\nRESULT {"requests":3,"durationS":1,"errors":0}\n').requests, 3);
});

test('the open loop charges a stall to every request that was due in it', async () => {
  await using processes = createProcesses(0);
  const originPort = await freePort();
  // A server that answers at once, but stops for 400 ms at the 100th request: a closed loop would see a few late answers.
  let seen = 0;
  const server = createServer((_, response) => {
    seen += 1;
    if (seen === 200) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);
    response.end('hello, world\n');
  });
  try {
    const port = await listen(server);
    const script = fileURLToPath(new URL('open-loop.lua', import.meta.url));
    const args = [script, port, 200, 2, 2, originPort].map(String);
    const result = parseResult(await processes.run(serverPath('luajit'), args, { cores, timeoutMs: 30_000 }));
    assert.equal(result.errors, 0);
    assert.ok(result.requests >= 499, `${result.requests} of 200 a second for 2.5 s`);
    // 400 ms of 2 s: a fifth of the requests were due in the stall, so at the 99th percentile one waited most of it.
    assert.ok(result.p99Us! > 200_000, `p99 ${result.p99Us} µs`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('echoed WebSocket messages are counted', async () => {
  await using processes = createProcesses(0);
  const port = await freePort();
  const echo = processes.start(process.execPath, [file('echo-server'), String(port)], { cores });
  await listening(port, echo);
  const args = [file('websocket-clients'), port, 4, 1].map(String);
  const result = parseResult(await processes.run(process.execPath, args, { cores, timeoutMs: 30_000 }));
  assert.equal(result.errors, 0);
  assert.ok(result.requests > 4);
});

test('idle clients stay connected, and a connection that the server closes is counted', async () => {
  await using processes = createProcesses(0);
  const server = createServer((_, response) => response.end('hello, world\n'));
  server.keepAliveTimeout = 0;
  let open = 0;
  server.on('connection', (socket) => {
    open += 1;
    socket.on('close', () => (open -= 1));
  });
  try {
    const port = await listen(server);
    const clients = processes.start(process.execPath, [file('idle-clients'), String(port), '50'], { cores });
    while (!clients.output().includes('RESULT')) await once(clients.child.stdout!, 'data');
    assert.deepEqual(parseResult(clients.output()), { requests: 50, durationS: 0, errors: 0 });
    assert.equal(open, 50);
    await clients.stop();
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
