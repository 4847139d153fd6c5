/** A user with a password whose token ends, and TLS both ways. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EtcdClient } from '../../src/drivers/etcd/client.ts';
import { Authority } from '../certificates.ts';
import { EtcdServer } from '../servers/etcd.ts';

const user = { name: 'root', password: 'secret' };

async function enableUsers(server: EtcdServer): Promise<void> {
  await server.ask('/v3/auth/user/add', user);
  await server.ask('/v3/auth/role/add', { name: 'root' });
  await server.ask('/v3/auth/user/grant', { user: 'root', role: 'root' });
  await server.ask('/v3/auth/user/add', { name: 'guest', password: 'guest' });
  await server.ask('/v3/auth/enable');
}

test('a user is known by a token, which is got again when the server has forgotten it; a watch too', async () => {
  await using server = await EtcdServer.start();
  const { url } = server;
  await using client = new EtcdClient({ endpoints: [url], user });
  // Before a server asks for users, who has one is served.
  await client.put({ key: 'a', value: '1' });
  await enableUsers(server);
  const { revision } = await client.put({ key: 'a', value: '2' });
  const watch = client.watch({ key: 'a', startRevision: revision });
  assert.equal((await watch.next()).value?.kind, 'put');
  // Tokens live in memory.
  await server.kill();
  await server.restart();
  const next = watch.next();
  assert.equal((await client.put({ key: 'a', value: '3' })).revision, revision + 1n);
  const { value: event } = await next;
  assert.ok(event?.kind === 'put' && Buffer.from(event.kv.value).toString() === '3');
  await watch.return();
  await server.kill();
  await server.restart();
  // One that begins with a token that is none any more.
  const again = client.watch({ key: 'a', startRevision: revision + 1n });
  assert.equal((await again.next()).value?.kind, 'put');
  await again.return();

  const refused = { code: 'STORE_REFUSED' };
  await using nobody = new EtcdClient({ endpoints: [url] });
  await assert.rejects(nobody.range({ key: 'a' }), { ...refused, message: /user name is empty/ });
  await assert.rejects(nobody.watch({ key: 'a' }).next(), refused);
  await using wrong = new EtcdClient({ endpoints: [url], user: { name: 'root', password: 'guessed' } });
  await assert.rejects(wrong.range({ key: 'a' }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'STORE_REFUSED');
    assert.doesNotMatch(error.message, /guessed/);
    return true;
  });
  await using guest = new EtcdClient({ endpoints: [url], user: { name: 'guest', password: 'guest' } });
  await assert.rejects(guest.range({ key: 'a' }), { ...refused, message: /permission denied/ });
  await assert.rejects(guest.watch({ key: 'a' }).next(), { ...refused, message: /permission denied/ });
});

test('by TLS: the server is verified, and verifies the client', async () => {
  using authority = new Authority();
  using stranger = new Authority('Somebody Else');
  const own = authority.issue(['127.0.0.1']);
  await using server = await EtcdServer.start({ tls: { server: own, caPem: authority.caPem } });
  const endpoints = [server.url];
  const certificate = authority.issue(['client']);
  const tls = { ca: authority.caPem, cert: certificate.certificatePem, key: certificate.keyPem };
  await using client = new EtcdClient({ endpoints, tls });
  const { revision } = await client.put({ key: 'a', value: '1' });
  const watch = client.watch({ key: 'a', startRevision: revision });
  assert.equal((await watch.next()).value?.kind, 'put');
  await watch.return();
  const other = stranger.issue(['client']);
  for (const bad of [
    { ...tls, ca: stranger.caPem },
    { ca: authority.caPem },
    { ...tls, cert: other.certificatePem, key: other.keyPem },
    { ...tls, serverName: 'elsewhere.test' },
  ]) {
    await using refused = new EtcdClient({ endpoints, tls: bad, timeoutMs: 300 });
    await assert.rejects(refused.range({ key: 'a' }), { code: 'STORE_UNAVAILABLE' });
  }
});
