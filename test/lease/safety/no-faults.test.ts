import { test } from 'node:test';

import { RedisServer } from '../../servers/redis.ts';
import { Cell, Ground } from './cell.ts';

test('L14: two processes increment ten thousand times under a lock in Redis, and a counter that checks nothing loses none', async (t) => {
  await using server = await RedisServer.start();
  await using ground = await Ground.open();
  await using cell = new Cell(ground, 'ten thousand');
  t.diagnostic(`SEED=${cell.seed}`);
  const address = { store: 'redis', ports: [server.port] } as const;
  const hands = [await cell.hand(ground.shared(0), address), await cell.hand(ground.shared(1), address)];
  await Promise.all(hands.map((hand) => hand.increment(5000)));
  t.assert.equal(ground.resource.counter('ten thousand', 'plain').value, 10_000);
  await cell.judge('guaranteed');
});
