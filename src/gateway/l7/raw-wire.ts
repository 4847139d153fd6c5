/**
 * The fast path: a wire straight on libuv's stream handle, below `net.Socket`.
 *
 * What it saves per message against the public path (`npm run bench -- gateway` with `SPILLWAY_TRANSPORT=net` shows the other):
 * the Writable state machine, a `WriteWrap` and a next-tick callback per write, and a fresh 64 KiB buffer per read. A write
 * that the kernel takes at once, which is nearly every one, allocates a view and nothing else.
 *
 * A write that fails says that the peer is gone, not that it said nothing: a server may have answered early and closed
 * (RFC 9112 §9.5, §9.6). So a wire to a server is not closed by it but read to its end, and the end is then a `close`. A wire
 * to a client is closed: nobody would hear the answer.
 *
 * Invariants: the shared buffer is never lent to a write; after `close` no callback reaches the owner.
 */
import { getSystemErrorName } from 'node:util';
import { LARGE_BYTES, READ_BYTES, view } from './buffers.ts';
import { DONE, END_OF_FILE, PENDING, type Insides, type StreamHandle } from './raw-internals.ts';
import { type Held, HELD_BYTES_MAX, type Turned } from './outbox.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

/** The usual case, shared by all wires: nothing pending. */
const none: Uint8Array<ArrayBuffer>[] = [];

export class RawWire implements Wire, Held, Turned {
  owner: WireOwner = nobody;
  closed = false;
  held = false;
  sends = 0;
  readonly heldBytesMax = HELD_BYTES_MAX;
  readonly insides: Insides;
  readonly #handle: StreamHandle;
  #reading = false;
  /** The peer has sent FIN. libuv would say so again if reading were started again. */
  #ended = false;
  #pending = 0;
  /** A buffer of this wire's own while it carries bulk: read into while `stable`, which follows `#bulk` with the next read. */
  #own: Uint8Array<ArrayBuffer> | null = null;
  #bulk = false;
  stable = false;
  /** Borrowed buffers that a pending write still reads. */
  #given: Uint8Array<ArrayBuffer>[] = none;
  #finishing = false;
  /** FIN was asked for. */
  #ending = false;
  /** FIN is with libuv, which from now on closes, but does not reset. */
  #shutDown = false;
  /** What a write failed with; 0 while the peer takes bytes. */
  #failure = 0;
  readonly #toServer: boolean;

  constructor(insides: Insides, handle: StreamHandle, peer: 'client' | 'server') {
    this.insides = insides;
    this.#handle = handle;
    this.#toServer = peer === 'server';
    insides.attach(handle, this);
    this.resume();
  }

  get congested(): boolean {
    return this.#pending > 0 || this.#failure !== 0;
  }

  get pendingBytes(): number {
    return this.closed ? 0 : this.#handle.writeQueueSize;
  }

  write(bytes: Uint8Array): boolean {
    const { outbox } = this.insides;
    const isHeld = this.#mayHold(bytes.length);
    if (!isHeld) outbox.flushFor(this);
    if (!this.#takesBytes()) return false;
    if (!isHeld) return this.#send(bytes);
    outbox.write(this, bytes);
    return true;
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    const { buffers, outbox } = this.insides;
    const isHeld = this.#mayHold(length);
    if (!isHeld) outbox.flushFor(this);
    if (!this.#takesBytes()) {
      buffers.giveBack(buffer);
      return false;
    }
    if (!isHeld) return this.#sendGiven(buffer, length);
    outbox.give(this, buffer, length);
    return true;
  }

  sendHeld(buffer: Uint8Array<ArrayBuffer>, length: number): void {
    if (this.#takesBytes()) this.#sendGiven(buffer, length);
    else this.insides.buffers.giveBack(buffer);
  }

  #takesBytes(): boolean {
    return !this.closed && this.#failure === 0 && !this.#ending;
  }

  /** Behind bytes that the peer does not take nothing is held: whoever wrote them is to know. */
  #mayHold(length: number): boolean {
    return length <= HELD_BYTES_MAX && this.#pending === 0;
  }

  #send(bytes: Uint8Array): boolean {
    this.sends++;
    const result = this.insides.write(this.#handle, this, bytes);
    if (result === DONE) return true;
    if (result === PENDING) this.#pending++;
    else this.#cannotSend(result);
    return false;
  }

