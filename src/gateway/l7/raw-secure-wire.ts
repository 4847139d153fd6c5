/**
 * The fast path above TLS: drives the handle of a `tls.TLSSocket` whose handshake is done.
 *
 * OpenSSL encrypts into memory of its own, so what is written is free at once; every write ends later, so each has a request
 * of its own and backpressure is counted in bytes. The socket stays in charge of closing and of errors of the TLS layer.
 */
import type tls from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { view } from './buffers.ts';
import { END_OF_FILE, type Insides, type StreamHandle } from './raw-internals.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

/** More than this encrypted but not sent, and a source is told to wait. */
const SECURE_PENDING_MAX = 128 * 1024;

export class RawSecureWire implements Wire {
  owner: WireOwner = nobody;
  readonly stable = false;
  closed = false;
  congested = false;
  pendingBytes = 0;
  readonly #insides: Insides;
  readonly #handle: StreamHandle;
  readonly #socket: tls.TLSSocket;
  #reading = false;
  #ended = false;
  #code = '';

  constructor(insides: Insides, handle: StreamHandle, socket: tls.TLSSocket) {
    this.#insides = insides;
    this.#handle = handle;
    this.#socket = socket;
    insides.attach(handle, this);
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ERR_TLS';
    });
    socket.on('close', () => this.#gone());
    this.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#ended) return false;
    const request = this.#insides.request();
    request.wire = this;
    request.bytes = bytes.length;
    this.pendingBytes += bytes.length;
    const error = this.#handle.writeBuffer(request, bytes);
    if (error !== 0) {
      process.nextTick(() => this.#fail(error));
      return false;
    }
    if (this.pendingBytes > SECURE_PENDING_MAX) this.congested = true;
    return !this.congested;
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    const drained = this.write(view(buffer, 0, length));
    this.#insides.buffers.giveBack(buffer);
    return drained;
  }

  pause(): void {
    if (!this.#reading || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    this.#handle.readStart();
  }

  bulk(): void {
    // TLS records are at most 16 KiB and have been copied once anyway.
  }

  end(): void {
    if (this.closed || this.#ended) return;
    this.#ended = true;
    this.#insides.shutdown(this.#handle);
  }

  finish(): void {
    if (this.closed) return;
    this.#finishing = true;
    if (this.pendingBytes === 0) this.#finish();
  }

  close(): void {
    this.owner = nobody;
    if (this.closed) return;
    // close_notify would have to wait behind what a client does not take.
    if (this.pendingBytes === 0) this.#finish();
    else this.#socket.destroy();
    this.closed = true;
  }

  reset(): void {
    this.owner = nobody;
    this.closed = true;
    this.#socket.resetAndDestroy();
  }

  received(): undefined {
    const { readCount: count, shared } = this.#insides;
    if (this.closed) return;
    if (count > 0) this.owner.onBytes(shared, 0, count);
    else if (count === END_OF_FILE) {
      this.#reading = false;
      this.owner.onEnd();
    } else if (count < 0) this.#fail(count);
  }

  written(status: number, bytes: number): void {
    this.pendingBytes -= bytes;
    if (this.closed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    if (this.pendingBytes > 0) return;
    if (this.#finishing) this.#finish();
    else if (this.congested) {
      this.congested = false;
      this.owner.onDrain();
    }
  }

  #finishing = false;

  #finish(): void {
    // close_notify goes out with FIN; what was written before it has left already.
    this.#socket.destroySoon();
  }

  #fail(status: number): void {
    this.#code = getSystemErrorName(status);
    this.#socket.destroy();
  }

  #gone(): void {
    if (this.closed) return;
    this.closed = true;
    this.owner.onClose(this.#code);
  }
}
