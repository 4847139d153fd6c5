/**
 * Where frames begin and end in one direction of a WebSocket connection, so that the gateway can say that it is going away
 * between two of them. Looks at their heads alone: what is in a frame, and whether messages are whole, is the endpoints'
 * business.
 *
 * Invariants: bytes that are no frames of this direction (a reserved opcode, a mask where there may be none, a length that
 * nobody has) make it lost, for good: it then knows no boundary, and claims none. It changes nothing and refuses nothing.
 * Cost: some ns for each frame, whatever its length. Source: RFC 6455 §5.2.
 */

const CLOSE = 8;
const FIRST_CONTROL = 8;
const CONTROL_BYTES_MAX = 125;
/** A bit for each opcode that has a meaning: 0 to 2 are data, 8 to 10 control. */
const OPCODES = 0b111_0000_0111;
/** Opcode and length; what else is in a head, they say. */
const HEAD_BYTES = 2;
const MASK_BYTES = 4;

export class FrameCursor {
  /** Frames of clients are masked, those of servers never are (§5.1). */
  readonly #masked: boolean;
  #opcode = 0;
  /** Bytes of the head: those that have gone by, where the length ends, and all. */
  #seen = 0;
  #lengthEnd = HEAD_BYTES;
  #headEnd = HEAD_BYTES;
  /** Bytes left of the payload. */
  #payload = 0;
  #lost = false;
  #closed = false;

  constructor(masked: boolean) {
    this.#masked = masked;
  }

  /** The last byte was the end of a frame, or there was none yet. */
  get atBoundary(): boolean {
    return this.#seen === 0 && !this.#lost;
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** A whole Close frame has gone by: nothing more may be said in this direction (§5.5.1). */
  get closed(): boolean {
    return this.#closed;
  }

  /** All of `bytes[from, to)` goes by. */
  advance(bytes: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to;) at = this.toBoundary(bytes, at, to);
  }

  /** The rest of a frame that has begun, or a whole one, goes by. Returns where it ends, or `to` if it does not. */
  toBoundary(bytes: Uint8Array, from: number, to: number): number {
    for (let at = from; at < to && !this.#lost;) {
      if (this.#seen < this.#headEnd) this.#readHead(bytes[at++]!);
      if (this.#seen < this.#headEnd) continue;
      const passed = Math.min(this.#payload, to - at);
      this.#payload -= passed;
      at += passed;
      if (this.#payload > 0) return to;
      this.#endFrame();
      return at;
    }
    return to;
  }

  #readHead(byte: number): void {
    if (this.#seen === 0) this.#readOpcode(byte & 15);
    else if (this.#seen === 1) this.#readLength(byte & 127, byte >= 128);
    else if (this.#seen < this.#lengthEnd) this.#payload = this.#payload * 256 + byte;
    this.#seen += 1;
    if (this.#payload > Number.MAX_SAFE_INTEGER) this.#lost = true;
  }

  #readOpcode(opcode: number): void {
    this.#opcode = opcode;
    if (((OPCODES >> opcode) & 1) === 0) this.#lost = true;
  }

  #readLength(length: number, masked: boolean): void {
    const extended = length < 126 ? 0 : length === 126 ? 2 : 8;
    this.#payload = extended === 0 ? length : 0;
    this.#lengthEnd = HEAD_BYTES + extended;
    this.#headEnd = this.#lengthEnd + (masked ? MASK_BYTES : 0);
    if (masked !== this.#masked || (this.#opcode >= FIRST_CONTROL && length > CONTROL_BYTES_MAX)) this.#lost = true;
  }

  #endFrame(): void {
    if (this.#opcode === CLOSE) this.#closed = true;
    this.#seen = 0;
    this.#lengthEnd = HEAD_BYTES;
    this.#headEnd = HEAD_BYTES;
  }
}

/** Status 1001, “going away” (§7.4.1). */
const GOING_AWAY = [0x03, 0xe9] as const;

/** The frame by which a server says that it is going away. */
export const closeOfServer = Uint8Array.of(0x80 | CLOSE, 2, ...GOING_AWAY);

/** The same by a client: masked, as all that a client says (§5.3). */
export function closeOfClient(mask: number): Uint8Array {
  const key = [mask >>> 24, (mask >>> 16) & 255, (mask >>> 8) & 255, mask & 255] as const;
  return Uint8Array.of(0x80 | CLOSE, 0x80 | 2, ...key, GOING_AWAY[0] ^ key[0], GOING_AWAY[1] ^ key[1]);
}
