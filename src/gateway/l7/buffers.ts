/**
 * The memory a worker works in, borrowed and given back, so that nothing is allocated per request and all of it is counted.
 *
 * Invariants: a buffer is given back once, by the one that borrowed it, when no write reads it any more; `bytes` is what is
 * lent out at this moment; free lists are bounded, so a burst's memory returns to the collector.
 */

/** Holds a request's head and the start of its body while it may have to be sent again. */
export const SMALL_BYTES = 16 * 1024;
/** One read of a socket: large enough that a 1 MB body takes few system calls, small enough for the second-level cache. */
export const READ_BYTES = 64 * 1024;
/** One read and the head or framing that goes out with it. */
export const LARGE_BYTES = READ_BYTES + 16 * 1024;

const FREE_SMALL_MAX = 1024; // 16 MB
const FREE_LARGE_MAX = 128; // 10 MB

export class Buffers {
  readonly bytesMax: number;
  /** Lent out now. */
  bytes = 0;
  readonly #small: Uint8Array<ArrayBuffer>[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** True when no new work should be taken on. */
  get full(): boolean {
    return this.bytes >= this.bytesMax;
  }

  /** True when what is optional, such as a read buffer of one's own, should be done without. */
  get tight(): boolean {
    return this.bytes >= this.bytesMax * 0.8;
  }

  /** A buffer of at least `bytes`. The two usual sizes come from the free lists; more than `LARGE_BYTES` is allocated. */
  borrow(bytes: number): Uint8Array<ArrayBuffer> {
    let buffer: Uint8Array<ArrayBuffer> | undefined;
    if (bytes <= SMALL_BYTES) buffer = this.#small.pop() ?? allocate(SMALL_BYTES);
    else if (bytes <= LARGE_BYTES) buffer = this.#large.pop() ?? allocate(LARGE_BYTES);
    else buffer = allocate(bytes);
    this.bytes += buffer.length;
    return buffer;
  }

  giveBack(buffer: Uint8Array<ArrayBuffer>): void {
    this.bytes -= buffer.length;
    if (buffer.length === SMALL_BYTES) {
      if (this.#small.length < FREE_SMALL_MAX) this.#small.push(buffer);
    } else if (buffer.length === LARGE_BYTES && this.#large.length < FREE_LARGE_MAX) this.#large.push(buffer);
  }

  /** The same for a buffer that somebody may still read: nobody else gets it. */
  forget(buffer: Uint8Array<ArrayBuffer>): void {
    this.bytes -= buffer.length;
  }
}

function allocate(bytes: number): Uint8Array<ArrayBuffer> {
  // WHY: not from Node's pool of slabs: a lent slice must not share its memory with anything.
  return Buffer.allocUnsafeSlow(bytes);
}

/** A view of `bytes[from, to)`, without the species look-up of `subarray`. */
export function view(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from);
}
