/** Bodies made while they are sent, over real sockets to readers of every kind. */
import assert from 'node:assert/strict';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { type TestContext, test } from 'node:test';
import { createCell } from '../../kernel/cells.ts';
import { PROCESS_SLOTS } from '../slots.ts';
import type { AdminBackend } from './backend.ts';
import { writeChunks } from './chunked-body.ts';
import type { AdminPolicy } from './guard.ts';
import { gatewayMetrics, type MetricsInput } from './metrics.ts';
import { AdminServer } from './server.ts';

const CHUNK = 'x'.repeat(64 * 1024);
/** More than sockets of any system hold. */
const ENDLESS = 1_000_000;

interface Page {
  made: number;
  /** The most that waited in this process when another chunk was asked for. */
  waitingMax: number;
  /** Resolves when nobody makes chunks any more: to null, or to what was thrown. */
  readonly over: Promise<unknown>;
}

/** A server of one page and a client that has asked for it. */
async function asked(
  t: TestContext,
  pageOf: (page: Page, response: ServerResponse) => AsyncIterable<string>,
  idleMs?: number,
): Promise<{ client: Socket; page: Page }> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const page: Page = { made: 0, waitingMax: 0, over: promise };
  const server = createServer((_request, response) => {
    response.on('error', () => {});
    response.writeHead(200);
    writeChunks(response, pageOf(page, response), idleMs).then(
      () => resolve(null),
      (error: unknown) => {
        response.destroy();
        resolve(error);
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  t.after(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  return { client, page };
}

async function* chunks(count: number, page: Page, response: ServerResponse): AsyncGenerator<string> {
  for (; page.made < count; page.made++) {
    page.waitingMax = Math.max(page.waitingMax, response.writableLength);
    yield CHUNK;
  }
}

test('a reader gets all of it, and no more than one chunk waits for him', async (t) => {
  const { client, page } = await asked(t, (made, response) => chunks(200, made, response));
  let bytes = 0;
  let tail = '';
  client.setEncoding('latin1');
  for await (const text of client as AsyncIterable<string>) {
    bytes += text.length;
    tail = (tail + text).slice(-5);
    if (tail === '0\r\n\r\n') break;
  }
  assert.ok(bytes > 200 * CHUNK.length);
  assert.equal(await page.over, null);
  assert.ok(page.waitingMax < 2 * CHUNK.length, `${page.waitingMax} bytes waited`);
});

test('when the reader goes away nobody makes more', async (t) => {
  const { client, page } = await asked(t, (made, response) => chunks(ENDLESS, made, response));
  await once(client, 'data');
  client.destroy();
  assert.equal(await page.over, null);
  assert.ok(page.made < ENDLESS);
});

test('a reader that takes nothing is waited for, and not for ever', async (t) => {
  const { client, page } = await asked(t, (made, response) => chunks(ENDLESS, made, response), 200);
  client.pause();
  assert.equal(await page.over, null);
  assert.ok(page.made < ENDLESS);
  assert.ok(page.waitingMax < 2 * CHUNK.length, `${page.waitingMax} bytes waited`);
});

test('what fails on the way is not taken for whole', async (t) => {
  const { client, page } = await asked(t, async function* broken(made, response) {
    yield* chunks(3, made, response);
    throw new Error('no more');
  });
  let tail = '';
  client.setEncoding('latin1');
  client.on('data', (text: string) => (tail = (tail + text).slice(-5)));
  await once(client, 'close');
  assert.match(String(await page.over), /no more/);
  assert.notEqual(tail, '0\r\n\r\n');
});

test('over the admin API: a page in chunks, and for HEAD its head alone', async (t) => {
  const policy: AdminPolicy = { grants: [{ role: 'metrics', token: null }], loopbackName: '127.0.0.1', made: null };
  const snapshot = { listeners: [], services: [], routes: [], limits: [], cell: createCell(1, PROCESS_SLOTS) };
  const state = { version: '1', startedAt: '', configVersion: 1, reloads: {}, limits: [], stores: [], workers: [] };
  const process = { nodeVersion: 'v24' };
  const input = {
    snapshot,
    state,
    discovery: [],
    breakers: [],
    endpoints: { named: [], others: [] },
    exported: null,
    slos: [],
    healthChanges: () => [],
    process,
  };
  const metrics = async () => gatewayMetrics(input as unknown as MetricsInput);
  const server = new AdminServer({ metrics, audit() {} } as unknown as AdminBackend, policy);
  t.after(() => server.close());
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  const address = `http://127.0.0.1:${'port' in bound ? bound.port : 0}/metrics`;
  const head = await fetch(address, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
  const page = await fetch(address);
  assert.equal(page.headers.get('transfer-encoding'), 'chunked');
  assert.match(await page.text(), /^spillway_config_version 1$/m);
});
