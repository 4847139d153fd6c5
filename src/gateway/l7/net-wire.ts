/**
 * The public path: a wire on a `net.Socket` or a `tls.TLSSocket`. Used for TLS to servers, for names that must be resolved, and
 * for everything where `raw-wire.ts` finds other insides than it knows.
 *
 * Each read is a buffer of its own (`stable`), each write is copied, because a socket may queue what it is given. A socket tells
 * of no progress within a write, so it is given one piece at a time, and the rest waits here: a slow reader that takes
 * something is seen to.
 *
 * Deviation: a write that fails closes the wire, because Node's sockets close themselves then, with what is unread. So an
 * answer that a server gave before it went is lost here unless it had been read (see raw-wire.ts, which reads on).
 */
import type net from 'node:net';
import tls from 'node:tls';
import { READ_BYTES, view, type Buffers } from './buffers.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

/** As much as one TLS record holds. A finer step would show nothing more: the kernel says that it has room again in steps as large. */
const PIECE_BYTES = 16 * 1024;
/** More than this not taken by the kernel, and a source is told to wait. */
const PENDING_BYTES_MAX = READ_BYTES;

export class NetWire implements Wire {
  owner: WireOwner = nobody;
  readonly stable = true;
  closed = false;
  congested = false;
  sends = 0;
  readonly heldBytesMax = 0;
  readonly #socket: net.Socket;
  readonly #buffers: Buffers;
  /** What the socket has not been given yet. */
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** What is to be done once nothing waits. */
  #then: 'nothing' | 'end' | 'finish' = 'nothing';
  #code = '';
  readonly #onWritten = (): void => this.#goOn();

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
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ERR_SOCKET';
      this.congested = true;
      socket.destroy(); // an error of TLS leaves it open
    });
    socket.on('close', () => {
      if (this.closed) return;
      this.closed = true;
      this.owner.onClose(this.#code);
    });
  }

  get pendingBytes(): number {
    return this.#waitingBytes + this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || !this.#socket.writable || this.#then !== 'nothing') return false;
    this.#waiting.push(Buffer.from(bytes));
    this.#waitingBytes += bytes.length;
    this.#feed();
    if (this.pendingBytes > PENDING_BYTES_MAX) this.congested = true;
    return !this.congested;
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

  bulkOver(): void {}

  end(): void {
    this.#afterwards('end');
  }

  finish(): void {
    this.#afterwards('finish');
  }

  close(): void {
    this.owner = nobody;
    this.closed = true;
    this.#socket.destroy();
  }

  reset(): void {
    this.owner = nobody;
    this.closed = true;
    const socket = this.#socket;
    // Node resets no TLS socket, whose end without close_notify says the same (RFC 8446 §6.1); and while FIN is on its way it
    // neither resets nor closes.
    if (socket instanceof tls.TLSSocket || (socket.writableEnded && socket.writableLength === 0)) socket.destroy();
    else socket.resetAndDestroy();
  }

  /** Piece by piece, as long as the kernel takes each at once. */
  #feed(): void {
    const socket = this.#socket;
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || socket.writableLength > 0 || !socket.writable) return;
      const piece = first.subarray(0, PIECE_BYTES);
      if (piece.length === first.length) this.#waiting.shift();
      else this.#waiting[0] = first.subarray(PIECE_BYTES);
      this.#waitingBytes -= piece.length;
      this.sends++;
      socket.write(piece, this.#onWritten);
    }
  }

  /** The socket has got rid of a piece. */
  #goOn(): void {
    if (this.closed || this.#socket.destroyed) return;
    this.#feed();
    if (this.#waitingBytes > 0) return;
    if (this.#then !== 'nothing') this.#afterwards(this.#then);
    if (this.#then !== 'finish' && this.congested && this.#socket.writableLength === 0) {
      this.congested = false;
      this.owner.onDrain();
    }
  }

  #afterwards(what: 'end' | 'finish'): void {
    if (this.closed) return;
    this.#then = what;
    // Less than makes a source wait, but lost if it is closed now.
    if (this.pendingBytes > 0) this.congested = true;
    if (this.#waitingBytes > 0) return;
    if (what === 'end') this.#socket.end();
    // 'close' follows and tells the owner.
    else this.#socket.destroySoon();
  }
}
