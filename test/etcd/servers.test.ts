/** The servers that the tests of etcd are run with do what is said of them: killed, frozen, back with their data and without. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EtcdCluster, EtcdServer } from '../servers/etcd.ts';

const key = Buffer.from('key').toString('base64');
const put = (server: EtcdServer, value: string): Promise<unknown> =>
  server.ask('/v3/kv/put', { key, value: Buffer.from(value).toString('base64') });
const read = async (server: EtcdServer): Promise<string | null> => {
  const { kvs = [] } = await server.ask<{ kvs?: { value: string }[] }>('/v3/kv/range', { key });
  return kvs[0] === undefined ? null : Buffer.from(kvs[0].value, 'base64').toString();
};

test('one server: killed, it comes back with what it knew, or with nothing', async () => {
  await using server = await EtcdServer.start();
  await put(server, 'a');
  await server.kill();
  await assert.rejects(read(server));
  await server.restart();
  assert.equal(await read(server), 'a');
  await server.kill();
  await server.restartEmpty();
  assert.equal(await read(server), null);
});

test('three: another leads when the leader is killed or frozen, and one that lost its data learns it again', async () => {
  await using cluster = await EtcdCluster.start();
  const first = await cluster.leader();
  await put(first, 'a');
  first.freeze();
  const second = await cluster.leader({ except: [first] });
  assert.notEqual(second, first);
  first.thaw();
  assert.equal(await read(first), 'a');
  await second.kill();
  const third = await cluster.leader({ except: [second] });
  await put(third, 'b');
  await cluster.restartEmpty(second);
  assert.equal(await read(second), 'b');
});
