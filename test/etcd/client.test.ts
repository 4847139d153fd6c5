/** Each verb of the client on a real server, and what becomes of a call whose answer is lost or that nobody waits for. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { EtcdClient } from '../../src/drivers/etcd/client.ts';
import { prefixEnd } from '../../src/drivers/etcd/messages.ts';
import { Relay } from '../faults/relay.ts';
import { EtcdServer } from '../servers/etcd.ts';

let server: EtcdServer;
let client: EtcdClient;
before(async () => {
  server = await EtcdServer.start();
  client = new EtcdClient({ endpoints: [server.url] });
});
after(async () => {
  client.close();
  await server[Symbol.asyncDispose]();
});

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString();

/** The client by a line that a test may break. */
async function byRelay(timeoutMs = 5000) {
  const relay = await Relay.open(server.port);
  return { relay, far: new EtcdClient({ endpoints: [`http://127.0.0.1:${relay.port}`], timeoutMs }) };
}

test('what is put is read: texts and bytes, with its revisions and how often', async () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
  const first = await client.put({ key: 'kv/ä', value: 'one' });
  const second = await client.put({ key: 'kv/ä', value: bytes });
  assert.equal(second.revision, first.revision + 1n);
  const { kvs, count, more, revision } = await client.range({ key: Buffer.from('kv/ä') });
  assert.deepEqual([count, more, revision], [1, false, second.revision]);
  const [kv] = kvs;
  assert.deepEqual([text(kv?.key), Uint8Array.from(kv?.value ?? [])], ['kv/ä', bytes]);
  const { createRevision, modRevision, version, lease } = kv!;
  assert.deepEqual(
    { createRevision, modRevision, version, lease },
    {
      createRevision: first.revision,
      modRevision: second.revision,
      version: 2n,
      lease: 0n,
    },
  );
  assert.equal(text((await client.range({ key: 'kv/ä', revision: first.revision })).kvs[0]?.value), 'one');
  assert.deepEqual((await client.range({ key: 'kv/none' })).kvs, []);
});

test('a range: in order, limited, counted, without values; and deleted, with what it was', async () => {
  for (const name of ['c', 'a', 'b']) await client.put({ key: `range/${name}`, value: name });
  const all = { key: 'range/', rangeEnd: prefixEnd('range/') };
  const names = async (request: object): Promise<string> =>
    (await client.range({ ...all, ...request })).kvs.map(({ key }) => text(key).slice('range/'.length)).join('');
  assert.equal(await names({}), 'abc');
  assert.equal(await names({ sort: { by: 'createRevision' } }), 'cab');
  assert.equal(await names({ sort: { by: 'key', descending: true }, limit: 2 }), 'cb');
  const limited = await client.range({ ...all, limit: 1, keysOnly: true, serializable: true });
  assert.deepEqual([limited.count, limited.more, text(limited.kvs[0]?.value)], [3, true, '']);
  assert.deepEqual((await client.range({ ...all, countOnly: true })).count, 3);
  const { deleted } = await client.delete(all);
  assert.deepEqual(
    deleted.map(({ value }) => text(value)),
    ['a', 'b', 'c'],
  );
  assert.deepEqual((await client.delete(all)).deleted, []);
});

test('a transaction does one thing or the other, by every kind of comparison', async () => {
  const key = 'txn/key';
  const { id } = await client.grant({ ttlS: 60 });
  const acquire = {
    if: [{ key, target: 'createRevision', is: '=', than: 0n }],
    then: [{ put: { key, value: 'me', lease: id } }],
    else: [{ range: { key } }],
  } as const;
  const won = await client.txn(acquire);
  assert.deepEqual([won.succeeded, won.answers], [true, [{ kind: 'put' }]]);
  const lost = await client.txn(acquire);
  const [found] = lost.answers;
  assert.ok(!lost.succeeded && found?.kind === 'range');
  assert.deepEqual([text(found.kvs[0]?.value), found.kvs[0]?.createRevision], ['me', won.revision]);
  const holds = [
    { key, target: 'createRevision', is: '=', than: won.revision },
    { key, target: 'modRevision', is: '<', than: won.revision + 1n },
    { key, target: 'version', is: '>', than: 0n },
    { key, target: 'lease', is: '=', than: id },
    { key, target: 'value', is: '!=', than: 'you' },
    // True of every key of the range.
    { key: 'txn/', rangeEnd: prefixEnd('txn/'), target: 'createRevision', is: '<', than: won.revision + 1n },
  ] as const;
  assert.equal((await client.txn({ if: holds })).succeeded, true);
  for (const each of holds) {
    const opposite = { '=': '!=', '!=': '=', '<': '>', '>': '<' } as const;
    assert.equal((await client.txn({ if: [{ ...each, is: opposite[each.is] }] })).succeeded, false, each.target);
  }
  const { answers } = await client.txn({ then: [{ delete: { key } }] });
  assert.ok(answers[0]?.kind === 'delete' && text(answers[0].deleted[0]?.value) === 'me');
});

