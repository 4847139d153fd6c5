/** Who waits in etcd: a release makes those ask who get it, once each, and nobody else. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { EtcdClient, etcdLeases } from '../../src/lease/index.ts';
import { createLocks } from '../../src/lock/index.ts';
import { EtcdServer } from '../servers/etcd.ts';
import { busy, claimOf, granted, turnOf, until, waiting } from './claims.ts';
import { countedClient, freshPrefix, type Verb } from './counted-etcd.ts';

const server = await EtcdServer.start();
after(() => server[Symbol.asyncDispose]());

function folderOf(prefix: string, key: string): { readonly key: string; readonly rangeEnd: string } {
  return { key: `${prefix}/${key}/`, rangeEnd: `${prefix}/${key}0` };
}

test('a hundred that wait in processes of their own: a release wakes one, which asks once', async () => {
  const prefix = freshPrefix();
  const waiters = 100;
  const { client, asked } = countedClient(server.url);
  const stores = Array.from({ length: waiters }, () => etcdLeases(client, { prefix }));
  // A hundred questions at once take a busy machine its time, and one that is given up is asked again.
  const locks = stores.map((store) => createLocks(store, { timeout: '20s' }));
  const held = await locks[0]!.acquire('payment:42', { ttl: '60s' });
  const turns = locks.slice(1).map(async (own) => {
    await (await own.acquire('payment:42', { ttl: '60s', wait: '60s' })).release();
  });
  await until(async () => (await client.range(folderOf(prefix, 'payment%3A42'))).count === waiters);
  asked.length = 0;
  await held.release();
  await Promise.all(turns);
  const handOvers = waiters - 1;
  const calls = asked.filter((verb) => verb === 'txn' || verb === 'delete' || verb === 'range').length;
  assert.ok(calls <= 2 * handOvers + 1, `${calls} calls for ${handOvers} hand-overs`);
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  client.close();
});

test('permits, and twenty that wait in processes of their own: a release makes one ask, which asks once', async () => {
  const prefix = freshPrefix();
  const { client, asked } = countedClient(server.url);
  const stores = Array.from({ length: 21 }, () => etcdLeases(client, { prefix }));
  const [pool, ...pools] = stores.map((store) => createLocks(store).semaphore('pool', 3));
  const options = { ttl: '60s', wait: '60s' } as const;
  const held = [await pool!.acquire(options), await pool!.acquire(options), await pool!.acquire(options)];
  const turns = pools.map(async (own) => (await own.acquire(options)).release());
  await until(async () => (await client.range(folderOf(prefix, 'pool'))).count === 23);
  asked.length = 0;
  await Promise.all(held.map((lease) => lease.release()));
  await Promise.all(turns);
  const counted = (verb: Verb): number => asked.filter((each) => each === verb).length;
  assert.deepEqual([counted('txn'), counted('delete')], [20, 23]);
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  client.close();
});

test('twenty readers behind a writer: they ask when it goes, once each, and not when another reader does', async () => {
  const prefix = freshPrefix();
  const { client, asked } = countedClient(server.url);
  const stores = Array.from({ length: 22 }, () => etcdLeases(client, { prefix }));
  const [writer, leaver, ...readers] = stores.map((store) => createLocks(store));
  const options = { ttl: '60s', wait: '60s', mode: 'read' } as const;
  const held = await writer!.acquire('page', { ...options, mode: 'write' });
  const leave = new AbortController();
  const left = assert.rejects(leaver!.acquire('page', { ...options, signal: leave.signal }));
  await until(async () => (await client.range(folderOf(prefix, 'page'))).count === 2);
  const turns = readers.map((own) => own.acquire('page', options));
  await until(async () => (await client.range(folderOf(prefix, 'page'))).count === 22);
  asked.length = 0;
  leave.abort();
  await left;
  await until(async () => (await client.range(folderOf(prefix, 'page'))).count === 21);
  await held.release();
  const leases = await Promise.all(turns);
  assert.equal(asked.filter((verb) => verb === 'txn').length, 20);
  await Promise.all(leases.map((lease) => lease.release()));
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  client.close();
});

test('a permit that was seen to come back while an older answer was on its way is not taken for held', async () => {
  const prefix = freshPrefix();
  const { client } = countedClient(server.url);
  const other = new EtcdClient({ endpoints: [server.url] });
  const store = etcdLeases(client, { prefix });
  const ahead = etcdLeases(other, { prefix });
  const [first, second, third] = [1, 2, 3].map(() => claimOf({ share: 1, of: 4 }));
  for (const claim of [first!, second!, third!]) await granted(ahead, claim);
  // Two of them must go.
  const mine = claimOf({ share: 3, of: 4, queue: true });
  await busy(store, mine);
  const watch = client.watch.bind(client);
  const told = Promise.withResolvers<void>();
  client.watch = async function* (...given) {
    for await (const event of watch(...given)) {
      yield event;
      told.resolve();
    }
  };
  const turn = turnOf(store, mine);
  const txn = client.txn.bind(client);
  client.txn = async (...given) => {
    client.txn = txn;
    const answer = await txn(...given);
    await ahead.release(first!, waiting);
    await told.promise;
    return answer;
  };
  await busy(store, mine);
  await ahead.release(second!, waiting);
  await turn;
  await store.release(mine, waiting);
  await ahead.release(third!, waiting);
  await Promise.all([store, ahead].map((each) => each[Symbol.asyncDispose]()));
  client.close();
  other.close();
});
