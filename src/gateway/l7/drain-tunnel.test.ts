/** What becomes of the tunnels of an endpoint, or of the whole gateway, when a drain has no more time. */
import assert from 'node:assert/strict';
import { mock } from 'node:test';
import { eventually, onBoth, onFast } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { type Open, tunnel } from '../../../test/engine/tunnel.ts';
import { CUT, DRAINING, SERVING } from '../slots.ts';
import { DONE, Insides, PENDING } from './raw-internals.ts';

/** The head of a text frame, and a text in it. */
const text = (content: string): Buffer => Buffer.concat([Buffer.from([0x81, content.length]), Buffer.from(content)]);
const masked = (content: string): Buffer =>
  Buffer.concat([Buffer.from([0x81, 0x80 | content.length, 0, 0, 0, 0]), Buffer.from(content)]);
const closed = Buffer.from([0x88, 0]);
const maskedClose = Buffer.from([0x88, 0x80, 1, 2, 3, 4]);

const CLOSE_1001 = Buffer.from([0x88, 2, 3, 0xe9]);

/** The next that came to a server is a masked Close 1001. */
async function closeOf(server: Open['server']): Promise<void> {
  const frame = await server.bytes(8);
  assert.deepEqual([...frame.subarray(0, 2)], [0x88, 0x82]);
  assert.equal(((frame[6]! ^ frame[2]!) << 8) | (frame[7]! ^ frame[3]!), 1001);
}

onBoth('RFC 6455 §7.4.1: when the time is over both sides are told 1001, and end in good order', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  client.write(masked('hello'));
  await server.bytes(11);
  gateway.sayDrain(DRAINING);
  server.write(text('still here'));
  assert.equal((await client.bytes(12)).subarray(2).toString(), 'still here');
  gateway.sayDrain(CUT);
  assert.deepEqual(await client.bytes(4), CLOSE_1001);
  await closeOf(server);
  client.write(maskedClose);
  server.write(closed);
  assert.equal(await client.gone(), 'end');
  assert.equal(await server.gone(), 'end');
  await eventually('it is over', () => gateway.listener('tunnels') === 0 && gateway.endpoint('tunnels') === 0);
  assert.deepEqual([client.text, server.text], ['', ''], 'nothing follows a Close');
  assert.deepEqual([gateway.route('broken'), gateway.endpoint('tunnelsCut')], [0, 0]);
});

onBoth(
  'RFC 6455 §5.4: a frame on its way is finished before the Close; what follows it is not passed on',
  async (bench) => {
    const { client, server, gateway } = await tunnel(bench);
    const frame = text('0123456789');
    server.write(frame.subarray(0, 7));
    await client.bytes(7);
    gateway.sayDrain(CUT);
    await closeOf(server);
    server.write(Buffer.concat([frame.subarray(7), text('more')]));
    assert.deepEqual(await client.bytes(9), Buffer.concat([frame.subarray(7), CLOSE_1001]));
    client.write(maskedClose);
    server.write(closed);
    assert.equal(await client.gone(), 'end');
    assert.equal(client.text, '');
  },
);

onBoth('RFC 6455 §5.5.1: who was told goodbye already is not told again', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  server.write(closed);
  assert.deepEqual(await client.bytes(2), closed);
  gateway.sayDrain(CUT);
  await closeOf(server);
  client.write(maskedClose);
  assert.equal(await client.gone(), 'end');
  assert.equal(client.text, '');
});

onBoth('a side that does not say goodbye is cut after a while; one without frames at once', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  gateway.sayDrain(CUT);
  assert.deepEqual(await client.bytes(4), CLOSE_1001);
  assert.equal(await client.gone(), 'reset');
  assert.equal(await server.gone(), 'reset');
  assert.equal(gateway.endpoint('tunnelsCut'), 1);
  gateway.sayDrain(SERVING);
  const other = await tunnel(bench);
  other.client.write('no frame');
  other.server.write('nor this');
  await other.client.bytes(8);
  await other.server.bytes(8);
  other.gateway.sayDrain(CUT);
  assert.equal(await other.client.gone(), 'reset');
  assert.equal(other.client.text, '');
});