  #sendGiven(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    const before = this.#pending;
    const done = this.#send(view(buffer, 0, length));
    if (this.#pending === before) this.insides.buffers.giveBack(buffer);
    else if (this.#given === none) this.#given = [buffer];
    else this.#given.push(buffer);
    return done;
  }

  pause(): void {
    if (!this.#reading || this.#ended || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    if (this.#own !== null) this.#giveOwnBack();
    const error = this.#handle.readStart();
    if (error !== 0) this.#failSoon(error);
  }

  bulk(): void {
    this.#bulk = true;
    if (this.#own === null && !this.insides.buffers.tight) this.#own = this.insides.buffers.borrow(LARGE_BYTES);
  }

  bulkOver(): void {
    this.#bulk = false;
    this.#giveOwnBack();
  }

  end(): void {
    if (this.closed || this.#shutDown) return;
    this.insides.outbox.flushFor(this);
    this.#ending = true;
    // Not before: what waits in libuv behind bytes that the peer does not take could not be reset any more.
    if (!this.#flushed()) return;
    this.#shutDown = true;
    this.insides.shutdown(this.#handle);
  }

  finish(): void {
    if (this.closed || this.#finishing) return;
    this.#finishing = true;
    this.insides.outbox.tell(this);
  }

  /** Behind all that leaves at the end of the turn, so that a close parts no writes; later, if the peer does not take it. */
  turned(): void {
    if (!this.closed && this.#flushed()) this.#finished();
  }

  close(): void {
    this.owner = nobody;
    this.insides.outbox.flushFor(this);
    this.#destroy();
  }

  reset(): void {
    this.owner = nobody;
    if (this.closed) return;
    this.#release();
    if (this.#shutDown) this.#handle.close();
    else this.#handle.reset();
  }

  /** libuv has something to read, or an error. The answer is the buffer for the next read, if it changes. */
  received(): Uint8Array | undefined {
    const { readCount: count, shared } = this.insides;
    if (count > 0) {
      const own = this.#own;
      this.owner.onBytes(this.stable && own !== null ? own : shared, 0, count);
      return this.#own === null ? undefined : this.#nextBuffer(this.#own);
    }
    if (count === END_OF_FILE) {
      this.#ended = true;
      // A reset that a write was told of reads as a clean end.
      if (this.#failure === 0) this.owner.onEnd();
      else this.#fail(this.#failure);
    } else if (count < 0) this.#fail(count);
    return undefined;
  }

  #nextBuffer(own: Uint8Array<ArrayBuffer>): Uint8Array | undefined {
    if (this.stable === this.#bulk) return undefined;
    this.stable = this.#bulk;
    if (this.stable) return view(own, 0, READ_BYTES);
    this.#giveOwnBack();
    return this.insides.shared;
  }

  /** When nothing is read into it any more, and nobody writes from it: that is done only while this wire is paused. */
  #giveOwnBack(): void {
    if (this.#own === null || this.#bulk || this.stable || !this.#reading) return;
    this.insides.buffers.giveBack(this.#own);
    this.#own = null;
  }

  written(status: number): void {
    this.#pending--;
    if (this.closed) return;
    if (status !== 0) this.#cannotSend(status);
    if (!this.#flushed()) return;
    if (this.#finishing) this.#finished();
    else if (this.#failure === 0) {
      this.#giveAllBack();
      if (this.#ending) this.end();
      this.owner.onDrain();
    }
  }

  #finished(): void {
    this.#destroy();
    this.owner.onClose('');
  }

  /** All that was written has left, or never will. */
  #flushed(): boolean {
    return this.#pending === 0 || this.#failure !== 0;
  }

  #cannotSend(status: number): void {
    this.#failure = status;
    // Nothing more is to be read where the peer's FIN was.
    if (!this.#toServer || this.#ended) this.#failSoon(status);
  }

  #fail(status: number): void {
    if (this.closed) return;
    this.#destroy();
    this.owner.onClose(getSystemErrorName(status));
  }

  /** For an error found inside a call of the owner, who must not be called back before it returns. */
  #failSoon(status: number): void {
    process.nextTick(() => this.#fail(status));
  }

  #destroy(): void {
    if (this.closed) return;
    this.#release();
    this.#handle.close();
  }

  #release(): void {
    this.closed = true;
    this.insides.detach(this.#handle);
    // A closing handle starts no system call any more, so what it was reading from or into is free at once.
    this.#giveAllBack();
    if (this.#own !== null) {
      // While this wire is paused, another may be writing from it: then it is the collector's, not the next borrower's.
      if (this.#reading) this.insides.buffers.giveBack(this.#own);
      else this.insides.buffers.forget(this.#own);
    }
    this.#own = null;
  }

  #giveAllBack(): void {
    if (this.#given === none) return;
    for (const buffer of this.#given) this.insides.buffers.giveBack(buffer);
    this.#given = none;
  }
}
