/**
 * Who may touch which memory (wire.ts), checked byte by byte: the engine between wires of ours that hold it to the contract.
 *
 * Every read overwrites the buffer of the read before it, every buffer given back is filled with rubbish, and what a write was
 * lent is compared, when it leaves, with what it was when it was lent. So a buffer that is used too early is a failed
 * comparison here and not a wrong byte under load once a year. What is pending and what is not is decided at random.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { readMessage } from '../../../test/engine/message.ts';
import { snapshotOf } from '../../../test/engine/plans.ts';
import { systemClock } from '../../kernel/clock.ts';
import { addressFrom } from '../../kernel/ip-address.ts';
import { type Random, seededRandom } from '../../kernel/random.ts';
import { type Buffers, LARGE_BYTES, READ_BYTES } from './buffers.ts';
import { Listener } from './listener.ts';
import { Plane } from './plane.ts';
import type { Connected } from './raw-transport.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

const RUBBISH = 0xdd;

interface Lent {
  readonly view: Uint8Array;
  readonly copy: Buffer;
  readonly given: Uint8Array<ArrayBuffer> | null;
}

/** All wires of one run: the buffer they share and the dice. */
class World {
  readonly random: Random;
  readonly shared = new Uint8Array(READ_BYTES);
  readonly buffers: Buffers;
  readonly servers: TestWire[] = [];
  readonly waiting: (() => void)[] = [];

  constructor(random: Random, buffers: Buffers) {
    this.random = random;
    this.buffers = buffers;
    const giveBack = buffers.giveBack.bind(buffers);
    buffers.giveBack = (buffer) => {
      buffer.fill(RUBBISH);
      giveBack(buffer);
    };
  }

  chance(share: number): boolean {
    return this.random.unit() < share;
  }

  below(limit: number): number {
    return Math.floor(this.random.unit() * limit);
  }
}

class TestWire implements Wire {
  owner: WireOwner = nobody;
  stable = false;
  closed = false;
  reading = true;
  finished = false;
  sends = 0;
  readonly heldBytesMax = Number.POSITIVE_INFINITY;
  /** What has left, in order. */
  readonly out: Buffer[] = [];
  readonly #world: World;
  readonly #lent: Lent[] = [];
  #own: Uint8Array<ArrayBuffer> | null = null;
  #bulk = false;

  constructor(world: World) {
    this.#world = world;
  }

  get congested(): boolean {
    return this.#lent.length > 0;
  }

  get pendingBytes(): number {
    return this.#lent.reduce((sum, { view }) => sum + view.length, 0);
  }

  write(bytes: Uint8Array): boolean {
    return this.#write(bytes, null);
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    return this.#write(buffer.subarray(0, length), buffer);
  }

  #write(view: Uint8Array, given: Uint8Array<ArrayBuffer> | null): boolean {
    assert.ok(!this.finished, 'a write after the end');
    this.sends++;
    if (this.closed || (this.#lent.length === 0 && this.#world.chance(0.4))) {
      this.out.push(Buffer.from(view));
      if (given !== null) this.#world.buffers.giveBack(given);
      return !this.closed;
    }
    this.#lent.push({ view, copy: Buffer.from(view), given });
    return false;
  }

