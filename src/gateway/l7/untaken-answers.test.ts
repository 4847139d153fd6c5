/**
 * A client that does not take the small answers it was given. They were whole when they were handed to its wire, so the
 * connection waits for requests again while the last of them is still in this process (outbox.ts): nothing may cut it off there.
 */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import { type Peer, turn } from '../../../test/engine/peer.ts';
import { secure } from '../../../test/engine/secure.ts';
import { SMALL_BYTES } from './buffers.ts';
import { HELD_BYTES_MAX } from './outbox.ts';

const { plan: tls, connect: connectSecure } = secure();
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const BODY = 'b'.repeat(HELD_BYTES_MAX - 512);
/** Many more than both sockets hold. */
const ASKED_MAX = 5000;
const IDLE_MS = 10_000;
const WRITE_IDLE_MS = 30_000;

/**
 * A client that has read nothing and asked until the sockets between were full: `asked` answers are its due. `behind`: so much
 * of the next request comes with each.
 */
async function stuck(bench: Bench, { behind = 0, isSecure = false } = {}): Promise<Line> {
  const clock = new ManualClock();
  const timeouts = { idleMs: IDLE_MS, writeIdleMs: WRITE_IDLE_MS, headerMs: 2 * WRITE_IDLE_MS };
  const changes = { timeouts, listener: { tls: isSecure ? tls : null } };
  const { origin, gateway, client: below } = await bench.line(changes, clock);
  const client = isSecure ? await connectSecure({ socket: below.socket }) : below;
  let served = 0;
  origin.serve(({ target }, connection) => {
    served += 1;
    connection.write(answer(target === '/small' ? 'small' : BODY));
  });
  client.pause();
  client.write(GET.slice(0, behind));
  let asked = 0;
  while (!(await isStuck(gateway, behind > 0 ? SMALL_BYTES : 0))) {
    assert.ok(asked < ASKED_MAX, 'the sockets are never full');
    asked += 1;
    client.write(GET.slice(behind) + GET.slice(0, behind));
    while (served < asked) await turn();
  }
  return { asked, clock, origin, gateway, client };
}

interface Line {
  readonly asked: number;
  readonly clock: ManualClock;
  readonly origin: Origin;
  readonly gateway: TestGateway;
  readonly client: Peer;
}

/** More memory than that is still lent out when everybody has had turns enough. */
async function isStuck(gateway: TestGateway, bytes: number): Promise<boolean> {
  for (let round = 0; round < 30; round += 1) {
    if (gateway.bufferedBytes <= bytes) return false;
    await turn();
  }
  return true;
}

async function takesAll({ asked, client }: Line): Promise<void> {
  client.resume();
  for (let taken = 0; taken < asked; taken += 1) {
    assert.equal((await client.response()).body.length, BODY.length, `answer ${taken} of ${asked}`);
  }
}

onBoth('answers that it has not taken reach a client that sends no more', async (bench) => {
  const line = await stuck(bench);
  line.client.end();
  for (let round = 0; round < 5; round += 1) await turn();
  await takesAll(line);
  assert.equal(await line.client.gone(), 'end');
});

onBoth('and one whose gateway drains', async (bench) => {
  const line = await stuck(bench);
  const drained = line.gateway.plane.drain(60_000);
  for (let round = 0; round < 5; round += 1) await turn();
  await takesAll(line);
  assert.equal(await line.client.gone(), 'end');
  line.client.end();
  await drained;
});

for (const isSecure of [false, true]) {
  const where = isSecure ? 'TLS' : 'in the clear';

  onBoth(
    `RFC 9112 §9.5: a client that takes its answers slowly is not idle meanwhile; one that takes nothing is cut off, ${where}`,
    async (bench) => {
      const line = await stuck(bench, { isSecure });
      const { client, clock, gateway } = line;
      clock.pass(IDLE_MS + 1000);
      await turn();
      assert.equal(gateway.listener('connections'), 1);
      clock.pass(2 * WRITE_IDLE_MS);
      await eventually('it is cut off', () => gateway.listener('connections') === 0);
      client.resume();
      // Node's public sockets reset no TLS.
      assert.equal(await client.gone(), isSecure && bench.transport === 'net' ? 'end' : 'reset');
    },
  );

  onBoth(`it gets them also when it goes on with what is refused, and its FIN, ${where}`, async (bench) => {
    const line = await stuck(bench, { isSecure });
    const { client } = line;
    client.write('not HTTP\r\n\r\n').end();
    for (let round = 0; round < 30; round += 1) await turn();
    await takesAll(line);
    await client.refusal(400, 'bad_request_line');
    assert.equal(await client.gone(), 'end');
  });

  onBoth(`it gets the last of them also when it was silent for longer than it may be idle, ${where}`, async (bench) => {
    const line = await stuck(bench, { isSecure });
    const { client, clock, gateway } = line;
    clock.pass(IDLE_MS + 1000);
    await takesAll(line);
    await turn();
    // It has taken them, and may ask again.
    assert.equal((await client.write(GET).response()).body.length, BODY.length);
    // Then it is idle.
    clock.pass(2 * IDLE_MS);
    await eventually('it is closed', () => gateway.listener('connections') === 0);
  });
}

onBoth(
  'a client that goes on sending part of a head without taking its answers is not read for ever',
  async (bench) => {
    const { client, gateway } = await stuck(bench, { behind: 5 });
    const before = gateway.bufferedBytes;
    const piece = Buffer.alloc(64 * 1024, 'x');
    let sent = 0;
    void client.pour(() => {
      sent += 1;
      return sent > 200 ? null : piece;
    });
    for (let round = 0; round < 500; round += 1) await turn();
    assert.ok(gateway.bufferedBytes - before < 512 * 1024, `${gateway.bufferedBytes} bytes are kept`);
  },
);

for (const isSecure of [false, true]) {
  onBoth(
    `small answers behind them are not piled up, each in a buffer, ${isSecure ? 'TLS' : 'in the clear'}`,
    async (bench) => {
      const { client, gateway } = await stuck(bench, { isSecure });
      for (let i = 0; i < 500; i += 1) {
        client.write(GET.replace('/', '/small'));
        await turn();
      }
      for (let round = 0; round < 500; round += 1) await turn();
      assert.ok(gateway.bufferedBytes < 256 * 1024, `${gateway.bufferedBytes} bytes are kept`);
    },
  );
}
