/** Who may be connected: the limits, and that every place is given back once, in whatever stage its connection ended. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { answer } from '../../../test/engine/origin.ts';
import { connectTo, type Peer } from '../../../test/engine/peer.ts';
import { type Changes, snapshotOf } from '../../../test/engine/plans.ts';
import { secure } from '../../../test/engine/secure.ts';
import { cellLanes, createCell } from '../../kernel/cells.ts';
import { addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { LISTENER_SLOTS, listenerSlots } from '../slots.ts';
import { Admission, type Place } from './admission.ts';

const { plan: tls, connect: connectSecure } = secure();

const networks = (list: readonly string[]): AddressSet => {
  const set = AddressSet.compile(list);
  assert.ok(set instanceof AddressSet);
  return set;
};

function admission(connectionsMax: number, connectionsPerIpMax: number, trusted: readonly string[] = []) {
  const lanes = cellLanes(createCell(3, LISTENER_SLOTS), LISTENER_SLOTS);
  const { limits } = snapshotOf([1], { limits: { connectionsMax, connectionsPerIpMax } }).listeners[0]!;
  let left = 0;
  const made = new Admission({ lane: lanes[1]!, lanes, onLeft: () => (left += 1) }, limits, networks(trusted));
  return {
    made,
    lanes,
    left: () => left,
    take: (address: string) => made.take(addressFrom(address)),
    open: () => lanes[1]![listenerSlots.connections],
  };
}

describe('the limits', () => {
  test('places of other workers count for the listener, not for the client', () => {
    const { take, lanes } = admission(3, 1);
    lanes[2]![listenerSlots.connections] = 2;
    assert.ok(take('192.0.2.1'));
    assert.equal(take('192.0.2.2'), null);
    lanes[2]![listenerSlots.connections] = 1;
    assert.equal(take('192.0.2.1'), null);
    assert.ok(take('192.0.2.2'));
  });

  test('RFC 6177 §2: an IPv6 client counts by its /64, an IPv4 client by its address', () => {
    const { take } = admission(100, 2);
    assert.ok(take('2001:db8:0:1::1'));
    assert.ok(take('2001:db8:0:1:ffff:ffff:ffff:ffff'));
    assert.equal(take('2001:db8:0:1:8000::'), null);
    assert.ok(take('2001:db8:0:2::1'));
    assert.ok(take('192.0.2.1'));
    assert.ok(take('::ffff:192.0.2.1'));
    assert.equal(take('192.0.2.1'), null);
    assert.ok(take('192.0.2.2'));
  });

  test('a trusted proxy does not count by address, the client that it names does', () => {
    const { take, made } = admission(100, 1, ['10.0.0.0/8']);
    const [one, two] = [take('10.0.0.1'), take('10.0.0.1')];
    assert.ok(one && two);
    assert.equal(one.name(addressFrom('192.0.2.1')), true);
    assert.equal(two.name(addressFrom('192.0.2.1')), false);
    one.leave();
    assert.equal(two.name(addressFrom('192.0.2.1')), true);
    assert.equal(made.taken, 1);
  });

  test('a place is given back under the name it was taken with, though that is trusted now', () => {
    const { take, made } = admission(100, 1);
    const { limits } = snapshotOf([1], { limits: { connectionsPerIpMax: 1 } }).listeners[0]!;
    const place = take('192.0.2.1');
    made.apply(limits, networks(['192.0.2.1']));
    const exempt = take('192.0.2.1');
    made.apply(limits, networks([]));
    exempt?.leave();
    assert.equal(take('192.0.2.1'), null);
    place?.leave();
    assert.ok(take('192.0.2.1'));
  });
});

test('property: places are what is taken and not given back, in all and for each network', () => {
  const addresses = ['192.0.2.1', '192.0.2.2', '2001:db8::1', '2001:db8::2', '2001:db8:1::1', '10.0.0.1', ''];
  const network = (address: string): string => (address.includes('::1') ? address : address.replace('::2', '::1'));
  const step = fc.record({
    kind: fc.constantFrom('take', 'take', 'leave', 'name'),
    address: fc.constantFrom(...addresses),
    which: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { take, open, left, made } = admission(8, 2, ['10.0.0.0/8']);
      const model: { place: Place; address: string }[] = [];
      const same = (address: string): number =>
        address === '' || address === '10.0.0.1'
          ? -1
          : model.filter((each) => network(each.address) === network(address)).length;
      let gone = 0;
      for (const { kind, address, which } of steps) {
        const at = model[which % Math.max(1, model.length)];
        if (kind === 'take') {
          const place = take(address);
          assert.equal(place !== null, model.length < 8 && same(address) < 2);
          if (place !== null) {
            place.guest = { drain() {}, cut() {} };
            model.push({ place, address });
          }
        } else if (at !== undefined && kind === 'leave') {
          at.place.leave();
          at.place.leave();
          model.splice(model.indexOf(at), 1);
          gone += 1;
        } else if (at !== undefined) {
          at.address = '';
          const may = same(address) < 2;
          assert.equal(at.place.name(addressFrom(address)), may);
          if (may) at.address = address;
        }
        assert.deepEqual([made.taken, open(), left()], [model.length, model.length, gone]);
        const guests = new Set(made.guests());
        assert.equal(guests.size, model.length);
        for (const { place } of model) assert.ok(guests.has(place.guest));
      }
    }),
  );
});

const get = 'GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n';

async function served(bench: Bench, changes: Changes): Promise<TestGateway> {
  const origin = await bench.origin();
  origin.serve((_request, connection) => {
    connection.write(answer('ok'));
  });
  return await bench.gateway([origin], changes);
}

/** Of a handshake that does not come: longer than one takes on a busy machine. */
const timeouts = { handshakeMs: 4000 };

