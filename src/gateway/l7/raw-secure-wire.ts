/**
 * The fast path above TLS: drives the handle of a `tls.TLSSocket` whose handshake is done. The socket stays in charge of
 * closing, and of errors of the TLS layer.
 *
 * Node's TLS layer takes one write at a time: a second one while the first is under way aborts the process. It encrypts into
 * memory of its own, so what is written is free when the call returns; but every write ends later, in the same turn of the
 * loop if the kernel takes it. What is written meanwhile waits here as it is and then goes as one. Nothing is copied for that:
 * given memory is this wire's, and lent memory is left alone by its owner until `onDrain` (wire.ts).
 *
 * Invariants: at most one write is under way; `onDrain` only when the kernel has all, but for one small write; what waits is `WAITING_BYTES_MAX`,
 * or `GIVEN_MAX` buffers, and one write more at most, if the owner heeds `congested`; the owner is told of the end by the socket's 'close' alone.
 */
import type tls from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { READ_BYTES, view } from './buffers.ts';
import { END_OF_FILE, type Insides, PENDING, resetSecure, type TlsHandle } from './raw-internals.ts';
import { type Held, HELD_BYTES_MAX } from './outbox.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

/** More than this behind the write that is under way, and a source is told to wait. */
const WAITING_BYTES_MAX = READ_BYTES;
/** Or if it is in more buffers than that: what is given may be a few bytes in 16 KB. */
const GIVEN_MAX = 4;

/** The usual case, shared by all wires: nothing waits. */
const none: never[] = [];

export class RawSecureWire implements Wire, Held {
  owner: WireOwner = nobody;
  readonly stable = false;
  closed = false;
  held = false;
  sends = 0;
  readonly heldBytesMax = HELD_BYTES_MAX;
  congested = false;
  readonly insides: Insides;
  readonly #handle: TlsHandle;
  readonly #socket: tls.TLSSocket;
  #reading = true;
  #underWay = false;
  #waiting: Uint8Array[] = none;
  #waitingBytes = 0;
  /** Borrowed buffers that hold what waits. */
  #given: Uint8Array<ArrayBuffer>[] = none;
  /** What is to be done once all is written. */
  #then: 'nothing' | 'end' | 'finish' = 'nothing';
  #code = '';

