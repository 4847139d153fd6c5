/** An endpoint that drains: no new work, the old is finished; and what becomes of tunnels when there is no more time. */
import assert from 'node:assert/strict';
import { eventually, onBoth } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { type Open, tunnel } from '../../../test/engine/tunnel.ts';
import { CLOSED, CUT, DRAINING, SERVING } from '../slots.ts';

const get = (fields = ''): string => `GET / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;

onBoth(
  'no new work for one that drains, from the next request on; its clients keep their connections',
  async (bench) => {
    const origins = [await bench.origin(), await bench.origin()];
    origins.forEach((origin, index) => origin.serve((_, server) => void server.write(answer(String(index)))));
    const gateway = await bench.gateway(origins);
    const client = await bench.client(gateway);
    const ask = async (): Promise<string> => {
      client.write(get());
      const response = await client.response();
      assert.notEqual(fieldOf(response, 'connection'), 'close');
      return response.body.toString();
    };
    assert.deepEqual([await ask(), await ask()].toSorted(), ['0', '1']);
    gateway.sayDrain(DRAINING);
    for (let request = 0; request < 6; request += 1) assert.equal(await ask(), '1');
    await eventually('its idle connection is closed', () => gateway.endpoint('connections', 0) === 0);
    assert.equal(gateway.endpoint('idle', 1), 1);
    gateway.sayDrain(SERVING);
    assert.deepEqual([await ask(), await ask()].toSorted(), ['0', '1']);
  },
);

onBoth('a request under way is finished, and its connection is not kept', async (bench) => {
  const { origin, client, gateway } = await bench.line();
  client.write(get());
  const server = await origin.accept();
  await server.request();
  gateway.sayDrain(DRAINING);
  const other = await bench.client(gateway);
  other.write(get());
  await other.refusal(503, 'no_endpoint');
  server.write(answer('whole'));
  assert.equal((await client.response()).body.toString(), 'whole');
  assert.equal(await server.gone(), 'end');
  client.write(get());
  await client.refusal(503, 'no_endpoint');
});

onBoth(
  'clients that are pinned to it may come until its time is over, then they are pinned elsewhere',
  async (bench) => {
    const changes: Changes = {
      service: { affinity: { cookie: 'pin', attributes: '; Path=/', secure: 'never' } },
      endpoint: (index) => ({ pin: `pin${index}` }),
    };
    const origins = [await bench.origin(), await bench.origin()];
    origins.forEach((origin, index) => origin.serve((_, server) => void server.write(answer(String(index)))));
    const gateway = await bench.gateway(origins, changes);
    const client = await bench.client(gateway);
    gateway.sayDrain(DRAINING);
    client.write(get('Cookie: pin=pin0\r\n'));
    assert.equal((await client.response()).body.toString(), '0');
    gateway.sayDrain(CLOSED);
    client.write(get('Cookie: pin=pin0\r\n'));
    const response = await client.response();
    assert.equal(response.body.toString(), '1');
    assert.match(String(fieldOf(response, 'set-cookie')), /^pin=pin1;/);
  },
);

// — Tunnels

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
  assert.equal(gateway.route('broken'), 0);
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