const counted = (gateway: TestGateway) => [gateway.listener('connections'), gateway.listener('refused')];

for (const [where, listener] of [
  ['in the clear', {}],
  ['before a TLS handshake', { tls }],
  ['before a PROXY header', { proxyProtocol: 'required', trustedProxies: ['127.0.0.1'] }],
  ['before a PROXY header and a TLS handshake', { tls, proxyProtocol: 'required', trustedProxies: ['127.0.0.1'] }],
] as const) {
  onBoth(`RFC 9112 §9.4: a connection counts from the accept on, ${where}`, async (bench) => {
    const gateway = await served(bench, { listener, timeouts, limits: { connectionsMax: 2 } });
    const open = [await bench.client(gateway), await bench.client(gateway)];
    await eventually('both are in', () => gateway.listener('connections') === 2);
    const third = await bench.client(gateway);
    assert.notEqual(await third.gone(), 'open');
    assert.deepEqual(counted(gateway), [2, 1]);
    for (const each of open) each.reset();
    await eventually('both are out', () => gateway.listener('connections') === 0);
    await bench.client(gateway);
    await eventually('another is in', () => gateway.listener('connections') === 1);
    assert.equal(gateway.listener('accepted'), 4);
  });
}

for (const [where, listener] of [
  ['in the clear', {}],
  ['with TLS', { tls }],
] as const) {
  onBoth(`RFC 9112 §9.4: one address has as many connections as it may, ${where}`, async (bench) => {
    const gateway = await served(bench, { listener, timeouts, limits: { connectionsPerIpMax: 2 } });
    const [first] = [await bench.client(gateway), await bench.client(gateway)];
    await eventually('both are in', () => gateway.listener('connections') === 2);
    assert.notEqual(await (await bench.client(gateway)).gone(), 'open');
    assert.deepEqual(counted(gateway), [2, 1]);
    first.reset();
    await eventually('one is out', () => gateway.listener('connections') === 1);
    await bench.client(gateway);
    await eventually('another is in', () => gateway.listener('connections') === 2);
  });

  onBoth(`RFC 9112 §9.4: clients behind a trusted proxy are not taken for one, ${where}`, async (bench) => {
    const gateway = await served(bench, {
      listener: { ...listener, trustedProxies: ['127.0.0.1'] },
      timeouts,
      limits: { connectionsPerIpMax: 1 },
    });
    for (let i = 0; i < 3; i += 1) await bench.client(gateway);
    await eventually('all are in', () => gateway.listener('connections') === 3);
  });

  onBoth(`RFC 9112 §9.4: the client that a PROXY header names is the one that counts, ${where}`, async (bench) => {
    const gateway = await served(bench, {
      listener: { ...listener, proxyProtocol: 'required', trustedProxies: ['127.0.0.1'] },
      limits: { connectionsPerIpMax: 1 },
    });
    const from = async (address: string): Promise<Peer> =>
      (await bench.client(gateway)).write(`PROXY TCP6 ${address} 2001:db8:f::1 1 2\r\n`);
    const first = await from('2001:db8::1');
    // One that is told that it is in has been named.
    await eventually('it is in', () => gateway.listener('connections') === 1);
    if (!('tls' in listener)) assert.equal((await first.write(get).response()).status, 200);
    else await shaken(first, gateway);
    assert.notEqual(await (await from('2001:db8::2')).gone(), 'open');
    assert.equal(gateway.listener('refused'), 1);
    const other = await from('2001:db8:0:1::1');
    if (!('tls' in listener)) assert.equal((await other.write(get).response()).status, 200);
    else await shaken(other, gateway);
    first.destroy();
    await eventually('the first is out', () => gateway.listener('connections') === 1);
    await from('2001:db8::2');
    await eventually('another of its network is in', () => gateway.listener('connections') === 2);
    assert.equal(gateway.listener('refused'), 1);
  });
}