test('a lease: granted, kept alive, looked at, revoked with its keys; and over', async () => {
  const { id, ttlS } = await client.grant({ ttlS: 30 });
  assert.equal(ttlS, 30);
  await client.put({ key: 'lease/key', value: '', lease: id });
  assert.deepEqual(await client.keepAlive(id), { id, ttlS: 30 });
  const life = await client.timeToLive(id);
  assert.deepEqual([life?.grantedTtlS, life?.keys.map(text)], [30, ['lease/key']]);
  assert.equal(await client.revoke(id), true);
  assert.deepEqual((await client.range({ key: 'lease/key' })).kvs, []);
  assert.equal(await client.revoke(id), false);
  assert.equal(await client.keepAlive(id), null);
  assert.equal(await client.timeToLive(id), null);
  await assert.rejects(client.put({ key: 'lease/key', value: '', lease: id }), { code: 'ETCD_LEASE_GONE' });
  await assert.rejects(client.txn({ then: [{ put: { key: 'lease/key', value: '', lease: id } }] }), {
    code: 'ETCD_LEASE_GONE',
  });
  const largest = 2n ** 63n - 1n;
  assert.equal((await client.grant({ ttlS: 5, id: largest })).id, largest);
  await assert.rejects(client.grant({ ttlS: 5, id: largest }), { code: 'STORE_REFUSED', message: /already exists/ });
  await client.revoke(largest);
});

test('a lease that is not kept alive ends by itself', async () => {
  const { id } = await client.grant({ ttlS: 1 });
  await client.put({ key: 'short', value: '', lease: id });
  for await (const event of client.watch({ key: 'short', startRevision: 1n })) if (event.kind === 'delete') break;
  assert.equal(await client.keepAlive(id), null);
});

test('the server says who it is', async () => {
  const { version, leaderId, memberId, dbSizeBytes } = await client.status();
  assert.match(version, /^3\.\d+\.\d+$/);
  assert.ok(leaderId === memberId && memberId > 0n && dbSizeBytes > 0);
});

test('what means nothing is refused, here or by the server', async () => {
  const invalid = { code: 'OPTIONS_INVALID' };
  for (const wrong of [
    () => client.range({ key: '' }),
    () => client.put({ key: 5 as unknown as string, value: '' }),
    () => client.keepAlive(5 as unknown as bigint),
    () => client.keepAlive(2n ** 63n),
    () => client.grant({ ttlS: 0 }),
    () => client.range({ key: 'a' }, { timeoutMs: 0 }),
    () => client.watch({ key: '' }).next(),
  ]) {
    await assert.rejects(async () => wrong(), invalid);
  }
  const refused = { code: 'STORE_REFUSED', retryable: false };
  await assert.rejects(client.range({ key: 'a', revision: 10n ** 9n }), refused);
  await assert.rejects(client.put({ key: 'large', value: 'x'.repeat(2 ** 21) }), refused);
});

test('options that mean nothing are refused', () => {
  const url = 'http://127.0.0.1:2379';
  const secure = 'https://127.0.0.1:2379';
  for (const wrong of [
    {},
    { endpoints: [] },
    { endpoints: url },
    { endpoints: ['127.0.0.1:2379'] },
    { endpoints: [`${url}/v3`] },
    { endpoints: ['http://a:b@127.0.0.1:2379'] },
    { endpoints: ['unix:///etcd'] },
    { endpoints: [url, `${url}/`] },
    { endpoints: [url], timeout: 5 },
    { endpoints: [url], timeoutMs: 0 },
    { endpoints: [url], silenceMs: 1 },
    { endpoints: [url], tls: { ca: '' } },
    { endpoints: [secure], tls: { cert: '' } },
    { endpoints: [secure], tls: { rejectUnauthorized: false } },
    { endpoints: [url], user: { name: 'a' } },
  ]) {
    assert.throws(() => new EtcdClient(wrong as never), { code: 'OPTIONS_INVALID' }, JSON.stringify(wrong));
  }
});