onBoth('a Close waits for a client that does not take what it was sent', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  const head = Buffer.from([0x82, 127, 0, 0, 0, 0, 0, 0x40, 0, 0]); // 4 MB
  server.write(head);
  await client.bytes(head.length);
  client.pause();
  server.write(Buffer.alloc(4 * 1024 * 1024));
  gateway.sayDrain(CUT);
  await closeOf(server);
  client.resume();
  const all = await client.bytes(4 * 1024 * 1024 + 4);
  assert.deepEqual(all.subarray(-4), CLOSE_1001);
  client.write(maskedClose);
  server.write(closed);
  assert.equal(await client.gone(), 'end');
});

onBoth('a goodbye that comes with the end of a frame is said by the gateway instead', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  const frame = masked('0123456789');
  client.write(frame.subarray(0, 8));
  await server.bytes(8);
  gateway.sayDrain(CUT);
  assert.deepEqual(await client.bytes(4), CLOSE_1001);
  client.write(Buffer.concat([frame.subarray(8), maskedClose]));
  assert.deepEqual(await server.bytes(8), frame.subarray(8));
  await closeOf(server);
  server.write(closed);
  assert.equal(await server.gone(), 'end');
  assert.equal(await client.gone(), 'end');
  assert.deepEqual([client.text, server.text], ['', ''], 'nothing follows a Close');
});

// What a real kernel does too, but not when a test wants it: it took all so far, and has no room for what is held in this turn.
onFast('a goodbye behind what a server takes later arrives, and what is before it', async (bench) => {
  const clock = new ManualClock();
  const { client, server, gateway } = await tunnel(bench, {}, clock);
  const frame = masked('0123456789');
  const write: (this: Insides, ...given: Parameters<Insides['write']>) => number = Reflect.get(
    Insides.prototype,
    'write',
  );
  let isFull = false;
  const later = Promise.withResolvers<() => void>();
  const writes = mock.method(
    Insides.prototype,
    'write',
    function (this: Insides, ...given: Parameters<Insides['write']>) {
      if (!isFull || given[2].length < 8) return write.apply(this, given);
      const [handle, wire, bytes] = given;
      later.resolve(() => {
        assert.equal(write.call(this, handle, wire, bytes), DONE);
        wire.written(0);
      });
      return PENDING;
    },
  );
  try {
    server.write(closed);
    assert.deepEqual(await client.bytes(2), closed);
    client.write(frame.subarray(0, 8));
    await server.bytes(8);
    gateway.sayDrain(CUT);
    clock.pass(100); // it is heeded
    isFull = true;
    client.write(Buffer.concat([frame.subarray(8), maskedClose]));
    const takes = await later.promise;
    isFull = false;
    takes();
    assert.deepEqual(await server.bytes(8), frame.subarray(8));
    await closeOf(server);
    assert.equal(await server.gone(), 'end');
    assert.equal(await client.gone(), 'end');
    assert.deepEqual([gateway.route('broken'), gateway.endpoint('tunnelsCut')], [0, 0]);
  } finally {
    writes.mock.restore();
  }
});

onBoth('the drain of the gateway itself tells tunnels 1001 before it cuts them', async (bench) => {
  const { client, server, gateway } = await tunnel(bench);
  const drained = gateway.plane.drain(2000);
  assert.deepEqual(await client.bytes(4), CLOSE_1001);
  await closeOf(server);
  client.write(maskedClose);
  server.write(closed);
  assert.equal(await client.gone(), 'end');
  await drained;
});

onBoth('a tunnel to what has left the config is told 1001 when the time for a drain is over', async (bench) => {
  const { client, server, gateway } = await tunnel(bench, { drainTimeoutMs: 200 });
  await gateway.changeServices(() => ({ endpoints: [] }));
  server.write(text('still here'));
  assert.equal((await client.bytes(12)).subarray(2).toString(), 'still here');
  assert.deepEqual(await client.bytes(4), CLOSE_1001);
  await closeOf(server);
  client.write(maskedClose);
  server.write(closed);
  assert.equal(await client.gone(), 'end');
});
