/** What a server may send that is no answer ends a connection, and nothing else. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';

import fc from 'fast-check';

import { JuteWriter } from '../../src/drivers/zookeeper/jute.ts';
import { ZookeeperSession } from '../../src/drivers/zookeeper/session.ts';

/** It greets as a server does, and answers the first request with `bytes`. */
async function withServer(
  bytes: Uint8Array,
  use: (address: string, sockets: Set<Socket>) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    let greeted = false;
    socket.on('data', () => {
      const welcome = new JuteWriter().int(0).int(10_000).long(7n).buffer(new Uint8Array(16)).bool(false);
      socket.write(greeted ? bytes : welcome.frame());
      greeted = true;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(`127.0.0.1:${(server.address() as AddressInfo).port}`, sockets);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}

const header = (xid: number): JuteWriter => new JuteWriter().int(xid).long(1n).int(0);
/** To a `get`: no data, and of the 68 bytes about the node each is 0. */
function wholeAnswer(xid: number): Buffer {
  const answer = header(xid).int(0);
  for (let words = 68 / 4; words > 0; words--) answer.int(0);
  return answer.frame();
}

const garbage = {
  'a length that is too large': new JuteWriter()
    .int(2 ** 31 - 1)
    .frame()
    .subarray(4),
  'a length below none': new JuteWriter().int(-5).frame().subarray(4),
  'an answer to another request': wholeAnswer(9),
  'an answer that ends too early': header(1).int(3).frame(),
  'an answer to watches that nobody set': header(-8).frame(),
  'an event that ends too early': header(-1).int(1).frame(),
  'a web page': Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
} as const;

for (const [what, bytes] of Object.entries(garbage)) {
  test(`${what} fails the call that waits, and leaves the session its time`, () =>
    withServer(bytes, async (address) => {
      const session = new ZookeeperSession({ servers: [address] });
      await assert.rejects(session.get('/a'), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'STORE_UNAVAILABLE');
        assert.match(error.message, /what is no answer/);
        return true;
      });
      assert.equal(session.state, 'alive');
      await session.close({ timeoutMs: 1 });
      assert.equal(session.state, 'closed');
    }));
}

test('the answer that those are held against is taken', () =>
  withServer(wholeAnswer(1), async (address) => {
    const session = new ZookeeperSession({ servers: [address] });
    assert.equal((await session.get('/a')).stat.czxid, 0n);
    await session.close({ timeoutMs: 1 });
  }));

test('any bytes end in a coded error', () =>
  fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) =>
      withServer(bytes, async (address) => {
        const session = new ZookeeperSession({ servers: [address] });
        await assert.rejects(session.set('/a', bytes, { timeoutMs: 20 }), /ZooKeeper|sent/);
        await session.close({ timeoutMs: 1 });
      }),
    ),
    { numRuns: 30 },
  ));

test('a session that was closed leaves no socket and no timer', () =>
  withServer(new Uint8Array(0), async (address, sockets) => {
    const kinds = (): string[] => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout');
    const before = kinds().length;
    const session = new ZookeeperSession({ servers: [address] });
    const unanswered = assert.rejects(session.get('/a'), { code: 'STORE_UNAVAILABLE' });
    while (session.state !== 'alive') await new Promise(setImmediate);
    assert.ok(kinds().length > before, 'timers run while it lives');
    await Promise.all([session.close({ timeoutMs: 1 }), session[Symbol.asyncDispose](), unanswered]);
    assert.equal(kinds().length, before);
    while (sockets.size > 0) await new Promise(setImmediate);
  }));
