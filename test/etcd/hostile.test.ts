/** What answers in place of etcd and is not etcd, or is out of its mind: a coded error, and never a crash or more memory. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import { EtcdClient } from '../../src/drivers/etcd/client.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { EtcdServer } from '../servers/etcd.ts';

type Answering = (socket: Socket) => void;

/** Answers every request of every connection so. */
async function impostor(answer: Answering) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', () => answer(socket));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const whole =
  (body: string, begin = head): Answering =>
  (socket) =>
    socket.write(`${begin}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
const stream =
  (text: string): Answering =>
  (socket) =>
    socket.write(`${head}Transfer-Encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`);

/** Writes as fast as it is read, and never ends. */
const endless =
  (begin: string, piece: string): Answering =>
  (socket) => {
    socket.removeAllListeners('data');
    socket.write(begin);
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  };
const large = 'x'.repeat(65_536);

const created = '{"result":{"header":{"revision":"5"},"created":true}}\n';
const answers: Readonly<Record<string, Answering>> = {
  'no HTTP': (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'),
  'a page of a proxy': whole('<h1>Bad gateway</h1>', 'HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n'),
  'the wrong type': whole('{"header":{"revision":"5"}}', 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'),
  'no JSON': whole('{"header":'),
  nothing: whole(''),
  'a list': whole('[]'),
  null: whole('null'),
  'a text': whole('"header"'),
  'no header': whole('{"kvs":[]}'),
  'a revision that is none': whole('{"header":{"revision":"five"}}'),
  'a revision that is a fraction': whole('{"header":{"revision":1.5}}'),
  'a key that is none': whole(
    '{"header":{"revision":"5"},"kvs":[null],"responses":[7],"prev_kvs":[{"key":{}}],"ID":[]}',
  ),
  'a result that is none': whole('{"result":5}'),
  'very deep': whole('['.repeat(100_000)),
  'a redirect': whole('', 'HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n'),
  'an upgrade': (socket) => socket.write('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
  'half of what it says': (socket) => socket.end(`${head}Content-Length: 100\r\n\r\n{"header"`),
  'half a chunk': (socket) => socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n40\r\n{"header"`),
  'a chunk of no size': (socket) => socket.end(`${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
  'endless fields': endless('HTTP/1.1 200 OK\r\nX: ', large),
  'an endless answer': endless(`${head}Transfer-Encoding: chunked\r\n\r\n`, `10000\r\n${large}\r\n`),
  'an end': (socket) => socket.end(),
  'a reset': (socket) => socket.resetAndDestroy(),
};

for (const [what, answer] of Object.entries(answers)) {
  test(`${what}, in place of an answer`, async () => {
    await using server = await impostor(answer);
    await using client = new EtcdClient({ endpoints: [server.url], timeoutMs: 100 });
    await assert.rejects(client.range({ key: 'a' }), { code: 'STORE_UNAVAILABLE', retryable: true });
    await assert.rejects(client.txn({ then: [{ put: { key: 'a', value: '' } }] }, { timeoutMs: 2000 }), {
      code: 'STORE_UNSURE',
    });
    const leaving = AbortSignal.timeout(30);
    await assert.rejects(client.watch({ key: 'a' }, { signal: leaving }).next(), leaving.reason);
  });
}

const lines: Readonly<Record<string, Answering>> = {
  'a line that is no JSON': stream(`${created}{"resu\n`),
  'a line that is no event': stream(`${created}{"result":{"header":{"revision":"6"},"events":[5]}}\n`),
  'half a line, and the end': (socket) => {
    stream(`${created}{"result":{"header":{"revi`)(socket);
    socket.end('0\r\n\r\n');
  },
  'a line that does not end': endless(`${head}Transfer-Encoding: chunked\r\n\r\n`, `10000\r\n${large}\r\n`),
  'an error': stream(`${created}{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}\n`),
};

test('a watch leaves a server that talks nonsense, tells nothing of it, and goes on at the next', async () => {
  await using real = await EtcdServer.start();
  await using writer = new EtcdClient({ endpoints: [real.url] });
  const { revision } = await writer.put({ key: 'a', value: 'true' });
  for (const [what, answer] of Object.entries({ ...answers, ...lines })) {
    await using server = await impostor(answer);
    const random = { unit: () => 0, int32: () => 0 };
    await using client = new EtcdClient({ endpoints: [server.url, real.url], random, silenceMs: 100 });
    const { value } = await client.watch({ key: 'a', startRevision: revision }).next();
    assert.ok(value?.kind === 'put' && Buffer.from(value.kv.value).toString() === 'true', what);
  }
});

test('a message never has more of an answer in it than a sentence', async () => {
  await using server = await impostor(whole(JSON.stringify({ code: 3, message: large })));
  await using client = new EtcdClient({ endpoints: [server.url] });
  const error = await client.range({ key: 'a' }).catch((failure: unknown) => failure);
  assert.ok(error instanceof SpillwayError && error.message.length < 400);
});