  constructor(insides: Insides, handle: TlsHandle, socket: tls.TLSSocket) {
    this.insides = insides;
    this.#handle = handle;
    this.#socket = socket;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ERR_TLS';
      socket.destroy(); // an error of TLS itself leaves it open
    });
    socket.on('close', () => this.#gone());
    insides.attach(handle, this);
    handle.readStart(); // an error if the handshake left it reading, which is as well
  }

  get pendingBytes(): number {
    return this.closed ? 0 : this.#waitingBytes + this.#handle._parent.writeQueueSize;
  }

  write(bytes: Uint8Array): boolean {
    const { outbox } = this.insides;
    const isHeld = this.#mayHold(bytes.length);
    if (!isHeld) outbox.flushFor(this);
    if (!this.#takesBytes()) return false;
    if (isHeld) {
      outbox.write(this, bytes);
      return true;
    }
    if (!this.#underWay) return this.#start(bytes);
    this.#wait(bytes);
    this.congested = true;
    return false;
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

  /** What comes while a write is under way waits here instead. */
  #mayHold(length: number): boolean {
    return length <= HELD_BYTES_MAX && !this.#underWay;
  }

  #sendGiven(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    const bytes = view(buffer, 0, length);
    if (!this.#underWay) {
      const done = this.#start(bytes);
      this.insides.buffers.giveBack(buffer);
      return done;
    }
    this.#wait(bytes);
    if (this.#given === none) this.#given = [buffer];
    else this.#given.push(buffer);
    if (this.#waitingBytes > WAITING_BYTES_MAX || this.#given.length > GIVEN_MAX) this.congested = true;
    return !this.congested;
  }

  pause(): void {
    if (!this.#reading || this.#socket.destroyed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.#socket.destroyed) return;
    this.#reading = true;
    const error = this.#handle.readStart();
    if (error !== 0) this.#fail(error);
  }

  bulk(): void {
    // TLS copies what it has decrypted, a record at a time, into whatever buffer there is.
  }

  bulkOver(): void {}

  end(): void {
    this.#afterwards('end');
  }

  finish(): void {
    this.#afterwards('finish');
  }

  close(): void {
    if (this.closed) return;
    this.insides.outbox.flushFor(this);
    this.#release();
    // Within the call close_notify goes as far as the kernel takes it (RFC 8446 §6.1); nothing is waited for.
    this.#socket.end();
    this.#socket.destroy();
  }

  reset(): void {
    if (this.closed) return;
    this.#release();
    if (this.#then === 'nothing') resetSecure(this.#socket, this.#handle);
    else this.#socket.destroy();
  }

  received(): undefined {
    const { readCount: count, shared } = this.insides;
    if (count > 0) this.owner.onBytes(shared, 0, count);
    else if (count === END_OF_FILE) this.owner.onEnd();
    else if (count < 0) this.#fail(count);
  }

  written(status: number): void {
    this.#underWay = false;
    if (this.#socket.destroyed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    // Before an end there is always a wait for the last write, also a small one.
    if (this.#waiting !== none && (!this.#startWaiting() || this.#then !== 'nothing')) return;
    if (this.#then !== 'nothing') this.#afterwards(this.#then);
    if (this.#then !== 'finish' && this.congested) {
      this.congested = false;
      this.owner.onDrain();
    }
  }

  #takesBytes(): boolean {
    return !this.closed && this.#then === 'nothing' && !this.#socket.destroyed;
  }

  #wait(bytes: Uint8Array): void {
    if (this.#waiting === none) this.#waiting = [bytes];
    else this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
  }

  #start(bytes: Uint8Array): boolean {
    this.sends++;
    return this.#begun(this.insides.write(this.#handle, this, bytes), bytes.length);
  }

  #startWaiting(): boolean {
    const all = this.#waiting;
    const length = this.#waitingBytes;
    this.sends++;
    this.#waiting = none;
    this.#waitingBytes = 0;
    const hasLeft = this.#begun(this.insides.writeAll(this.#handle, this, all), length);
    this.#giveAllBack();
    return hasLeft;
  }

  /**
   * Of a write that has just begun: whether the kernel has all of it, though its end is yet to be told. Of a small one it is not asked, which is a call
   * into the engine of 100 ns: what the kernel leaves is no more than what may wait here, and the next write waits for it.
   */
  #begun(result: number, length: number): boolean {
    this.#underWay = result === PENDING;
    if (result < 0) {
      this.#fail(result);
      return false;
    }
    if (length <= HELD_BYTES_MAX || this.#handle._parent.writeQueueSize === 0) return true;
    this.congested = true;
    return false;
  }

  #afterwards(what: 'end' | 'finish'): void {
    if (this.#socket.destroyed) return;
    this.insides.outbox.flushFor(this);
    this.#then = what;
    // A FIN would overtake what is under way, and close_notify would come after it.
    if (this.#underWay) {
      this.congested = true;
      return;
    }
    if (what === 'end') this.#socket.end();
    // 'close' follows and tells the owner.
    else this.#socket.destroySoon();
  }

  #fail(status: number): void {
    this.#code = getSystemErrorName(status);
    this.congested = true;
    this.insides.detach(this.#handle);
    this.#socket.destroy();
  }

  #gone(): void {
    if (this.closed) return;
    const { owner } = this;
    this.#release();
    owner.onClose(this.#code);
  }

  #release(): void {
    this.owner = nobody;
    this.closed = true;
    this.insides.detach(this.#handle);
    this.#waiting = none;
    this.#giveAllBack();
  }

  #giveAllBack(): void {
    if (this.#given === none) return;
    for (const buffer of this.#given) this.insides.buffers.giveBack(buffer);
    this.#given = none;
  }
}
