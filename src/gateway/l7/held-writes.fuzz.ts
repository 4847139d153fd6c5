/**
 * Several wires of one worker, in the clear and with TLS, that hold small writes back in one outbox: any sequence of writes of
 * sizes around what is held, turns of the loop, slow readers and ends of every kind. No byte is lost, doubled, changed or out of
 * its order, what a wire ends in good order with is whole, and every buffer is given back once.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import * as fc from 'fast-check';
import { Authority } from '../../../test/certificates.ts';
import { eventually } from '../../../test/engine/bench.ts';
import { connectTo, Peer, turn } from '../../../test/engine/peer.ts';
import { ByteStream } from '../../../test/engine/stream.ts';
import { Recorder } from '../../../test/engine/wires.ts';
import { type Random, seededRandom } from '../../kernel/random.ts';
import { Buffers, LARGE_BYTES, SMALL_BYTES } from './buffers.ts';
import { HELD_BYTES_MAX } from './outbox.ts';
import { RawTransport } from './raw-transport.ts';
import type { Wire } from './wire.ts';

const RUBBISH = 0xdd;
const RUNS = 60;
const STEPS = 300;
const PLAIN = 4;
const SECURE = 3;
/** An owner that writes on although it was asked to pause is in the contract, but it stops at some point. */
const PENDING_BYTES_MAX = 1024 * 1024;

const EDGES = [1, 200, HELD_BYTES_MAX, SMALL_BYTES, LARGE_BYTES, 600_000];
const OPERATIONS = [
  ...['write', 'write', 'write', 'write', 'give', 'give', 'give', 'give', 'turn', 'turn', 'microtask'],
  ...['peer pauses', 'peer resumes', 'peer resumes', 'ends'],
] as const;
const ENDS = ['end', 'finish', 'close', 'reset', 'peer leaves', 'end and reset', 'end and finish'] as const;

type End = (typeof ENDS)[number];

/** A buffer that is given back twice is lent to two: here it is noticed at once. What is given back holds rubbish. */
class WatchedBuffers extends Buffers {
  readonly #lent = new Set<Uint8Array>();

  override borrow(bytes: number): Uint8Array<ArrayBuffer> {
    const buffer = super.borrow(bytes);
    this.#lent.add(buffer);
    return buffer;
  }

  override giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    assert.ok(this.#lent.delete(buffer), 'a buffer was given back that was not lent');
    buffer.fill(RUBBISH);
    super.giveBack(buffer);
  }

  override forget(buffer: Uint8Array<ArrayBuffer>): void {
    assert.ok(this.#lent.delete(buffer), 'a buffer was forgotten that was not lent');
    super.forget(buffer);
  }
}

/** One wire, and what its peer has to get. */
class Line {
  ending: End | 'none' = 'none';
  readonly wire: Wire;
  readonly #peer: Peer;
  readonly #owner = new Recorder();
  readonly #buffers: Buffers;
  readonly #sent: ByteStream;
  readonly #seen: ByteStream;
  #lent: Uint8Array[] = [];

  // WHY four: made in one place.
  constructor(wire: Wire, peer: Peer, buffers: Buffers, number: number) {
    this.wire = wire;
    this.#peer = peer;
    this.#buffers = buffers;
    this.#sent = new ByteStream(number, Number.MAX_SAFE_INTEGER);
    this.#seen = new ByteStream(number, Number.MAX_SAFE_INTEGER);
    wire.owner = this.#owner;
    this.#owner.onEvent = (event) => {
      if (event === 'drain') for (const bytes of this.#lent.splice(0)) bytes.fill(RUBBISH);
    };
    peer.sink = (bytes) => this.#seen.check(bytes);
  }

