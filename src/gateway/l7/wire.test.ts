/** The contract of a wire (wire.ts), kept by every kind of them, on real sockets. What a kind cannot do is said beside it. */
import assert from 'node:assert/strict';
import { eventually } from '../../../test/engine/bench.ts';
import { onWires, type WireKind, wireKinds } from '../../../test/engine/wires.ts';
import { HELD_BYTES_MAX } from './outbox.ts';

/** More than the sockets of both ends hold, so that a write of it stays pending. */
const MUCH = 8 * 1024 * 1024;

/** Just more than a wire may hold back until the end of the turn (outbox.ts). */
const NOT_HELD = HELD_BYTES_MAX + 1;

onWires('writes of any size leave in their order', wireKinds, async ({ wire, owner, peer, buffers }) => {
  const sizes = [1, NOT_HELD, 10, 20, HELD_BYTES_MAX, NOT_HELD, 5, ...Array.from({ length: 100 }, (_, i) => i + 1)];
  const pieces = sizes.map((size, i) => Buffer.alloc(size, i));
  for (const [i, piece] of pieces.entries()) {
    if (i % 2 === 0) wire.write(piece);
    else {
      const buffer = buffers.borrow(piece.length);
      buffer.set(piece);
      wire.give(buffer, piece.length);
    }
  }
  wire.finish();
  assert.equal(await peer.gone(), 'end');
  assert.ok(peer.received.equals(Buffer.concat(pieces)));
  await owner.until(() => owner.closed === 'close ');
  assert.equal(buffers.bytes, 0);
});

onWires('what was held back for a wire that is gone is given back', wireKinds, async ({ wire, buffers }) => {
  for (const size of [10, 20]) wire.give(buffers.borrow(size), size);
  wire.reset();
  await eventually('nothing is lent out', () => buffers.bytes === 0);
});

const serverKinds: readonly WireKind[] = ['raw, connected', 'net, connected'];

onWires('a write inside onDrain may be pending in its turn', wireKinds, async ({ wire, owner, peer }) => {
  const rounds = 4;
  let written = 0;
  const write = (): void => {
    written += 1;
    assert.equal(wire.write(Buffer.alloc(MUCH, written)), false);
  };
  // Also from a microtask behind it, which is how a connection goes on to its next request.
  owner.onEvent = (event) => {
    if (event !== 'drain' || written === rounds) return;
    if (written % 2 === 0) queueMicrotask(write);
    else write();
  };
  write();
  await peer.until('all of it', () => peer.receivedBytes === rounds * MUCH);
  const all = peer.received;
  for (let round = 0; round < rounds; round += 1) {
    const piece = all.subarray(round * MUCH, (round + 1) * MUCH);
    assert.ok(piece.equals(Buffer.alloc(MUCH, round + 1)), `round ${round}`);
  }
});

// Node aborts the process if a request is used again too early, so nothing is asserted of that.
onWires('several writes may begin where another ends', ['raw, accepted', 'raw, connected'], async (line) => {
  const { wire, owner, peer } = line;
  const rounds = 7;
  let written = 0;
  const write = (): void => {
    written += 1;
    assert.equal(wire.write(Buffer.alloc(MUCH, written)), false);
  };
  owner.onEvent = (event) => {
    if (event !== 'drain' || written === rounds) return;
    write();
    write();
    queueMicrotask(write);
    peer.write('a read, from which on requests are used again');
  };
  write();
  await peer.until('all of it', () => peer.receivedBytes === rounds * MUCH);
  const all = peer.received;
  for (let round = 0; round < rounds; round += 1) {
    const piece = all.subarray(round * MUCH, (round + 1) * MUCH);
    assert.ok(piece.equals(Buffer.alloc(MUCH, round + 1)), `round ${round}`);
  }
  assert.match(owner.bytes.toString(), /^a read/);
});

// RFC 9112 §9.5, §9.6: who sends a body reads on, because the answer may have come before the reset that ends the sending.
// Node's sockets close themselves on an error of a write, with what is unread, so on the public path the answer is lost.
onWires('what the server said before it reset is read after a write has failed', serverKinds, async (line) => {
  const { wire, owner, peer, kind } = line;
  peer.write('early answer');
  peer.reset();
  const done = [wire.write(Buffer.alloc(NOT_HELD)), wire.write(Buffer.alloc(NOT_HELD))];
  assert.ok(done.includes(false), 'a write has failed');
  assert.equal(owner.events.length, 0, 'nobody is called back inside a write');
  await owner.until(() => owner.closed !== undefined);
  if (kind.startsWith('raw')) {
    assert.ok(wire.closed);
    assert.equal(owner.bytes.toString(), 'early answer');
    assert.deepEqual(owner.events, ['bytes', 'close ECONNRESET'], 'and what was cut off is no clean end');
  } else assert.match(owner.closed ?? '', /^close (ECONNRESET|EPIPE)$/);
});

