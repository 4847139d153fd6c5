/** What a session survives on a real ensemble, and that its client knows when it is over. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, test } from 'node:test';

import type { SessionState } from '../../src/drivers/zookeeper/life.ts';
import { ZookeeperSession } from '../../src/drivers/zookeeper/session.ts';
import type { WatchEvent } from '../../src/drivers/zookeeper/watches.ts';
import { Relay } from '../faults/relay.ts';
import { TICK_MS, ZookeeperEnsemble, type ZookeeperServer } from '../servers/zookeeper.ts';

const ensemble = await ZookeeperEnsemble.start();
after(() => ensemble[Symbol.asyncDispose]());

const nothing = new Uint8Array(0);
/** Outlives an election, which takes seconds where a JVM has to wait for its turn. */
const LASTING_MS = 30_000;
/** Of what looks on from outside. */
const observe = (): ZookeeperSession =>
  new ZookeeperSession({ servers: ensemble.addresses, sessionTimeoutMs: LASTING_MS });
const local = (port: number): string => `127.0.0.1:${port}`;

/** Lines to each server, so that a test can cut them. */
async function lines(): Promise<Relay[]> {
  return Promise.all(ensemble.servers.map(({ port }) => Relay.open(port)));
}

function reached(session: ZookeeperSession, wanted: SessionState): Promise<void> {
  if (session.state === wanted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const forget = session.onState((state) => {
    if (state !== wanted) return;
    forget();
    resolve();
  });
  return promise;
}

/** Which server a session is connected to, as the server says; one that is busy may have to be asked again. */
async function serverOf(session: ZookeeperSession): Promise<ZookeeperServer> {
  const id = `0x${session.id.toString(16)}`;
  for (;;) {
    for (const server of ensemble.servers) if ((await server.ask('cons')).includes(`sid=${id}`)) return server;
    assert.equal(session.state, 'alive', `no server has the session ${id}`);
  }
}

/** Told when the node has gone. */
async function gone(session: ZookeeperSession, path: string): Promise<void> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<WatchEvent>();
    await session.sync(path);
    if ((await session.exists(path, { watch: resolve })) === null) return;
    await promise;
  }
}

test('a session goes to another server when its own is killed, with its ephemeral nodes, its names and its watches', async () => {
  const auth = { scheme: 'digest', credentials: 'ann:secret' };
  await using session = new ZookeeperSession({ servers: ensemble.addresses, sessionTimeoutMs: LASTING_MS, auth });
  await using other = observe();
  const acl = [{ permissions: 31, scheme: 'auth', id: '' }];
  await session.create('/kept', Buffer.from('1'), { ephemeral: true, acl });
  for (const name of ['made', 'changed', 'deleted', 'parent', 'quiet', 'quiet-parent']) {
    if (name !== 'made') await session.create(`/${name}`, nothing);
  }
  const told: string[] = [];
  const all = Promise.withResolvers<void>();
  const watch = ({ type, path }: WatchEvent): void => {
    told.push(`${type} ${path}`);
    if (told.length === 4) all.resolve();
  };
  assert.equal(await session.exists('/made', { watch }), null);
  for (const path of ['/changed', '/deleted', '/quiet']) await session.get(path, { watch });
  for (const path of ['/parent', '/quiet-parent']) await session.children(path, { watch });
  const { id } = session;
  const server = await serverOf(session);
  await server.kill();
  try {
    // It may have been the other's too, or the leader, who takes the lines to the rest with it.
    await ensemble.leader();
    await other.sync('/').catch(() => other.sync('/'));
    // While nobody tells it: the watches have gone with the server.
    await other.multi([
      { op: 'create', path: '/made', data: nothing },
      { op: 'set', path: '/changed', data: nothing },
      { op: 'delete', path: '/deleted' },
      { op: 'create', path: '/parent/child', data: nothing },
    ]);
    await all.promise;
    assert.deepEqual(told.toSorted(), ['changed /changed', 'children /parent', 'created /made', 'deleted /deleted']);
    assert.equal(session.id, id);
    assert.equal(session.state, 'alive');
    assert.equal((await session.get('/kept')).stat.ephemeralOwner, id);
    // Those that had nothing to tell are still set, each once.
    const last = Promise.withResolvers<void>();
    told.length = 0;
    await session.exists('/quiet-parent/child', { watch: () => last.resolve() });
    await other.set('/quiet', nothing);
    await other.create('/quiet-parent/child', nothing);
    await last.promise;
    await session.sync('/');
    assert.deepEqual(told, ['changed /quiet', 'children /quiet-parent']);
  } finally {
    await server.restart();
    await server.serving();
  }
});