/** A TLS client on a connection that is open. */
async function shaken(peer: Peer, gateway: TestGateway): Promise<void> {
  const before = gateway.listener('handshakes');
  peer.socket.removeAllListeners('data');
  await connectSecure({ socket: peer.socket });
  await eventually('the handshake is counted', () => gateway.listener('handshakes') === before + 1);
}

onBoth('RFC 9112 §9.5: a place is given back once, wherever a TLS connection ends', async (bench) => {
  const gateway = await served(bench, { listener: { tls }, timeouts });
  const { port } = gateway;
  const garbage = (await bench.client(gateway)).write('GET / HTTP/1.1\r\n\r\n');
  const silent = await bench.client(gateway);
  const half = (await bench.client(gateway)).write(hello);
  for (const each of [garbage, silent, half]) assert.notEqual(await each.gone(), 'open');
  const ended = connect({ port, host: '127.0.0.1' });
  ended.on('error', () => {});
  ended.resume().end();
  await once(ended, 'close');
  await eventually('four have failed', () => gateway.listener('handshakeFailures') === 4);
  await eventually('and are out', () => gateway.listener('connections') === 0);
  const [polite, rude] = [await connectSecure({ port }), await connectSecure({ port })];
  for (const each of [polite, rude]) assert.equal((await each.write(get).response()).status, 200);
  assert.equal(gateway.listener('connections'), 2);
  polite.end();
  rude.destroy();
  await eventually('both are out', () => gateway.listener('connections') === 0);
  assert.equal(gateway.listener('handshakes'), 2);
  assert.equal(gateway.listener('handshakeFailures'), 4);
});

/** The beginning of a ClientHello. */
const hello = Buffer.from([22, 3, 1, 2, 0, 1]);

for (const [how, leave] of [
  ['a FIN and no byte', (client: Peer) => client.end()],
  ['a FIN within its hello', (client: Peer) => client.write(hello).end()],
  ['a reset within its hello', (client: Peer) => client.write(hello).reset()],
] as const) {
  onBoth(
    `RFC 9112 §9.5: a client that leaves before the handshake has ended is not waited for: ${how}`,
    async (bench) => {
      const gateway = await served(bench, { listener: { tls }, timeouts: { handshakeMs: 3_600_000 } });
      leave(await bench.client(gateway));
      await eventually('it has failed', () => gateway.listener('handshakeFailures') === 1);
      await eventually('it is out', () => gateway.listener('connections') === 0);
    },
  );
}

onBoth('a drain ends handshakes and headers that have not arrived, and counts none as failed', async (bench) => {
  const trusted = { proxyProtocol: 'required', trustedProxies: ['127.0.0.1'] } as const;
  for (const listener of [{ tls }, trusted, { tls, ...trusted }]) {
    const gateway = await served(bench, { listener });
    const client = await connectTo(gateway.port);
    await eventually('it is in', () => gateway.listener('connections') === 1);
    await gateway.plane.drain(60_000);
    assert.notEqual(await client.gone(), 'open');
    assert.deepEqual(counted(gateway), [0, 0]);
    assert.equal(gateway.listener('handshakeFailures'), 0);
    client.destroy();
  }
});
