/** Watches on one real server: the order of what happens at once, compaction, a reader who is slow, and the ways to end one. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { EtcdClient } from '../../src/drivers/etcd/client.ts';
import { prefixEnd } from '../../src/drivers/etcd/messages.ts';
import { Relay } from '../faults/relay.ts';
import { EtcdServer } from '../servers/etcd.ts';

let server: EtcdServer;
let client: EtcdClient;
before(async () => {
  // So often a server says that nothing happened.
  server = await EtcdServer.start({ args: ['--experimental-watch-progress-notify-interval', '100ms'] });
  client = new EtcdClient({ endpoints: [server.url] });
});
after(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

test('changes come one by one in the order of their revisions, those of one transaction in its order', async () => {
  const range = { key: 'order/', rangeEnd: prefixEnd('order/') };
  const { revision } = await client.put({ key: 'order/z', value: 'before' });
  await Promise.all(Array.from({ length: 200 }, (_, index) => client.put({ key: `order/${index}`, value: '' })));
  await client.txn({ then: ['c', 'a', 'b'].map((name) => ({ put: { key: `order/${name}`, value: '' } })) });
  await client.txn({ then: [{ delete: { key: 'order/z' } }, { put: { key: 'order/end', value: '' } }] });
  const told: string[] = [];
  let last = revision;
  for await (const event of client.watch({ ...range, startRevision: revision + 1n, previous: true })) {
    assert.ok(event.kind === 'put' || event.kind === 'delete');
    const [key, at] = event.kind === 'put' ? [event.kv.key, event.kv.modRevision] : [event.key, event.revision];
    assert.ok(at >= last);
    last = at;
    told.push(`${event.kind} ${text(key).slice('order/'.length)}`);
    if (event.kind === 'delete') assert.equal(text(event.previous?.value), 'before');
    if (text(key) === 'order/end') break;
  }
  assert.deepEqual(told.slice(200), ['put c', 'put a', 'put b', 'delete z', 'put end']);
  assert.equal(new Set(told).size, 205);
});

test('without a revision to start at, what comes is told; when nothing comes, that is told', async () => {
  const watch = client.watch({ key: 'progress' });
  const { value: first } = await watch.next();
  const { revision } = await client.range({ key: 'progress' });
  assert.deepEqual(first, { kind: 'progress', revision });
  const written = await client.put({ key: 'progress', value: '' });
  for await (const event of watch) {
    if (event.kind !== 'progress') {
      assert.ok(event.kind === 'put' && event.kv.modRevision === written.revision);
      break;
    }
  }
});

test('what the server has compacted cannot be told: a gap, and the end', async () => {
  await client.put({ key: 'compacted', value: '1' });
  const { revision } = await client.put({ key: 'compacted', value: '2' });
  await server.ask('/v3/kv/compaction', { revision: String(revision) });
  const watch = client.watch({ key: 'compacted', startRevision: 1n });
  assert.deepEqual(await watch.next(), { done: false, value: { kind: 'gap', why: 'compacted', revision } });
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
  // From there it can be watched.
  const { value: event } = await client.watch({ key: 'compacted', startRevision: revision }).next();
  assert.ok(event?.kind === 'put' && text(event.kv.value) === '2');
  await assert.rejects(client.range({ key: 'compacted', revision: 1n }), {
    code: 'STORE_REFUSED',
    message: /compacted/,
  });
});

test('whoever reads slowly slows the server down, and misses nothing', async () => {
  const value = 'x'.repeat(100_000);
  const { revision } = await client.put({ key: 'slow', value });
  await using relay = await Relay.open(server.port);
  await using reader = new EtcdClient({ endpoints: [`http://127.0.0.1:${relay.port}`] });
  const watch = reader.watch({ key: 'slow', startRevision: revision });
  await watch.next();
  for (let index = 0; index < 200; index++) await client.put({ key: 'slow', value });
  await client.put({ key: 'slow', value: 'end' });
  // 27 MB in base64, of which two sockets hold some and the server the rest.
  const passed = relay.passedBytes('toClient');
  assert.ok(passed < 20e6, `${passed} bytes were sent to somebody who reads nothing`);
  let told = 1;
  for await (const event of watch) {
    if (event.kind !== 'put') continue;
    told += 1;
    if (text(event.kv.value) === 'end') break;
  }
  assert.equal(told, 202);
});

test('a watch ends by its signal with its reason, also while nothing comes, or with the loop', async () => {
  const reason = new Error('enough');
  const leaving = new AbortController();
  const watch = client.watch({ key: 'quiet', startRevision: 1n }, { signal: leaving.signal });
  const next = watch.next();
  setImmediate(() => leaving.abort(reason));
  await assert.rejects(next, reason);
  assert.deepEqual(await watch.next(), { done: true, value: undefined });
});
