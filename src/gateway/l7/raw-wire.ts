/**
 * The fast path: a wire straight on libuv's stream handle, below `net.Socket`.
 *
 * What it saves per message against the public path (`npm run bench -- gateway` with `SPILLWAY_TRANSPORT=net` shows the other):
 * the Writable state machine, a `WriteWrap` and a next-tick callback per write, and a fresh 64 KiB buffer per read. A write
 * that the kernel takes at once, which is nearly every one, allocates a view and nothing else.
 *
 * Invariants: the shared buffer is never lent to a write; after `close` no callback reaches the owner.
 */
import { getSystemErrorName } from 'node:util';
import { LARGE_BYTES, READ_BYTES, view } from './buffers.ts';
import { DONE, END_OF_FILE, PENDING, type Insides, type StreamHandle } from './raw-internals.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

/** The usual case, shared by all wires: nothing pending. */
const none: Uint8Array<ArrayBuffer>[] = [];

export class RawWire implements Wire {
  owner: WireOwner = nobody;
  closed = false;
  readonly #insides: Insides;
  readonly #handle: StreamHandle;
  #reading = false;
  /** The peer has sent FIN. libuv would say so again if reading were started again. */
  #ended = false;
  #pending = 0;
  /** A buffer of this wire's own, once it carries bulk; in use from the read after. */
  #own: Uint8Array<ArrayBuffer> | null = null;
  stable = false;
  /** Borrowed buffers that a pending write still reads. */
  #given: Uint8Array<ArrayBuffer>[] = none;
  #finishing = false;

  constructor(insides: Insides, handle: StreamHandle) {
    this.#insides = insides;
    this.#handle = handle;
    insides.attach(handle, this);
    this.resume();
  }

  get congested(): boolean {
    return this.#pending > 0;
  }

  get pendingBytes(): number {
    return this.closed ? 0 : this.#handle.writeQueueSize;
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed) return false;
    const result = this.#insides.write(this.#handle, this, bytes);
    if (result === DONE) return true;
    if (result === PENDING) this.#pending++;
    else this.#failSoon(result);
    return false;
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    if (this.write(view(buffer, 0, length))) {
      this.#insides.buffers.giveBack(buffer);
      return true;
    }
    if (this.closed) this.#insides.buffers.giveBack(buffer);
    else if (this.#given === none) this.#given = [buffer];
    else this.#given.push(buffer);
    return false;
  }

  pause(): void {
    if (!this.#reading || this.#ended || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    const error = this.#handle.readStart();
    if (error !== 0) this.#failSoon(error);
  }

  bulk(): void {
    if (this.#own === null && !this.#insides.buffers.tight) this.#own = this.#insides.buffers.borrow(LARGE_BYTES);
  }

  end(): void {
    if (this.closed) return;
    this.#insides.shutdown(this.#handle);
  }

  finish(): void {
    if (this.closed) return;
    if (this.#pending === 0) {
      this.#destroy();
      queueMicrotask(() => this.owner.onClose(''));
    } else this.#finishing = true;
  }

  close(): void {
    this.owner = nobody;
    this.#destroy();
  }

  reset(): void {
    this.owner = nobody;
    if (this.closed) return;
    this.#release();
    // libuv refuses to reset what has a FIN waiting behind pending bytes.
    if (this.#handle.reset() !== 0) this.#handle.close();
  }

  /** libuv has something to read, or an error. The answer is the buffer for the next read, if it changes. */
  received(): Uint8Array | undefined {
    const { readCount: count, shared } = this.#insides;
    if (count > 0) {
      const own = this.#own;
      this.owner.onBytes(this.stable && own !== null ? own : shared, 0, count);
      if (this.stable || this.#own === null) return undefined;
      this.stable = true;
      return view(this.#own, 0, READ_BYTES);
    }
    if (count === END_OF_FILE) {
      this.#ended = true;
      this.owner.onEnd();
    } else if (count < 0) this.#fail(count);
    return undefined;
  }

  written(status: number): void {
    this.#pending--;
    if (this.closed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    if (this.#pending > 0) return;
    this.#giveAllBack();
    if (this.#finishing) {
      this.#destroy();
      this.owner.onClose('');
    } else this.owner.onDrain();
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
    this.#insides.detach(this.#handle);
    // A closing handle starts no system call any more, so what it was reading from or into is free at once.
    this.#giveAllBack();
    if (this.#own !== null) {
      // While this wire is paused, another may be writing from it: then it is the collector's, not the next borrower's.
      if (this.#reading) this.#insides.buffers.giveBack(this.#own);
      else this.#insides.buffers.forget(this.#own);
    }
    this.#own = null;
  }

  #giveAllBack(): void {
    if (this.#given === none) return;
    for (const buffer of this.#given) this.#insides.buffers.giveBack(buffer);
    this.#given = none;
  }
}
