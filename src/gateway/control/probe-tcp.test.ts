import assert from 'node:assert/strict';
import { createServer as createTls } from 'node:tls';
import { after, afterEach, test } from 'node:test';
import { Authority } from '../../../test/certificates.ts';
import { check, closeServers, failure, raw, serve } from '../../../test/probe-under-test.ts';
import type { ProbeOf } from './probe-io.ts';

const authority = new Authority();
after(() => authority[Symbol.dispose]());
afterEach(closeServers);

const expecting = (expect: string, send: string | null = null): ProbeOf<'tcp'> => ({
  type: 'tcp',
  expectation: { send, expect },
});

test('a greeting in pieces is found, and nothing needs to be sent for it', async () => {
  const port = await raw((socket) => {
    socket.setNoDelay();
    socket.write('220 mail.example ES', () => socket.write('MTP ready\r\n'));
  });
  assert.deepEqual(await check(port, { kind: expecting('ESMTP') }), { kind: 'success', reason: 'said "ESMTP"' });
});

test('an answer to what is sent is looked at, and what it was instead is told', async () => {
  const port = await raw((socket) =>
    socket.on('data', (bytes) => socket.write(String(bytes) === 'PING\r\n' ? '+PONG\r\n' : '-ERR unknown\r\n')),
  );
  assert.deepEqual(await check(port, { kind: expecting('+PONG', 'PING\r\n') }), {
    kind: 'success',
    reason: 'said "+PONG"',
  });
  assert.deepEqual(
    await check(port, { kind: expecting('+PONG', 'PING'), timeoutMs: 1500 }),
    failure('banner', 'the banner does not contain "+PONG" in 14 bytes; it begins "-ERR unknown"'),
  );
});

test('silence is a timeout; to hang up without a word is an empty banner', async () => {
  const silent = await raw(() => {});
  assert.deepEqual(
    await check(silent, { kind: expecting('SSH-2.0'), timeoutMs: 1500 }),
    failure('timeout', 'no answer within 1.5 s'),
  );
  const hangsUp = await raw((socket) => socket.end());
  assert.deepEqual(
    await check(hangsUp, { kind: expecting('SSH-2.0') }),
    failure('banner', 'the banner is empty, expected "SSH-2.0"'),
  );
});

test('a server that never stops talking is cut after a few kilobytes', async () => {
  let sent = 0;
  const port = await raw((socket) => {
    const write = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(1_024, 'x'))) sent += 1_024;
    };
    socket.on('drain', write);
    write();
  });
  const result = await check(port, { kind: expecting('SSH-2.0'), timeoutMs: 10_000 });
  assert.match(String(result?.reason), /^the banner does not contain "SSH-2.0" in 4096 bytes; it begins "xxx/);
  assert.ok(sent > 4_096);
});

test('the greeting is read behind the TLS handshake, with the verification that requests get', async () => {
  const { certificatePem: cert, keyPem: key } = authority.issue(['shop.example']);
  const port = await serve(createTls({ cert, key }, (socket) => socket.on('error', () => {}).end('+OK ready\r\n')));
  const tls = { ca: authority.caPem, servername: 'shop.example', rejectUnauthorized: true };
  assert.deepEqual(await check(port, { kind: expecting('+OK'), tls }), { kind: 'success', reason: 'said "+OK"' });
  const other = { ...tls, servername: 'other.example' };
  assert.deepEqual(
    await check(port, { kind: expecting('+OK'), tls: other }),
    failure('tls', 'its certificate is for another name'),
  );
});
