/**
 * The public path: a wire on a `net.Socket` or a `tls.TLSSocket`. Used for TLS, for names that must be resolved, and for
 * everything where `raw-wire.ts` finds other insides than it knows.
 *
 * Each read is a buffer of its own (`stable`), each write is copied, because a socket may queue what it is given.
 *
 * Deviation: a write that fails closes the wire, because Node's sockets close themselves then, with what is unread. So an
 * answer that a server gave before it went is lost here unless it had been read (see raw-wire.ts, which reads on).
 */
import type net from 'node:net';
import { view, type Buffers } from './buffers.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

export class NetWire implements Wire {
  owner: WireOwner = nobody;
  readonly stable = true;
  closed = false;
  congested = false;
  readonly #socket: net.Socket;
  readonly #buffers: Buffers;
  #code = '';

  constructor(socket: net.Socket, buffers: Buffers) {
    this.#socket = socket;
    this.#buffers = buffers;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      if (!this.closed) this.owner.onBytes(bytes, 0, bytes.length);
    });
    socket.on('end', () => {
      // Destroyed: an end that was none (tls/close-notify.ts). 'close' follows.
      if (!this.closed && !socket.destroyed) this.owner.onEnd();
    });
    socket.on('drain', () => {
      if (!this.congested || this.closed) return;
      this.congested = false;
      this.owner.onDrain();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ERR_SOCKET';
    });
    socket.on('close', () => {
      if (this.closed) return;
      this.closed = true;
      this.owner.onClose(this.#code);
    });
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || !this.#socket.writable) return false;
    if (this.#socket.write(Buffer.from(bytes))) return true;
    this.congested = true;
    return false;
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    const done = this.write(view(buffer, 0, length));
    this.#buffers.giveBack(buffer);
    return done;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  bulk(): void {
    // Every read has a buffer of its own here.
  }

  end(): void {
    this.#socket.end();
  }

  finish(): void {
    // 'close' follows and tells the owner.
    if (!this.closed) this.#socket.destroySoon();
  }

  close(): void {
    this.owner = nobody;
    this.closed = true;
    this.#socket.destroy();
  }

  reset(): void {
    this.owner = nobody;
    this.closed = true;
    this.#socket.resetAndDestroy();
  }
}
