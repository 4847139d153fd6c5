/** A listener between its bind and its config. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Origin, answer } from '../../../test/engine/origin.ts';
import { eventually } from '../../../test/engine/bench.ts';
import { connectTo, type Peer, turn } from '../../../test/engine/peer.ts';
import { snapshotOf } from '../../../test/engine/plans.ts';
import { secure } from '../../../test/engine/secure.ts';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { systemClock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { LISTENER_SLOTS, listenerSlots } from '../slots.ts';
import { Listener } from './listener.ts';
import { Plane } from './plane.ts';

const { plan: tls, connect: connectSecure } = secure();
const get = 'GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n';

/** A plane that runs by one config, and a listener of the next that is bound and not open. */
async function bound(t: TestContext, transport: 'auto' | 'net', isSecure: boolean) {
  const [old, next] = [await Origin.listen(), await Origin.listen()];
  next.serve((_request, connection) => {
    connection.write(answer('next'));
  });
  const running = snapshotOf([old.port]);
  const coming = snapshotOf([next.port], { listener: { tls: isSecure ? tls : null } });
  const plan = { ...coming.listeners[0]!, id: 'new', cell: createCell(2, LISTENER_SLOTS) };
  const random = seededRandom(1);
  const plane = new Plane({
    clock: systemClock,
    random,
    lane: 1,
    transport,
    snapshot: running,
    rowFull: () => {},
    traced: () => {},
    notice: () => {},
  });
  const listener = new Listener(plane, plan, () => {});
  const port = await listener.listen(0);
  const lane = cellLane(plan.cell, LISTENER_SLOTS, 1);
  const client = await connectTo(port);
  await eventually('it has a place', () => lane[listenerSlots.connections] === 1);
  t.after(async () => {
    client.destroy();
    listener.close(0);
    listener.cut();
    plane.drain();
    await Promise.all([old.close(), next.close()]);
    assert.equal(lane[listenerSlots.connections], 0);
  });
  const arrive = (): void => {
    plane.apply(coming);
    listener.apply(plan);
    listener.open();
  };
  return { listener, client, arrive };
}

for (const transport of ['auto', 'net'] as const) {
  for (const isSecure of [false, true]) {
    const where = `[${transport}, ${isSecure ? 'TLS' : 'in the clear'}]`;

    test(
      `who connects before the config is in force waits and is served by it ${where}`,
      { timeout: 20_000 },
      async (t) => {
        const { client, arrive } = await bound(t, transport, isSecure);
        const shaken = isSecure ? connectSecure({ socket: client.socket }) : null;
        if (shaken === null) await client.flushed(get);
        await turn();
        arrive();
        const peer: Peer = shaken === null ? client : (await shaken).write(get);
        assert.equal((await peer.response()).body.toString(), 'next');
      },
    );

    test(`who connects to a listener whose config is refused is let go ${where}`, { timeout: 20_000 }, async (t) => {
      const { listener, client } = await bound(t, transport, isSecure);
      listener.close(0);
      assert.notEqual(await client.gone(), 'open');
    });

    test(`who has left before the config is in force is let go ${where}`, { timeout: 20_000 }, async (t) => {
      const { listener, client, arrive } = await bound(t, transport, isSecure);
      client.reset();
      await turn();
      arrive();
      await eventually('its place is free', () => listener.connections === 0);
    });
  }
}
