/**
 * Any sequence of writes, pauses and turns of the loop over TLS: no byte is lost or doubled in either direction, no write meets
 * another one in Node's TLS layer (which would abort this process), and no memory is used before it is free.
 */
import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { eventually } from '../../../test/engine/bench.ts';
import { turn } from '../../../test/engine/peer.ts';
import { ByteStream } from '../../../test/engine/stream.ts';
import { type Line, onWires, secureKinds } from '../../../test/engine/wires.ts';
import { type Random, seededRandom } from '../../kernel/random.ts';
import type { Buffers } from './buffers.ts';

const RUBBISH = 0xdd;
/** Sequences on one connection, so that most of the time is not for handshakes. With all kinds and runs: 10,000. */
const SEQUENCES = 125;
const RUNS = 20;
const STEPS_EACH = 5;

/** An owner that writes on although it was asked to pause is in the contract, but it stops at some point. */
const PENDING_BYTES_MAX = 1024 * 1024;

const STEPS = [
  ...['write', 'give', 'give', 'give', 'peer writes', 'peer writes'],
  ...['turn', 'turn', 'turn', 'peer pauses', 'peer resumes', 'pause', 'resume'],
] as const;

/** Mostly answers and records; now and then more than the sockets hold. */
function sizeBelow(random: Random): number {
  const limits = [2000, 2000, 2000, 20_000, 80_000, 600_000];
  return 1 + Math.floor(random.unit() * limits[Math.floor(random.unit() * limits.length)]!);
}

/** What is given back holds rubbish from then on. */
function spoil(buffers: Buffers): void {
  const giveBack = buffers.giveBack.bind(buffers);
  buffers.giveBack = (buffer) => {
    buffer.fill(RUBBISH);
    giveBack(buffer);
  };
}

/** Both directions of a line, each with a stream that is known byte by byte. */
class Traffic {
  readonly #line: Line;
  readonly #down = new ByteStream(1, Number.MAX_SAFE_INTEGER);
  readonly #downSeen = new ByteStream(1, Number.MAX_SAFE_INTEGER);
  readonly #up = new ByteStream(2, Number.MAX_SAFE_INTEGER);
  readonly #upSeen = new ByteStream(2, Number.MAX_SAFE_INTEGER);
  /** Lent to the wire until it drains. */
  #lent: Buffer[] = [];

  constructor(line: Line) {
    this.#line = line;
    const { owner, peer } = line;
    peer.sink = (bytes) => this.#downSeen.check(bytes);
    owner.onEvent = (event) => {
      if (event === 'drain') this.#free();
      if (event !== 'bytes') return;
      this.#upSeen.check(owner.bytes);
      owner.bytes = Buffer.alloc(0);
    };
  }

  async step(random: Random): Promise<void> {
    const { wire, peer, buffers } = this.#line;
    const next = STEPS[Math.floor(random.unit() * STEPS.length)]!;
    const size = sizeBelow(random);
    if ((next === 'write' || next === 'give') && wire.pendingBytes > PENDING_BYTES_MAX) return;
    if (next === 'peer writes' && peer.socket.writableLength > PENDING_BYTES_MAX) return;
    switch (next) {
      case 'write': {
        const bytes = Buffer.from(this.#down.next(size)!);
        const free = wire.write(bytes);
        this.#lent.push(bytes);
        if (free && !wire.congested) this.#free();
        return;
      }
      case 'give': {
        const bytes = this.#down.next(size)!;
        const buffer = buffers.borrow(bytes.length);
        buffer.set(bytes);
        wire.give(buffer, bytes.length);
        return;
      }
      case 'peer writes':
        peer.write(Buffer.from(this.#up.next(size)!));
        return;
      case 'turn':
        await turn();
        return;
      case 'peer pauses':
        peer.pause();
        return;
      case 'peer resumes':
        peer.resume();
        return;
      case 'pause':
        wire.pause();
        return;
      default:
        wire.resume();
    }
  }

  /** Everyone reads until all has come. */
  async settle(): Promise<void> {
    const { wire, owner, peer } = this.#line;
    wire.resume();
    peer.resume();
    await peer.until('all that was written', () => this.#downSeen.at === this.#down.at);
    await owner.until(() => this.#upSeen.at === this.#up.at);
    if (wire.congested) await owner.until(() => !wire.congested);
  }

  #free(): void {
    for (const bytes of this.#lent.splice(0)) bytes.fill(RUBBISH);
  }
}

onWires('any sequence over TLS arrives byte for byte', secureKinds, async (line) => {
  spoil(line.buffers);
  const traffic = new Traffic(line);
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => {
      const random = seededRandom(seed);
      for (let i = 0; i < SEQUENCES * STEPS_EACH; i += 1) await traffic.step(random);
      await traffic.settle();
      assert.equal(line.buffers.bytes, 0);
      await eventually('all has left', () => line.wire.pendingBytes === 0);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
});
