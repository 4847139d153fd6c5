/** What tests do to ZooKeeper has the effect that they count on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ZookeeperEnsemble, ZookeeperServer } from '../servers/zookeeper.ts';

test('one server is killed, and serves again on its port', async () => {
  await using server = await ZookeeperServer.start();
  assert.equal(await server.mode(), 'standalone');
  await server.kill();
  assert.equal(await server.mode(), null);
  await server.restart({ data: false });
  assert.equal(await server.mode(), 'standalone');
});

test('three elect another leader when theirs is killed or frozen, and take it back, also without its data', async () => {
  await using ensemble = await ZookeeperEnsemble.start();
  const first = await ensemble.leader();
  await first.kill();
  const second = await ensemble.leader();
  assert.notEqual(second, first);
  await first.restart({ data: false });
  await first.serving();
  assert.equal(await first.mode(), 'follower');
  second.freeze();
  assert.equal(await second.mode(), null);
  assert.notEqual(await ensemble.leader(), second);
  second.thaw();
  while ((await second.mode()) !== 'follower') await second.serving();
});