test('a session whose leader is killed goes on', async () => {
  await using session = new ZookeeperSession({ servers: ensemble.addresses, sessionTimeoutMs: LASTING_MS });
  await session.create('/through', nothing, { ephemeral: true });
  const leader = await ensemble.leader();
  await leader.kill();
  try {
    await session.ping().catch(() => session.ping());
    assert.equal((await session.exists('/through'))?.ephemeralOwner, session.id);
    assert.equal(session.state, 'alive');
  } finally {
    await leader.restart();
    await leader.serving();
  }
});

test('a session expires by its own clock while no server can be reached, and its watches say so', async () => {
  await using all = new AsyncDisposableStack();
  const cut = (await lines()).map((line) => all.use(line));
  await using session = new ZookeeperSession({ servers: cut.map(({ port }) => local(port)), sessionTimeoutMs: 4000 });
  await using other = observe();
  await session.create('/cut', nothing, { ephemeral: true });
  const told = Promise.withResolvers<WatchEvent>();
  await session.get('/cut', { watch: told.resolve });
  const states: SessionState[] = [];
  session.onState((state) => states.push(state));
  for (const line of cut) line.cut();
  const lost = assert.rejects(session.set('/cut', nothing, { timeoutMs: 60_000 }), {
    code: 'STORE_UNSURE',
    retryable: false,
  });
  await once(session.ended, 'abort');
  assert.deepEqual(states, ['suspended', 'expired'].slice(0, states.length));
  await lost;
  assert.deepEqual([await told.promise, session.state], [{ type: 'ended', path: '/cut' }, 'expired']);
  await assert.rejects(session.exists('/'), { code: 'ZOOKEEPER_SESSION_ENDED' });
  await gone(other, '/cut');
});

test('E4: a session that expires while it is disconnected is followed by another, whose own the old node is not', async () => {
  await using line = await Relay.open(ensemble.servers[0]!.port);
  await using other = observe();
  const options = { servers: [local(line.port)], sessionTimeoutMs: 4000 };
  await using first = new ZookeeperSession(options);
  await first.create('/seat', nothing, { ephemeral: true });
  line.cut();
  await once(first.ended, 'abort');
  line.pass();
  line.reset();
  await using second = new ZookeeperSession(options);
  await second.ping();
  assert.notEqual(second.id, first.id);
  const stale = await second.exists('/seat');
  assert.ok(stale === null || stale.ephemeralOwner === first.id);
  await gone(second, '/seat');
  assert.equal((await second.create('/seat', nothing, { ephemeral: true })).stat.ephemeralOwner, second.id);
  assert.equal((await other.exists('/seat'))?.ephemeralOwner, second.id);
});

test('E4: a session that ended on the servers while it was cut off is told so when it comes back', async () => {
  await using line = await Relay.open(ensemble.servers[0]!.port);
  await using session = new ZookeeperSession({ servers: [local(line.port)], sessionTimeoutMs: 20_000 });
  await session.create('/elsewhere', nothing, { ephemeral: true });
  line.cut();
  // Whoever has the ticket takes the session on, and ends it.
  await using elsewhere = new ZookeeperSession({ servers: ensemble.addresses, resume: session.ticket });
  assert.equal((await elsewhere.exists('/elsewhere'))?.ephemeralOwner, session.id);
  await elsewhere.close();
  assert.equal(session.state, 'alive', 'it cannot know yet');
  line.pass();
  line.reset();
  await once(session.ended, 'abort');
  assert.equal(session.state, 'expired');
});

test('a create whose answer was lost may have been done, is not done twice, and can be found', async () => {
  await using line = await Relay.open(ensemble.servers[0]!.port);
  await using session = new ZookeeperSession({ servers: [local(line.port)], sessionTimeoutMs: 20_000 });
  await using other = observe();
  await other.create('/queue', nothing);
  const arrived = Promise.withResolvers<WatchEvent>();
  await other.children('/queue', { watch: arrived.resolve });
  await session.ping();
  const answered = line.loseNextReply({ containing: '/queue/guid-1-', then: 'reset' });
  const lost = session.create('/queue/guid-1-', nothing, { ephemeral: true, sequential: true });
  const failed = assert.rejects(lost, { code: 'STORE_UNSURE', message: /may have been done, or not/ });
  await Promise.all([arrived.promise, answered, failed]);
  await session.sync('/queue');
  const { children } = await session.children('/queue');
  assert.deepEqual(children, ['guid-1-0000000000']);
  assert.equal((await session.exists(`/queue/${children[0]}`))?.ephemeralOwner, session.id);
});

test('a follower that hears no leader does not keep a session alive', async () => {
  const leader = await ensemble.leader();
  const follower = ensemble.servers.find((server) => server !== leader)!;
  await using session = new ZookeeperSession({ servers: [follower.address], sessionTimeoutMs: 4000 });
  await session.ping();
  leader.freeze();
  try {
    assert.notEqual(await session.exists('/'), null, 'it answers reads');
    await reached(session, 'suspended');
  } finally {
    leader.thaw();
  }
});