  /** What is pending leaves. */
  flush(): void {
    if (this.#lent.length === 0 || this.closed) return;
    for (const { view, copy, given } of this.#lent.splice(0)) {
      assert.ok(copy.equals(view), 'memory changed while a write was reading it');
      this.out.push(copy);
      if (given !== null) this.#world.buffers.giveBack(given);
    }
    if (this.finished) this.#end();
    else this.owner.onDrain();
  }

  /** A read of some of `bytes`; returns how many. */
  deliver(bytes: Buffer): number {
    if (!this.reading || this.closed || bytes.length === 0) return 0;
    const own = this.stable ? this.#own : null;
    const target = own ?? this.#world.shared;
    const count = bytes.copy(target, 0, 0, Math.min(bytes.length, READ_BYTES));
    target.fill(RUBBISH, count, READ_BYTES);
    this.owner.onBytes(target, 0, count);
    if (own === null) target.fill(RUBBISH);
    this.stable = this.#own !== null && this.#bulk;
    this.#giveOwnBack();
    return count;
  }

  pause(): void {
    this.reading = false;
  }

  resume(): void {
    this.reading = true;
    this.#giveOwnBack();
  }

  bulk(): void {
    this.#bulk = true;
    if (!this.closed) this.#own ??= this.#world.buffers.borrow(LARGE_BYTES);
  }

  bulkOver(): void {
    this.#bulk = false;
    this.#giveOwnBack();
  }

  #giveOwnBack(): void {
    if (this.#own === null || this.#bulk || this.stable || !this.reading) return;
    this.#world.buffers.giveBack(this.#own);
    this.#own = null;
  }

  end(): void {}

  finish(): void {
    this.finished = true;
    if (this.#lent.length === 0) this.#world.waiting.push(() => this.#end());
  }

  close(): void {
    this.owner = nobody;
    this.#release();
  }

  reset(): void {
    this.close();
  }

  #end(): void {
    const { owner } = this;
    this.#release();
    owner.onClose('');
  }

  #release(): void {
    if (this.closed) return;
    this.closed = true;
    for (const { view, copy, given } of this.#lent.splice(0)) {
      assert.ok(copy.equals(view), 'memory changed while a write was reading it');
      if (given !== null) this.#world.buffers.giveBack(given);
    }
    // As the raw wire does: what another may be reading is not handed on.
    if (this.#own !== null && this.reading) this.#world.buffers.giveBack(this.#own);
    else if (this.#own !== null) this.#world.buffers.forget(this.#own);
    this.#own = null;
  }
}

/** Bytes that tell whose they are. */
function bodyOf(id: number, size: number): Buffer {
  const body = Buffer.alloc(size);
  for (let i = 0; i < size; i += 1) body[i] = (id * 31 + i * 7 + (i >> 8)) & 0xff;
  return body;
}

function framed(body: Buffer, pieces: number | null): Buffer {
  if (pieces === null) return Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]);
  const parts: Uint8Array[] = [Buffer.from('Transfer-Encoding: chunked\r\n\r\n')];
  for (let at = 0; at < body.length; at += pieces) {
    const piece = body.subarray(at, at + pieces);
    parts.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

interface Planned {
  readonly id: number;
  readonly size: number;
}

class Actor {
  readonly wire: TestWire;
  /** To be delivered. */
  input: Buffer = Buffer.alloc(0);
  #seen = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(wire: TestWire) {
    this.wire = wire;
  }

  /** All that has left the engine on this wire and was not taken. */
  get output(): Buffer {
    if (this.#seen < this.wire.out.length) {
      this.#rest = Buffer.concat([this.#rest, ...this.wire.out.slice(this.#seen)]);
      this.#seen = this.wire.out.length;
    }
    return this.#rest;
  }

  take(count: number): void {
    this.#rest = this.output.subarray(count);
  }
}

const CLIENTS = 3;
const REQUESTS = 4;

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed);
  // Long bodies make a connection wait; two connections for three clients make requests wait for a connection.
  const snapshot = snapshotOf([1], { serviceLimits: { connectionsMax: 2 } });
  const plane = new Plane({
    clock: systemClock,
    random,
    lane: 1,
    transport: 'net',
    snapshot,
    rowFull: () => {},
    traced: () => {},
    notice: () => {},
  });
  const world = new World(random, plane.buffers);
  const servers: Actor[] = [];
  const transport = {
    connect: (_address: string, _port: number, told: Connected) => {
      world.waiting.push(() => {
        const wire = new TestWire(world);
        servers.push(new Actor(wire));
        told(wire, '');
      });
      return { cancel: () => {} };
    },
  };
  Reflect.set(plane, 'raw', transport);
  plane.apply(snapshot);
  const listener = new Listener(plane, snapshot.listeners[0]!, () => {});
  listener.open();
  const planned: Planned[][] = [];
  const clients = Array.from({ length: CLIENTS }, (_, c) => {
    const wire = new TestWire(world);
    listener.accept(wire, { address: addressFrom('127.0.0.1') });
    const client = new Actor(wire);
    const requests = Array.from({ length: REQUESTS }, (_, r) => ({ id: c * 100 + r, size: sizeOf(world) }));
    planned.push(requests);
    client.input = Buffer.concat(requests.map(({ id, size }) => requestOf(world, id, size)));
    return client;
  });
  const answered = clients.map(() => 0);
  let idle = 0;
  while (answered.some((count) => count < REQUESTS)) {
    const did = step(world, clients, servers) || answer(world, servers) || read(clients, planned, answered);
    idle = did ? 0 : idle + 1;
    // What the engine does between events; and, so that connections settle, between turns of the event loop.
    await (did && world.chance(0.9) ? null : new Promise((resolve) => setImmediate(resolve)));
    assert.ok(idle < 10_000, 'nothing moves any more');
  }
  assert.equal(plane.buffers.bytes, 0, 'idle connections keep no memory');
  for (const client of clients) client.wire.owner.onClose('');
  for (const server of servers) if (!server.wire.closed) server.wire.owner.onClose('');
}