onWires('what a pending write fails with leaves what was said readable', ['raw, connected'], async (line) => {
  const { wire, owner, peer, buffers } = line;
  peer.pause();
  wire.pause();
  assert.equal(wire.give(buffers.borrow(MUCH), MUCH), false);
  peer.write('early answer');
  peer.reset();
  await eventually('the write has failed', () => buffers.bytes === 0 || wire.pendingBytes === 0);
  assert.deepEqual(owner.events, [], 'nothing is read that was not asked for');
  assert.ok(wire.congested && !wire.closed);
  wire.resume();
  await owner.until(() => owner.closed !== undefined);
  assert.deepEqual([owner.events, owner.bytes.toString()], [['bytes', 'close ECONNRESET'], 'early answer']);
  assert.equal(buffers.bytes, 0);
});

onWires(
  'a client that is gone is noticed by the write, read or not',
  ['raw, accepted', 'net, accepted'],
  async (line) => {
    const { wire, owner, peer } = line;
    wire.pause();
    peer.reset();
    wire.write(Buffer.alloc(100));
    await owner.until(() => owner.closed !== undefined);
    assert.match(owner.closed ?? '', /^close (ECONNRESET|EPIPE)$/);
  },
);

onWires(
  'a wire whose write has failed finishes at once',
  ['raw, connected'],
  async ({ wire, owner, peer, buffers }) => {
    wire.pause();
    peer.reset();
    assert.equal(wire.give(buffers.borrow(NOT_HELD), NOT_HELD), false);
    assert.equal(buffers.bytes, 0);
    wire.finish();
    await owner.until(() => owner.closed !== undefined);
    assert.deepEqual(owner.events, ['close ']);
  },
);

onWires('what a slow reader takes shows before a write has ended', wireKinds, async ({ wire, owner, peer }) => {
  const bytes = 3 * MUCH;
  assert.equal(wire.write(Buffer.alloc(bytes)), false);
  peer.pause();
  await eventually(
    'the sockets are full',
    stands(() => wire.pendingBytes),
  );
  const before = wire.pendingBytes;
  assert.ok(wire.congested && before > MUCH, 'more waits than the sockets hold');
  peer.sink = () => {
    if (peer.receivedBytes >= MUCH) peer.pause();
  };
  peer.resume();
  await eventually('it shows', () => wire.pendingBytes < before);
  assert.ok(wire.congested && wire.pendingBytes > 0 && owner.events.length === 0, 'and goes on');
  peer.sink = () => {};
  peer.resume();
  await owner.until(() => owner.events.includes('drain'));
  assert.equal(wire.pendingBytes, 0);
});

/** A condition: `read` gives the same number as the last time. */
function stands(read: () => number): () => boolean {
  let last = -1;
  return () => {
    const now = read();
    const same = now === last;
    last = now;
    return same;
  };
}

// Who ends a wire asks it before he closes, and is told when he may: what is still here would be lost.
onWires(
  'a wire that has ended is congested as long as anything is pending, and drains',
  wireKinds,
  async ({ wire, owner, peer }) => {
    peer.pause();
    let written = 0;
    for (; wire.pendingBytes === 0; written += 1000) wire.write(Buffer.alloc(1000));
    wire.end();
    assert.ok(wire.congested);
    peer.resume();
    assert.equal(await peer.gone(), 'end');
    assert.equal(peer.receivedBytes, written);
    await owner.until(() => owner.events.includes('drain'));
    assert.ok(!wire.congested);
    peer.end();
    await owner.until(() => owner.events.includes('end'));
  },
);

for (const ending of ['end', 'finish'] as const) {
  onWires(`${ending} lets go first what is pending`, wireKinds, async ({ wire, owner, peer }) => {
    peer.pause();
    for (let i = 0; i < 4; i += 1) wire.write(Buffer.alloc(MUCH / 4, i));
    wire[ending]();
    wire[ending]();
    peer.resume();
    assert.equal(await peer.gone(), 'end');
    assert.ok(peer.received.equals(Buffer.concat([0, 1, 2, 3].map((i) => Buffer.alloc(MUCH / 4, i)))));
    if (ending === 'end') {
      peer.write('more');
      peer.end();
      await owner.until(() => owner.events.includes('end'));
      assert.equal(owner.bytes.toString(), 'more', 'reading goes on');
    } else await owner.until(() => owner.closed === 'close ');
  });
}

// A handle that libuv keeps is a descriptor for ever, and a worker that has one cannot be ended: Node waits for it.
for (const [what, bytes] of [
  ['behind pending bytes', MUCH],
  ['in the same turn', 0],
] as const) {
  onWires(`a reset ends a wire whose FIN waits ${what}`, wireKinds, async ({ wire, owner, peer }) => {
    peer.pause();
    if (bytes > 0) wire.write(Buffer.alloc(bytes));
    wire.end();
    wire.reset();
    assert.ok(wire.closed);
    peer.resume();
    assert.notEqual(await peer.gone(), 'open');
    peer.destroy();
    await eventually('no handle is left', () => !process.getActiveResourcesInfo().includes('TCPSocketWrap'));
    assert.deepEqual(owner.events, []);
  });
}
