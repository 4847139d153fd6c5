import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test, type TestContext } from 'node:test';
import { CliProcess } from '../../test/cli-process.ts';
import { acceptedBy, type Ends } from './connection-user.ts';

const own = process.getuid?.() ?? -1;

async function listening(t: TestContext, host: string): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, host);
  await once(server, 'listening');
  t.after(() => server.close());
  return server;
}

function connectTo(t: TestContext, port: number, host: string): net.Socket {
  const socket = net.connect(port, host);
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

for (const [listens, connects] of [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '::ffff:127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '::1'],
] as const) {
  test(`who accepted a connection on ${listens}, made to ${connects}`, async (t) => {
    const server = await listening(t, listens);
    const accepted = once(server, 'connection');
    const socket = connectTo(t, (server.address() as net.AddressInfo).port, connects);
    await once(socket, 'connect');
    const [other] = (await accepted) as [net.Socket];
    t.after(() => other.destroy());
    assert.equal(acceptedBy(socket), process.platform === 'linux' ? own : 'untold');
    if (process.platform !== 'linux') return;
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    const ends: Ends = { localAddress, localPort, remoteAddress, remotePort };
    for (const changed of [
      { localPort: 1 },
      { remotePort: 1 },
      { localAddress: '127.0.0.9' },
      { remoteAddress: '::9' },
    ]) {
      assert.equal(acceptedBy({ ...ends, ...changed }), 'unseen', JSON.stringify(changed));
    }
    // It could still read, and is about to be gone.
    other.end();
    await once(socket.resume(), 'end');
    assert.equal(acceptedBy(ends), 'unseen');
  });
}

test('a connection that nobody has accepted yet is nobody’s, though the kernel says root', async (t) => {
  const program = `require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  await using other = new CliProcess(['-e', program], { executable: process.execPath });
  const [port] = await other.printed(/\d+/, 'out');
  other.child.kill('SIGSTOP');
  const socket = connectTo(t, Number(port), '127.0.0.1');
  await once(socket, 'connect');
  assert.equal(acceptedBy(socket), process.platform === 'linux' ? 'unseen' : 'untold');
});