  send(size: number, how: 'write' | 'give'): void {
    const { wire } = this;
    if (this.ending !== 'none' || wire.pendingBytes > PENDING_BYTES_MAX) return;
    const bytes = Buffer.from(this.#sent.next(size)!);
    if (how === 'give') {
      const buffer = this.#buffers.borrow(bytes.length);
      buffer.set(bytes);
      wire.give(buffer, bytes.length);
    } else if (wire.write(bytes)) bytes.fill(RUBBISH);
    else this.#lent.push(bytes);
  }

  pause(): void {
    this.#peer.pause();
  }

  resume(): void {
    this.#peer.resume();
  }

  end(how: End): void {
    if (this.ending !== 'none') return;
    this.ending = how;
    switch (how) {
      case 'peer leaves':
        this.#peer.destroy();
        break;
      case 'end and reset':
        this.wire.end();
        this.wire.reset();
        break;
      case 'end and finish':
        this.wire.end();
        this.wire.finish();
        break;
      default:
        this.wire[how]();
    }
    if (this.wire.closed) for (const bytes of this.#lent.splice(0)) bytes.fill(RUBBISH);
  }

  /** Ended in good order, it is whole; cut off, it is right as far as it goes, which was checked as it came. */
  async settle(): Promise<void> {
    this.end('finish');
    this.resume();
    const isWhole = this.ending === 'end' || this.ending === 'finish' || this.ending === 'end and finish';
    if (isWhole) {
      await this.#peer.until('the end', () => this.#peer.ended);
      assert.equal(this.#seen.at, this.#sent.at, `${this.ending}: all that was written`);
    }
    this.#peer.destroy();
    if (!this.wire.closed)
      await this.#owner.until(() => this.#owner.events.some((event) => /^(end|close)/.test(event)));
    this.drop();
  }

  drop(): void {
    this.wire.close();
    this.#peer.destroy();
  }
}

/** Sockets of both kinds on one transport. */
class World implements AsyncDisposable {
  readonly buffers = new WatchedBuffers(256 * 1024 * 1024);
  readonly #raw = RawTransport.detect(this.buffers)!;
  readonly #plain = net.createServer({ allowHalfOpen: true, noDelay: true });
  readonly #secure: net.Server;
  readonly #accepted: ((wire: Wire) => void)[] = [];
  readonly #lines: Line[] = [];

  constructor({ certificatePem, keyPem }: { readonly certificatePem: string; readonly keyPem: string }) {
    const secure = tls.createServer({ cert: certificatePem, key: keyPem, allowHalfOpen: true });
    secure.on('secureConnection', (socket) => this.#accepted.shift()?.(this.#raw.adopt(socket)!));
    this.#secure = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      socket.on('error', () => {});
      secure.emit('connection', socket);
    });
  }

  async listen(): Promise<this> {
    for (const server of [this.#plain, this.#secure]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    this.#raw.serve(this.#plain, (wire) => this.#accepted.shift()?.(wire));
    return this;
  }

  async line(secure: boolean, number: number): Promise<Line> {
    const accepted = new Promise<Wire>((resolve) => this.#accepted.push(resolve));
    const { port } = (secure ? this.#secure : this.#plain).address() as net.AddressInfo;
    const peer = secure ? await connectSecure(port) : await connectTo(port);
    const line = new Line(await accepted, peer, this.buffers, number);
    this.#lines.push(line);
    return line;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Of a run that failed.
    for (const line of this.#lines) line.drop();
    for (const server of [this.#plain, this.#secure]) {
      server.close();
      await once(server, 'close');
    }
  }
}

async function connectSecure(port: number): Promise<Peer> {
  const below = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  below.on('error', () => {});
  const socket = tls.connect({ socket: below, rejectUnauthorized: false });
  const peer = new Peer(socket);
  await once(socket, 'secureConnect');
  return peer;
}

function sizeNear(random: Random): number {
  const edge = EDGES[Math.floor(random.unit() ** 2 * EDGES.length)]!;
  return Math.max(1, edge + Math.floor(random.unit() * 5) - 2);
}

test('any sequence of held writes on several wires arrives byte for byte, and all memory is given back', async () => {
  using authority = new Authority();
  await using world = await new World(authority.issue(['127.0.0.1'])).listen();
  let number = 0;
  const one = async (seed: number): Promise<void> => {
    const random = seededRandom(seed);
    const lines: Line[] = [];
    for (let at = 0; at < PLAIN + SECURE; at += 1) lines.push(await world.line(at >= PLAIN, (number += 1)));
    for (let step = 0; step < STEPS; step += 1) {
      const line = lines[Math.floor(random.unit() * lines.length)]!;
      const operation = OPERATIONS[Math.floor(random.unit() * OPERATIONS.length)]!;
      if (operation === 'write' || operation === 'give') line.send(sizeNear(random), operation);
      else if (operation === 'turn') await turn();
      else if (operation === 'microtask') await Promise.resolve();
      else if (operation === 'peer pauses') line.pause();
      else if (operation === 'peer resumes') line.resume();
      else if (random.unit() < 0.2) line.end(ENDS[Math.floor(random.unit() * ENDS.length)]!);
    }
    for (const line of lines) await line.settle();
    await eventually('all memory is given back', () => world.buffers.bytes === 0);
  };
  await fc.assert(fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), one), {
    numRuns: RUNS,
    endOnFailure: true,
  });
});
