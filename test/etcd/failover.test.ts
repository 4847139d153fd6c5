/** Three servers that lose one: killed, hanging, without a leader, without their data. Calls go elsewhere, watches go on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { WatchEvent } from '../../src/drivers/etcd/answers.ts';
import { EtcdClient } from '../../src/drivers/etcd/client.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { Relay } from '../faults/relay.ts';
import { EtcdCluster, EtcdServer } from '../servers/etcd.ts';

/** Puts 0, 1, 2, … until told to stop; what is not sure is found out, as whoever locks would. Returns how many there are. */
async function count(client: EtcdClient, key: string, stop: () => boolean): Promise<number> {
  let value = 0;
  for (; !stop(); value++) {
    for (;;) {
      try {
        await client.put({ key, value: String(value) }, { timeoutMs: 2000 });
        break;
      } catch (error) {
        assert.ok(error instanceof SpillwayError && error.code === 'STORE_UNSURE', String(error));
        const { kvs } = await client.range({ key });
        if (Buffer.from(kvs[0]?.value ?? []).toString() === String(value)) break;
      }
    }
  }
  return value;
}

test('a watch tells every change once and in order while its server, then the leader, is killed', async () => {
  await using cluster = await EtcdCluster.start();
  const { endpoints } = cluster;
  await using writer = new EtcdClient({ endpoints });
  const seen: bigint[] = [];
  const values: string[] = [];
  let stop = false;
  const written = count(writer, 'count', () => stop);
  // One watch per server, so that each death meets one; the third is where all end.
  const clients = cluster.nodes.map(
    ({ url }, index) =>
      new EtcdClient({
        endpoints: [url, ...endpoints.filter((_, other) => other !== index)],
        silenceMs: 500,
        random: { unit: () => 0, int32: () => 0 },
      }),
  );
  const watched = clients.map(async (client, index) => {
    const told: string[] = [];
    for await (const event of client.watch({ key: 'count', startRevision: 1n })) {
      if (event.kind === 'progress') continue;
      assert.ok(event.kind === 'put');
      const value = Buffer.from(event.kv.value).toString();
      told.push(value);
      if (index === 0) {
        seen.push(event.kv.modRevision);
        values.push(value);
      }
      if (value === 'end') break;
    }
    return told;
  });
  const moved = async (by: number): Promise<void> => {
    const goal = values.length + by;
    while (values.length < goal) await new Promise(setImmediate);
  };
  await moved(20);
  const [first] = cluster.nodes;
  await first!.kill();
  await moved(20);
  await first!.restart();
  const leader = await cluster.leader();
  await leader.kill();
  await moved(20);
  stop = true;
  const total = await written;
  await writer.put({ key: 'count', value: 'end' });
  const expected = [...Array.from({ length: total }, (_, value) => String(value)), 'end'];
  for (const told of await Promise.all(watched)) assert.deepEqual(told, expected);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => Number(a - b)),
  );
  for (const client of clients) client.close();
});

test('a server that hangs is left: by a call in its share of the time, by a watch for want of a sign of life', async () => {
  await using cluster = await EtcdCluster.start();
  const leader = await cluster.leader();
  const hanging = cluster.nodes.find((node) => node !== leader)!;
  const others = cluster.endpoints.filter((url) => url !== hanging.url);
  const endpoints = [hanging.url, ...others];
  await using client = new EtcdClient({ endpoints, silenceMs: 200, random: { unit: () => 0, int32: () => 0 } });
  await using other = new EtcdClient({ endpoints: others });
  const watch = client.watch({ key: 'a', startRevision: 1n });
  await other.put({ key: 'a', value: '1' });
  assert.equal((await watch.next()).value?.kind, 'put');
  hanging.freeze();
  const next = watch.next();
  await other.put({ key: 'a', value: '2' });
  const { value: event } = await next;
  assert.ok(event?.kind === 'put' && Buffer.from(event.kv.value).toString() === '2');
  await watch.return();
  await using fresh = new EtcdClient({ endpoints, random: { unit: () => 0, int32: () => 0 } });
  assert.equal((await fresh.range({ key: 'a' }, { timeoutMs: 3000 })).count, 1);
  // From then on it is not asked first.
  assert.ok((await fresh.put({ key: 'a', value: '3' }, { timeoutMs: 3000 })).revision > 0n);
});

test('a server that has lost its leader says so and is left; nothing was done, so a change is made elsewhere', async () => {
  await using cluster = await EtcdCluster.start();
  const leader = await cluster.leader();
  const [alone, frozen] = cluster.nodes.filter((node) => node !== leader);
  await using client = new EtcdClient({ endpoints: [alone!.url] });
  await client.put({ key: 'a', value: '1' });
  leader.freeze();
  frozen!.freeze();
  const unavailable = { code: 'STORE_UNAVAILABLE', message: /no leader/ };
  // What is on its way as the leader goes may be done; what comes after its server has noticed, is not.
  for (;;) {
    const error: unknown = await client.put({ key: 'a', value: '2' }, { timeoutMs: 700 }).catch((failure) => failure);
    if ((error as SpillwayError).code !== 'STORE_UNSURE') break;
  }
  await assert.rejects(client.put({ key: 'a', value: '3' }, { timeoutMs: 2000 }), unavailable);
  await assert.rejects(client.keepAlive(1n, { timeoutMs: 2000 }), unavailable);
  leader.thaw();
  frozen!.thaw();
  assert.ok((await client.put({ key: 'a', value: '4' })).revision > 0n);
});

test('a server that comes back without its data ends a watch with a gap, and so does a revision it has not reached', async () => {
  await using server = await EtcdServer.start();
  await using client = new EtcdClient({ endpoints: [server.url] });
  for (let value = 0; value < 5; value++) await client.put({ key: 'a', value: String(value) });
  const events: WatchEvent[] = [];
  const watched = (async () => {
    for await (const event of client.watch({ key: 'a', startRevision: 1n })) events.push(event);
  })();
  while (events.length < 5) await new Promise(setImmediate);
  await server.kill();
  await server.restartEmpty();
  await watched;
  assert.deepEqual(events.at(-1), { kind: 'gap', why: 'rewound', revision: 1n });
  const future = await client.watch({ key: 'a', startRevision: 1000n }).next();
  assert.deepEqual(future.value, { kind: 'gap', why: 'rewound', revision: 1n });
});

test('a watch that is behind a broken line goes on where it was, whatever was cut off', async () => {
  await using server = await EtcdServer.start();
  await using relay = await Relay.open(server.port);
  await using near = new EtcdClient({ endpoints: [server.url] });
  await using far = new EtcdClient({ endpoints: [`http://127.0.0.1:${relay.port}`], silenceMs: 300 });
  relay.limit(200_000, 'toClient');
  const told: string[] = [];
  const watched = (async () => {
    for await (const event of far.watch({ key: 'a', startRevision: 1n })) {
      if (event.kind === 'put') told.push(Buffer.from(event.kv.value).subarray(0, 3).toString());
      if (told.at(-1) === 'end') break;
    }
  })();
  const filling = 'x'.repeat(5000);
  for (let value = 100; value < 160; value++) {
    await near.put({ key: 'a', value: value + filling });
    if (value % 20 === 0) relay.reset();
  }
  relay.cut();
  await near.put({ key: 'a', value: 'end' });
  relay.pass();
  await watched;
  assert.deepEqual(told, [...Array.from({ length: 60 }, (_, index) => String(100 + index)), 'end']);
});
