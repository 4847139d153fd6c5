/**
 * Numbers as bytes, for what is kept in memory and on disk: small whole numbers in one byte, seven bits a byte and the lowest first (LEB128),
 * anything else as a float64 behind a mark. Exact for every number but the sign of zero.
 *
 * A writer grows by doubling. A reader never reads beyond its end: what is cut short is a `RangeError`, which whoever reads from disk
 * expects.
 */

const VARINT_BYTES_MAX = 8; // 53 bits
const NUMBER_BYTES_MAX = 9;
/** Twice as much is still a safe integer. */
const WHOLE_MAX = 2 ** 52;

export class ByteWriter {
  bytes: Buffer;
  used = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.alloc(capacity);
  }

  /** A whole number from 0 to 2^53 − 1. */
  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.used++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.used++] = rest;
  }

  number(value: number): void {
    if (value >= 0 && value < WHOLE_MAX && Number.isInteger(value)) {
      this.varint(value * 2);
      return;
    }
    this.reserve(NUMBER_BYTES_MAX);
    this.bytes[this.used++] = 1;
    viewOf(this.bytes).setFloat64(this.used, value, true);
    this.used += 8;
  }

  raw(from: Uint8Array): void {
    this.reserve(from.length);
    this.bytes.set(from, this.used);
    this.used += from.length;
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8');
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Room for so many more. */
  reserve(length: number): void {
    if (this.used + length <= this.bytes.length) return;
    const grown = Buffer.alloc(Math.max(this.bytes.length * 2, this.used + length));
    grown.set(this.bytes.subarray(0, this.used));
    this.bytes = grown;
  }

  /** The length of another, and what it wrote. */
  block(from: ByteWriter): void {
    this.varint(from.used);
    this.raw(from.bytes.subarray(0, from.used));
  }

  /** What was written, in memory of its own that holds no more than that. */
  toBytes(): Uint8Array {
    return new Uint8Array(this.bytes.subarray(0, this.used));
  }

  /** A character for each byte. */
  toText(): string {
    return this.bytes.toString('latin1', 0, this.used);
  }
}

/** What `toText` made, as bytes again. */
export function bytesOfText(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let length = 1; length <= VARINT_BYTES_MAX; length++) {
      if (this.at >= this.#end) throw new RangeError('cut short');
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new RangeError('a number is too long');
  }

  /** How many follow, each of at least a byte. */
  count(): number {
    const value = this.varint();
    if (value > this.#end - this.at) throw new RangeError('cut short');
    return value;
  }

  number(): number {
    const value = this.varint();
    if (value % 2 === 0) return value / 2;
    if (value !== 1 || this.at + 8 > this.#end) throw new RangeError('cut short');
    this.at += 8;
    return viewOf(this.#bytes).getFloat64(this.at - 8, true);
  }

  text(): string {
    return this.block().toString('utf8');
  }

  /** Of a length that stands before it; not a copy. */
  block(): Buffer {
    const length = this.varint();
    if (this.at + length > this.#end) throw new RangeError('cut short');
    this.at += length;
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.at - length, length);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
