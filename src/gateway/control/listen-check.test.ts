import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { checkListeners, listenMessage } from './listen-check.ts';
import { commandOf, listeningInodes, portOwner } from './port-owner.ts';

async function taken(reusePort: boolean) {
  const server = createServer();
  server.listen({ port: 0, host: '127.0.0.1', reusePort });
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => void server.close() };
}

const code = 'LISTEN_FAILED';

test('a port in use is refused with the listener, the address and who has it', async () => {
  await using other = await taken(false);
  const { port } = other;
  const owner = process.platform === 'linux' ? `by node\\S* .*\\(process ${process.pid}\\)` : 'by another process';
  const message = new RegExp(`^Listener web cannot listen on 127.0.0.1:${port}: the port is in use ${owner}\\.`);
  await assert.rejects(checkListeners([{ id: 'web', host: '127.0.0.1', port }]), { code, message });
});

test('a port that another process would share is refused as well', async () => {
  await using other = await taken(true);
  await assert.rejects(checkListeners([{ id: 'web', host: '127.0.0.1', port: other.port }]), { code });
});

test('a free port is let go of again, and port 0 is not asked for', async () => {
  const { port, ...other } = await taken(false);
  await other[Symbol.asyncDispose]();
  const listener = { id: 'web', host: '127.0.0.1', port };
  await checkListeners([listener, { ...listener, port: 0 }]);
  await checkListeners([listener]);
});

test('an address of another machine and a name that does not resolve are named as such', async () => {
  await assert.rejects(checkListeners([{ id: 'web', host: '192.0.2.1', port: 8080 }]), {
    code,
    message: /does not have that address/,
  });
  await assert.rejects(checkListeners([{ id: 'web', host: 'nowhere.invalid', port: 8080 }]), {
    code,
    message: /does not resolve/,
  });
  assert.match(
    listenMessage('Listener web', '::', 80, 'EACCES'),
    /^Listener web cannot listen on \[::\]:80: permission denied/,
  );
});

test('the kernel table is read for sockets that listen on the port, and no others', () => {
  const row = (local: string, state: string, inode: number): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0 0 10 0`;
  const table = [
    'sl local_address',
    row('0100007F:1F90', '0A', 11),
    row('0100007F:1F90', '01', 12),
    row('00000000:0050', '0A', 13),
    '',
  ];
  assert.deepEqual(listeningInodes(table.join('\n'), 8080), ['11']);
  assert.deepEqual(listeningInodes(table.join('\n'), 80), ['13']);
  assert.deepEqual(listeningInodes('', 80), []);
  assert.equal(portOwner(0), null);
});

test('who has the port is named as it was started, in plain text', () => {
  assert.equal(commandOf('/usr/bin/node\0/srv/app/server.js\0--secret=1\0'), 'node server.js');
  assert.equal(commandOf('nginx: master process /usr/sbin/nginx\0'), 'nginx');
  assert.equal(commandOf('python3\0-m\0http.server\0'), 'python3');
  assert.equal(commandOf(`evil\x1b[2J\n\0${'x'.repeat(100)}\0`), `evil[2J ${'x'.repeat(52)}`);
  assert.equal(commandOf(''), 'a process without a name');
});