for (const then of ['silence', 'reset'] as const) {
  test(`a change whose answer is lost (${then}) is not made again, and whoever asked is told so`, async () => {
    const { relay, far } = await byRelay(400);
    await using _relay = relay;
    await using _far = far;
    const key = `lost/${then}`;
    const { id } = await client.grant({ ttlS: 60 });
    const changes: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['/v3/kv/put', () => far.put({ key, value: 'x' })],
      ['/v3/kv/txn', () => far.txn({ then: [{ put: { key, value: 'x' } }] })],
      ['/v3/kv/deleterange', () => far.delete({ key })],
      ['/v3/lease/grant', () => far.grant({ ttlS: 60, id: id + 1n })],
      ['/v3/lease/revoke', () => far.revoke(id)],
    ];
    for (const [path, change] of changes) {
      const lost = relay.loseNextReply({ containing: `POST ${path}`, then });
      const unsure = { code: 'STORE_UNSURE', retryable: false, message: new RegExp(`^${path} may have been done`) };
      const [result] = await Promise.allSettled([change(), lost]);
      assert.ok(result.status === 'rejected', path);
      assert.throws(() => {
        throw result.reason;
      }, unsure);
    }
    // Each was done, once: two changes of the key, and no third.
    assert.deepEqual((await client.range({ key })).kvs, []);
    assert.equal(await client.timeToLive(id), null);
    assert.equal(await client.revoke(id + 1n), true);
    let changesSeen = 0;
    for await (const event of client.watch({ key, startRevision: 1n })) {
      changesSeen += 1;
      if (event.kind === 'delete') break;
    }
    assert.equal(changesSeen, 3);
  });
}

test('what changes nothing twice is asked again when its answer is lost', async () => {
  const { relay, far } = await byRelay();
  await using _relay = relay;
  await using _far = far;
  const { id } = await client.grant({ ttlS: 60 });
  await client.put({ key: 'again', value: 'x' });
  const questions: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['/v3/kv/range', () => far.range({ key: 'again' })],
    ['/v3/kv/txn', () => far.txn({ then: [{ range: { key: 'again' } }] })],
    ['/v3/lease/keepalive', () => far.keepAlive(id)],
    ['/v3/lease/timetolive', () => far.timeToLive(id)],
    ['/v3/maintenance/status', () => far.status()],
  ];
  for (const [path, question] of questions) {
    const lost = relay.loseNextReply({ containing: `POST ${path}`, then: 'reset' });
    const [answer] = await Promise.all([question(), lost]);
    assert.ok(answer, path);
  }
});

test('a server that is not there, or does not answer, has the time of the call and no more', async () => {
  const { relay, far } = await byRelay(150);
  await using _relay = relay;
  await using _far = far;
  relay.hold('toClient');
  const unavailable = { code: 'STORE_UNAVAILABLE', retryable: true };
  await assert.rejects(far.range({ key: 'a' }), { ...unavailable, message: /did not answer within/ });
  await assert.rejects(far.put({ key: 'a', value: '' }), { code: 'STORE_UNSURE' });
  relay.refuse();
  relay.reset();
  // Certainly not done.
  await assert.rejects(far.put({ key: 'a', value: '' }), { ...unavailable, message: /refused: nothing listens there/ });
});

test('who no longer waits is told at once, whatever the call, and nothing of it is left', async () => {
  const { relay, far } = await byRelay();
  await using _relay = relay;
  await using _far = far;
  relay.hold('toClient');
  const calls: readonly ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => far.range({ key: 'a' }, { signal }),
    (signal) => far.put({ key: 'a', value: '' }, { signal }),
    (signal) => far.delete({ key: 'a' }, { signal }),
    (signal) => far.txn({}, { signal }),
    (signal) => far.grant({ ttlS: 5 }, { signal }),
    (signal) => far.keepAlive(1n, { signal }),
    (signal) => far.revoke(1n, { signal }),
    (signal) => far.timeToLive(1n, { signal }),
    (signal) => far.status({ signal }),
    (signal) => far.watch({ key: 'a' }, { signal }).next(),
  ];
  const reason = new Error('enough');
  for (const call of calls) {
    const leaving = new AbortController();
    const called = call(leaving.signal);
    leaving.abort(reason);
    await assert.rejects(called, reason);
    await assert.rejects(call(AbortSignal.abort(reason)), reason);
  }
  const leaving = new AbortController();
  const waiting = calls.map((call) => call(leaving.signal));
  while (relay.connections === 0) await new Promise(setImmediate);
  leaving.abort(reason);
  for (const { status } of await Promise.allSettled(waiting)) assert.equal(status, 'rejected');
  far.close();
  relay.pass();
  while (relay.connections > 0) await new Promise(setImmediate);
});

test('a closed client ends what is under way, and leaves no connection', async () => {
  const { relay, far } = await byRelay();
  await using _relay = relay;
  const watching = far.watch({ key: 'closing', startRevision: 1n });
  await client.put({ key: 'closing', value: '' });
  await watching.next();
  relay.hold('toClient');
  const pending = [far.range({ key: 'a' }), far.put({ key: 'a', value: '' }), watching.next()];
  far.close();
  far.close();
  for (const each of pending) await assert.rejects(each, { code: 'STORE_UNAVAILABLE', message: /is closed/ });
  await assert.rejects(far.range({ key: 'a' }), /is closed/);
  await assert.rejects(far.watch({ key: 'a' }).next(), /is closed/);
  relay.pass();
  while (relay.connections > 0) await new Promise(setImmediate);
});
