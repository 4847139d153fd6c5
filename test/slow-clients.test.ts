/**
 * A thousand slow clients beside a fast one, counted and never timed: half of them dribble a head byte by byte, half leave a
 * large answer unread. The fast one gets its answers all the same, and the memory they cost has a bound.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { cleanups, create } from './gateway-under-test.ts';

const SLOW = 500;
const FAST_PER_ROUND = 5;
const ANSWER_BYTES = 8 * 1024 * 1024;
/** What one reader may cost, however much of its answer is unread: one read, its head and the request's. */
const HELD_BYTES_MAX = 128 * 1024;

const head = `GET /small HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`;

async function origin(): Promise<string> {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  const server = createServer((request, response) => {
    response.on('error', () => {});
    if (request.url === '/small') {
      response.end('small');
      return;
    }
    response.setHeader('Content-Length', ANSWER_BYTES);
    let left = ANSWER_BYTES;
    const pour = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= chunk.length;
        if (!response.write(chunk)) return void response.once('drain', pour);
      }
      response.end();
    };
    pour();
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 });
  await once(server, 'listening');
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function dial(address: string): Promise<Socket> {
  const [host, port] = address.split(':');
  const socket = connect({ host: host!, port: Number(port), noDelay: true });
  socket.on('error', () => {});
  cleanups.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that comes until the gateway closes. */
function rest(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  return once(socket, 'close').then(() => Buffer.concat(chunks));
}

/** What the metrics page says of one series, all its labels together. */
async function sum(admin: string, series: string): Promise<number> {
  const page = await (await fetch(`http://${admin}/metrics`)).text();
  const values = [...page.matchAll(new RegExp(`^${series}(?:\\{.*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
    Number(value),
  );
  assert.ok(values.length > 0, `no series ${series}`);
  return values.reduce((all, value) => all + value, 0);
}

test(`${2 * SLOW} slow clients do not starve a fast one, and what they hold is bounded`, async () => {
  const { gateway, address } = create({
    workers: 2,
    config: {
      listeners: [{ name: 'web', address: '127.0.0.1:0', timeouts: { header: '10m', idle: '10m', writeIdle: '10m' } }],
      services: [{ name: 'shop', endpoints: [await origin()], timeouts: { bodyIdle: '10m' } }],
      routes: [{ service: 'shop' }],
      admin: { address: '127.0.0.1:0' },
    },
  });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  const web = address();

  const readers = await Promise.all(Array.from({ length: SLOW }, () => dial(web)));
  const dribblers = await Promise.all(Array.from({ length: SLOW }, () => dial(web)));
  for (const socket of readers) {
    socket.pause();
    socket.write(`GET /large HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n`);
  }
  const answers = dribblers.map(rest);
  const [reader, ...others] = readers;
  // Listening does not resume a paused socket: this collects what `read` takes.
  const whole = rest(reader!);

  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  cleanups.push(() => agent.destroy());
  const [host, port] = web.split(':');
  const fast = (): Promise<number> =>
    new Promise((resolve, reject) => {
      get({ host, port, path: '/small', agent }, (response) => {
        response.resume().on('error', reject);
        response.on('end', () => resolve(response.statusCode ?? 0));
      }).on('error', reject);
    });

  // A round: every dribbler sends one byte more, and now and then every reader takes a piece, and the fast client has its answers.
  const bytes = Buffer.from(head, 'latin1');
  let held = 0;
  for (let round = 0; round < bytes.length - 1; round += 1) {
    for (const socket of dribblers) socket.write(bytes.subarray(round, round + 1));
    if (round % 16 === 0) for (const socket of readers) socket.read();
    for (let at = 0; at < FAST_PER_ROUND; at += 1) assert.equal(await fast(), 200);
    if (round % 8 === 0) held = Math.max(held, await sum(admin, 'spillway_worker_buffer_bytes'));
  }

  // All were there all the time, and none got through by having been turned away.
  const { connections, refused, requests } = gateway.state().listeners[0]!;
  assert.equal(refused, 0);
  assert.equal(connections, 2 * SLOW + 1);
  assert.equal(gateway.state().routes[0]!.inFlight, SLOW);
  assert.equal(requests, SLOW + FAST_PER_ROUND * (bytes.length - 1));
  assert.deepEqual(gateway.state().refusals, {});
  // Of 4 GB of unread answers.
  assert.ok(held > 0 && held <= SLOW * HELD_BYTES_MAX, `${held} bytes in buffers`);

  // A slow head is a good head, and a slow reader gets the whole of its answer.
  for (const socket of dribblers) socket.write(bytes.subarray(-1));
  for (const answer of await Promise.all(answers))
    assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 [^]*small$/);
  reader!.resume();
  const answer = await whole;
  assert.equal(answer.length, answer.indexOf('\r\n\r\n') + 4 + ANSWER_BYTES);

  // When they leave, everything they held is given back.
  for (const socket of others) socket.destroy();
  agent.destroy();
  while (gateway.state().listeners[0]!.connections > 0) await new Promise(setImmediate);
  while (gateway.state().routes[0]!.inFlight > 0) await new Promise(setImmediate);
  while ((await sum(admin, 'spillway_worker_buffer_bytes')) > 0) await new Promise(setImmediate);
});
