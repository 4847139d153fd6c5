/**
 * Bytes that were read and cannot be used yet, in a borrowed buffer: the beginning of a head, or requests behind the one that
 * is being answered.
 *
 * Invariant: holds a buffer only while it holds bytes. Cost: a copy of each read that is kept, and one more of all when the
 * buffer is full.
 */
import { type Buffers, view } from './buffers.ts';

export class Carry {
  /** Null if nothing is carried. */
  bytes: Uint8Array<ArrayBuffer> | null = null;
  from = 0;
  to = 0;
  readonly #buffers: Buffers;

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
  }

  get length(): number {
    return this.bytes === null ? 0 : this.to - this.from;
  }

  /** Appends `bytes[from, to)`, which may lie in the buffer that `take` gave out. */
  keep(bytes: Uint8Array, from: number, to: number): void {
    const had = this.bytes;
    const more = to - from;
    if (had !== null && this.to + more <= had.length) {
      had.set(view(bytes, from, to), this.to);
      this.to += more;
      return;
    }
    const { length } = this;
    const bigger = this.#buffers.borrow(length + more);
    if (had !== null) {
      bigger.set(view(had, this.from, this.to));
      this.#buffers.giveBack(had);
    }
    bigger.set(view(bytes, from, to), length);
    this.bytes = bigger;
    this.from = 0;
    this.to = length + more;
  }

  /** Forgets the buffer, which is the caller's to give back; `from` and `to` stay until something is kept. */
  take(): Uint8Array<ArrayBuffer> | null {
    const { bytes } = this;
    this.bytes = null;
    return bytes;
  }

  drop(): void {
    const bytes = this.take();
    if (bytes !== null) this.#buffers.giveBack(bytes);
  }
}