test('a call that no server can be asked for fails in time, with nothing done', async () => {
  await using session = new ZookeeperSession({ servers: ['127.0.0.1:1'] });
  await assert.rejects(session.get('/', { timeoutMs: 2000 }), {
    code: 'STORE_UNAVAILABLE',
    retryable: true,
    message: 'get / was not sent within 2000 ms: 127.0.0.1:1 refuses connections: nothing listens there.',
  });
  assert.deepEqual([session.state, session.heardAt], ['opening', null]);
  const stopped = new AbortController();
  const waiting = session.get('/', { signal: stopped.signal });
  stopped.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
  const closed = assert.rejects(session.get('/'), { code: 'ZOOKEEPER_SESSION_ENDED' });
  await session.close();
  await closed;
});

const SHORT_MS = 2000;

/** Two servers that leave a session its time, and one that would end it sooner. */
async function unequal(): Promise<ZookeeperEnsemble> {
  return ZookeeperEnsemble.start(3, [{}, {}, { sessionTimeoutMsMax: SHORT_MS }]);
}

test('what is counted of a session that moves to a server which keeps sessions for less time is that', async () => {
  await using uneven = await unequal();
  const [long, , short] = uneven.servers;
  await using toLong = await Relay.open(long!.port);
  await using toShort = await Relay.open(short!.port);
  const lasting = { servers: [local(toLong.port)], sessionTimeoutMs: LASTING_MS };
  await using observer = new ZookeeperSession({ ...lasting, servers: [long!.address] });
  await using stays = new ZookeeperSession(lasting);
  await stays.create('/stays', nothing, { ephemeral: true });
  await using moves = new ZookeeperSession(lasting);
  await moves.create('/moves', nothing, { ephemeral: true });
  const resume = moves.ticket;
  toLong.cut();
  await using moved = new ZookeeperSession({ ...lasting, servers: [local(toShort.port)], resume });
  await moved.ping();
  assert.deepEqual([moved.id, moved.timeoutMs, moves.timeoutMs], [moves.id, SHORT_MS, LASTING_MS]);
  // Until all servers have told the leader what they heard before, half a tick later.
  const toldMs = moved.heardAt!.nowMs + 2 * TICK_MS;
  while (moved.heardAt!.nowMs < toldMs) await moved.ping();
  toShort.cut();
  await gone(observer, '/moves');
  assert.notEqual(await observer.exists('/stays'), null, 'it has more time');
});

test('a session does not go to a server that would end it sooner, says why, and goes to one that would not', async () => {
  await using uneven = await unequal();
  const [first, other, short] = uneven.servers;
  await using toFirst = await Relay.open(first!.port);
  await using toOther = await Relay.open(other!.port);
  toOther.refuse();
  // In their order, the first first; so the pause after all have been tried is when the short one has said no.
  const random = { int32: () => 0, unit: () => 0.999 };
  const servers = [local(toFirst.port), local(toOther.port), short!.address];
  await using session = new ZookeeperSession({ servers, random, sessionTimeoutMs: LASTING_MS });
  await session.create('/stays', nothing, { ephemeral: true });
  toFirst.refuse();
  toFirst.reset();
  for (let why = ''; !why.includes(`${short!.address} keeps a session for at most ${SHORT_MS} ms`);) {
    const error = await session.get('/stays', { timeoutMs: 100 }).then(() => null, String);
    assert.ok(
      error !== null && session.state !== 'expired',
      'a server took it on, or it was not told in all of its time',
    );
    why = error;
  }
  await toOther.accept();
  assert.equal((await session.get('/stays')).stat.ephemeralOwner, session.id);
  assert.deepEqual([session.timeoutMs, session.state], [LASTING_MS, 'alive']);
  assert.ok((await other!.ask('cons')).includes(`sid=0x${session.id.toString(16)}`));
  // What was asked by sessions of their own is closed, which nobody waits for, and long before it would be over by itself.
  const askedMs = session.heardAt!.nowMs;
  const leader = await uneven.leader();
  while ((await leader.ask('dump')).match(/^\t0x[0-9a-f]+$/gm)?.join() !== `\t0x${session.id.toString(16)}`) {
    await session.ping();
    assert.ok(session.heardAt!.nowMs - askedMs < LASTING_MS / 2);
  }
});

test('a session does not wait for a server that is slow to close what asked it', async () => {
  await using relay = await Relay.open(ensemble.servers[0]!.port);
  // Half of it is what closing may take.
  const sessionTimeoutMs = 2 * LASTING_MS;
  await using session = new ZookeeperSession({ servers: [local(relay.port)], sessionTimeoutMs });
  await session.ping();
  const closeRequest = Buffer.alloc(4);
  closeRequest.writeInt32BE(-11);
  const lost = relay.loseNextReply({ containing: closeRequest });
  relay.reset();
  await lost;
  await session.ping({ timeoutMs: LASTING_MS / 2 });
});
