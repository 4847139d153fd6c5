/**
 * A *wire*: one byte stream to a client or a server, as the engine sees it. Three kinds exist, tested alike (wire.test.ts):
 * `net-wire.ts` on Node's public sockets, and on the handles below them (the fast path; see docs/adr/0004) `raw-wire.ts` and, for
 * clients with TLS, `raw-secure-wire.ts`.
 *
 * Who owns which memory:
 * - The bytes of `onBytes` belong to the wire and are valid during the call. If `stable` is true they stay valid for as long
 *   as the wire is paused, so they may be written to another wire without a copy: pause the source until the target drains.
 * - The bytes of `write` are lent to the wire. `true`: it is done with them. `false`: it reads them until `onDrain`, and no
 *   more should be written before that.
 * What is written need not leave within the call (outbox.ts), but it does before anything is ended or closed.
 * The first is why a read buffer can be shared by all wires of a thread, the second why its bytes must be copied unless they
 * are stable: a shared buffer that is still being written when the next socket is read is a corrupted body.
 */

/** What the user of a wire is told. After `onClose` nothing more is. */
export interface WireOwner {
  /** `bytes[from, to)` arrived. */
  onBytes(bytes: Uint8Array, from: number, to: number): void;
  /** The peer will send no more (FIN). What we write may still arrive. */
  onEnd(): void;
  /** All that was written has left; lent memory is free again. */
  onDrain(): void;
  /** The stream is gone. `code` is an errno name such as `ECONNRESET`, or '' after our own `close` or `finish`. */
  onClose(code: string): void;
}

export interface Wire {
  owner: WireOwner;
  /** True if bytes given to `onBytes` stay valid while this wire is paused. */
  readonly stable: boolean;
  readonly closed: boolean;
  /**
   * True between a `write` that returned false and `onDrain`; for good if a write has failed, until `onClose`; and after `end`
   * as long as anything is pending.
   */
  readonly congested: boolean;
  /** Bytes written and not yet taken by the kernel, to see whether a slow peer makes progress. */
  readonly pendingBytes: number;
  /** How often something went on to the kernel: while it is what it was before a write, nothing of that write has left. */
  readonly sends: number;
  /** A write of no more than this leaves at the end of the turn at the earliest, if nothing is pending; one of more may leave at once. */
  readonly heldBytesMax: number;
  write(bytes: Uint8Array): boolean;
  /** Writes `buffer[0, length)` and gives the borrowed buffer back to the worker's `Buffers` when it is done with it. */
  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean;
  pause(): void;
  resume(): void;
  /**
   * Reads into a buffer of its own (`stable`) from the next read on, for a long body, until `bulkOver`.
   * A wire that has no memory to give keeps the shared buffer: ask `stable`, never assume.
   */
  bulk(): void;
  /** The long body has been read: the shared buffer is used again. What was read last stays valid while this wire is paused. */
  bulkOver(): void;
  /** Sends FIN after what is pending; reading goes on. */
  end(): void;
  /** Closes after what is pending has been sent. */
  finish(): void;
  /** Closes now; pending bytes may be lost. */
  close(): void;
  /** Closes now with RST, so that the peer cannot take what it has for the whole. */
  reset(): void;
}

/** An owner for a wire that nobody uses any more: takes no notice. */
export const nobody: WireOwner = {
  onBytes() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
};
