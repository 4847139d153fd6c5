/** Each fault of the relay, seen from both ends of real sockets. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { freePort } from '../ports.ts';
import type { Way } from './relay.ts';
import { End, roundTrip, scene, wordsPass } from './socket-ends.ts';

test('bytes, half-closes and the end pass, on many connections at once', async (context) => {
  const { relay, pair } = await scene(context);
  const pairs = await Promise.all(Array.from({ length: 20 }, pair));
  for (const [index, { client, server }] of pairs.entries()) {
    client.socket.end(`request ${index}`);
    await server.until(({ ended }) => ended);
    assert.equal(server.got, `request ${index}`);
    server.socket.end(`answer ${index}`);
    await client.until(({ ended }) => ended);
    assert.equal(client.got, `answer ${index}`);
  }
  await Promise.all(pairs.map(({ client }) => client.until(({ socket }) => socket.closed)));
  const last = await pair();
  await roundTrip(last);
  assert.equal(relay.connections, 1, 'those that are over are forgotten');
});

test('a delay holds each way by itself, keeps the order, and is over at once when it is taken back', async (context) => {
  const { relay, pair } = await scene(context);
  const both = await pair();
  relay.delay(30, 'toServer');
  relay.delay(40, 'toClient');
  const startMs = performance.now();
  await roundTrip(both);
  assert.ok(performance.now() - startMs >= 70);
  relay.delay(3_600_000);
  relay.pass('toClient');
  for (const word of ['one ', 'two ', 'three']) both.client.socket.write(word);
  await wordsPass(both.server, both.client);
  assert.equal(both.server.got, '?');
  relay.pass('toServer');
  await both.server.until(({ got }) => got === '?one two three');
});

test('a slow line lets its rate through and no more, whole', async (context) => {
  const { relay, pair } = await scene(context);
  const { client, server } = await pair();
  relay.limit(100_000, 'toServer');
  const startMs = performance.now();
  client.socket.write('x'.repeat(20_000));
  await server.until(({ got }) => got.length > 0);
  assert.ok(server.got.length < 20_000, 'in parts');
  await server.until(({ got }) => got.length === 20_000);
  assert.ok(performance.now() - startMs >= 190);
});

test('what is held arrives when the line passes again', async (context) => {
  const { relay, pair } = await scene(context);
  const one = await pair();
  relay.hold('toServer');
  one.client.socket.end('late');
  await wordsPass(one.server, one.client);
  assert.equal(one.server.got, '');
  relay.pass();
  await one.server.until(({ ended }) => ended);
  assert.equal(one.server.got, 'late');
});

test('a sender whose bytes are held is stopped in the end, and goes on when they pass', async (context) => {
  const { relay, pair } = await scene(context);
  const { client, server } = await pair();
  relay.hold();
  const megabyte = 1024 * 1024;
  client.socket.write('x'.repeat(64 * megabyte));
  // Stopped is who sends nothing through a hundred turns of the event loop that both ends and the relay share.
  for (let turn = 0, sent = -1; turn < 100; turn++) {
    const now = client.socket.bytesWritten - client.socket.writableLength;
    if (now !== sent) turn = 0;
    sent = now;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  assert.ok(client.socket.writableLength > 0);
  relay.pass();
  await server.until(({ got }) => got.length === 64 * megabyte);
});

for (const way of ['toServer', 'toClient'] as const satisfies readonly Way[]) {
  test(`cut ${way}: bytes vanish, both ends stay open, the other way passes; healed, the connection is reset`, async (context) => {
    const { relay, pair } = await scene(context);
    const { client, server } = await pair();
    const whole = await pair();
    relay.cut(way);
    const [from, to] = way === 'toServer' ? [client, server] : [server, client];
    const vanished = relay.nextLoss(way);
    from.socket.end('lost');
    await vanished;
    assert.equal(relay.lostBytes(way), 4);
    await wordsPass(to, from);
    assert.deepEqual([to.got, to.ended, to.failure, from.ended], ['', false, null, false]);
    relay.pass();
    await to.until(({ failure }) => failure === 'ECONNRESET');
    await roundTrip(whole);
    assert.equal(whole.client.failure, null, 'what lost nothing goes on');
  });
}

test('cut both ways: a connection stays half-open until the last of its ways passes again', async (context) => {
  const { relay, pair } = await scene(context);
  const { client, server } = await pair();
  const other = await pair();
  relay.cut();
  const vanished = Promise.all([relay.nextLoss('toServer'), relay.nextLoss('toClient')]);
  client.socket.write('lost');
  server.socket.write('lost too');
  await vanished;
  relay.pass('toServer');
  client.socket.write('after the hole');
  other.client.socket.write('no hole');
  await other.server.until(({ got }) => got === 'no hole');
  assert.deepEqual([server.got, server.failure, client.failure], ['', null, null]);
  relay.pass('toClient');
  await Promise.all([client, server].map((end) => end.until(({ failure }) => failure === 'ECONNRESET')));
});

test('a stranded connection is silent, and new ones work', async (context) => {
  const { relay, pair } = await scene(context);
  const old = await pair();
  await roundTrip(old);
  relay.strand();
  old.client.socket.write('lost');
  await roundTrip(await pair());
  assert.deepEqual([old.server.got, old.client.failure], ['?', null]);
});

test('a reset is heard at both ends, and new connections work', async (context) => {
  const { relay, pair } = await scene(context);
  const { client, server } = await pair();
  await roundTrip({ client, server });
  relay.reset();
  await Promise.all([client, server].map((end) => end.until(({ failure }) => failure === 'ECONNRESET')));
  await roundTrip(await pair());
});

test('who connects is refused, who was there stays, and the port is the same afterwards', async (context) => {
  const { relay, pair } = await scene(context);
  const old = await pair();
  const { port } = relay;
  relay.refuse();
  relay.refuse();
  const refused = new End(connect(port, '127.0.0.1'));
  await refused.until(({ failure }) => failure === 'ECONNREFUSED');
  await roundTrip(old);
  await relay.accept();
  await relay.accept();
  assert.equal(relay.port, port);
  await roundTrip(await pair());
});

test('a server that is not there is a reset', async (context) => {
  const { relay } = await scene(context);
  relay.target = await freePort();
  const client = new End(connect(relay.port, '127.0.0.1'));
  await client.until(({ failure }) => failure === 'ECONNRESET');
});

for (const then of ['silence', 'reset'] as const) {
  test(`exactly the answer to the next request is lost: ${then}`, async (context) => {
    const { relay, pair } = await scene(context);
    const asking = await pair();
    const other = await pair();
    await Promise.all([asking, other].map(roundTrip));
    const lost = relay.loseNextReply({ containing: 'SET', then });
    assert.throws(() => relay.loseNextReply(), /one reply at a time/);
    await roundTrip(asking);
    asking.client.socket.write('SET a 1');
    await asking.server.until(({ got }) => got.endsWith('SET a 1'));
    await roundTrip(other);
    asking.server.socket.write('OK');
    await lost;
    assert.equal(relay.lostBytes('toClient'), 2);
    await roundTrip(other);
    if (then === 'reset') {
      await asking.client.until(({ failure }) => failure === 'ECONNRESET');
    } else {
      asking.client.socket.write('anybody?');
      await asking.server.until(({ got }) => got.endsWith('anybody?'));
      asking.server.socket.write('yes');
      await roundTrip(other);
      assert.equal(asking.client.failure, null);
    }
    assert.equal(asking.client.got, '!!');
    const again = relay.loseNextReply();
    other.client.socket.write('b');
    await other.server.until(({ got }) => got.endsWith('b'));
    other.server.socket.write('c');
    await again;
  });
}
