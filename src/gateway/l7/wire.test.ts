/** The contract of a wire (wire.ts), kept by every kind of them, on real sockets. What a kind cannot do is said beside it. */
import assert from 'node:assert/strict';
import { onWires, wireKinds } from '../../../test/engine/wires.ts';

/** More than the sockets of both ends hold, so that a write of it stays pending. */
const MUCH = 8 * 1024 * 1024;

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
