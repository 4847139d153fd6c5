/** Each verb on a real server, and what it refuses. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { isRefusal } from '../../src/drivers/zookeeper/failures.ts';
import type { ZookeeperAuth, ZookeeperOptions } from '../../src/drivers/zookeeper/options.ts';
import { creatorAcl, ZookeeperSession } from '../../src/drivers/zookeeper/session.ts';
import type { WatchEvent } from '../../src/drivers/zookeeper/watches.ts';
import { ZookeeperServer } from '../servers/zookeeper.ts';

const server = await ZookeeperServer.start();
after(() => server[Symbol.asyncDispose]());

const bytes = (text: string): Uint8Array => Buffer.from(text);
const open = (options: Partial<ZookeeperOptions> = {}): ZookeeperSession =>
  new ZookeeperSession({ servers: [server.address], ...options });

test('a node is made, read, changed by its version, and taken away', async () => {
  await using session = open();
  const { path, stat } = await session.create('/node', bytes('one'));
  assert.deepEqual([path, stat.version, stat.dataBytes, stat.ephemeralOwner], ['/node', 0, 3, 0n]);
  assert.ok(stat.czxid > 0n && stat.czxid === stat.mzxid);
  assert.equal((await session.set('/node', bytes('two'), { version: 0 })).version, 1);
  await assert.rejects(session.set('/node', bytes('lost'), { version: 0 }), (error) => isRefusal(error, 'BAD_VERSION'));
  const read = await session.get('/node');
  assert.deepEqual([Buffer.from(read.data).toString(), read.stat.version], ['two', 1]);
  assert.equal((await session.exists('/node'))?.czxid, stat.czxid);
  assert.deepEqual((await session.children('/')).children.toSorted(), ['node', 'zookeeper']);
  await assert.rejects(session.create('/node', bytes('')), (error) => isRefusal(error, 'NODE_EXISTS'));
  await assert.rejects(session.delete('/node', { version: 7 }), {
    code: 'STORE_REFUSED',
    message: 'ZooKeeper refused delete /node: BAD_VERSION (-103).',
  });
  await session.delete('/node', { version: 1 });
  assert.equal(await session.exists('/node'), null);
  await assert.rejects(session.get('/node'), (error) => isRefusal(error, 'NO_NODE'));
});

test('sequential nodes are numbered, ephemeral ones are the session’s and go with it', async () => {
  await using other = open();
  await other.create('/line', bytes(''));
  const session = open();
  const options = { ephemeral: true, sequential: true };
  const made = await Promise.all(['a', 'b', 'c'].map((data) => session.create('/line/n-', bytes(data), options)));
  assert.deepEqual(
    made.map(({ path }) => path),
    ['/line/n-0000000000', '/line/n-0000000001', '/line/n-0000000002'],
  );
  assert.ok(made[0]!.stat.czxid < made[1]!.stat.czxid && made[1]!.stat.czxid < made[2]!.stat.czxid);
  assert.equal((await other.exists(made[0]!.path))?.ephemeralOwner, session.id);
  await assert.rejects(session.create(`${made[0]!.path}/child`, bytes('')), (error) =>
    isRefusal(error, 'NO_CHILDREN_FOR_EPHEMERALS'),
  );
  assert.equal((await session.create('/line/', bytes(''), options)).path, '/line/0000000003');
  await session.close();
  assert.equal(session.state, 'closed');
  await other.sync('/line');
  assert.deepEqual((await other.children('/line')).children, []);
  await assert.rejects(session.get('/line'), { code: 'ZOOKEEPER_SESSION_ENDED' });
});

test('a multi is done in whole or not at all, and says which step it was', async () => {
  await using session = open();
  const results = await session.multi([
    { op: 'create', path: '/multi', data: bytes('1') },
    { op: 'check', path: '/multi', version: 0 },
    { op: 'set', path: '/multi', data: bytes('2') },
    { op: 'create', path: '/multi/e', data: bytes(''), ephemeral: true, sequential: true },
  ]);
  assert.deepEqual(
    results.map(({ op }) => op),
    ['create', 'check', 'set', 'create'],
  );
  assert.deepEqual(results[3], { op: 'create', path: '/multi/e0000000000' });
  const refused = session.multi([
    { op: 'delete', path: '/multi/e0000000000' },
    { op: 'check', path: '/multi', version: 0 },
    { op: 'delete', path: '/multi' },
  ]);
  await assert.rejects(refused, (error: Error) => {
    assert.ok(isRefusal(error, 'BAD_VERSION'));
    assert.equal((error.cause as { index: number }).index, 1);
    assert.match(error.message, /multi of 3 \(check \/multi\), step 1: BAD_VERSION/);
    return true;
  });
  assert.notEqual(await session.exists('/multi/e0000000000'), null);
});

test('who gave no name of the access list is refused', async () => {
  const auth = { scheme: 'digest', credentials: 'ann:secret' };
  await using owner = open({ auth });
  await using stranger = open();
  await owner.create('/private', bytes('mine'), { acl: creatorAcl });
  await assert.rejects(stranger.get('/private'), (error) => isRefusal(error, 'NO_AUTH'));
  await using known = open({ auth });
  assert.equal(Buffer.from((await known.get('/private')).data).toString(), 'mine');
});

test('whoever the servers do not know is told so, and then goes on as nobody in particular', async () => {
  await using session = open({ auth: { scheme: 'guild', credentials: 'ann' } });
  await assert.rejects(session.get('/'), {
    code: 'STORE_UNAVAILABLE',
    message: /ZooKeeper refused .*: AUTH_FAILED \(-115\)/,
  });
  await session.get('/');
  await assert.rejects(session.create('/mine', bytes(''), { acl: creatorAcl }), (error) =>
    isRefusal(error, 'INVALID_ACL'),
  );
});

test('ping moves heardAt, reads do not: they are answered without the leader', async () => {
  await using session = open({ sessionTimeoutMs: 60_000 });
  await session.ping();
  const first = session.heardAt!;
  await session.exists('/');
  assert.deepEqual(session.heardAt, first);
  await session.ping();
  assert.ok(session.heardAt.nowMs > first.nowMs && session.heardAt.wallMs >= first.wallMs);
});

test('watches are told once, in order, of what they ask for', async () => {
  await using session = open();
  await using other = open();
  const told: string[] = [];
  const watch =
    (name: string) =>
    ({ type, path }: WatchEvent): void =>
      void told.push(`${name} ${type} ${path}`);
  assert.equal(await session.exists('/watched', { watch: watch('exists') }), null);
  await other.create('/watched', bytes('1'));
  await session.get('/watched', { watch: watch('get') });
  await session.children('/watched', { watch: watch('children') });
  const unwatched = watch('unwatched');
  await session.get('/watched', { watch: unwatched });
  session.unwatch('/watched', unwatched);
  await other.create('/watched/a', bytes(''));
  await other.create('/watched/b', bytes(''));
  await other.set('/watched', bytes('2'));
  await other.set('/watched', bytes('3'));
  await session.exists('/watched', { watch: watch('again') });
  await other.delete('/watched/a');
  await other.delete('/watched/b');
  await other.delete('/watched');
  await session.sync('/');
  const expected = ['exists created', 'children children', 'get changed', 'again deleted'];
  assert.deepEqual(
    told,
    expected.map((each) => `${each} /watched`),
  );
});

test('thousands of requests at once are answered in their order', async () => {
  await using session = open();
  await session.create('/counter', bytes(''));
  const versions = await Promise.all(
    Array.from({ length: 2000 }, async (_, index) => (await session.set('/counter', bytes(`${index}`))).version),
  );
  assert.deepEqual(
    versions,
    Array.from({ length: 2000 }, (_, index) => index + 1),
  );
});

test('each call is given up when its signal says so, before it was sent and after', async () => {
  await using session = open();
  await session.create('/aborted', bytes(''));
  const reason = new Error('enough');
  const calls: readonly ((signal: AbortSignal) => Promise<unknown>)[] = [
    (signal) => session.create('/x', bytes(''), { signal }),
    (signal) => session.delete('/x', { signal }),
    (signal) => session.set('/aborted', bytes(''), { signal }),
    (signal) => session.get('/aborted', { signal }),
    (signal) => session.children('/aborted', { signal }),
    (signal) => session.exists('/aborted', { signal }),
    (signal) => session.multi([{ op: 'check', path: '/aborted' }], { signal }),
    (signal) => session.sync('/aborted', { signal }),
    (signal) => session.ping({ signal }),
  ];
  for (const call of calls) {
    await assert.rejects(call(AbortSignal.abort(reason)), reason);
    const leaving = new AbortController();
    const called = call(leaving.signal);
    leaving.abort(reason);
    await assert.rejects(called, reason);
  }
  // Their answers came, and were taken for nobody else's.
  assert.equal((await session.get('/aborted')).stat.version, 1);
});

test('what no server would take is refused before it is sent', async () => {
  await using session = open();
  for (const path of ['', 'a', '/a/', '//', '/a//b', '/a/./b', '/..', '/\u0000', '/\ud800']) {
    await assert.rejects(session.get(path), { code: 'OPTIONS_INVALID' }, JSON.stringify(path));
  }
  await assert.rejects(session.create('/large', new Uint8Array(2 ** 20)), { code: 'OPTIONS_INVALID' });
  await assert.rejects(session.get('/', { timeoutMs: 0 }), { code: 'OPTIONS_INVALID' });
  await assert.rejects(session.get('/', { wacth: () => {} } as object), /Did you mean watch/);
  assert.throws(() => new ZookeeperSession({ servers: [] }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => new ZookeeperSession({ servers: ['a:b'] }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => new ZookeeperSession({ servers: ['a'], sessionTimeoutMs: 5 }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => open({ auth: { scheme: 'digest' } as ZookeeperAuth }), { code: 'OPTIONS_INVALID' });
});