function sizeOf(world: World): number {
  const sizes = [0, 10, 5000, 20_000, 70_000, 150_000, 300_000];
  return sizes[world.below(sizes.length)]! + world.below(100);
}

function requestOf(world: World, id: number, size: number): Buffer {
  const padding = world.chance(0.3) ? `X-Pad: ${'p'.repeat(world.below(25_000))}\r\n` : '';
  const head = `PUT /${id} HTTP/1.1\r\nHost: a\r\n${padding}`;
  const body = framed(bodyOf(id, size), world.chance(0.4) ? 1 + world.below(40_000) : null);
  return Buffer.concat([Buffer.from(head), body]);
}

/** One event on one wire, at random. Returns whether something happened. */
function step(world: World, clients: readonly Actor[], servers: readonly Actor[]): boolean {
  const waiting = world.waiting.shift();
  if (waiting !== undefined && world.chance(0.5)) {
    waiting();
    return true;
  }
  if (waiting !== undefined) world.waiting.unshift(waiting);
  const all = [...clients, ...servers];
  const actor = all[world.below(all.length)]!;
  if (world.chance(0.4)) {
    const was = actor.wire.congested;
    actor.wire.flush();
    return was;
  }
  const share = world.chance(0.5) ? actor.input.length : world.below(actor.input.length + 1);
  const count = actor.wire.deliver(actor.input.subarray(0, share));
  actor.input = actor.input.subarray(count);
  return count > 0;
}

/** A server that has a whole request queues its answer: the same id, a body of its own. */
function answer(world: World, servers: readonly Actor[]): boolean {
  for (const server of servers) {
    if (server.wire.closed || server.output.length === 0) continue;
    const read = readMessage(server.output, { kind: 'request' });
    if (read === null) continue;
    server.take(read.end);
    const id = Number(read.message.target.slice(1));
    assert.ok(read.message.body.equals(bodyOf(id, read.message.body.length)), `the body of request ${id}`);
    const head = `HTTP/1.1 200 OK\r\nX-Id: ${id}\r\nX-Size: ${read.message.body.length}\r\n`;
    const body = framed(bodyOf(id + 50, sizeOf(world)), world.chance(0.4) ? 1 + world.below(40_000) : null);
    server.input = Buffer.concat([server.input, Buffer.from(head), body]);
    return true;
  }
  return false;
}

/** Clients look at what came: whole answers, to their own requests, in order. */
function read(clients: readonly Actor[], planned: readonly Planned[][], answered: number[]): boolean {
  let did = false;
  clients.forEach((client, c) => {
    if (client.output.length === 0) return;
    const got = readMessage(client.output, { kind: 'response' });
    if (got === null) return;
    client.take(got.end);
    const wanted = planned[c]![answered[c]!]!;
    const field = (name: string): number =>
      Number(got.message.fields.find(([each]) => each.toLowerCase() === name)?.[1] ?? -1);
    assert.equal(got.message.status, 200);
    assert.equal(field('x-id'), wanted.id, 'the answer is to this request');
    assert.equal(field('x-size'), wanted.size, 'the server had all of it');
    assert.ok(got.message.body.equals(bodyOf(wanted.id + 50, got.message.body.length)));
    answered[c]! += 1;
    did = true;
  });
  return did;
}

test('no memory is used before it is free, whatever is pending', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 - 1 }), async (seed) => await run(seed)),
    { numRuns: 60 },
  );
});
